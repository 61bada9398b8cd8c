//! What an email integration is told.

use lettre::message::Mailbox;
use secrecy::SecretString;

/// How the connection to the smarthost is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// In clear; a password is then sent to loopback only.
    None,
    /// STARTTLS, and nothing without it.
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Implicit,
}

/// A smarthost and whom to write to.
#[derive(Clone, Debug, Default)]
pub struct EmailConfig {
    /// `name@host` or `Name <name@host>`; empty: the email address that the owner of the service names.
    pub to: Vec<String>,
    pub from: String,
    /// `host:port`.
    pub smarthost: String,
    /// The name we give in EHLO; `None`: the machine's.
    pub hello: Option<String>,
    pub tls: Tls,
    /// PEM certificates of the authorities to trust instead of the built-in ones.
    pub tls_ca: Option<Vec<u8>>,
    /// Accept any certificate.
    pub tls_insecure: bool,
    pub auth_username: Option<String>,
    pub auth_password: Option<SecretString>,
    pub send_resolved: bool,
}

impl EmailConfig {
    /// Host and port of the smarthost.
    pub(crate) fn host_and_port(&self) -> Result<(&str, u16), String> {
        let wrong = || format!("smarthost must be host:port, not {:?}", self.smarthost);
        let (host, port) = self.smarthost.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if host.is_empty() || port == 0 {
            return Err(wrong());
        }
        Ok((host, port))
    }
}

/// Says what is wrong with `config`.
pub fn check(config: &EmailConfig) -> Result<(), String> {
    let (host, _) = config.host_and_port()?;
    config.from.parse::<Mailbox>().map_err(|error| format!("from is not an address: {error}"))?;
    for to in &config.to {
        to.parse::<Mailbox>()
            .map_err(|error| format!("to holds {to:?}, which is not an address: {error}"))?;
    }
    if config.auth_password.is_some() != config.auth_username.is_some() {
        return Err("auth_username and auth_password belong together".to_owned());
    }
    if config.auth_password.is_some() && config.tls == Tls::None && !is_loopback(host) {
        return Err("a password is not sent to another machine in clear; use STARTTLS or TLS".to_owned());
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
