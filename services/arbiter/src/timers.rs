//! When the arbiter has to be woken: each timer at most once, and each one that is due leads to a decision.

use std::collections::{BTreeMap, BTreeSet};

use model::{CommandId, HaltId, Timestamp};

/// What falls due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A prepared command expires, a ready one was not sent in time.
    Command(CommandId),
    Halt(HaltId),
    /// The breaches of this environment have been gathered for `storm.settle`.
    Gather(String),
    /// No rollback was wanted in this environment for `storm.per`.
    Storm(String),
}

/// All timers, by time and by what falls due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets `timer`, replacing an earlier setting.
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        self.clear(&timer);
        self.by_time.insert((at, timer.clone()));
        self.at.insert(timer, at);
    }

    /// Takes `timer` back.
    pub(crate) fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// When the next one falls due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_again_falls_due_once_and_at_the_later_time() {
        let (mut timers, storm) = (Timers::default(), Timer::Storm("production".into()));
        timers.set(storm.clone(), Timestamp::from_millis(1));
        timers.set(storm.clone(), Timestamp::from_millis(5));
        assert_eq!(timers.pop_due(Timestamp::from_millis(4)), None);
        assert_eq!(timers.pop_due(Timestamp::from_millis(5)), Some(storm));
        assert_eq!((timers.pop_due(Timestamp::MAX), timers.next()), (None, None));
    }

    #[test]
    fn a_timer_taken_back_never_falls_due() {
        let (mut timers, storm) = (Timers::default(), Timer::Storm("production".into()));
        timers.set(storm.clone(), Timestamp::from_millis(1));
        timers.clear(&storm);
        assert_eq!(timers.pop_due(Timestamp::MAX), None);
    }
}
