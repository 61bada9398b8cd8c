//! What stands beside a series that sends more than one value in order: other streams, or points seen.
//!
//! **Cumulative points of one label set that differ in start time are different streams**: forked workers, or pods
//! without `service.instance.id`, whose values have nothing to do with each other. Each is a series of its own, found
//! by the labels and then by its start. A restart is a stream as well: it begins after all that was heard of the
//! label set, and so counts from zero, while the one before falls silent.
//!
//! **Delta points** are added as they come, in whatever order. One is the same as another if it has the same start
//! and time: a sender whose answer got lost sends it again.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Store,
    series::{Flags, SeriesState},
    slab::{NONE, Slab},
    table::SeriesTable,
};

/// Streams of one label set at once: the workers of a large server. Beyond, the one that was silent longest gives
/// its place, and its growth since its last sample is lost if it comes back.
const STREAMS_MAX: usize = 16;

/// Points remembered of one delta series: an hour of one writer at 15 s. Beyond, what is not newer than those
/// forgotten is refused, for it may have been counted.
const POINTS_MAX: usize = 256;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) enum Beside {
    #[default]
    Free,
    /// All streams of one label set; the first is the one that is found by it.
    Streams(Vec<u32>),
    Points(Points),
}

/// The points seen of a delta series.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Points {
    /// Time and start, ascending; none that is too late by now.
    seen: Vec<(Timestamp, Timestamp)>,
    /// The newest one forgotten for want of room.
    forgotten_at: Timestamp,
}

impl Points {
    /// Whether the point was not seen before. What is older than `late_before` is forgotten: it cannot come again.
    fn take(&mut self, at: Timestamp, start: Timestamp, late_before: Timestamp) -> bool {
        let gone = self.seen.partition_point(|point| point.0 < late_before);
        self.seen.drain(..gone);
        let Err(place) = self.seen.binary_search(&(at, start)) else { return false };
        if at <= self.forgotten_at {
            return false;
        }
        self.seen.insert(place, (at, start));
        if self.seen.len() > POINTS_MAX {
            self.forgotten_at = self.seen.remove(0).0;
        }
        true
    }
}

impl Store {
    /// The stream of a label set that a point with this start is of. `id` is found by the label set.
    pub(super) fn stream_of(&mut self, id: u32, start: Timestamp) -> u32 {
        if self.table.series[id].start == start {
            return id;
        }
        if let Some(Beside::Streams(all)) = self.beside.get(self.table.series[id].beside)
            && let Some(&stream) = all.iter().find(|&&stream| self.table.series[stream].start == start)
        {
            return stream;
        }
        let all = self.streams_of(id);
        if let Some(&stream) = all.iter().find(|&&it| self.table.series[it].is_continued_by(start)) {
            self.table.series[stream].start = start;
            return stream;
        }
        self.open_stream(id, start, &all)
    }

    fn streams_of(&self, id: u32) -> Vec<u32> {
        match self.beside.get(self.table.series[id].beside) {
            Some(Beside::Streams(all)) => all.clone(),
            _ => vec![id],
        }
    }

    fn open_stream(&mut self, id: u32, start: Timestamp, all: &[u32]) -> u32 {
        let newest_at = all.iter().map(|&it| self.table.series[it].last_at).max();
        let is_from_zero = newest_at.is_some_and(|at| start > at);
        self.counters.resets += u64::from(is_from_zero);
        let labels = self.labels_of(id);
        if all.len() >= STREAMS_MAX || !self.has_room(&self.names_of(&labels)) {
            return self.renew_stream(start, is_from_zero, all).unwrap_or(id);
        }
        let bytes = self.table.labels_of(id).to_vec();
        let first = &self.table.series[id];
        let flags = Flags { is_used: true, is_beside: true, is_from_zero, ..Flags::default() };
        let (target, family, kind) = (first.target, first.family, first.kind);
        let state = SeriesState { target, family, kind, start, flags, ..SeriesState::default() };
        let stream = self.table.insert_beside(&bytes, state);
        self.targets.families[family].enter(stream);
        self.targets.all[target].series += 1;
        self.enlist(id, stream);
        self.joins.enter(&self.config.identity, &labels, stream);
        self.bind(stream, &labels);
        stream
    }

