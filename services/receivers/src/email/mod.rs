//! Email: plain text and HTML, one thread per release, over SMTP.

mod config;
mod message;

use std::{fmt, time::Duration};

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

pub use self::config::{EmailConfig, Tls, check};
use crate::{
    retry::{Attempt, Failure},
    text::{one_line, redact, with_causes},
};

/// Longest time for one mail to one recipient, connection included.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Most connections to one smarthost; small ones count them.
const MAX_CONNECTIONS: u32 = 4;

/// Most recipients of one mail; a list of more belongs into the mail server.
const MAX_RECIPIENTS: usize = 50;

/// Longest piece of a server's answer inside a detail, in characters.
const MAX_ANSWER_CHARS: usize = 200;

/// A smarthost and whom to write to.
pub(crate) struct EmailSender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    password: Option<SecretString>,
}

impl fmt::Debug for EmailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailSender").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// A mail on its way. Each recipient is a transaction of its own: one that the server refuses does not keep the
/// mail from the others, and a retry goes only to those who do not have it yet.
pub(crate) struct Mailing<'a> {
    sender: &'a EmailSender,
    raw: Vec<u8>,
    root: String,
    waiting: Vec<Address>,
    delivered: usize,
    refused: Vec<String>,
}

/// Why a recipient did not get it.
enum Refusal {
    /// This recipient, or this mail, for good.
    Final(String),
    /// This recipient not now (4xx: greylisting, a full mailbox).
    NotNow(String),
    /// Nobody is reached.
    Connection(String),
}

impl EmailSender {
    /// Has to be called inside a Tokio runtime: the pool of connections has a task.
    pub(crate) fn new(config: EmailConfig) -> Result<Self, String> {
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
            transport: builder.build(),
            from: mailbox(&config.from)?,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
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
        let to = if self.to.is_empty() { owners(send)? } else { self.to.clone() };
        if to.is_empty() {
            return Err(
                "no recipient: neither the receiver nor the owner of the service names one".to_owned()
            );
        }
        if to.len() > MAX_RECIPIENTS {
            return Err(format!("{} recipients are more than {MAX_RECIPIENTS}", to.len()));
        }
        let mail = message::render(send, external_url, (&self.from, &to), now)?;
        Ok(Mailing {
            sender: self,
            raw: mail.raw,
            root: mail.root,
            waiting: to.into_iter().map(|mailbox| mailbox.email).collect(),
            delivered: 0,
            refused: Vec::new(),
        })
    }

    async fn send(&self, to: &Address, raw: &[u8]) -> Result<(), Refusal> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()])
            .map_err(|error| Refusal::Final(error.to_string()))?;
        match tokio::time::timeout(SMTP_TIMEOUT, self.transport.send_raw(&envelope, raw)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => Err(Refusal::Connection(format!("no answer within {SMTP_TIMEOUT:?}"))),
        }
    }

    /// SMTP's 5xx and our own faults (no common authentication, no STARTTLS) are final; 4xx and everything about
    /// the connection may pass.
    fn judge(&self, error: &SmtpError) -> Refusal {
        let password = self.password.as_ref().map_or("", |password| password.expose_secret().trim());
        let detail = redact(&one_line(&with_causes(error), MAX_ANSWER_CHARS), [password]);
        if error.is_permanent() || error.is_client() {
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

/// The addresses that the owners of the services name, each once.
fn owners(send: &Send) -> Result<Vec<Mailbox>, String> {
    let of_notices = send.notices.iter().filter_map(|notice| notice.owner.as_ref());
    let of_releases = send.notices.iter().filter_map(|notice| notice.release.as_ref()?.owner.as_ref());
    let mut owners: Vec<Mailbox> = Vec::new();
    for text in of_notices.chain(of_releases).filter_map(|owner| owner.email.as_deref()) {
        let wrong = |error| {
            format!("the owner's email {:?} is not an address: {error}", one_line(text, MAX_ANSWER_CHARS))
        };
        let mailbox: Mailbox = text.parse().map_err(wrong)?;
        if !owners.iter().any(|known| known.email == mailbox.email) {
            owners.push(mailbox);
        }
    }
    Ok(owners)
}

impl Mailing<'_> {
    /// The `Message-ID` under which the thread hangs.
    pub(crate) fn thread(&self) -> String {
        self.root.clone()
    }

    fn refusals(&self) -> String {
        let all = self.delivered + self.refused.len() + self.waiting.len();
        format!("accepted for {} of {all} recipients; {}", self.delivered, self.refused.join("; "))
    }
}

impl Attempt for Mailing<'_> {
    async fn attempt(&mut self) -> Result<String, Failure> {
        let mut passing = None;
        for to in std::mem::take(&mut self.waiting) {
            // Without a connection the others would only wait for the same failure.
            if let Some(Refusal::Connection(_)) = passing {
                self.waiting.push(to);
                continue;
            }
            match self.sender.send(&to, &self.raw).await {
                Ok(()) => self.delivered += 1,
                Err(Refusal::Final(detail)) => self.refused.push(format!("{to}: {detail}")),
                Err(refusal) => {
                    passing = Some(refusal);
                    self.waiting.push(to);
                }
            }
        }
        match passing {
            Some(Refusal::Final(detail) | Refusal::NotNow(detail) | Refusal::Connection(detail)) => {
                Err(Failure::retryable(detail))
            }
            None if self.refused.is_empty() => Ok(format!("accepted for {} recipients", self.delivered)),
            None => Err(Failure::last(self.refusals())),
        }
    }
}
