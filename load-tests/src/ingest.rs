//! Durable remote write: CPU per sample in the server, ack latency seen by the sender.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use hdrhistogram::Histogram;
use tokio::{sync::Mutex, task::JoinSet};

use crate::{
    remote_write::{WriteRequest, post},
    server::{Log, Server},
    shop,
};

/// Connections, as Prometheus' shards would hold.
const CONNECTIONS: usize = 4;
/// The scrape interval in event time. Rounds follow each other faster than that, but windows move as they would.
const INTERVAL_MS: u64 = 15_000;
/// Warm samples that a measurement is made of, at least: CPU time is counted in hundredths of a second.
const WARM_SAMPLES: usize = 4_000_000;

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// Series in all; each scrape round sends one sample of each.
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Scrape rounds after the first, which creates the series; enough for four million samples by default.
    #[arg(long)]
    rounds: Option<usize>,
    #[command(flatten)]
    log: Log,
}

pub(crate) const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate:    { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
  response_time: { histogram: http_request_duration_seconds }
rollback_triggers:
  error_rate:    { threshold: 1%, window: 5m, action: immediate_rollback }
  response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback }
"#;

/// What one sending of everything took.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) wall: Duration,
    bytes: usize,
    acks: Vec<Duration>,
}

pub(crate) async fn run(arguments: IngestArgs) -> anyhow::Result<()> {
    let rounds = arguments.rounds.unwrap_or(WARM_SAMPLES.div_ceil(arguments.series)).max(1);
    let server = Server::start(CONFIG, &[], &arguments.log).await?;
    let http = reqwest::Client::new();
    let began_ms = crate::now_ms()? - INTERVAL_MS * rounds as u64;
    let requests = Arc::new(Mutex::new(shop::requests(arguments.series, began_ms)));

    let before = server.cpu()?;
    send_all(&http, &server, &requests, began_ms).await?;
    server.wait_until_judged(&http).await?;
    let first = server.cpu()?.saturating_sub(before);

    let (before, mut wall, mut bytes_sent) = (server.cpu()?, Duration::ZERO, 0);
    let mut acks = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for round in 1..=rounds {
        let sent = send_all(&http, &server, &requests, began_ms + INTERVAL_MS * round as u64).await?;
        wall += sent.wall;
        bytes_sent += sent.bytes;
        sent.acks.iter().for_each(|ack| acks.saturating_record(ack.as_micros() as u64));
    }
    // What was acked is judged a moment later; its cost belongs here.
    server.wait_until_judged(&http).await?;
    let warm = server.cpu()?.saturating_sub(before);

    let (series, samples) = (arguments.series as f64, (arguments.series * rounds) as f64);
    let bytes = server.resident_bytes()? as f64;
    let at = |quantile| acks.value_at_quantile(quantile) as f64 / 1000.0;
    println!("durable remote write, {series} series, {samples} samples in requests of 2,000");
    println!("  server CPU, user + system     {:8.3} us a sample", warm.as_secs_f64() * 1e6 / samples);
    println!("  the same, series created      {:8.3} us a sample", first.as_secs_f64() * 1e6 / series);
    println!("  rate, sender on the same cores {:7.0} samples/s", samples / wall.as_secs_f64());
    println!(
        "  bodies                         {:7.1} MB/s, {:.1} bytes a sample",
        bytes_sent as f64 / 1e6 / wall.as_secs_f64(),
        bytes_sent as f64 / samples
    );
    println!("  ack                           {:8.1} ms p50, {:.1} ms p99", at(0.5), at(0.99));
    println!(
        "  resident                      {:8.0} MiB, {:.0} bytes a series",
        bytes / 1_048_576.0,
        bytes / series
    );
    Ok(())
}

/// Sends every request once, stamped `at_ms`.
pub(crate) async fn send_all(
    http: &reqwest::Client,
    server: &Server,
    requests: &Arc<Mutex<Vec<WriteRequest>>>,
    at_ms: u64,
) -> anyhow::Result<Sent> {
    let mut bodies = Vec::new();
    for request in requests.lock().await.iter_mut().rev() {
        request.advance(at_ms);
        bodies.push(request.compressed()?);
    }
    let bytes = bodies.iter().map(Vec::len).sum();
    let (bodies, began) = (Arc::new(Mutex::new(bodies)), Instant::now());
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (http, url, bodies) = (http.clone(), server.url.clone(), Arc::clone(&bodies));
        senders.spawn(async move {
            let mut acks = Vec::new();
            loop {
                let Some(body) = bodies.lock().await.pop() else { return Ok::<_, anyhow::Error>(acks) };
                let began = Instant::now();
                post(&http, &url, body).await?;
                acks.push(began.elapsed());
            }
        });
    }
    let mut sent = Sent { bytes, ..Sent::default() };
    while let Some(acks) = senders.join_next().await {
        sent.acks.extend(acks??);
    }
    sent.wall = began.elapsed();
    Ok(sent)
}
