//! A mail server on loopback that answers as a test says: enough of SMTP (RFC 5321) for a real conversation.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) to: String,
    /// Head and body, lines joined by `\n`.
    pub(super) data: String,
}

impl Mail {
    pub(super) fn id(&self) -> String {
        let line = self.data.lines().find(|line| line.starts_with("Message-ID: "));
        line.unwrap().to_owned()
    }
}

/// What the server says instead of `250 OK`: to each `RCPT TO` of an address, and to `DATA`'s end. The last answer
/// holds from then on.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) recipients: BTreeMap<&'static str, Vec<&'static str>>,
    pub(super) data: BTreeMap<&'static str, Vec<&'static str>>,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    mails: Vec<Mail>,
    tried: Vec<String>,
}

#[derive(Debug)]
pub(super) struct MailServer {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

impl MailServer {
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    /// Every `RCPT TO`, in order.
    pub(super) fn tried(&self) -> Vec<String> {
        self.state.lock().unwrap().tried.clone()
    }
}

fn next(answers: &mut BTreeMap<&'static str, Vec<&'static str>>, to: &str) -> &'static str {
    match answers.get_mut(to) {
        Some(answers) if answers.len() > 1 => answers.remove(0),
        Some(answers) => answers.first().copied().unwrap_or("250 OK"),
        None => "250 OK",
    }
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut to = String::new();
    let mut say = async |line: &str| writing.write_all(format!("{line}\r\n").as_bytes()).await.is_ok();
    say("220 double").await;
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-double\r\n250 8BITMIME",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let mut state = state.lock().unwrap();
                state.tried.push(to.clone());
                next(&mut state.script.recipients, &to)
            }
            "DATA" => {
                say("354 go").await;
                let mut data = Vec::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    data.push(line);
                }
                let mut state = state.lock().unwrap();
                let answer = next(&mut state.script.data, &to);
                if answer.starts_with('2') {
                    state.mails.push(Mail { to: to.clone(), data: data.join("\n") });
                }
                answer
            }
            "QUIT" => {
                say("221 bye").await;
                return;
            }
            _ => "250 OK",
        };
        if !say(answer).await {
            return;
        }
    }
}
