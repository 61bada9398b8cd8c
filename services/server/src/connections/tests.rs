//! Over real sockets: senders without any token, and what they keep from those who have one.

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::*;
use crate::http;

const SHARES: Shares = Shares { connections: 16, requests: 12, polls: 6 };

/// A server of which verdicts wait until they are let go.
struct Server {
    address: SocketAddr,
    verdicts: watch::Sender<bool>,
    closed: IntCounter,
    stop: CancellationToken,
}

impl Server {
    async fn start() -> Self {
        let (verdicts, waits) = watch::channel(false);
        let verdict = async move || {
            let mut waits = waits.clone();
            drop(waits.wait_for(|is_known| *is_known).await);
            "pass"
        };
        let router = Router::new()
            .route("/api/v1/releases/{id}/verdict", get(verdict.clone()))
            .route("/api/v1/releases", get(verdict))
            .route("/api/v1/halt", get(async || "halted"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counter = |name: &str| IntCounter::new(name, name).unwrap();
        let (closed, refused) = (counter("closed"), counter("refused"));
        let stop = CancellationToken::new();
        let connections = Connections::new(SHARES, closed.clone(), refused);
        tokio::spawn(http::serve(listener, router, connections, stop.clone()));
        Self { address, verdicts, closed, stop }
    }

    /// A connection on which so much of a request was sent.
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, path: &str) -> String {
        read(self.send(&request(path)).await).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// The status of an answer; `closed` where there is none.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer).await);
    answer.split_whitespace().nth(1).unwrap_or("closed").to_owned()
}

#[tokio::test]
async fn heads_that_never_end_cost_each_other_their_places_and_no_operator_theirs() {
    let server = Server::start().await;
    let mut halves = Vec::new();
    for _ in 0..40 {
        halves.push(server.send("GET /api/v1/halt HTTP/1.1\r\nhost:").await);
    }
    for _ in 0..20 {
        assert_eq!(server.ask("/api/v1/halt").await, "200");
    }
    assert!(server.closed.get() > 24, "the oldest gave way");
    let newest = halves.pop().unwrap();
    assert!(newest.try_read(&mut [0; 8]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn long_polls_and_requests_without_end_leave_places_for_verbs() {
    let server = Server::start().await;
    let mut polls = JoinSet::new();
    for _ in 0..20 {
        let poll = server.send(&request("/api/v1/releases/rel_1/verdict?wait=30s")).await;
        polls.spawn(read(poll));
    }
    for _ in 0..14 {
        assert_eq!(polls.join_next().await.unwrap().unwrap(), "503", "six wait, the others are to come back");
    }
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        requests.spawn(read(server.send(&request("/api/v1/releases")).await));
    }
    for _ in 0..4 {
        assert_eq!(requests.join_next().await.unwrap().unwrap(), "503", "twelve are answered with the polls");
    }
    assert_eq!(server.ask("/api/v1/halt").await, "200");
    server.verdicts.send_replace(true);
    for answer in polls.join_all().await.into_iter().chain(requests.join_all().await) {
        assert_eq!(answer, "200");
    }
    assert_eq!(server.ask("/api/v1/releases").await, "200", "the places are free again");
}

#[test]
fn verbs_are_told_from_what_senders_and_readers_do() {
    for (path, query, kind) in [
        ("/api/v1/halt", None, Kind::Verb),
        ("/api/v1/halt/hlt_1", None, Kind::Verb),
        ("/api/v1/commands/cmd_1/approve", None, Kind::Verb),
        ("/api/v1/releases/rel_1/rollback", None, Kind::Verb),
        ("/-/healthy", None, Kind::Verb),
        ("/api/v1/releases/rel_1/verdict", Some("wait=30s"), Kind::Poll),
        ("/api/v1/releases/rel_1/verdict", None, Kind::Other),
        ("/api/v1/commands/cmd_1/outcome", None, Kind::Other),
        ("/api/v1/write", None, Kind::Other),
    ] {
        assert_eq!(Kind::of(path, query), kind, "{path}");
    }
}
