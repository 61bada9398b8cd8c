//! Samples of senders whose clock is ahead of ours.
//!
//! Taken as they are they would push everybody's data out of the windows. They are moved back by an **offset** of
//! their target: how far the first of them was ahead. The offset stays, so that a scrape that comes in several requests
//! stays one, and scrapes keep their distances. A target whose series go by several clocks has several offsets.

use std::time::Duration;

use model::{Sample, Timestamp};

use super::{FUTURE_TOLERANCE, target::Target};

/// Offsets of one target: more clocks than one are a mistake already. Beyond, the oldest is forgotten.
const OFFSETS_MAX: usize = 4;

impl Target {
    /// Whether a sample may have to be moved.
    pub(super) fn is_ahead(&self, sent: Timestamp, now: Timestamp) -> bool {
        sent > now + FUTURE_TOLERANCE || !self.offsets_ms.is_empty()
    }

    /// How far a sample's sender is ahead; 0 where it is to be believed. `patience`: how far a sample may lag;
    /// `moved_before`: when the series' last sample was by our clock, if that was moved.
    pub(super) fn offset_ms(
        &mut self,
        sent: Timestamp,
        now: Timestamp,
        patience: Duration,
        moved_before: Option<Timestamp>,
    ) -> i64 {
        let moved = |offset: i64| Timestamp::from_millis(sent.as_millis().saturating_sub(offset));
        let newest_first = || self.offsets_ms.iter().rev().copied();
        // The other half of a scrape that was moved may come when the sender's time is no longer ahead of ours.
        if let Some(known) = newest_first().find(|&offset| self.has_scrape(moved(offset))) {
            return known;
        }
        let oldest = now - patience;
        if sent <= now + FUTURE_TOLERANCE {
            // A repeat that took so long that its time is no longer ahead is older than what the series had: at its
            // own time a counter would seem to begin again.
            let is_repeat = |at: Timestamp| at >= oldest && moved_before.is_some_and(|before| at <= before);
            return newest_first().find(|&offset| is_repeat(moved(offset))).unwrap_or(0);
        }
        let fits = |at: Timestamp| at <= now + FUTURE_TOLERANCE && at >= oldest;
        if let Some(known) = newest_first().find(|&offset| fits(moved(offset))) {
            return known;
        }
        if self.offsets_ms.len() >= OFFSETS_MAX {
            self.offsets_ms.remove(0);
        }
        let offset = sent.as_millis().saturating_sub(now.as_millis());
        self.offsets_ms.push(offset);
        offset
    }

    fn has_scrape(&self, at: Timestamp) -> bool {
        self.settled_at == at || self.newest_in_batch_at == at || self.scrape(at).is_ok()
    }
}

/// The sample by our clock.
pub(super) fn moved(sample: &Sample, offset_ms: i64) -> Sample {
    let back = |at: Timestamp| Timestamp::from_millis(at.as_millis().saturating_sub(offset_ms));
    Sample { value: sample.value, at: back(sample.at), start: sample.start.map(back) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_its_offset_and_a_second_clock_has_its_own() {
        let moment = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let mut target = Target::default();
        for (now, sent, at, why) in [
            (0, 5, 5, "within what clocks differ by"),
            (10, 70, 10, "60 s ahead: as of now"),
            (12, 70, 10, "the other half, 2 s later"),
            (25, 85, 25, "the next scrape"),
            (33, 85, 25, "the other half, 8 s later"),
            (41, 100, 40, "a second late, at its distance"),
            (41, 3641, 41, "another series, an hour ahead"),
            (55, 115, 55, "which changes nothing for the others"),
            (55, 60, 60, "nor for one that is not ahead"),
            (56, 3656, 56, "and stays an hour ahead"),
            (109, 115, 55, "54 s late, when its time is nearly ours"),
        ] {
            let offset = target.offset_ms(moment(sent), moment(now), Duration::from_secs(300), None);
            let shown = moment(sent).as_millis() - offset;
            assert_eq!(shown, at * 1000, "{why}");
            let scrape = super::super::target::Scrape::new(moment(at), moment(now), Default::default(), 0);
            if let Err(place) = target.scrape(moment(at)) {
                target.scrapes.insert(place, scrape);
            }
        }
    }
    #[test]
    fn a_repeat_that_is_late_is_moved_as_it_was_before() {
        let moment = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let mut target = Target::default();
        let patience = Duration::from_secs(300);
        assert_eq!(target.offset_ms(moment(160), moment(100), patience, None), 60_000);
        for (now, sent, before, offset_ms, why) in [
            (155, 160, Some(145), 60_000, "its time is nearly ours, and the series is 45 s further"),
            (155, 160, None, 0, "a series that was never moved"),
            (400, 400, Some(145), 0, "the clock was set right: this is news"),
        ] {
            let found = target.offset_ms(moment(sent), moment(now), patience, before.map(moment));
            assert_eq!(found, offset_ms, "{why}");
        }
    }
}
