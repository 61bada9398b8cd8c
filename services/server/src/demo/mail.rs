//! A mail server that takes everything and keeps it: enough of SMTP (RFC 5321) for a real conversation.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// Largest conversation; Ripcord's mails stay under 110 KB each.
const MAX_CONVERSATION_BYTES: u64 = 4 * 1024 * 1024;

/// A mail that arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    pub(super) to: Vec<String>,
    /// Head and body as sent.
    pub(super) data: String,
}

impl Mail {
    /// A header's value, folded lines joined.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.data.lines().take_while(|line| !line.is_empty()).skip_while(|line| {
            !line.split_once(':').is_some_and(|(have, _)| have.eq_ignore_ascii_case(name))
        });
        let first = lines.next()?.split_once(':')?.1.trim().to_owned();
        let rest = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        Some(rest.fold(first, |value, more| format!("{value} {more}")))
    }
}

/// The mail server.
#[derive(Debug)]
pub(crate) struct MailServer {
    address: SocketAddr,
    mails: Mutex<Vec<Mail>>,
}

impl MailServer {
    pub(super) async fn start(stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Arc::new(Self { address: listener.local_addr()?, mails: Mutex::default() });
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                if let Ok((stream, _)) = stream {
                    let server = Arc::clone(&accepting);
                    tokio::spawn(async move { drop(server.converse(stream).await) });
                }
            }
        });
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reading, mut writing) = stream.into_split();
        let mut lines = BufReader::new(reading.take(MAX_CONVERSATION_BYTES)).lines();
        let mut mail = Mail::default();
        writing.write_all(b"220 demo ESMTP\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => "250-demo\r\n250 8BITMIME",
                "MAIL" => {
                    mail = Mail::default();
                    "250 OK"
                }
                "RCPT" => {
                    mail.to.push(line.get(8..).unwrap_or_default().trim_matches(['<', '>', ' ']).to_owned());
                    "250 OK"
                }
                "DATA" => {
                    writing.write_all(b"354 go on\r\n").await?;
                    while let Some(line) = lines.next_line().await? {
                        if line == "." {
                            break;
                        }
                        mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                        mail.data.push('\n');
                    }
                    let mail = std::mem::take(&mut mail);
                    self.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                    "250 OK"
                }
                "QUIT" => {
                    writing.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                "HELO" | "RSET" | "NOOP" => "250 OK",
                _ => "502 not here",
            };
            writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
