//! Durable remote write: CPU per sample in the server, ack latency seen by the sender.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use hdrhistogram::Histogram;

use crate::{
    remote_write::{WriteRequest, post},
    server::Server,
};

/// Prometheus' `max_samples_per_send`.
const SERIES_PER_REQUEST: usize = 2000;
/// Connections, as Prometheus' shards would hold.
const CONNECTIONS: usize = 4;
/// Series of one instance's route: 12 buckets, count, sum, three codes.
const SERIES_PER_ROUTE: usize = 17;
const ROUTES: usize = 6;
const INSTANCES: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// Series in all; each scrape round sends one sample of each.
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Scrape rounds, the first of which creates the series.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate:    { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
  response_time: { histogram: http_request_duration_seconds }
rollback_triggers:
  error_rate:    { threshold: 1%, window: 5m, action: immediate_rollback }
  response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback }
"#;

pub(crate) async fn run(arguments: IngestArgs) -> anyhow::Result<()> {
    let server = Server::start(CONFIG, &[]).await?;
    let http = reqwest::Client::new();
    let mut acks = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let mut warm_cpu = Duration::ZERO;
    let (mut warm_samples, mut warm_wall) = (0, Duration::ZERO);
    for round in 0..arguments.rounds {
        let requests = scrape_round(arguments.series, round)?;
        let samples: u64 = requests.iter().map(|(_, samples)| samples).sum();
        let (before, began) = (server.cpu()?, Instant::now());
        send_all(&http, &server.url, requests, &mut acks).await?;
        let wall = began.elapsed();
        // What was acked is judged a moment later; its cost belongs to the round.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let cpu = server.cpu()?.saturating_sub(before);
        if round == 0 {
            println!("first round (series created): {:.3} us CPU a sample", micros(cpu, samples));
        } else {
            warm_cpu += cpu;
            warm_samples += samples;
            warm_wall += wall;
        }
    }
    let bytes = server.resident_bytes()?;
    println!("series: {}, samples: {warm_samples} warm", arguments.series);
    println!("server CPU: {:.3} us a sample, durable ack", micros(warm_cpu, warm_samples));
    println!(
        "rate: {:.0} samples/s (sender on the same cores)",
        warm_samples as f64 / warm_wall.as_secs_f64()
    );
    let at = |quantile| acks.value_at_quantile(quantile) as f64 / 1000.0;
    println!("ack: p50 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.99));
    println!(
        "memory: {:.0} MiB, {:.0} bytes a series",
        bytes as f64 / 1_048_576.0,
        bytes as f64 / arguments.series as f64
    );
    Ok(())
}

fn micros(cpu: Duration, samples: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / samples.max(1) as f64
}

type Body = (Vec<u8>, u64);

async fn send_all(
    http: &reqwest::Client,
    url: &str,
    bodies: Vec<Body>,
    acks: &mut Histogram<u64>,
) -> anyhow::Result<()> {
    let queue = std::sync::Arc::new(tokio::sync::Mutex::new(bodies));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (http, url, queue) = (http.clone(), url.to_owned(), queue.clone());
        senders.spawn(async move {
            let mut times = Vec::new();
            loop {
                let Some((body, _)) = queue.lock().await.pop() else { return Ok::<_, anyhow::Error>(times) };
                let began = Instant::now();
                post(&http, &url, body).await?;
                times.push(began.elapsed());
            }
        });
    }
    while let Some(times) = senders.join_next().await {
        for time in times?? {
            acks.saturating_record(time.as_micros() as u64);
        }
    }
    Ok(())
}

/// One sample of each series, cut into requests. Counters grow by what a healthy service would count.
fn scrape_round(series: usize, round: usize) -> anyhow::Result<Vec<Body>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let per_service = INSTANCES * ROUTES * SERIES_PER_ROUTE;
    let mut bodies = Vec::new();
    let mut request = WriteRequest::default();
    for at in 0..series {
        let (service, in_service) = (at / per_service, at % per_service);
        let (instance, in_instance) =
            (in_service / (ROUTES * SERIES_PER_ROUTE), in_service % (ROUTES * SERIES_PER_ROUTE));
        push_series(&mut request, service, instance, in_instance, round, now);
        if request.samples as usize == SERIES_PER_REQUEST || at + 1 == series {
            bodies.push((request.compressed()?, request.samples));
            request = WriteRequest::default();
        }
    }
    bodies.reverse();
    Ok(bodies)
}

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

fn push_series(
    request: &mut WriteRequest,
    service: usize,
    instance: usize,
    in_instance: usize,
    round: usize,
    now: i64,
) {
    let (route, kind) = (in_instance / SERIES_PER_ROUTE, in_instance % SERIES_PER_ROUTE);
    let (service, host) = (format!("service-{service}"), format!("10.0.{instance}.1:8080"));
    let route = format!("/api/v1/route-{route}");
    let requests = (round * 100) as f64;
    let (name, extra, value) = match kind {
        0..12 => (
            "http_request_duration_seconds_bucket",
            Some(("le", BOUNDS[kind])),
            requests * (kind + 1) as f64 / 12.0,
        ),
        12 => ("http_request_duration_seconds_count", None, requests),
        13 => ("http_request_duration_seconds_sum", None, requests * 0.1),
        14 => ("http_requests_total", Some(("code", "200")), requests),
        15 => ("http_requests_total", Some(("code", "404")), requests / 50.0),
        _ => ("http_requests_total", Some(("code", "500")), 0.0),
    };
    let mut labels = vec![
        ("__name__", name),
        ("cluster", "eu-1"),
        ("environment", "production"),
        ("instance", host.as_str()),
        ("job", "shop"),
        ("method", "GET"),
        ("namespace", "shop-production"),
        ("route", route.as_str()),
        ("service", service.as_str()),
        ("team", "payments"),
        ("version", "2.4.1"),
    ];
    labels.extend(extra);
    labels.sort_unstable();
    request.push(&labels, value, now);
}
