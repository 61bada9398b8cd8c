//! The series of one name at one target, and what is known of them together.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// The weight of the newest interval in a family's rate.
const RATE_WEIGHT: f64 = 0.25;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Family {
    /// Ascending. Not in a snapshot: they have it.
    #[serde(skip)]
    pub(super) members: Vec<u32>,
    pub(super) first_at: Timestamp,
    /// False once a series of it was forgotten while the target went on: if that one comes back it must not
    /// count from zero, and nothing tells it from a new one.
    pub(super) is_trusted: bool,
    /// When all its series began anew.
    pub(super) began_at: Timestamp,
    /// What its series showed in the first scrape that settled.
    pub(super) first_sum: f64,
    /// Whether its first scrape had all its series, as the sender said.
    pub(super) is_whole: bool,
    /// Settled scrapes with a value of it, each counted once. Stops growing at the end.
    pub(super) scrapes: u32,
    /// The newest of them.
    pub(super) last_at: Timestamp,
    /// How much it grew in that, and in which time.
    grown: f64,
    interval: Duration,
    /// Growth a second before that.
    rate: f64,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            first_at: Timestamp::MAX,
            is_trusted: true,
            began_at: Timestamp::MIN,
            first_sum: 0.0,
            is_whole: false,
            scrapes: 0,
            last_at: Timestamp::MIN,
            grown: 0.0,
            interval: Duration::ZERO,
            rate: f64::NAN,
        }
    }
}

impl Family {
    /// Of a first sample.
    pub(super) fn new(first_at: Timestamp) -> Self {
        Self { first_at, ..Self::default() }
    }

    pub(super) fn enter(&mut self, series: u32) {
        if let Err(at) = self.members.binary_search(&series) {
            self.members.insert(at, series);
        }
    }

    pub(super) fn leave(&mut self, series: u32) {
        if let Ok(at) = self.members.binary_search(&series) {
            self.members.remove(at);
        }
    }

    /// Notes that its series grew by `amount` in the scrape of `at`, which may be 0.
    pub(super) fn grow(&mut self, at: Timestamp, amount: f64) {
        if at <= self.last_at {
            self.grown += amount;
            return;
        }
        self.rate = self.rate_now();
        self.interval = if self.scrapes == 0 { Duration::ZERO } else { at.since(self.last_at) };
        self.grown = amount;
        self.last_at = at;
        self.scrapes = self.scrapes.saturating_add(1);
    }

    /// By how much it is expected to grow from its last scrape to `at`; for what comes late to its last scrape, up to
    /// that. `None` before two scrapes.
    pub(super) fn expected(&self, at: Timestamp) -> Option<f64> {
        let rate = self.rate_now();
        let interval = if at > self.last_at { at.since(self.last_at) } else { self.interval };
        if rate.is_nan() { None } else { Some(rate * interval.as_secs_f64()) }
    }

    fn rate_now(&self) -> f64 {
        if self.interval.is_zero() {
            return self.rate;
        }
        let newest = self.grown / self.interval.as_secs_f64();
        if self.rate.is_nan() { newest } else { self.rate + (newest - self.rate) * RATE_WEIGHT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_family_is_expected_to_grow_as_it_did() {
        let mut family = Family::default();
        family.grow(at(0), 0.0);
        assert_eq!(family.expected(at(10)), None, "one scrape has no rate");
        family.grow(at(10), 60.0);
        family.grow(at(10), 40.0);
        assert_eq!((family.expected(at(20)), family.expected(at(40))), (Some(100.0), Some(300.0)));
        family.grow(at(30), 0.0);
        assert_eq!(family.expected(at(40)), Some(75.0), "a quiet interval has a quarter of the weight");
        assert_eq!(family.scrapes, 3);
    }
}
