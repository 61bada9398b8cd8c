//! State in, decision out: from the moment the scrape that crosses the limit is whole to the rollback request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, routing::post as on_post};
use clap::Args;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use crate::{
    remote_write::{WriteRequest, post},
    server::{Log, Server},
    shop,
};

/// The default `settle`, and two ticks.
const SETTLED_AFTER: Duration = Duration::from_secs(8);
/// Series of the telemetry beside the releases.
const BACKGROUND_SERIES: usize = 100_000;
/// Connections that it comes by.
const BACKGROUND_CONNECTIONS: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Releases that go wrong, one after the other.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Samples a second of other services' telemetry meanwhile.
    #[arg(long, default_value_t = 0)]
    background: usize,
    #[command(flatten)]
    log: Log,
}

const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
storm: { max_rollbacks: 10000, per: 10m, settle: 5s }
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
    let server = Server::start(&CONFIG.replace("WEBHOOK", &webhook), &[], &arguments.log).await?;
    let http = reqwest::Client::new();
    let sent = Arc::new(AtomicU64::new(0));
    if arguments.background > 0 {
        let load = background(http.clone(), server.url.clone(), arguments.background, Arc::clone(&sent));
        tokio::spawn(load);
        wait_for_all_series(&sent).await?;
    }
    for round in 0..arguments.rounds {
        release(&http, &server.url, &format!("victim-{round}")).await?;
    }
    // Of a target never seen before nobody knows when its scrape is whole: the first one waits for `settle`.
    tokio::time::sleep(SETTLED_AFTER).await;
    let (sent_before, began, cpu_before) = (sent.load(Ordering::Relaxed), Instant::now(), server.cpu()?);
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for round in 0..arguments.rounds {
        let service = format!("victim-{round}");
        let whole_at = break_release(&http, &server.url, &service).await?;
        let arrived = tokio::time::timeout(Duration::from_secs(5), next_of(&mut arrivals, &service)).await;
        let arrived = arrived.map_err(|_| anyhow::anyhow!("no rollback of {service} within 5 s"))?;
        times.saturating_record(arrived.saturating_duration_since(whole_at).as_micros() as u64);
    }
    let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    let seconds = began.elapsed().as_secs_f64();
    let beside = (sent.load(Ordering::Relaxed) - sent_before) as f64 / seconds;
    println!(
        "whole scrape to rollback webhook, {} releases, {} samples/s beside ({beside:.0} reached)",
        arguments.rounds, arguments.background
    );
    println!(
        "  latency                       {:8.1} ms p50, {:.1} ms p90, {:.1} ms p99, {:.1} ms max",
        at(0.5),
        at(0.9),
        at(0.99),
        times.max() as f64 / 1000.0
    );
    println!(
        "  server CPU                    {:8.1} % of one core",
        100.0 * server.cpu()?.saturating_sub(cpu_before).as_secs_f64() / seconds
    );
    Ok(())
}

/// The first sight of a series costs more than the rest of its life; the measurement begins behind it.
async fn wait_for_all_series(sent: &AtomicU64) -> anyhow::Result<()> {
    for _ in 0..6000 {
        if sent.load(Ordering::Relaxed) >= 2 * BACKGROUND_SERIES as u64 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the telemetry beside did not come in within a minute")
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

/// Releases a version and sends its first scrape, which is a baseline.
async fn release(http: &reqwest::Client, url: &str, service: &str) -> anyhow::Result<()> {
    let release =
        json!({"service": service, "environment": "production", "version": "2", "previous_version": "1"});
    let answer = http
        .post(format!("{url}/api/v1/releases"))
        .header("content-type", "application/json")
        .body(release.to_string())
        .send()
        .await?;
    anyhow::ensure!(answer.status().is_success(), "release: {} {}", answer.status(), answer.text().await?);
    post(http, url, scrape(service, crate::now_ms()?, 100.0, 0.0)?).await
}

/// Sends the scrape that crosses the limit; returns when it left.
async fn break_release(http: &reqwest::Client, url: &str, service: &str) -> anyhow::Result<Instant> {
    let scrape = scrape(service, crate::now_ms()?, 400.0, 200.0)?;
    let whole_at = Instant::now();
    post(http, url, scrape).await?;
    Ok(whole_at)
}

fn scrape(service: &str, at_ms: u64, ok: f64, errors: f64) -> anyhow::Result<Vec<u8>> {
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
        request.push(&labels, value, 0.0, at_ms);
    }
    request.compressed()
}

/// Healthy telemetry of another shop, spread evenly over time and over a few connections.
async fn background(http: reqwest::Client, url: String, per_second: usize, sent: Arc<AtomicU64>) {
    let Ok(at_ms) = crate::now_ms() else { return };
    let mut senders = JoinSet::new();
    for mut requests in connections(shop::requests(BACKGROUND_SERIES, at_ms)) {
        let (http, url, sent) = (http.clone(), url.clone(), Arc::clone(&sent));
        senders.spawn(async move {
            let samples = requests.first().map_or(1, WriteRequest::samples);
            let pause = (samples * BACKGROUND_CONNECTIONS) as f64 / per_second as f64;
            let mut interval = tokio::time::interval(Duration::from_secs_f64(pause));
            for at in (0..requests.len()).cycle() {
                interval.tick().await;
                let Ok(at_ms) = crate::now_ms() else { continue };
                requests[at].advance(at_ms);
                let Ok(body) = requests[at].compressed() else { continue };
                if post(&http, &url, body).await.is_ok() {
                    sent.fetch_add(requests[at].samples() as u64, Ordering::Relaxed);
                }
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

/// Whole requests dealt out, so that no target's samples overtake each other.
fn connections(requests: Vec<WriteRequest>) -> Vec<Vec<WriteRequest>> {
    let mut dealt: Vec<Vec<WriteRequest>> = Vec::new();
    dealt.resize_with(BACKGROUND_CONNECTIONS, Vec::new);
    for (at, request) in requests.into_iter().enumerate() {
        dealt[at % BACKGROUND_CONNECTIONS].push(request);
    }
    dealt
}
