//! What is remembered of each raw series.

use model::{SeriesKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{arena::LabelRef, slab::NONE};

/// One raw series. A million of them are expected, so it stays under a hundred bytes; its labels are parsed
/// again in the rare moments they are needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeriesState {
    /// The last usable value; NaN before the first.
    pub(super) last: f64,
    /// When the last sample was, usable or not; [`Timestamp::MIN`] before the first.
    pub(super) last_at: Timestamp,
    /// When its counter began, as its sender said with its first sample; [`Timestamp::MIN`] if it did not.
    pub(super) start: Timestamp,
    #[serde(skip)]
    pub(super) hash: u64,
    #[serde(skip)]
    pub(super) labels: LabelRef,
    /// Which series followed this one in the last batch.
    #[serde(skip, default = "none")]
    pub(super) next: u32,
    pub(super) target: u32,
    /// The series of its name at its target.
    pub(super) family: u32,
    /// Whose it is; [`NONE`] while service or environment is unknown.
    pub(super) version: u32,
    /// What it counts for.
    pub(super) roles: u32,
    /// What stands beside it: see [`super::beside`].
    pub(super) beside: u32,
    /// The histogram whose bucket it is.
    pub(super) ladder: u32,
    /// The weighing of a scrape that found a sample of it there; means something only during one.
    #[serde(skip)]
    pub(super) weighed: u32,
    /// What counts in whole numbers left over, 0..1.
    pub(super) carry: f32,
    /// Which bucket of the histogram's layout; [`NO_RUNG`] while it is none.
    pub(super) rung: u16,
    pub(super) kind: SeriesKind,
    pub(super) flags: Flags,
}

/// Facts about a series.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Flags {
    /// Not in a snapshot, which has only series that are.
    #[serde(skip, default = "yes")]
    pub(super) is_used: bool,
    /// Its target was seen before it: its first value counts from zero where a birth is plausible.
    pub(super) may_be_born: bool,
    pub(super) has_counter_role: bool,
    pub(super) has_gauge_role: bool,
    /// Names are taken from it.
    pub(super) is_info: bool,
    pub(super) is_ended: bool,
    /// Its value is when the target's process began.
    pub(super) is_process_start: bool,
    /// A bucket with a finite bound: what it counts is also in the bucket `+Inf`.
    pub(super) is_part: bool,
    /// Another spelling of its bound came later and counts in its place.
    pub(super) is_replaced: bool,
    /// Another stream of labels by which a first one is found.
    pub(super) is_beside: bool,
    /// It began after all that was heard of its labels.
    pub(super) is_from_zero: bool,
    /// Its last sample's sender was ahead: see [`super::clock`].
    pub(super) is_moved: bool,
    /// Its target's next scrapes are expected to have it.
    pub(super) is_live: bool,
}

/// [`SeriesState::rung`] of a series whose increase is in no bucket.
pub(super) const NO_RUNG: u16 = u16::MAX;

fn none() -> u32 {
    NONE
}

fn yes() -> bool {
    true
}

impl Default for SeriesState {
    fn default() -> Self {
        Self {
            last: f64::NAN,
            last_at: Timestamp::MIN,
            start: Timestamp::MIN,
            hash: 0,
            labels: LabelRef::default(),
            next: NONE,
            target: NONE,
            family: NONE,
            version: NONE,
            roles: NONE,
            beside: NONE,
            ladder: NONE,
            weighed: 0,
            carry: 0.0,
            rung: NO_RUNG,
            kind: SeriesKind::Unknown,
            flags: Flags::default(),
        }
    }
}

impl SeriesState {
    pub(super) fn is_used(&self) -> bool {
        self.flags.is_used
    }

    /// Whether its increases are a part of how much its family counts: each event once.
    pub(super) fn is_summed(&self) -> bool {
        self.flags.has_counter_role && !self.flags.is_part
    }

    /// Turns an increase into a whole number and keeps the rest for the next.
    pub(super) fn whole(&mut self, increase: f64) -> u64 {
        let exact = increase + f64::from(self.carry);
        let whole = exact.floor();
        self.carry = (exact - whole) as f32;
        whole as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_carried_until_they_make_a_whole() {
        let mut series = SeriesState::default();
        let counted: Vec<u64> =
            [0.5, 0.25, 0.25, 3.0, 0.75, 1.5].iter().map(|it| series.whole(*it)).collect();
        assert_eq!(counted, [0, 0, 1, 3, 0, 2]);
        assert_eq!(series.carry, 0.25);
    }

    #[test]
    fn a_series_is_small() {
        assert!(size_of::<SeriesState>() <= 96, "{}", size_of::<SeriesState>());
    }
}
