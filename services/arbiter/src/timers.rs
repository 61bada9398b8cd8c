//! When the arbiter has to be woken: each timer at most once, and each one that is due leads to a decision.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;

pub(crate) use model::checkpoint::Timer;

/// All timers, by time and by what falls due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(crate) fn state(&self) -> Vec<(Timer, Timestamp)> {
        self.at.iter().map(|(timer, at)| (timer.clone(), *at)).collect()
    }

    pub(crate) fn from_state(state: Vec<(Timer, Timestamp)>) -> Self {
        let mut timers = Self::default();
        for (timer, at) in state {
            timers.set(timer, at);
        }
        timers
    }

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
