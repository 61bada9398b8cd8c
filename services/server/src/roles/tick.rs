//! Time as a record: one `Tick` a second and partition, so that silence reaches the cores through the log.
//!
//! A partition whose tick is still under way gets no second one: the time of the others goes on, and what waits on a
//! log that takes nothing is bounded. The tick that waits is also the probe: the moment the log takes records again it
//! is acknowledged, and by that the log is known to be back.

mod acks;

use std::time::Duration;

use bus::AppendError;
use model::Partition;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use self::acks::Acks;
use super::writer::EventWriter;
use crate::readiness::Readiness;

const PERIOD: Duration = Duration::from_secs(1);

/// What became of a partition's tick.
type Written = (Partition, Result<(), AppendError>);

/// Appends ticks until told to stop, and says whether the log takes them. A tick that cannot be written is not made up
/// for: time stands still for the cores while the log does.
pub(crate) async fn run(writer: EventWriter, readiness: Readiness, stop: CancellationToken) {
    let mut acks = Acks::new(Instant::now());
    let mut under_way = JoinSet::new();
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => append(&writer, &mut acks, &mut under_way),
            Some(written) = under_way.join_next(), if !under_way.is_empty() => match written {
                Ok((partition, written)) => acks.note(Instant::now(), partition, written),
                Err(error) => tracing::error!(%error, "a tick ended without a result"),
            },
        }
        let state = match writer.outage() {
            Some(error) => Err(error.to_string()),
            None => acks.state(Instant::now()),
        };
        readiness.set("log", state);
    }
}

fn append(writer: &EventWriter, acks: &mut Acks, under_way: &mut JoinSet<Written>) {
    let due = (0..writer.partitions()).map(Partition).filter(|partition| !acks.is_under_way(*partition));
    for (partition, append) in writer.append_tick(due.collect()) {
        acks.begin(partition);
        under_way.spawn(async move { (partition, append.await.map(drop)) });
    }
}
