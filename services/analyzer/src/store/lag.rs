//! How far senders lag: how long scrapes lately took to become whole.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// What was measured is remembered for one to two of these: several scrapes at the usual intervals.
const SPAN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lag {
    /// When `most` began.
    since: Timestamp,
    most: Duration,
    most_before: Duration,
}

impl Lag {
    /// A scrape was not whole `waited` after its first sample.
    pub(super) fn note(&mut self, now: Timestamp, waited: Duration) {
        self.turn(now);
        self.most = self.most.max(waited);
    }

    /// The longest of the last minute or two.
    pub(super) fn recent(&mut self, now: Timestamp) -> Duration {
        self.turn(now);
        self.most.max(self.most_before)
    }

    fn turn(&mut self, now: Timestamp) {
        let passed = now.since(self.since);
        if passed <= SPAN {
            return;
        }
        self.most_before = if passed <= SPAN * 2 { self.most } else { Duration::ZERO };
        self.most = Duration::ZERO;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_remembered_for_a_minute_or_two() {
        let (moment, seconds) = (|seconds: i64| Timestamp::from_millis(seconds * 1000), Duration::from_secs);
        let mut lag = Lag::default();
        lag.note(moment(1000), seconds(8));
        lag.note(moment(1010), seconds(20));
        lag.note(moment(1020), seconds(7));
        for (now, expected) in [(1030, 20), (1070, 20), (1120, 20), (1140, 0), (2000, 0)] {
            assert_eq!(lag.recent(moment(now)), seconds(expected), "at {now}");
        }
    }
}