    fn enlist(&mut self, id: u32, stream: u32) {
        if self.table.series[id].beside == NONE {
            self.table.series[id].beside = self.beside.insert(Beside::Streams(vec![id]));
        }
        let beside = self.table.series[id].beside;
        self.table.series[stream].beside = beside;
        if let Beside::Streams(all) = &mut self.beside[beside] {
            all.push(stream);
        }
    }

    /// Gives the place of the stream that was silent longest to another.
    fn renew_stream(&mut self, start: Timestamp, is_from_zero: bool, all: &[u32]) -> Option<u32> {
        let stream = all.iter().copied().min_by_key(|&it| (self.table.series[it].last_at, it))?;
        self.counters.evicted_streams += 1;
        let series = &mut self.table.series[stream];
        (series.last, series.last_at, series.carry) = (f64::NAN, Timestamp::MIN, 0.0);
        series.start = start;
        series.flags.is_from_zero = is_from_zero;
        series.flags.may_be_born = false;
        Some(stream)
    }

    /// Whether a point of a delta series was not seen before.
    pub(super) fn is_new_point(
        &mut self,
        id: u32,
        at: Timestamp,
        start: Option<Timestamp>,
        late_before: Timestamp,
    ) -> bool {
        if self.table.series[id].beside == NONE {
            self.table.series[id].beside = self.beside.insert(Beside::Points(Points::default()));
        }
        match &mut self.beside[self.table.series[id].beside] {
            Beside::Points(points) => points.take(at, start.unwrap_or(Timestamp::MIN), late_before),
            _ => true,
        }
    }

    /// Before a series is removed: another stream of its labels is found by them from here on.
    pub(super) fn leave_beside(&mut self, id: u32) {
        let beside = self.table.series[id].beside;
        if beside == NONE {
            return;
        }
        let Beside::Streams(all) = &mut self.beside[beside] else {
            self.beside.remove(beside);
            return;
        };
        all.retain(|stream| *stream != id);
        let (heir, is_alone) = (all.first().copied(), all.len() < 2);
        let Some(heir) = heir else {
            self.beside.remove(beside);
            return;
        };
        if is_alone {
            self.table.series[heir].beside = NONE;
            self.beside.remove(beside);
        }
        if self.table.series[heir].flags.is_beside {
            self.table.put_in_place_of(id, heir);
        }
    }
}

impl SeriesState {
    /// Whether a point that begins at another time than the stream goes on with it: the stream's start was not known,
    /// or it was the time of its last point (senders that move the start of a cumulative stream along).
    fn is_continued_by(&self, start: Timestamp) -> bool {
        let was_unknown = self.start == Timestamp::MIN && start <= self.last_at;
        was_unknown || start == self.last_at || self.last_at == Timestamp::MIN
    }
}

/// After a snapshot: whether every series stands where it says, and nobody else.
pub(super) fn is_sound(beside: &Slab<Beside>, table: &SeriesTable) -> bool {
    let in_use = table.series.in_use();
    let is_own = |id: u32, series: u32| in_use.has(series) && table.series[series].beside == id;
    let lists_own = |(id, it): (u32, &Beside)| match it {
        Beside::Free => false,
        Beside::Streams(all) => all.len() > 1 && all.iter().all(|&series| is_own(id, series)),
        Beside::Points(_) => true,
    };
    let slots = beside.in_use();
    let mut series = table.series.used().map(|(_, series)| series);
    series.all(|it| slots.has_or_none(it.beside)) && beside.used().all(lists_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_delta_point_is_new_unless_its_time_and_start_were_seen() {
        let mut points = Points::default();
        for (time, start, is_new, why) in [
            (100, 90, true, "the first"),
            (100, 90, false, "sent again"),
            (100, 95, true, "another writer's of the same time"),
            (90, 80, true, "overtaken"),
            (90, 80, false, "and sent again"),
        ] {
            assert_eq!(points.take(at(time), at(start), at(70)), is_new, "{why}");
        }
        assert!(points.take(at(200), at(190), at(170)));
        assert_eq!(points.seen.len(), 1, "what is too late is not remembered");
    }

    #[test]
    fn what_may_have_been_forgotten_is_refused() {
        let mut points = Points::default();
        for step in 0..POINTS_MAX as i64 + 10 {
            assert!(points.take(at(1000 + step), at(0), at(0)));
        }
        assert_eq!(points.seen.len(), POINTS_MAX);
        assert!(!points.take(at(1009), at(1), at(0)), "as old as the newest one forgotten");
        assert!(points.take(at(1010), at(1), at(0)));
    }
}
