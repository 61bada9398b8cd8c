//! What an email integration is told.

use lettre::message::Mailbox;
use secrecy::SecretString;

use super::{addresses, mailing::MAX_RECIPIENTS};

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
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// Address lists: `name@host`, `Name <name@host>`, several with commas. The addresses that the owners of the
    /// services name get the mail as well, and alone where this is empty.
    pub to: Vec<String>,
    /// Whether the owner's addresses get it beside `to`.
    pub notify_owner: bool,
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

impl Default for EmailConfig {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            notify_owner: true,
            from: String::new(),
            smarthost: String::new(),
            hello: None,
            tls: Tls::default(),
            tls_ca: None,
            tls_insecure: false,
            auth_username: None,
            auth_password: None,
            send_resolved: false,
        }
    }
}

/// Reads an owner's address list; the pieces that are no address.
pub fn unreadable_addresses(list: &str) -> Vec<String> {
    addresses::parse(list).unreadable
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
    let mut count = 0;
    for list in &config.to {
        let addresses = addresses::parse(list);
        if let Some(wrong) = addresses.unreadable.first() {
            return Err(format!("to holds {wrong:?}, which is not an address"));
        }
        count += addresses.readable.len();
    }
    if count > MAX_RECIPIENTS {
        return Err(format!(
            "to holds {count} addresses; more than {MAX_RECIPIENTS} belong into a list of the mail server"
        ));
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
