//! Email: plain text and HTML, one thread per release, over SMTP.

pub(crate) mod addresses;
mod config;
#[cfg(test)]
mod double;
mod mailing;
mod message;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    address::Envelope,
    message::Mailbox,
    transport::smtp::{
        Error as SmtpError, PoolConfig,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls as SmtpTls, TlsParameters},
        extension::ClientId,
    },
};
use model::{Send, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

pub use self::config::{EmailConfig, Tls, check, unreadable_addresses};
pub(crate) use self::mailing::Mailing;
use self::mailing::Recipients;
#[cfg(test)]
pub(crate) use self::message::as_text;
use crate::text::{one_line, redact, with_causes};

/// Longest time for one mail to one recipient, connection included.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Most connections to one smarthost; small ones count them.
const MAX_CONNECTIONS: u32 = 4;

/// Answers about our login, which say nothing of a recipient (RFC 4954): a password that is mended reaches all.
const LOGIN_CODES: [u16; 5] = [503, 530, 534, 535, 538];

/// Longest piece of a server's answer inside a detail, in characters.
const MAX_ANSWER_CHARS: usize = 200;

/// A smarthost and whom to write to.
pub(crate) struct EmailSender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    asks_owners: bool,
    password: Option<SecretString>,
    smarthost: (String, u16),
    /// Hosts that may be at addresses which nothing else is sent to.
    allowed: Arc<BTreeSet<String>>,
}

impl fmt::Debug for EmailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailSender").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// Why a recipient did not get it.
enum Refusal {
    /// This recipient, or this mail, for good.
    Final(String),
    /// This recipient not now (4xx: greylisting, a full mailbox).
    NotNow(String),
    /// Nobody is reached.
    Connection(String),
    /// The server does not take mail from us: wrong credentials, no STARTTLS. A person has to change something.
    Login(String),
}

impl Refusal {
    fn detail(&self) -> &str {
        let (Self::Final(detail) | Self::NotNow(detail) | Self::Connection(detail) | Self::Login(detail)) =
            self;
        detail
    }
}

impl EmailSender {
    /// Has to be called inside a Tokio runtime: the pool of connections has a task.
    pub(crate) fn new(config: EmailConfig, allowed: Arc<BTreeSet<String>>) -> Result<Self, String> {
        let (host, port) = config.host_and_port()?;
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| format!("{text:?}: {error}"));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls(&config, host)?)
            .timeout(Some(SMTP_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(MAX_CONNECTIONS));
        if let Some(hello) = &config.hello {
            builder = builder.hello_name(ClientId::Domain(hello.clone()));
        }
        if let (Some(username), Some(password)) = (&config.auth_username, &config.auth_password) {
            let password = password.expose_secret().trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self {
            smarthost: (host.to_owned(), port),
            allowed,
            transport: builder.build(),
            from: mailbox(&config.from)?,
            to: config.to.iter().flat_map(|list| addresses::parse(list).readable).collect(),
            asks_owners: config.notify_owner || config.to.is_empty(),
            password: config.auth_password,
        })
    }

    /// The mail for `send`, dated `now`; the error is final.
    pub(crate) fn mailing(
        &self,
        send: &Send,
        external_url: &str,
        now: Timestamp,
    ) -> Result<Mailing<'_>, String> {
        let recipients = Recipients::of(send, &self.to, self.asks_owners);
        if recipients.is_empty() {
            return Err(
                "no recipient: neither the receiver nor the owner of the service names one".to_owned()
            );
        }
        let mail = message::render(send, external_url, (&self.from, &recipients.reachable), now)?;
        Ok(Mailing::new(self, send, (mail.raw, mail.root), recipients))
    }

    async fn send(&self, to: &Address, raw: &[u8]) -> Result<(), Refusal> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()])
            .map_err(|error| Refusal::Final(error.to_string()))?;
        self.expect_permitted().await?;
        match tokio::time::timeout(SMTP_TIMEOUT, self.transport.send_raw(&envelope, raw)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => Err(Refusal::Connection(format!("no answer within {SMTP_TIMEOUT:?}"))),
        }
    }

    /// The mail library resolves by itself; what it would connect to is looked at first.
    async fn expect_permitted(&self) -> Result<(), Refusal> {
        let (host, port) = &self.smarthost;
        let checked =
            tokio::time::timeout(SMTP_TIMEOUT, outbound::check_host(host, *port, &self.allowed)).await;
        match checked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(match outbound::find_denied(&error) {
                Some(denied) => Refusal::Login(denied.to_string()),
                None => Refusal::Connection(with_causes(&error)),
            }),
            Err(_) => Err(Refusal::Connection(format!("{host} was not resolved within {SMTP_TIMEOUT:?}"))),
        }
    }

    /// SMTP's 5xx is final for its recipient; what is about our login (no common authentication, no STARTTLS) for
    /// this message; 4xx and everything about the connection may pass.
    fn judge(&self, error: &SmtpError) -> Refusal {
        let password = self.password.as_ref().map_or("", |password| password.expose_secret().trim());
        let detail = redact(&one_line(&with_causes(error), MAX_ANSWER_CHARS), [password]);
        let is_about_login =
            error.status().is_some_and(|code| LOGIN_CODES.contains(&u16::from(code))) || error.is_client();
        if is_about_login {
            Refusal::Login(detail)
        } else if error.is_permanent() {
            Refusal::Final(detail)
        } else if error.is_transient() {
            Refusal::NotNow(detail)
        } else {
            Refusal::Connection(detail)
        }
    }
}

fn tls(config: &EmailConfig, host: &str) -> Result<SmtpTls, String> {
    if config.tls == Tls::None {
        return Ok(SmtpTls::None);
    }
    let mut parameters =
        TlsParameters::builder(host.to_owned()).dangerous_accept_invalid_certs(config.tls_insecure);
    if let Some(authorities) = &config.tls_ca {
        parameters = parameters.certificate_store(CertificateStore::None);
        for pem in certificates(authorities)? {
            let certificate =
                Certificate::from_pem(pem.as_bytes()).map_err(|error| format!("tls_ca: {error}"))?;
            parameters = parameters.add_root_certificate(certificate);
        }
    }
    let parameters = parameters.build_rustls().map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(match config.tls {
        Tls::Implicit => SmtpTls::Wrapper(parameters),
        _ => SmtpTls::Required(parameters),
    })
}

/// The certificates of a bundle, one by one.
fn certificates(bundle: &[u8]) -> Result<Vec<String>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = std::str::from_utf8(bundle).map_err(|_| "tls_ca is not PEM".to_owned())?;
    let found: Vec<String> = text
        .split_inclusive(END)
        .filter_map(|piece| {
            piece.find("-----BEGIN CERTIFICATE-----").map(|start| format!("{}\n", &piece[start..]))
        })
        .collect();
    if found.is_empty() { Err("tls_ca holds no certificate".to_owned()) } else { Ok(found) }
}
