//! From a series' values to what they add.

use std::time::Duration;

use model::{Sample, SeriesKind, Timestamp};

use super::{counters::Counters, series::SeriesState, target::Mark};

/// A counter does not grow faster in a second: all bytes of the fastest link of one machine would be less. What does
/// is a sender's mistake, and would hide everything else in the window.
const INCREASE_PER_SECOND_MAX: f64 = 1e12;

/// What a sample adds, and the new state of its series.
///
/// - A counter's first value is a baseline, unless the counter began at `zero_from` or later; where its target was
///   seen before, the rest of its scrape decides ([`Mark::Birth`]).
/// - A counter that fell began anew and so adds its value. Whether others of its family began anew with it, the rest
///   of the scrape decides too.
/// - A series that comes back after its stale marker goes on from its last value.
/// - An increase that no service has is set aside, and the next value is compared with the one before it, over all the time since
///   then: a counter that stays where it jumped to goes on once so much can have been counted. A first
///   value that is none is a baseline, wherever its counter began.
pub(super) fn read(
    series: &mut SeriesState,
    sample: &Sample,
    at: Timestamp,
    zero_from: Timestamp,
    counters: &mut Counters,
) -> (Mark, f64) {
    let before_at = series.last_at;
    // Delta points may overtake one another.
    series.last_at = series.last_at.max(at);
    series.flags.is_ended = sample.is_stale_marker();
    if series.flags.is_ended {
        counters.stale_markers += 1;
        // A series that is first heard of by its end was there before.
        series.flags.may_be_born = false;
        return (Mark::Ended, 0.0);
    }
    let value = sample.value;
    let (is_counter, is_gauge) = (series.flags.has_counter_role, series.flags.has_gauge_role);
    if (is_counter || is_gauge) && (!value.is_finite() || (is_counter && value < 0.0)) {
        counters.not_a_number += 1;
        return (Mark::Alive, 0.0);
    }
    let is_delta = series.kind == SeriesKind::Delta;
    let is_first = series.last.is_nan() && !is_delta;
    let from_zero = is_first || is_delta;
    let (grown, since) = if from_zero { (value, zero_from) } else { (value - series.last, before_at) };
    let is_too_much = is_counter && grown > most_in(at.since(since));
    if is_too_much && !is_first {
        counters.implausible += 1;
        // The next value has all the time since the last one that counts.
        series.last_at = before_at;
        return (Mark::Alive, 0.0);
    }
    let before = std::mem::replace(&mut series.last, value);
    if !is_counter {
        let is_new_start = series.flags.is_process_start && (before.is_nan() || value > before);
        return match (is_new_start, is_gauge) {
            (true, false) => (Mark::ProcessStart, value),
            (_, true) => (Mark::Gauge, value),
            (false, false) => (Mark::Alive, value),
        };
    }
    if series.flags.is_replaced {
        return (Mark::Alive, 0.0);
    }
    if is_delta {
        return (Mark::Increase, value);
    }
    if before.is_nan() {
        let mark = match sample.start {
            Some(start) if start >= zero_from || series.flags.is_from_zero => Mark::Began,
            _ if series.flags.may_be_born => Mark::Birth,
            _ => return (Mark::Baseline, 0.0),
        };
        counters.implausible += u64::from(is_too_much);
        return if is_too_much { (Mark::Baseline, 0.0) } else { (mark, value) };
    }
    if value < before {
        counters.resets += 1;
        return (Mark::Fell, value);
    }
    (Mark::Increase, value - before)
}

/// The most that a counter grows by in that time.
fn most_in(time: Duration) -> f64 {
    INCREASE_PER_SECOND_MAX * time.as_secs_f64().max(1.0)
}

#[cfg(test)]
mod tests {
    use model::telemetry::STALE_NAN_BITS;

    use super::*;

    const STALE: f64 = f64::from_bits(STALE_NAN_BITS);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn increases(mut series: SeriesState, values: &[(f64, Option<i64>)]) -> (Vec<(Mark, f64)>, Counters) {
        let mut counters = Counters::default();
        let samples = values.iter().enumerate().map(|(place, &(value, start))| {
            let moment = at(100 + 10 * place as i64);
            let sample = Sample { value, at: moment, start: start.map(at) };
            read(&mut series, &sample, moment, at(90), &mut counters)
        });
        (samples.collect(), counters)
    }

    fn counter() -> SeriesState {
        let mut series = SeriesState::default();
        series.flags.has_counter_role = true;
        series
    }

