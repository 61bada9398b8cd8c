//! Load on a real `ripcord serve` process, from outside, over loopback: what it costs and how fast it answers.

#![allow(clippy::print_stdout, reason = "figures are this program's output")]
#![allow(clippy::disallowed_methods, reason = "a load test measures real time")]

mod ingest;
mod latency;
mod recover;
mod remote_write;
mod server;
mod shop;

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};

/// Load tests against the release binary.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    test: Test,
}

#[derive(Debug, Subcommand)]
enum Test {
    /// CPU per sample and ack latency of durable remote write.
    Ingest(ingest::IngestArgs),
    /// From a whole scrape that crosses the limit to the rollback webhook.
    Latency(latency::LatencyArgs),
    /// From `kill -9` to ready, after so many seconds of so many samples a second.
    Recover(recover::RecoverArgs),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    // The race that this could lose ends with the same provider installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    match Arguments::parse().test {
        Test::Ingest(arguments) => ingest::run(arguments).await,
        Test::Latency(arguments) => latency::run(arguments).await,
        Test::Recover(arguments) => recover::run(arguments).await,
    }
}

/// The wall clock, milliseconds since 1970.
fn now_ms() -> anyhow::Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}
