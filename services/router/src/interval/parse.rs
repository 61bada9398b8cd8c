//! The texts of time intervals.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{DayOfMonthRange, Location, MonthRange, TimeRange, WeekdayRange, YearRange};

/// Why a text is not part of a time interval. None is worth a retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    #[error("`{0}` is not a time of day from 00:00 to 24:00")]
    Time(String),
    #[error("a time range has to end after its start, {0} to {1} does not; split it at midnight")]
    TimeOrder(String, String),
    #[error("`{0}` is not a day of the week")]
    Weekday(String),
    #[error("`{0}` is not a day of the month: 1 to 31, or -31 to -1 counted from its end")]
    DayOfMonth(String),
    #[error("`{0}` begins counted from the month's end, so its end has to be counted so too")]
    DayOfMonthMixed(String),
    #[error("`{0}` is not a month: a name, or 1 to 12")]
    Month(String),
    #[error("`{0}` is not a year")]
    Year(String),
    #[error("`{0}` ends before it begins")]
    Order(String),
    #[error("`{0}` is not an IANA time zone (the machine's own zone has to be named too)")]
    Location(String),
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeRange {
    /// `start_time` and `end_time`, each `HH:MM`; `24:00` may be an end.
    pub fn parse(start: &str, end: &str) -> Result<Self, IntervalError> {
        let (start_minute, end_minute) = (minute_of_day(start)?, minute_of_day(end)?);
        if start_minute >= end_minute {
            return Err(IntervalError::TimeOrder(start.to_owned(), end.to_owned()));
        }
        Ok(Self { start_minute, end_minute })
    }
}

fn minute_of_day(text: &str) -> Result<u16, IntervalError> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let (hour, minute): (u16, u16) = match (two_digits(hour), two_digits(minute)) {
            (true, true) => (hour.parse().ok()?, minute.parse().ok()?),
            _ => return None,
        };
        let is_time = (hour < 24 && minute < 60) || (hour, minute) == (24, 0);
        is_time.then_some(hour * 60 + minute)
    });
    parsed.ok_or_else(|| IntervalError::Time(text.to_owned()))
}

impl WeekdayRange {
    /// `monday` or `monday:friday`; weeks begin with Sunday.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (first, last) = range(text, |part| {
            let day = WEEKDAYS.iter().position(|name| part.eq_ignore_ascii_case(name));
            day.and_then(|day| i8::try_from(day).ok()).ok_or_else(|| IntervalError::Weekday(part.to_owned()))
        })?;
        Ok(Self { first, last })
    }
}

impl DayOfMonthRange {
    /// `1`, `1:5`, `-3:-1`, `15:-1`.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (first, last) = ends(text, |part| {
            let day = part.parse::<i8>().ok().filter(|day| *day != 0 && day.abs() <= 31);
            day.ok_or_else(|| IntervalError::DayOfMonth(part.to_owned()))
        })?;
        if first < 0 && last > 0 {
            return Err(IntervalError::DayOfMonthMixed(text.to_owned()));
        }
        // Counted from different ends only the month tells the order, and 31 days give every range its chance.
        let longest = |day: i8| if day < 0 { 32 + day } else { day };
        if longest(first) > longest(last) {
            return Err(IntervalError::Order(text.to_owned()));
        }
        Ok(Self { first, last })
    }
}

impl MonthRange {
    /// `may`, `5`, `may:august`, `5:8`.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (first, last) = range(text, |part| {
            let named = MONTHS.iter().position(|name| part.eq_ignore_ascii_case(name)).map(|at| at + 1);
            let month = named.and_then(|month| i8::try_from(month).ok()).or_else(|| part.parse().ok());
            month
                .filter(|month| (1..=12).contains(month))
                .ok_or_else(|| IntervalError::Month(part.to_owned()))
        })?;
        Ok(Self { first, last })
    }
}

impl YearRange {
    /// `2026` or `2026:2030`.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (first, last) =
            range(text, |part| part.parse().map_err(|_| IntervalError::Year(part.to_owned())))?;
        Ok(Self { first, last })
    }
}

impl Location {
    /// `UTC` or an IANA name such as `Europe/Berlin`. `Local` is refused: what it means differs from machine
    /// to machine, so the shell has to say which zone it is.
    pub fn parse(name: &str) -> Result<Self, IntervalError> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self { zone: TimeZone::UTC });
        }
        let zone = TimeZoneDatabase::bundled().get(name);
        Ok(Self { zone: zone.map_err(|_| IntervalError::Location(name.to_owned()))? })
    }
}

fn range<T: Copy + PartialOrd>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, IntervalError>,
) -> Result<(T, T), IntervalError> {
    let (first, last) = ends(text, parse)?;
    if first > last { Err(IntervalError::Order(text.to_owned())) } else { Ok((first, last)) }
}

/// `a` is `a:a`.
fn ends<T: Copy>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, IntervalError>,
) -> Result<(T, T), IntervalError> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    Ok((parse(first.trim())?, parse(last.trim())?))
}
