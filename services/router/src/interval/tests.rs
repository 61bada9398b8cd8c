use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    let parsed: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(parsed.as_millisecond())
}

fn times(start: &str, end: &str, location: &str) -> TimeSpec {
    TimeSpec {
        times: vec![TimeRange::parse(start, end).unwrap()],
        location: Location::parse(location).unwrap(),
        ..TimeSpec::default()
    }
}

fn days(text: &str) -> TimeSpec {
    TimeSpec { days_of_month: vec![DayOfMonthRange::parse(text).unwrap()], ..TimeSpec::default() }
}

#[test]
fn a_spec_holds_when_every_field_does() {
    let office = TimeSpec {
        weekdays: vec![WeekdayRange::parse("Monday:friday").unwrap()],
        months: vec![MonthRange::parse("january:3").unwrap()],
        years: vec![YearRange::parse("2026:2027").unwrap()],
        ..times("09:00", "17:00", "Europe/Berlin")
    };
    for (moment, spec, expected, why) in [
        ("2026-01-05T08:00:00Z", &office, true, "Monday nine o'clock in Berlin"),
        ("2026-01-05T07:59:59Z", &office, false, "a second before"),
        ("2026-01-05T16:00:00Z", &office, false, "the end is not included"),
        ("2026-01-04T10:00:00Z", &office, false, "a Sunday"),
        ("2026-04-06T10:00:00Z", &office, false, "April"),
        ("2028-01-03T10:00:00Z", &office, false, "another year"),
        ("2026-03-30T07:00:00Z", &office, true, "summer time moved the start"),
        ("2026-01-05T23:59:59Z", &times("00:00", "24:00", "UTC"), true, "24:00 is an end"),
        ("2026-02-28T00:00:00Z", &days("-1"), true, "the last day"),
        ("2026-02-28T00:00:00Z", &days("28:31"), true, "an end beyond the month is cut"),
        ("2026-02-28T00:00:00Z", &days("29:31"), false, "a beginning beyond it holds nothing"),
        ("2026-02-01T00:00:00Z", &days("-31:-28"), true, "from the end and beyond the beginning"),
        ("2026-02-20T00:00:00Z", &days("15:-1"), true, "counted from both ends"),
        ("2026-02-20T00:00:00Z", &TimeSpec::default(), true, "a spec without fields holds always"),
    ] {
        assert_eq!(spec.contains(at(moment)), expected, "{moment}: {why}");
    }
    assert!(!TimeInterval::default().contains(at("2026-01-01T00:00:00Z")), "no spec, no moment");
}

#[test]
fn texts_that_mean_nothing_are_refused_by_name() {
    for (error, shown) in [
        (
            TimeRange::parse("22:00", "06:00").unwrap_err(),
            "a time range has to end after its start, 22:00 to 06:00 does not; split it at midnight",
        ),
        (TimeRange::parse("9:00", "10:00").unwrap_err(), "`9:00` is not a time of day from 00:00 to 24:00"),
        (TimeRange::parse("24:00", "24:01").unwrap_err(), "`24:01` is not a time of day from 00:00 to 24:00"),
        (WeekdayRange::parse("saturday:sunday").unwrap_err(), "`saturday:sunday` ends before it begins"),
        (WeekdayRange::parse("mon").unwrap_err(), "`mon` is not a day of the week"),
        (
            DayOfMonthRange::parse("0").unwrap_err(),
            "`0` is not a day of the month: 1 to 31, or -31 to -1 counted from its end",
        ),
        (
            DayOfMonthRange::parse("-3:5").unwrap_err(),
            "`-3:5` begins counted from the month's end, so its end has to be counted so too",
        ),
        (DayOfMonthRange::parse("20:-20").unwrap_err(), "`20:-20` ends before it begins"),
        (MonthRange::parse("13").unwrap_err(), "`13` is not a month: a name, or 1 to 12"),
        (YearRange::parse("soon").unwrap_err(), "`soon` is not a year"),
        (
            Location::parse("Mars/Olympus").unwrap_err(),
            "`Mars/Olympus` is not an IANA time zone (the machine's own zone has to be named too)",
        ),
    ] {
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn the_next_change_is_the_edge_itself() {
    let night = TimeInterval {
        specs: vec![times("00:00", "06:00", "Europe/Berlin"), times("22:00", "24:00", "Europe/Berlin")],
    };
    let new_year =
        TimeInterval { specs: vec![TimeSpec { months: vec![MonthRange::parse("1").unwrap()], ..days("1") }] };
    for (interval, from, expected, why) in [
        (&night, "2026-01-05T12:00:00Z", Some("2026-01-05T21:00:00Z"), "night falls"),
        (
            &night,
            "2026-01-05T22:00:00Z",
            Some("2026-01-06T05:00:00Z"),
            "and ends in the next day, midnight passed",
        ),
        (&night, "2026-03-28T22:00:00Z", Some("2026-03-29T04:00:00Z"), "an hour is missing in spring"),
        (&night, "2026-10-24T22:00:00Z", Some("2026-10-25T05:00:00Z"), "and there twice in autumn"),
        (&new_year, "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z"), "the day ends"),
        (&new_year, "2026-01-02T00:00:00Z", Some("2027-01-01T00:00:00Z"), "and is back a year later"),
        (&TimeInterval::default(), "2026-01-02T00:00:00Z", None, "nothing never changes"),
    ] {
        let found = next_change(&[interval], at(from), Timestamp::MAX, |moment| interval.contains(moment));
        assert_eq!(found, expected.map(at), "{from}: {why}");
    }
    let soon = at("2026-01-05T20:00:00Z");
    assert_eq!(
        next_change(&[&night], at("2026-01-05T12:00:00Z"), soon, |moment| night.contains(moment)),
        None
    );
}

proptest! {
    /// The reference walks minute by minute.
    #[test]
    fn the_next_change_is_the_first_minute_that_differs(
        start in 0_u16..1380, length in 1_u16..60, weekday in 0_i8..7, zone in 0_usize..4, from in 0_i64..(400 * 1440),
    ) {
        let zone = ["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns"][zone];
        let spec = TimeSpec {
            times: vec![TimeRange { start_minute: start, end_minute: start + length }],
            weekdays: vec![WeekdayRange { first: 0, last: weekday }],
            location: Location::parse(zone).unwrap(),
            ..TimeSpec::default()
        };
        let interval = TimeInterval { specs: vec![spec] };
        let minute = |n: i64| Timestamp::from_millis(1_767_225_600_000 + n * 60_000);
        let after = minute(from);
        let before = interval.contains(after);
        let expected = (from + 1..=from + 3000).map(minute).find(|&at| interval.contains(at) != before);
        let found = next_change(&[&interval], after, minute(from + 3000), |at| interval.contains(at));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_moment_is_judged_without_panic(millis in any::<i64>()) {
        let interval = TimeInterval { specs: vec![times("01:00", "02:00", "Europe/Berlin")] };
        let at = Timestamp::from_millis(millis);
        let _state = interval.contains(at);
        let _change = next_change(&[&interval], at, at + Duration::from_secs(86_400), |at| interval.contains(at));
    }
}
