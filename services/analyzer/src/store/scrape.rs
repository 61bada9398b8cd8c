//! One target's samples of one moment, until they are counted.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// What a sample does once its scrape settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mark {
    /// A counter grew by the amount.
    Increase,
    /// A counter fell, so it began anew; the amount is its value.
    Fell,
    /// A counter began after its sample before, as it says itself; the amount is its value.
    Began,
    /// A counter's first value, which counts from zero if a birth is plausible: see [`super::verdict`].
    Birth,
    /// A counter's first value: from here on it is counted.
    Baseline,
    /// When the target's process began, where that is new.
    ProcessStart,
    /// A gauge had the amount.
    Gauge,
    /// The same of a series that is a counter for another metric and already in the scrape.
    GaugeToo,
    /// Alive, but with a value that nothing can be counted from.
    Alive,
    /// The series has ended.
    Ended,
    /// It is in the windows, while other series of the scrape are still waited for.
    Counted,
}

impl Mark {
    /// Whether it is a usable value of a counter.
    pub(super) fn is_of_a_counter(self) -> bool {
        self.is_increase() || matches!(self, Self::Birth | Self::Baseline)
    }

    /// Whether the amount is counted.
    pub(super) fn is_increase(self) -> bool {
        matches!(self, Self::Increase | Self::Fell | Self::Began)
    }

    /// Whether the other samples of its scrape decide what it means, or it decides what they mean.
    pub(super) fn concerns_others(self) -> bool {
        !matches!(self, Self::Increase | Self::Gauge | Self::GaugeToo | Self::Alive | Self::Counted)
    }
}

/// One sample of a scrape.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) series: u32,
    pub(super) mark: Mark,
    pub(super) amount: f64,
    /// As it was sent.
    pub(super) value: f64,
    /// The series' sample before; [`Timestamp::MIN`] if this is its first.
    pub(super) before_at: Timestamp,
}

impl Entry {
    /// The same without the rest of its scrape: nothing decides any more what it means.
    pub(super) fn alone(self) -> Self {
        let (mark, amount) =
            if self.mark.is_increase() { (Mark::Increase, self.amount) } else { (Mark::Baseline, 0.0) };
        Self { mark, amount, before_at: Timestamp::MIN, ..self }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Scrape {
    pub(super) at: Timestamp,
    /// When its first sample came.
    pub(super) arrived_at: Timestamp,
    /// When it is looked at even if nothing more comes.
    pub(super) due: Timestamp,
    /// How many of the target's live series are here.
    pub(super) live: u32,
    pub(super) entries: Vec<Entry>,
    /// What earlier scrapes added that never became whole: it is counted with this one.
    pub(super) carried: Vec<Entry>,
    /// The moment of the oldest of `carried`.
    pub(super) carried_from: Timestamp,
    /// Samples of series that names are taken from.
    pub(super) has_info: bool,
    /// Samples of series that are not live yet.
    pub(super) has_newcomers: bool,
    /// The sender said that nothing of it is missing.
    pub(super) is_whole: bool,
    /// `settle` has run out: what was whole is counted, the rest is waited for.
    pub(super) is_held: bool,
    /// The request that began it.
    pub(super) batch: u32,
    /// All of it came in that request.
    pub(super) is_single: bool,
}

impl Scrape {
    pub(super) fn new(at: Timestamp, now: Timestamp, settle: Duration, batch: u32) -> Self {
        Self {
            at,
            arrived_at: now,
            due: now + settle,
            live: 0,
            entries: Vec::new(),
            carried: Vec::new(),
            carried_from: at,
            has_info: false,
            has_newcomers: false,
            is_whole: false,
            is_held: false,
            batch,
            is_single: true,
        }
    }

    /// An empty one of the same moment, for what of it can be counted: the verdict on that is never a plain one.
    pub(super) fn part(&self) -> Self {
        Self { has_newcomers: true, ..Self::new(self.at, self.arrived_at, Duration::ZERO, self.batch) }
    }

    /// Samples that take memory.
    pub(super) fn staged(&self) -> usize {
        self.entries.len() + self.carried.len()
    }

    /// Takes over what an earlier scrape added; several increases of one series become one.
    pub(super) fn carry(&mut self, from: Timestamp, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        self.carried_from = self.carried_from.min(from);
        self.carried.extend(entries);
        self.carried.sort_by_key(|entry| entry.series);
        self.carried.dedup_by(|next, kept| {
            let is_same = next.series == kept.series;
            if is_same {
                kept.amount += next.amount;
                kept.value = next.value;
                kept.mark = if next.mark == Mark::Increase { next.mark } else { kept.mark };
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_adds_up_series_by_series() {
        let moment = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let before_at = Timestamp::MIN;
        let entry = |series, mark, amount| Entry { series, mark, amount, value: amount, before_at };
        let mut scrape = Scrape::new(moment(30), moment(31), Duration::from_secs(6), 1);
        scrape.carry(moment(15), vec![entry(2, Mark::Increase, 5.0), entry(1, Mark::Baseline, 0.0)]);
        scrape.carry(moment(20), vec![entry(1, Mark::Increase, 3.0), entry(2, Mark::Increase, 1.0)]);
        let carried: Vec<_> = scrape.carried.iter().map(|it| (it.series, it.mark, it.amount)).collect();
        assert_eq!(carried, [(1, Mark::Increase, 3.0), (2, Mark::Increase, 6.0)]);
        assert_eq!(scrape.carried_from, moment(15), "the oldest of them");
    }
}
