//! Email: plain text and HTML, one thread per release.

mod config;

pub use config::{EmailConfig, Tls, check};
