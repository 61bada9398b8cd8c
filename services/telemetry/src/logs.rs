//! Logs to stderr, and traces to an OpenTelemetry endpoint where one is configured.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What to say and where to.
#[derive(Clone, Debug, Default)]
pub struct TelemetryConfig {
    pub format: LogFormat,
    /// A tracing filter (`info,ripcord=debug`); a bad one falls back to `info`.
    pub filter: String,
    /// OTLP/HTTP endpoint of traces, e.g. `http://127.0.0.1:4318`; `None`: no traces leave the process.
    pub otlp_endpoint: Option<String>,
    pub version: String,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("traces cannot be exported to {endpoint}: {source}")]
    Exporter { endpoint: String, source: opentelemetry_otlp::ExporterBuildError },
    #[error("logging is already set up")]
    AlreadySetUp(#[from] tracing_subscriber::util::TryInitError),
}

/// Holds what has to be flushed at the end.
#[derive(Debug, Default)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sets up the process-wide subscriber; once a process.
    pub fn install(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
        // Colours are for eyes, not for files and journals (https://no-color.org).
        let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(is_coloured);
        let lines = match config.format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        let provider = config.otlp_endpoint.as_deref().map(|at| provider(at, &config.version)).transpose()?;
        let spans =
            provider.as_ref().map(|it| tracing_opentelemetry::layer().with_tracer(it.tracer("ripcord")));
        tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init()?;
        Ok(Self { provider })
    }

    /// Sends what is still held back; called last.
    pub fn shutdown(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "traces were not flushed");
        }
    }
}

fn provider(endpoint: &str, version: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|source| TelemetryError::Exporter { endpoint: endpoint.to_owned(), source })?;
    let resource = Resource::builder()
        .with_service_name("ripcord")
        .with_attribute(opentelemetry::KeyValue::new("service.version", version.to_owned()))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
