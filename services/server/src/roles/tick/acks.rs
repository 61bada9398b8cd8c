//! What became of the ticks, and what that says of the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bus::AppendError;
use model::Partition;
use tokio::time::Instant;

use crate::text::chain;

/// Without any tick acknowledged for so long the log is taken for stuck. Ticks are due every second and take
/// milliseconds, so that this is several of each partition; far shorter than an append may wait. While one broker of
/// several is gone the partitions of the others are acknowledged.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// The ticks of all partitions.
#[derive(Debug)]
pub(super) struct Acks {
    under_way: BTreeSet<Partition>,
    /// Partitions whose last tick failed, and why.
    failed: BTreeMap<Partition, String>,
    /// When a tick was acknowledged last, or when the first was due.
    acked_at: Instant,
}

impl Acks {
    pub(super) fn new(now: Instant) -> Self {
        Self { under_way: BTreeSet::new(), failed: BTreeMap::new(), acked_at: now }
    }

    pub(super) fn is_under_way(&self, partition: Partition) -> bool {
        self.under_way.contains(&partition)
    }

    pub(super) fn begin(&mut self, partition: Partition) {
        self.under_way.insert(partition);
    }

    /// The tick of `partition` is no longer under way.
    pub(super) fn note(&mut self, now: Instant, partition: Partition, written: Result<(), AppendError>) {
        self.under_way.remove(&partition);
        match written {
            Ok(()) => {
                self.acked_at = now;
                self.failed.remove(&partition);
            }
            Err(error) => {
                let why = chain(&error);
                // Told when it begins and not every time that it goes on.
                if self.failed.insert(partition, why.clone()).is_none() {
                    tracing::warn!(%partition, error = why, "a tick cannot be written");
                }
            }
        }
    }

    /// Whether the log takes ticks; if not, a sentence that says so.
    pub(super) fn state(&self, now: Instant) -> Result<(), String> {
        if let Some((partition, why)) = self.failed.first_key_value() {
            return Err(format!("a tick cannot be written to partition {partition}: {why}"));
        }
        let silence = now.saturating_duration_since(self.acked_at);
        if silence < SILENT_AFTER {
            return Ok(());
        }
        Err(format!("the log has taken no tick for {} s", silence.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Partition = Partition(0);
    const ONE: Partition = Partition(1);

    fn outage() -> Result<(), AppendError> {
        Err(AppendError::Outage { reason: "no broker".to_owned() })
    }

    #[test]
    fn silence_of_all_partitions_is_told_before_an_append_fails_and_silence_of_one_is_not() {
        let start = Instant::now();
        let mut acks = Acks::new(start);
        let almost = start + SILENT_AFTER - Duration::from_millis(1);
        assert_eq!(acks.state(almost), Ok(()), "the first tick may be under way");
        acks.begin(ZERO);
        acks.begin(ONE);
        acks.note(almost, ONE, Ok(()));
        assert!(acks.is_under_way(ZERO) && !acks.is_under_way(ONE));
        assert_eq!(acks.state(start + SILENT_AFTER), Ok(()), "the other partition has a leader");
        let told = acks.state(almost + SILENT_AFTER).unwrap_err();
        assert_eq!(told, "the log has taken no tick for 5 s");
        acks.note(almost + SILENT_AFTER, ZERO, Ok(()));
        assert_eq!(acks.state(almost + SILENT_AFTER), Ok(()));
    }

    #[test]
    fn a_tick_that_failed_is_told_until_one_of_its_partition_is_acknowledged() {
        let now = Instant::now();
        let mut acks = Acks::new(now);
        acks.note(now, ONE, outage());
        acks.note(now, ZERO, Ok(()));
        assert_eq!(acks.state(now).unwrap_err(), "a tick cannot be written to partition 1: no broker");
        acks.note(now, ONE, Ok(()));
        assert_eq!(acks.state(now), Ok(()));
    }
}
