//! Time as a record: one `Tick` a second, so that silence reaches the cores through the log.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::writer::EventWriter;
use crate::readiness::Readiness;

const PERIOD: Duration = Duration::from_secs(1);

/// Appends ticks until told to stop, and says whether the last one could be written. A tick that cannot be
/// written is not made up for: time stands still for the cores while the log does.
pub(crate) async fn run(writer: EventWriter, readiness: Readiness, stop: CancellationToken) {
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        let written = writer.append_ticks().await;
        if let Err(error) = &written {
            tracing::warn!(%error, "a tick cannot be written");
        }
        readiness.set("log", written.map_err(|_| "the log cannot write".to_owned()));
    }
}
