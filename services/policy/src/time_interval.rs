//! Time intervals of freezes, as Alertmanager writes them, evaluated in UTC.

use model::Timestamp;

use crate::{FreezeEffect, Policy, covers};

/// One named interval: any of its specifications has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeInterval {
    pub specifications: Vec<TimeSpecification>,
}

/// One specification: each field that says something has to hold, any of a field's ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeSpecification {
    /// Minutes of the day, the end exclusive: `(540, 1020)` is 09:00 to 17:00.
    pub times: Vec<(u16, u16)>,
    /// 0 is Sunday, both ends included.
    pub weekdays: Vec<(u8, u8)>,
    /// 1..=31, or -31..=-1 from the month's end, both ends included.
    pub days_of_month: Vec<(i8, i8)>,
    /// 1..=12, both ends included.
    pub months: Vec<(u8, u8)>,
    /// Both ends included.
    pub years: Vec<(u16, u16)>,
    /// IANA name; `None` is UTC. A freeze's interval has none: the compiler refuses it.
    pub location: Option<String>,
}

impl TimeInterval {
    /// Whether `at` lies in the interval, in UTC.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.specifications.iter().any(|specification| specification.contains(at))
    }
}

impl TimeSpecification {
    fn contains(&self, at: Timestamp) -> bool {
        const DAY: i64 = 86_400_000;
        let (year, month, day) = at.date();
        let minute = at.as_millis().rem_euclid(DAY) / 60_000;
        // 1970-01-01 was a Thursday.
        let weekday = (at.as_millis().div_euclid(DAY) + 4).rem_euclid(7);
        let length = days_in_month(year, month);
        any(&self.times, |&(from, to)| i64::from(from) <= minute && minute < i64::from(to))
            && any(&self.weekdays, |&(from, to)| (i64::from(from)..=i64::from(to)).contains(&weekday))
            && any(&self.days_of_month, |&(from, to)| is_day_within(day, length, from, to))
            && any(&self.months, |&(from, to)| (i64::from(from)..=i64::from(to)).contains(&month))
            && any(&self.years, |&(from, to)| (i64::from(from)..=i64::from(to)).contains(&year))
    }
}

/// A field that says nothing holds always.
fn any<T>(ranges: &[T], holds: impl Fn(&T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(holds)
}

/// Negative days count from the month's end; what lies beyond it is clamped, a beginning beyond it is skipped.
fn is_day_within(day: i64, length: i64, from: i8, to: i8) -> bool {
    let of_month = |day: i8| if day < 0 { length + 1 + i64::from(day) } else { i64::from(day) };
    let (from, to) = (of_month(from), of_month(to));
    from <= length && (from.max(1)..=to.min(length)).contains(&day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Policy {
    /// What the freezes in force at `at` do to promotions and to rollbacks of a service; the strictest counts.
    pub fn frozen(&self, service: &str, environment: &str, at: Timestamp) -> (FreezeEffect, FreezeEffect) {
        let is_in_force = |names: &[String]| {
            let contains =
                |name: &String| self.time_intervals.get(name).is_some_and(|found| found.contains(at));
            names.is_empty() || names.iter().any(contains)
        };
        self.freezes
            .iter()
            .filter(|freeze| covers(&freeze.matching, service, environment))
            .filter(|freeze| is_in_force(&freeze.time_intervals))
            .fold((FreezeEffect::Allow, FreezeEffect::Allow), |(promote, rollback), freeze| {
                (promote.stricter(freeze.promote), rollback.stricter(freeze.rollback))
            })
    }
}

impl FreezeEffect {
    /// The one that allows less.
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Approve, _) | (_, Self::Approve) => Self::Approve,
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }
}
