//! `time_intervals` (and `mute_time_intervals`, the older name), by Alertmanager's rules.

use std::collections::BTreeMap;

use crate::{
    TimeInterval, TimeSpecification,
    diagnostic::Diagnostics,
    yaml::{Node, Reader, ValueError},
};

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

pub(super) fn read(root: &mut Reader<'_, '_>) -> BTreeMap<String, TimeInterval> {
    let mut intervals = BTreeMap::new();
    let diagnostics = root.diagnostics();
    for key in ["time_intervals", "mute_time_intervals"] {
        for node in root.list(key) {
            let Some(mut reader) = Reader::open(node, "a time interval", diagnostics) else { continue };
            let name = reader.required_text("name").unwrap_or_default();
            let nodes = reader.list("time_intervals");
            let specifications = nodes.iter().filter_map(|node| specification(node, diagnostics)).collect();
            reader.finish();
            if intervals.insert(name.to_owned(), TimeInterval { specifications }).is_some() {
                diagnostics.error(node, format!("two time intervals are called `{name}`"));
            }
        }
    }
    intervals
}

fn specification(node: &Node, diagnostics: &Diagnostics) -> Option<TimeSpecification> {
    let mut reader = Reader::open(node, "an item of `time_intervals`", diagnostics)?;
    let times = reader.list("times").iter().filter_map(|node| times(node, diagnostics)).collect();
    let specification = TimeSpecification {
        times,
        weekdays: ranges(&mut reader, "weekdays", weekday, |from, to| from <= to),
        days_of_month: ranges(&mut reader, "days_of_month", day_of_month, is_day_range),
        months: ranges(&mut reader, "months", month, |from, to| from <= to),
        years: ranges(&mut reader, "years", year, |from, to| from <= to),
        location: reader.parsed("location", location).flatten(),
    };
    reader.finish();
    Some(specification)
}

fn times(node: &Node, diagnostics: &Diagnostics) -> Option<(u16, u16)> {
    let mut reader = Reader::open(node, "an item of `times`", diagnostics)?;
    reader.required("start_time");
    reader.required("end_time");
    let start = reader.parsed("start_time", minutes);
    let end = reader.parsed("end_time", minutes);
    reader.finish();
    let (start, end) = (start?, end?);
    if start >= end {
        let hint = "a range does not cross midnight: make two of it";
        diagnostics.error_hint(node, "`start_time` must be before `end_time`", hint);
        return None;
    }
    Some((start, end))
}

/// `09:30`, `24:00`.
fn minutes(text: &str) -> Result<u16, ValueError> {
    let bad = || ValueError::new(format!("`{text}` is not a time of day"), "write it as 09:30, up to 24:00");
    let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
    let number = |digits: &str| -> Option<u16> {
        let is_pair = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_pair.then(|| digits.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours).ok_or_else(bad)?, number(minutes).ok_or_else(bad)?);
    let total = hours * 60 + minutes;
    if minutes > 59 || total > 24 * 60 { Err(bad()) } else { Ok(total) }
}

/// `a` or `a:b`, several in a list.
fn ranges<T: Copy>(
    reader: &mut Reader<'_, '_>,
    key: &str,
    one: impl Fn(&str) -> Result<T, ValueError>,
    is_range: impl Fn(T, T) -> bool,
) -> Vec<(T, T)> {
    let diagnostics = reader.diagnostics();
    let Some(node) = reader.get(key) else { return Vec::new() };
    let items = node.items().unwrap_or(std::slice::from_ref(node));
    let range = |node: &Node| {
        let text = node.text().unwrap_or_default().to_lowercase();
        let (from, to) = text.split_once(':').unwrap_or((&text, &text));
        let parsed = one(from.trim()).and_then(|from| Ok((from, one(to.trim())?)));
        match parsed {
            Ok((from, to)) if is_range(from, to) => Some((from, to)),
            Ok(_) => {
                let message = format!("`{key}`: `{text}` begins after its end");
                diagnostics.error_hint(node, message, "make two ranges of it");
                None
            }
            Err(error) => {
                let message = format!("`{key}`: {}", error.message);
                diagnostics.push(crate::Level::Error, node, message, error.hint);
                None
            }
        }
    };
    items.iter().filter_map(range).collect()
}

fn weekday(text: &str) -> Result<u8, ValueError> {
    named(text, &WEEKDAYS).ok_or_else(|| {
        ValueError::new(format!("`{text}` is not a weekday"), "write it as monday, or monday:friday")
    })
}

fn month(text: &str) -> Result<u8, ValueError> {
    let number = text.parse::<u8>().ok().filter(|number| (1..=12).contains(number));
    number.or_else(|| named(text, &MONTHS).map(|at| at + 1)).ok_or_else(|| {
        ValueError::new(format!("`{text}` is not a month"), "write it as november, 11, or november:december")
    })
}

fn named(text: &str, names: &[&str]) -> Option<u8> {
    names.iter().position(|name| *name == text).and_then(|at| u8::try_from(at).ok())
}

fn day_of_month(text: &str) -> Result<i8, ValueError> {
    let day = text.parse::<i8>().ok().filter(|day| *day != 0 && (-31..=31).contains(day));
    day.ok_or_else(|| {
        ValueError::new(format!("`{text}` is not a day of a month"), "1 to 31, or -1 for the last")
    })
}

/// As in Alertmanager: an end may count from the month's end while the beginning counts from its start.
fn is_day_range(from: i8, to: i8) -> bool {
    match (from < 0, to < 0) {
        (true, false) => false,
        (false, true) => true,
        _ => from <= to,
    }
}

fn year(text: &str) -> Result<u16, ValueError> {
    let year = text.parse::<u16>().ok().filter(|year| (1970..=9999).contains(year));
    year.ok_or_else(|| ValueError::new(format!("`{text}` is not a year"), "write it as 2026, or 2026:2028"))
}

/// `None` is UTC.
fn location(text: &str) -> Result<Option<String>, ValueError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if text.is_empty() || !text.chars().all(is_name) {
        let hint = "write it as UTC or Europe/Berlin";
        return Err(ValueError::new(format!("`{text}` is not a location"), hint));
    }
    if text == "Local" {
        let hint = "name the zone: what is local differs from machine to machine";
        return Err(ValueError::new("`Local` is not one location", hint));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.eq_ignore_ascii_case("utc")))
}
