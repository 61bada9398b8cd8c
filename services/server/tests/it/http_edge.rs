//! What odd and hostile clients get, over plain sockets.

use std::time::Duration;

use telemetry::clock::Stopwatch;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::system::{System, client, until};

const CONFIG: &str = "server: { listen: \"LISTEN\", limits: { body_time_max: 2s } }\n";

/// Connections that the server serves at once, and more than that.
const MORE_CONNECTIONS_THAN_SERVED: usize = 1000;

/// What a hostile crowd may make the process grow by, in debug builds too.
const GROWTH_BYTES_MAX: u64 = 128 << 20;

async fn connect(system: &System) -> TcpStream {
    TcpStream::connect(system.url.trim_start_matches("http://")).await.unwrap()
}

/// Sends bytes and reads until the server closes or says nothing for a while.
async fn talk(system: &System, bytes: &[u8]) -> String {
    let mut stream = connect(system).await;
    // A server that closes early is an answer too.
    drop(stream.write_all(bytes).await);
    hear(&mut stream).await
}

async fn hear(stream: &mut TcpStream) -> String {
    let (mut heard, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(Ok(read @ 1..)) =
        tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await
    {
        heard.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn resident_bytes(system: &System) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", system.pid())).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn odd_requests_get_the_answer_that_http_has_for_them() {
    let system = System::start(CONFIG).await;
    let line = r#"{"service":"a","environment":"e","status":200}"#;
    let chunked = format!(
        "POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{line}\r\n0\r\n\r\n",
        line.len()
    );
    let expecting = format!(
        "POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
        line.len()
    );
    let pipelined = "GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3);
    let huge = format!("GET /-/healthy HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(5000));
    for (request, starts, contains, why) in [
        (
            "HEAD /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 200",
            "",
            "a load balancer looks by HEAD",
        ),
        ("HEAD /-/ready HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 200", "", "and at readiness"),
        ("GET /-/healthy HTTP/1.0\r\n\r\n", "HTTP/1.0 200", "", "HTTP/1.0 needs no host"),
        (&chunked, "HTTP/1.1 202", "", "a body without a length"),
        (&expecting, "HTTP/1.1 100", "HTTP/1.1 202", "the body is asked for first"),
        (&pipelined, "HTTP/1.1 200", "HTTP/1.1 200", "three at once"),
        (
            "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404",
            "application/problem+json",
            "no such path",
        ),
        (
            "GET //-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404",
            "problem+json",
            "not normalised",
        ),
        (
            "GET /api/v1/../../-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404",
            "problem+json",
            "nor walked up",
        ),
        (
            "DELETE /api/v1/write HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 405",
            "application/problem+json",
            "no such method",
        ),
        (
            "DELETE /api/v1/write HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 405",
            "allow: POST",
            "and which there is",
        ),
        (&huge, "HTTP/1.1 431", "", "a head of a megabyte"),
        (&many, "HTTP/1.1 431", "", "five thousand headers"),
        ("\u{0}\u{1}\u{2}\r\n\r\n", "HTTP/1.1 400", "", "not HTTP at all"),
        (
            "POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 400",
            "",
            "no length",
        ),
        (
            "POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n",
            "HTTP/1.1 413",
            "",
            "refused by its declared size",
        ),
    ] {
        let heard = talk(&system, request.as_bytes()).await;
        let head: String = heard.chars().take(300).collect();
        assert!(heard.starts_with(starts), "{why}: {head}");
        assert!(heard.contains(contains), "{why}: {head}");
    }
    let refused = talk(&system, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(refused, "", "HTTP/2 in the clear is not offered: the connection is closed");
    assert_eq!(talk(&system, pipelined.as_bytes()).await.matches("HTTP/1.1 200").count(), 3);
}

#[tokio::test]
async fn a_crowd_of_slow_clients_keeps_nobody_out_for_long_and_costs_little() {
    let system = System::start(CONFIG).await;
    let before = resident_bytes(&system);
    let mut crowd = Vec::new();
    let began = Stopwatch::start();
    for n in 0..MORE_CONNECTIONS_THAN_SERVED {
        let mut stream = connect(&system).await;
        let head: &[u8] = match n % 3 {
            0 => b"",
            1 => b"POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ncontent-",
            _ => b"POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{",
        };
        stream.write_all(head).await.unwrap();
        crowd.push(stream);
    }
    eprintln!("connected after {:?}", began.elapsed());
    // A connection of its own, or it would go on over one that was served before the crowd came.
    let honest = client();
    until("an honest client is answered", async || {
        let answer = honest.get(format!("{}/-/healthy", system.url)).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    eprintln!("answered after {:?} beside {} slow clients", began.elapsed(), crowd.len());
    let grown = resident_bytes(&system).saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "grew by {grown} bytes");
    let mut slow_body = connect(&system).await;
    slow_body
        .write_all(b"POST /api/v1/requests HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
        .await
        .unwrap();
    let answer = until("an unfinished body is given up", async || {
        let heard = hear(&mut slow_body).await;
        (!heard.is_empty()).then_some(heard)
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("did not arrive"), "{answer}");
}
