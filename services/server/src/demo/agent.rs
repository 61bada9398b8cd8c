//! The agent: pushes the shop's counters as a Prometheus would (remote write), and the access log of the one
//! service that has no metrics as request events.

use std::{sync::Arc, time::Duration};

use model::Sample;
use proto::wire::remote_write::WriteRequest;
use tokio_util::sync::CancellationToken;

use super::shop::{BOUNDS_SECONDS, Counts, Service, Shop};

/// Pushes every `interval` until told to stop.
pub(super) fn start(
    shop: Arc<Shop>,
    url: String,
    interval: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(interval);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = interval.tick() => {}
            }
            for service in &shop.services {
                push(&http, &url, service).await;
            }
        }
    });
    Ok(())
}

async fn push(http: &reqwest::Client, url: &str, service: &Service) {
    let request = if service.name == "search" {
        let lines = request_events(service);
        http.post(format!("{url}/api/v1/requests")).header("content-type", "application/x-ndjson").body(lines)
    } else {
        http.post(format!("{url}/api/v1/write"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(write_request(service))
    };
    match request.send().await {
        Ok(response) if response.status().is_success() => {}
        Ok(response) => tracing::warn!(status = response.status().as_u16(), "a push was refused"),
        Err(error) => tracing::warn!(%error, "a push failed"),
    }
}

fn request_events(service: &Service) -> String {
    let line = |entry: super::shop::LogLine| {
        format!(
            r#"{{"service":"{}","environment":"production","status":{},"duration_ms":{:.3}}}"#,
            service.name, entry.status, entry.duration_ms
        )
    };
    service.take_log().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn write_request(service: &Service) -> Vec<u8> {
    let (version, instance, counts) = service.scrape();
    let identity = [
        ("environment", "production"),
        ("instance", &instance),
        ("job", "shop"),
        ("service", service.name),
        ("version", &version),
    ];
    let at = telemetry::clock::now();
    let mut request = WriteRequest::default();
    for (name, extra, value) in samples_of(&counts) {
        let mut labels: Vec<(&str, &str)> = identity.to_vec();
        labels.push(("__name__", name));
        labels.extend(extra.iter().map(|(name, value)| (*name, value.as_str())));
        request.push(&labels, Sample { value, at, start: None });
    }
    request.compressed()
}

type SampleOf = (&'static str, Option<(&'static str, String)>, f64);

fn samples_of(counts: &Counts) -> Vec<SampleOf> {
    let mut samples: Vec<SampleOf> = Vec::new();
    // Both codes from the start, so that the first error is an increase and not a birth.
    for code in [200, 500] {
        let count = counts.by_code.get(&code).copied().unwrap_or(0);
        samples.push(("http_requests_total", Some(("code", code.to_string())), count as f64));
    }
    let mut below = 0;
    for (at, count) in counts.buckets.iter().enumerate() {
        below += count;
        let bound = BOUNDS_SECONDS.get(at).map_or("+Inf".to_owned(), f64::to_string);
        samples.push(("http_request_duration_seconds_bucket", Some(("le", bound)), below as f64));
    }
    samples.push(("http_request_duration_seconds_count", None, below as f64));
    samples.push(("http_request_duration_seconds_sum", None, counts.sum_seconds));
    samples
}