    #[test]
    fn counters_add_what_they_grew_by() {
        use Mark::{Alive, Baseline, Ended, Fell, Increase};
        for (values, expected, why) in [
            (&[5.0, 7.0, 7.0][..], &[(Baseline, 0.0), (Increase, 2.0), (Increase, 0.0)][..], "growth"),
            (&[5.0, 2.0, 4.0], &[(Baseline, 0.0), (Fell, 2.0), (Increase, 2.0)], "a reset adds the value"),
            (
                &[5.0, STALE, 8.0],
                &[(Baseline, 0.0), (Ended, 0.0), (Increase, 3.0)],
                "back after a stale marker",
            ),
            (&[5.0, STALE, 3.0], &[(Baseline, 0.0), (Ended, 0.0), (Fell, 3.0)], "restarted meanwhile"),
            (&[5.0, f64::NAN, 8.0], &[(Baseline, 0.0), (Alive, 0.0), (Increase, 3.0)], "NaN is passed over"),
            (&[f64::INFINITY, 5.0], &[(Alive, 0.0), (Baseline, 0.0)], "an infinite first value is none"),
            (
                &[5.0, 1e18, 8.0, 1e18, 9.0],
                &[(Baseline, 0.0), (Alive, 0.0), (Increase, 3.0), (Alive, 0.0), (Increase, 1.0)],
                "what no service has is passed over",
            ),
            (
                &[5.0, 2e13, 2e13, 2e13 + 1024.0],
                &[(Baseline, 0.0), (Alive, 0.0), (Increase, 2e13 - 5.0), (Increase, 1024.0)],
                "what stays there is counted once there was time for it",
            ),
            (
                &[1e18, 1e18 + 1024.0],
                &[(Baseline, 0.0), (Increase, 1024.0)],
                "a counter that began long ago may stand anywhere",
            ),
            (&[5.0, -1.0, 6.0], &[(Baseline, 0.0), (Alive, 0.0), (Increase, 1.0)], "no counter is negative"),
        ] {
            let values: Vec<_> = values.iter().map(|value| (*value, None)).collect();
            assert_eq!(increases(counter(), &values).0, expected, "{why}");
        }
    }

    #[test]
    fn a_start_says_where_counting_began() {
        use Mark::{Baseline, Began, Increase};
        for (values, expected, resets, why) in [
            (&[(5.0, Some(95))][..], &[(Began, 5.0)][..], 0, "began just before"),
            (&[(5.0, Some(10))], &[(Baseline, 0.0)], 0, "began long before"),
            (
                &[(5.0, Some(10)), (9.0, Some(10))],
                &[(Baseline, 0.0), (Increase, 4.0)],
                0,
                "the same beginning",
            ),
        ] {
            let (marks, counters) = increases(counter(), values);
            assert_eq!((&marks[..], counters.resets), (expected, resets), "{why}");
        }
    }

    #[test]
    fn kinds_and_births_decide_about_the_first_value() {
        let born = |change: fn(&mut SeriesState)| {
            let mut series = counter();
            change(&mut series);
            increases(series, &[(5.0, None), (3.0, None)])
        };
        let (marks, counters) = born(|series| series.kind = SeriesKind::Delta);
        assert_eq!((marks, counters.resets), (vec![(Mark::Increase, 5.0), (Mark::Increase, 3.0)], 0));
        let (marks, counters) = born(|series| series.flags.may_be_born = true);
        assert_eq!((marks, counters.resets), (vec![(Mark::Birth, 5.0), (Mark::Fell, 3.0)], 1));
    }

    #[test]
    fn a_birth_and_a_delta_that_no_service_has_add_nothing() {
        let born = |change: fn(&mut SeriesState)| {
            let mut series = counter();
            change(&mut series);
            let (marks, counters) = increases(series, &[(1e18, None), (1e18 + 1024.0, None)]);
            (marks, counters.implausible)
        };
        let birth = born(|series| series.flags.may_be_born = true);
        assert_eq!(birth, (vec![(Mark::Baseline, 0.0), (Mark::Increase, 1024.0)], 1));
        let delta = born(|series| series.kind = SeriesKind::Delta);
        assert_eq!(delta, (vec![(Mark::Alive, 0.0), (Mark::Alive, 0.0)], 2));
    }

    #[test]
    fn a_series_first_heard_of_by_its_end_is_not_born_when_it_comes_back() {
        let mut series = counter();
        series.flags.may_be_born = true;
        let (marks, _) = increases(series, &[(STALE, None), (10_000.0, None)]);
        assert_eq!(marks, [(Mark::Ended, 0.0), (Mark::Baseline, 0.0)]);
    }
}
