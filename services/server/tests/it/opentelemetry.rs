//! A real OpenTelemetry SDK exports metrics over OTLP/HTTP; nothing is configured but the endpoint.

use std::process::Command;

use crate::{
    peers,
    shop::{CONFIG, SECRET},
    sink::Sink,
    system::{System, until},
};

/// Exports three times: 200 requests before the release, then a fifth of 500 failing.
const PROGRAM: &str = r#"
import sys
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

url, errors = sys.argv[1], int(sys.argv[2])
resource = Resource.create({
    "service.name": "checkout", "service.version": "2.4.1",
    "service.instance.id": "pod-1", "deployment.environment.name": "production"})
reader = PeriodicExportingMetricReader(
    OTLPMetricExporter(endpoint=url + "/v1/metrics"), export_interval_millis=3600000)
provider = MeterProvider(resource=resource, metric_readers=[reader])
duration = provider.get_meter("shop").create_histogram(
    "http.server.request.duration", unit="s",
    explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])

def serve(count, failing):
    for at in range(count):
        status = 500 if at < failing else 200
        duration.record(0.04, {"http.request.method": "GET", "url.scheme": "http", "http.response.status_code": status})
    provider.force_flush()

serve(10, 0)
serve(200, 0)
serve(500, errors)
provider.shutdown()
"#;

#[tokio::test]
async fn the_sdks_own_request_duration_gives_error_rate_and_latency_without_configuration() {
    let Some(python) = peers::python_with("opentelemetry.exporter.otlp.proto.http") else { return };
    let sink = Sink::start().await;
    // No `metrics:` section at all: the semantic conventions are enough.
    let (before, after) = CONFIG.split_once("metrics:").unwrap();
    let rest = after.split_once("defaults:").unwrap().1;
    let config = format!("{before}defaults:{rest}").replace("TARGET", &sink.url);
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;

    let (program, url) = (system.folder.path().join("export.py"), system.url.clone());
    std::fs::write(&program, PROGRAM).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python).arg(program).args([&url, "100"]).output().unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let command = until("the rollback request", async || sink.commands_for("checkout").pop()).await;
    assert_eq!(command["release"]["id"], release.as_str());
    let values = system.get("/api/v1/services/checkout/metrics?window=5m").await;
    let version = &values["versions"][0];
    assert_eq!(version["version"], "2.4.1");
    assert_eq!(version["errors"], 100, "{values}");
    let p95 = version["latency_seconds"]["p95"].as_f64().unwrap();
    assert!((0.025..=0.05).contains(&p95), "0.04 s lies in the bucket (0.025, 0.05]: {p95}");
}
