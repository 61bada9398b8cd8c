//! When the share of bad requests rose, and by how much.

use std::time::Duration;

use model::{Counts, Rise, Timestamp};

use super::{
    condition::Comparison,
    count::Yardstick,
    subject::{Sources, Subject, slot},
};

/// Of the service or release that `subject` is: the moment from which on its bad requests are best explained by one
/// higher share after another, lower one; what came before the window is `before`. `None` where nothing can be
/// counted or nothing rose.
pub(crate) fn rise(
    comparison: &Comparison<'_>,
    window: Duration,
    before: Counts,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Option<Rise> {
    let signal = subject.read(sources, comparison.metric, window)?;
    let yardstick = Yardstick::of(comparison, &signal)?;
    let whole = yardstick.certain(&signal)?;
    let width_ms = slot(window).as_millis() as i64;
    let end = subject.at.as_millis().div_euclid(width_ms);
    let steps = (window.as_millis() as i64 / width_ms).max(1);
    let starts = (0..steps).map(|back| Timestamp::from_millis((end - back) * width_ms));
    let later = starts.filter_map(|start| {
        let since = subject.since.max(Some(start));
        let signal = subject.read_of(sources, subject.versions, since, comparison.metric, window)?;
        Some((start, yardstick.certain(&signal)?))
    });
    let first_at = subject.since.unwrap_or(Timestamp::MIN).max(subject.at - window);
    steepest(before, whole, later.chain([(first_at, whole)]), signal.newest_at())
}

/// The likeliest change-point: the greatest likelihood of two shares over that of one.
fn steepest(
    before: Counts,
    whole: Counts,
    later: impl Iterator<Item = (Timestamp, Counts)>,
    until: Timestamp,
) -> Option<Rise> {
    let earlier = |since: Counts| Counts {
        bad: before.bad + whole.bad.saturating_sub(since.bad),
        total: before.total + whole.total.saturating_sub(since.total),
    };
    let mut best: Option<(f64, Rise)> = None;
    for (began_at, since) in later {
        let before = earlier(since);
        let gain = likelihood(before) + likelihood(since);
        let rises = since.bad > 0 && since.share() > before.share();
        // Of equally likely ones the latest: later ones come first, and what has no data of its own adds nothing.
        if rises && best.as_ref().is_none_or(|(gained, _)| gain > gained + 1e-9) {
            best = Some((gain, Rise { began_at, until, before, since }));
        }
    }
    best.map(|(_, rise)| rise)
}

/// The logarithm of the likelihood of the counts under their own share.
fn likelihood(counts: Counts) -> f64 {
    let of = |count: u64| {
        let share = count as f64 / counts.total as f64;
        if count == 0 { 0.0 } else { count as f64 * libm::log(share) }
    };
    if counts.total == 0 { 0.0 } else { of(counts.bad) + of(counts.total.saturating_sub(counts.bad)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    /// Bad requests of 100 in each slot of ten seconds, the newest last.
    fn of_slots(before: (u64, u64), slots: &[u64]) -> Option<Rise> {
        let mut since = Counts::default();
        let mut later = Vec::new();
        for (slot, bad) in slots.iter().enumerate().rev() {
            since = Counts { bad: since.bad + bad, total: since.total + 100 };
            later.push((at(slot as i64 * 10), since));
        }
        let before = Counts { bad: before.0, total: before.1 };
        steepest(before, since, later.into_iter(), at(slots.len() as i64 * 10))
    }

    #[test]
    fn a_rise_begins_where_the_share_changes() {
        for (before, slots, want, story) in [
            ((0, 1000), &[0, 0, 0, 20, 22, 19][..], Some((30, 61, 300)), "in the middle"),
            ((1, 1000), &[20, 22, 19], Some((0, 61, 300)), "from the first request on"),
            ((200, 1000), &[20, 19, 50, 48], Some((20, 98, 200)), "from a fifth to a half"),
            ((0, 1000), &[0, 0, 0], None, "nothing failed"),
            ((300, 1000), &[10, 10, 10], None, "it became better"),
        ] {
            let rise = of_slots(before, slots);
            let got = rise.map(|it| (it.began_at.as_millis() / 1000, it.since.bad, it.since.total));
            assert_eq!(got, want, "{story}");
        }
    }

    #[test]
    fn it_is_as_large_as_what_was_added_and_weighs_what_fails_in_a_second() {
        let rise = of_slots((100, 1000), &[10, 10, 40, 40]).unwrap();
        assert!((rise.size() - 0.3).abs() < 1e-9, "{rise:?}");
        assert!((rise.bad_per_second() - 3.0).abs() < 1e-9, "{rise:?}");
    }
}
