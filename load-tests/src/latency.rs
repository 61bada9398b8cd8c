//! State in, decision out: from the moment the scrape that crosses the limit is whole to the rollback request.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{Router, body::Bytes, extract::State, routing::post as on_post};
use clap::Args;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    remote_write::{WriteRequest, post},
    server::Server,
};

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Releases that go wrong, one after the other.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Samples a second of other services' telemetry meanwhile.
    #[arg(long, default_value_t = 0)]
    background: usize,
}

const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
storm: { max_rollbacks: 1000000, per: 10m, settle: 5s }
policies:
  - match: { environment: production }
    target: { webhook: { url: "WEBHOOK" } }
"#;

type Arrivals = mpsc::UnboundedSender<(String, Instant)>;

pub(crate) async fn run(arguments: LatencyArgs) -> anyhow::Result<()> {
    let (sender, mut arrivals) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let webhook = format!("http://{}/rollback", listener.local_addr()?);
    let sink = Router::new().route("/rollback", on_post(arrived)).with_state(sender);
    tokio::spawn(async move { drop(axum::serve(listener, sink).await) });
    let server = Server::start(&CONFIG.replace("WEBHOOK", &webhook), &[]).await?;
    let http = reqwest::Client::new();
    if arguments.background > 0 {
        tokio::spawn(background(http.clone(), server.url.clone(), arguments.background));
    }
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for round in 0..arguments.rounds {
        let service = format!("victim-{round}");
        let whole_at = break_release(&http, &server.url, &service).await?;
        let arrived = tokio::time::timeout(Duration::from_secs(20), next_of(&mut arrivals, &service)).await;
        let arrived = arrived.map_err(|_| anyhow::anyhow!("no rollback of {service} within 20 s"))?;
        times.saturating_record(arrived.saturating_duration_since(whole_at).as_micros() as u64);
    }
    let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "whole scrape to rollback webhook, {} releases, {} samples/s beside: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        arguments.rounds,
        arguments.background,
        at(0.5),
        at(0.99),
        times.max() as f64 / 1000.0
    );
    Ok(())
}

async fn arrived(State(sender): State<Arrivals>, body: Bytes) {
    let service = serde_json::from_slice::<Value>(&body).unwrap_or_default()["release"]["service"].clone();
    drop(sender.send((service.as_str().unwrap_or_default().to_owned(), Instant::now())));
}

async fn next_of(arrivals: &mut mpsc::UnboundedReceiver<(String, Instant)>, service: &str) -> Instant {
    loop {
        match arrivals.recv().await {
            Some((of, at)) if of == service => return at,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Releases a version, lets it look well for two scrapes, then breaks it; returns when the last scrape left.
async fn break_release(http: &reqwest::Client, url: &str, service: &str) -> anyhow::Result<Instant> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let release =
        json!({"service": service, "environment": "production", "version": "2", "previous_version": "1"});
    let answer = http
        .post(format!("{url}/api/v1/releases"))
        .header("content-type", "application/json")
        .body(release.to_string())
        .send()
        .await?;
    anyhow::ensure!(answer.status().is_success(), "release: {} {}", answer.status(), answer.text().await?);
    for (at, ok, errors) in [(0, 100.0, 0.0), (1000, 200.0, 0.0)] {
        post(http, url, scrape(service, now + at, ok, errors)?).await?;
    }
    let last = scrape(service, now + 2000, 400.0, 200.0)?;
    let whole_at = Instant::now();
    post(http, url, last).await?;
    Ok(whole_at)
}

fn scrape(service: &str, at_ms: i64, ok: f64, errors: f64) -> anyhow::Result<Vec<u8>> {
    let mut request = WriteRequest::default();
    for (code, value) in [("200", ok), ("500", errors)] {
        let labels = [
            ("__name__", "http_requests_total"),
            ("code", code),
            ("environment", "production"),
            ("instance", service),
            ("job", "shop"),
            ("service", service),
            ("version", "2"),
        ];
        request.push(&labels, value, at_ms);
    }
    request.compressed()
}

/// Healthy telemetry of a hundred other services, at a steady rate.
async fn background(http: reqwest::Client, url: String, per_second: usize) {
    const PER_REQUEST: usize = 2000;
    let mut interval = tokio::time::interval(Duration::from_secs_f64(PER_REQUEST as f64 / per_second as f64));
    let mut round = 0_u64;
    loop {
        interval.tick().await;
        round += 1;
        let Ok(since_epoch) = SystemTime::now().duration_since(UNIX_EPOCH) else { continue };
        let mut request = WriteRequest::default();
        for at in 0..PER_REQUEST {
            let (service, instance) = (format!("other-{}", at % 100), format!("10.0.0.{}", at / 100));
            let labels = [
                ("__name__", "http_requests_total"),
                ("code", "200"),
                ("environment", "production"),
                ("instance", instance.as_str()),
                ("job", "shop"),
                ("service", service.as_str()),
                ("version", "1"),
            ];
            request.push(&labels, (round * 10) as f64, since_epoch.as_millis() as i64);
        }
        if let Ok(body) = request.compressed() {
            drop(post(&http, &url, body).await);
        }
    }
}
