//! How long a start takes after `kill -9`: with the snapshot that the judge left, and without one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use tokio::sync::Mutex;

use crate::{
    ingest::{CONFIG, send_all},
    server::{Log, Server},
    shop,
};

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Series in all; each round sends one sample of each.
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Samples a second.
    #[arg(long, default_value_t = 200_000)]
    rate: usize,
    /// How long to send before the kill.
    #[arg(long, default_value_t = 900)]
    seconds: u64,
    #[command(flatten)]
    log: Log,
}

pub(crate) async fn run(arguments: RecoverArgs) -> anyhow::Result<()> {
    let mut server = Server::start(CONFIG, &[], &arguments.log).await?;
    let http = reqwest::Client::new();
    let requests = Arc::new(Mutex::new(shop::requests(arguments.series, crate::now_ms()?)));
    let period = Duration::from_secs_f64(arguments.series as f64 / arguments.rate as f64);
    let (began, mut rounds) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(arguments.seconds) {
        send_all(&http, &server, &requests, crate::now_ms()?).await?;
        rounds += 1;
        tokio::time::sleep_until((began + period * rounds).into()).await;
    }
    let (reached, samples) = (began.elapsed().as_secs_f64(), arguments.series as f64 * f64::from(rounds));
    server.wait_until_judged(&http).await?;
    let bytes = server.sum_of(&http, "ripcord_log_size_bytes").await?;
    println!(
        "kill -9 after {reached:.0} s of {:.0} samples/s, {} series",
        samples / reached,
        arguments.series
    );
    println!("  log                           {:8.2} GB, {:.1} bytes a sample", bytes / 1e9, bytes / samples);
    let snapshot = server.sum_of(&http, "ripcord_snapshot_bytes").await?;
    let with_snapshot = server.kill_and_restart().await?.as_secs_f64();
    println!("  ready with the snapshot       {with_snapshot:8.2} s; it has {:.1} MB", snapshot / 1e6);
    let snapshots = server.data_dir().join("snapshots");
    if snapshots.exists() {
        std::fs::remove_dir_all(snapshots)?;
        let without = server.kill_and_restart().await?.as_secs_f64();
        println!(
            "  ready without one             {without:8.2} s, {:.2} s a GB of log",
            without / (bytes / 1e9)
        );
    }
    Ok(())
}
