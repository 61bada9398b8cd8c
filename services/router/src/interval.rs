//! Time intervals: named stretches of the calendar in which routes are muted or active, with Alertmanager's
//! rules. The instant is an argument; zones come from the database compiled in, so that no machine decides
//! otherwise than its neighbour.

mod parse;

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Included},
    time::Duration,
};

use jiff::{civil, tz::TimeZone};
use model::Timestamp;

pub use parse::IntervalError;

/// How far ahead [`next_change`] looks: a leap year and a bit, after which a yearly interval has shown both
/// of its edges.
const MAX_DAYS_AHEAD: u16 = 400;

/// A named interval: it holds when one of its specs does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeInterval {
    pub specs: Vec<TimeSpec>,
}

/// Holds when each list holds the moment in `location`; an empty list holds every moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeSpec {
    pub times: Vec<TimeRange>,
    pub weekdays: Vec<WeekdayRange>,
    pub days_of_month: Vec<DayOfMonthRange>,
    pub months: Vec<MonthRange>,
    pub years: Vec<YearRange>,
    pub location: Location,
}

/// Minutes of the day, the start included and the end not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub(crate) start_minute: u16,
    pub(crate) end_minute: u16,
}

/// Days of the week from Sunday = 0, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekdayRange {
    pub(crate) first: i8,
    pub(crate) last: i8,
}

/// Days of the month from 1, or from the month's end as -1; both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayOfMonthRange {
    pub(crate) first: i8,
    pub(crate) last: i8,
}

/// Months from January = 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthRange {
    pub(crate) first: i8,
    pub(crate) last: i8,
}

/// Years, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearRange {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

/// The zone whose calendar and clock are meant; UTC unless named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub(crate) zone: TimeZone,
}

impl Default for Location {
    fn default() -> Self {
        Self { zone: TimeZone::UTC }
    }
}

impl TimeInterval {
    /// Whether the interval holds `at`.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.specs.iter().any(|spec| spec.contains(at))
    }
}

impl TimeSpec {
    /// Whether the spec holds `at`. A moment outside the years -9999 to 9999 is in no spec.
    pub fn contains(&self, at: Timestamp) -> bool {
        let Some(local) = self.location.local(at) else { return false };
        let date = local.date();
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        holds(&self.times, |range| (range.start_minute..range.end_minute).contains(&minute))
            && holds(&self.weekdays, |range| {
                (range.first..=range.last).contains(&date.weekday().to_sunday_zero_offset())
            })
            && holds(&self.days_of_month, |range| range.contains(date))
            && holds(&self.months, |range| (range.first..=range.last).contains(&date.month()))
            && holds(&self.years, |range| (range.first..=range.last).contains(&date.year()))
    }

    /// The moments of the local day `day` days after `at` at which this spec may begin or cease to hold.
    fn edges(&self, at: Timestamp, day: u16) -> Vec<Timestamp> {
        let date = self.location.local(at).map(civil::DateTime::date);
        let Some(date) = date.and_then(|date| date.checked_add(jiff::Span::new().days(day)).ok()) else {
            return Vec::new();
        };
        let minutes = self.times.iter().flat_map(|range| [range.start_minute, range.end_minute]);
        let clock = minutes.chain([0]).flat_map(|minute| self.location.moments(date, minute));
        let mut edges: Vec<Timestamp> = clock.collect();
        // The clock may be put forward past an edge, or back before one.
        if let Some(&midnight) = edges.last()
            && let Ok(midnight) = jiff::Timestamp::from_millisecond(midnight.as_millis())
        {
            edges
                .extend(self.location.zone.following(midnight).take(1).map(|shift| stamp(shift.timestamp())));
        }
        edges
    }
}

fn holds<R>(ranges: &[R], contains: impl Fn(&R) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(contains)
}

fn stamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millisecond())
}

impl Location {
    fn local(&self, at: Timestamp) -> Option<civil::DateTime> {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(self.zone.to_datetime(at))
    }

    /// When the clock on the wall shows `minute` of `date`: once, or twice where it was put back.
    fn moments(&self, date: civil::Date, minute: u16) -> Vec<Timestamp> {
        let time = (i8::try_from(minute / 60), i8::try_from(minute % 60));
        let (Ok(hour), Ok(minute)) = time else { return Vec::new() };
        let (date, hour) = if hour == 24 { (date.tomorrow().unwrap_or(date), 0) } else { (date, hour) };
        let wall = self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
        let both = [wall.earlier(), wall.later()];
        both.into_iter().flatten().map(stamp).collect()
    }
}

impl DayOfMonthRange {
    /// A range that begins after the month's last day holds none of it; one that ends there is cut.
    fn contains(self, date: civil::Date) -> bool {
        let length = date.days_in_month();
        let day = |bound: i8| if bound < 0 { length + bound + 1 } else { bound };
        let first = day(self.first);
        first <= length && (first..=day(self.last)).contains(&date.day())
    }
}

/// The first moment after `after` and not after `until` at which `state` differs from what it is at `after`,
/// where `state` depends on time through `intervals` only.
pub(crate) fn next_change(
    intervals: &[&TimeInterval],
    after: Timestamp,
    until: Timestamp,
    state: impl Fn(Timestamp) -> bool,
) -> Option<Timestamp> {
    let specs: Vec<&TimeSpec> = intervals.iter().flat_map(|interval| &interval.specs).collect();
    let before = state(after);
    let mut edges = BTreeSet::new();
    for day in 0..MAX_DAYS_AHEAD {
        edges.extend(specs.iter().flat_map(|spec| spec.edges(after, day)));
        // Zones are in different days; every zone's edges are known up to here, two hours left for a clock
        // that is put forward.
        let known = after + Duration::from_secs((86_400 * u64::from(day)).saturating_sub(7200));
        let ahead = edges.range((Excluded(after), Included(known.max(after + Duration::from_millis(1)))));
        if let Some(&change) = ahead.into_iter().find(|&&edge| edge <= until && state(edge) != before) {
            return Some(change);
        }
        edges.retain(|&edge| edge > known);
        if known >= until {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests;
