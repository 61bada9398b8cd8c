//! Bringing time to the decisions log, so that what is done because of it is a function of the log.

use std::time::Duration;

use model::Timestamp;

/// A clock record that was not read back by then is appended again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// For which moment a clock record was appended last, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockSent(Option<(Timestamp, Timestamp)>);

impl ClockSent {
    /// The moment for which a clock record has to be appended now.
    pub(crate) fn due(self, timeout: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        timeout.filter(|due| *due <= now && !self.is_on_its_way(*due, now))
    }

    /// A clock record was appended.
    pub(crate) fn note(&mut self, due: Timestamp, now: Timestamp) {
        self.0 = Some((due, now));
    }

    /// How long until [`Self::due`] may say so.
    pub(crate) fn until(self, timeout: Option<Timestamp>, now: Timestamp) -> Duration {
        let due = timeout.filter(|due| !self.is_on_its_way(*due, now));
        due.map_or(Duration::MAX, |due| due.since(now))
    }

    /// The record is read back within moments; one that is not was void, as another process had claimed.
    fn is_on_its_way(self, due: Timestamp, now: Timestamp) -> bool {
        self.0.is_some_and(|(for_due, at)| for_due == due && now.since(at) < AGAIN_AFTER)
    }
}
