//! One TLS provider for the whole process.

/// Makes ring the process-wide provider of rustls; with none installed every TLS client would panic.
pub(crate) fn install_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // A race with another thread ends with the same provider installed.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
