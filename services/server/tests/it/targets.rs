//! Targets that misbehave: what came of it is shown, and the others get theirs at once.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    shop::scrape_thrice,
    sink::Sink,
    system::{System, until},
};

/// What one target answers to every connection; `None`: nothing, and it stays open.
async fn target(answer: Option<String>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream.read(&mut [0; 4096]).await);
            match &answer {
                Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                None => open.push(stream),
            }
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_target_that_misbehaves_is_shown_and_keeps_no_other_service_waiting() {
    let good = Sink::start().await;
    let elsewhere = Sink::start().await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url
    );
    let gone = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (hanging, hanging_asked) = target(None).await;
    let (redirecting, redirecting_asked) = target(Some(redirect)).await;
    let (refusing, refusing_asked) = target(Some(gone)).await;
    let (closing, closing_asked) = target(Some("HTTP/1.1 200 O".to_owned())).await;
    let places = [
        ("hanging", &hanging),
        ("redirecting", &redirecting),
        ("refusing", &refusing),
        ("closing", &closing),
    ];
    let mut config = r#"
server: { listen: "LISTEN" }
metrics: { error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } } }
defaults: { settle: 1s, attribution: { neighbours: none } }
storm: { max_rollbacks: 10, per: 10m }
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }
policies:
"#
    .to_owned();
    for (service, url) in places.into_iter().chain([("good", &good.url)]) {
        config += &format!(
            "  - {{ match: {{ service: {service} }}, target: {{ webhook: {{ url: \"{url}\" }} }} }}\n"
        );
    }
    let system = System::start(&config).await;
    let mut releases = Vec::new();
    for (service, asked) in [
        ("hanging", &hanging_asked),
        ("redirecting", &redirecting_asked),
        ("refusing", &refusing_asked),
        ("closing", &closing_asked),
    ] {
        releases.push(system.release(service, "2", Some("1")).await);
        scrape_thrice(&system, service, "2", 900.0, 100.0).await;
        until(&format!("{service} is asked"), async || (asked.load(Ordering::SeqCst) > 0).then_some(()))
            .await;
    }
    let release = system.release("good", "2", Some("1")).await;
    scrape_thrice(&system, "good", "2", 900.0, 100.0).await;
    until("the good target is asked", async || good.commands_for("good").pop()).await;
    system.until_state(&release, "rolling_back").await;

    // The final answers are told as failures; redirects are not followed; neither is asked twice.
    for (at, asked) in [(1, &redirecting_asked), (2, &refusing_asked)] {
        system.until_state(&releases[at], "rollback_failed").await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert!(elsewhere.received().is_empty(), "the redirect was followed");
    let hung = system.get(&format!("/api/v1/releases/{}", releases[0])).await;
    assert_eq!(hung["commands"][0]["state"], "ready", "{hung}");
    // Half an answer is asked again, a bounded number of times.
    until("asked again", async || (closing_asked.load(Ordering::SeqCst) >= 2).then_some(())).await;
}
