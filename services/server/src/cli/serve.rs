//! `ripcord serve`: the service.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use telemetry::{LogFormat, Telemetry, TelemetryConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::{
    app::App,
    config,
    role::{Role, Roles},
};

/// A configuration that is not accepted (`EX_CONFIG` of sysexits.h).
pub(super) const EXIT_CONFIG: u8 = 78;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The configuration; without one, the built-in defaults (loopback, ./data, no triggers).
    #[arg(long, env = "RIPCORD_CONFIG")]
    config: Option<PathBuf>,
    /// Where the log is kept, instead of `server.data_dir`.
    #[arg(long, env = "RIPCORD_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Which parts to run here, where the log is on Kafka; all of them, if none is named.
    #[arg(long, value_enum, value_delimiter = ',', env = "RIPCORD_ROLES")]
    roles: Vec<Role>,
    /// Log lines as text or JSON.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
    /// What to log: `info`, `debug`, `ingest=debug,info`.
    #[arg(long, env = "RIPCORD_LOG", default_value = "info")]
    log: String,
    /// Where own traces go (OTLP/HTTP), e.g. http://127.0.0.1:4318.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(args: ServeArgs) -> ExitCode {
    let mut config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(errors) => {
            output::error(&errors.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if let Some(data_dir) = &args.data_dir {
        config.move_data_dir(data_dir);
    }
    match serve(&args, config) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("ripcord: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &ServeArgs, config: config::Config) -> anyhow::Result<ExitCode> {
    crate::tls::install_provider();
    let telemetry = Telemetry::install(&TelemetryConfig {
        format: match args.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        },
        filter: args.log.clone(),
        otlp_endpoint: args.otlp_endpoint.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(until_stopped(config, Roles::of(&args.roles)));
    // What did not stop in time must not keep the process from ending.
    runtime.shutdown_background();
    telemetry.shutdown();
    served
}

async fn until_stopped(config: config::Config, roles: Roles) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be handled")?;
    let started = tokio::select! {
        started = App::start(config, roles) => started,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    let app = match started {
        Ok(app) => app,
        Err(error) if error.is_config() => {
            output::error(&format!("ripcord: {error}"));
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
        Err(error) => return Err(error.into()),
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => app.want_reload(),
        }
    }
    tracing::info!("stopping; a second signal ends the process at once");
    tokio::select! {
        () = app.stop() => Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => Ok(ExitCode::FAILURE),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}
