//! How far ahead a record's stamp may be.
//!
//! Time only goes forward, so one stamp far ahead would stop it: nothing falls due until the others get there. The
//! stamp is the clock of whoever wrote the record. Two witnesses have to agree that this clock is wrong: the stamps
//! of the records before, and the clock of whoever reads. Either alone may be wrong itself: after a pause the next
//! record is rightly far ahead of the last one, and a reader's own clock may have been set back.

use std::time::Duration;

use crate::Timestamp;

/// A stamp further ahead than this of the reader's clock and of every stamp before is not believed.
pub const STAMP_AHEAD_MAX: Duration = Duration::from_secs(60);

/// The newest stamp of a log so far.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    newest: Timestamp,
}

impl Default for Stamps {
    fn default() -> Self {
        Self::from(Timestamp::MIN)
    }
}

impl From<Timestamp> for Stamps {
    fn from(newest: Timestamp) -> Self {
        Self { newest }
    }
}

impl Stamps {
    /// The moment that a record stamped `at` stands for, and whether that is its stamp: a stamp that is not believed
    /// becomes the newest one before, so that the record is kept and time goes on as if it brought none.
    pub fn take(&mut self, at: Timestamp, clock: Timestamp) -> (Timestamp, bool) {
        let is_first = self.newest == Timestamp::MIN;
        let is_ahead_of_log = is_first || at.since(self.newest) > STAMP_AHEAD_MAX;
        if is_ahead_of_log && at.since(clock) > STAMP_AHEAD_MAX {
            return (if is_first { clock } else { self.newest }, false);
        }
        self.newest = self.newest.max(at);
        (at, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 365 * 86_400;

    #[test]
    fn a_stamp_is_not_believed_when_both_the_log_and_the_clock_speak_against_it() {
        let second = |at: i64| Timestamp::from_millis(at * 1_000);
        let mut stamps = Stamps::default();
        for (at, clock, taken, why) in [
            (YEAR, 1_000, 1_000, "the first record of a log is ahead of the clock"),
            (1_000, 1_000, 1_000, "a tick"),
            (1_000 + YEAR, 1_000, 1_000, "a tick of next year"),
            (1_001, 1_001, 1_001, "time goes on as if it had not come"),
            (1_062, 1_001, 1_001, "a minute and a second ahead of both"),
            (1_061, 1_001, 1_061, "a minute ahead is believed"),
            (1_002, 1_002, 1_002, "the clocks that are right go on"),
            (9_000, 9_000, 9_000, "after a pause, the log is old and the clock is not"),
            (9_030, 2_000, 9_030, "the reader's clock was set back, and the log goes on"),
            (9_091, 2_000, 9_030, "a jump of the log that no clock confirms"),
        ] {
            let (moment, is_believed) = stamps.take(second(at), second(clock));
            assert_eq!((moment, is_believed), (second(taken), at == taken), "{why}");
        }
    }
}
