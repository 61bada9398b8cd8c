//! What is on the log and where, in memory: a plain value without files or threads.

use std::collections::{BTreeMap, BTreeSet};

use crate::embedded::{Retention, frame_reader::Frame, segment::Segment, tail::Tail};

/// Where a record is to be had.
#[derive(Debug)]
pub(crate) enum Place {
    /// In memory.
    Here(Frame),
    /// In the file of the segment that begins at `base`, of which `readable` bytes count.
    InFile { base: u64, readable: u64 },
    /// Deleted; the oldest position that is left.
    Gone { resume_at: u64 },
    /// Not yet durable.
    NotYet,
}

/// One topic's records.
#[derive(Debug)]
pub(crate) struct Log {
    /// By first position. The last one is being written, or will be followed by one that is.
    segments: BTreeMap<u64, Segment>,
    next: u64,
    tail: Tail,
    /// Segments that were found damaged, so that each is counted once.
    damaged: BTreeSet<u64>,
    /// Retention takes no record from this position on.
    kept_from: u64,
}

impl Log {
    pub(crate) fn new(segments: BTreeMap<u64, Segment>, next: u64, tail_bytes_max: usize) -> Self {
        Self {
            segments,
            next,
            tail: Tail::new(tail_bytes_max),
            damaged: BTreeSet::new(),
            kept_from: u64::MAX,
        }
    }

    /// The position that the next record gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The oldest position that may be read.
    pub(crate) fn first(&self) -> u64 {
        self.segments.keys().next().copied().unwrap_or(self.next)
    }

    pub(crate) fn locate(&self, position: u64) -> Place {
        if position >= self.next {
            return Place::NotYet;
        }
        if let Some(frame) = self.tail.get(position) {
            return Place::Here(frame.clone());
        }
        match self.segments.range(..=position).next_back() {
            Some((&base, segment)) => Place::InFile { base, readable: segment.bytes },
            None => Place::Gone { resume_at: self.resume_after(position) },
        }
    }

    /// The next position after `position` that can be read without the file that holds `position`.
    pub(crate) fn resume_after(&self, position: u64) -> u64 {
        let after = position.saturating_add(1);
        let segment = self.segments.range(after..).next().map_or(self.next, |(&base, _)| base);
        match self.tail.first_position() {
            Some(first) if first > position => first.min(segment),
            _ => segment,
        }
    }

    /// First position of the oldest segment that may hold a record not older than `at`.
    pub(crate) fn first_segment_reaching(&self, at: model::Timestamp) -> u64 {
        // A segment's last stamp is not known, but it is not after the first one of the segment behind it.
        let mut reaching = self.first();
        for (&base, segment) in &self.segments {
            if segment.first_at.is_some_and(|first| first < at) {
                reaching = base;
            }
        }
        reaching
    }

    pub(crate) fn begin_segment(&mut self, base: u64) {
        self.segments.insert(base, Segment::default());
    }

    /// Records were made durable at the end of segment `base`, which now has `bytes`.
    pub(crate) fn commit(&mut self, base: u64, bytes: u64, frames: Vec<Frame>) {
        let segment = self.segments.entry(base).or_default();
        segment.bytes = bytes;
        segment.first_at = segment.first_at.or(frames.first().map(|frame| frame.at));
        for frame in frames {
            self.next = self.next.max(frame.position + 1);
            self.tail.push(frame);
        }
    }

    /// Gives no position before `position` from here on; `false` if that is so already.
    pub(crate) fn skip_to(&mut self, position: u64) -> bool {
        let skips = position > self.next;
        self.next = self.next.max(position);
        skips
    }

    /// Notes that segment `base` is damaged; `false` if that was known.
    pub(crate) fn mark_damaged(&mut self, base: u64) -> bool {
        self.damaged.insert(base)
    }

    pub(crate) fn newest_segment(&self) -> Option<u64> {
        self.segments.keys().next_back().copied()
    }

    pub(crate) fn holds_segment(&self, base: u64) -> bool {
        self.segments.contains_key(&base)
    }

    /// Keeps what stands at `position` and behind from retention, whatever its size and age.
    pub(crate) fn keep_from(&mut self, position: u64) {
        self.kept_from = position;
    }

    /// Takes out the segments that retention lets go, oldest first; the newest always stays.
    pub(crate) fn expire(&mut self, retention: &Retention) -> Vec<u64> {
        let newest_at = self.segments.values().rev().find_map(|segment| segment.first_at);
        let mut size = self.size_bytes();
        let mut expired = Vec::new();
        let bases: Vec<u64> = self.segments.keys().copied().collect();
        for pair in bases.windows(2) {
            let [oldest, behind] = pair else { break };
            let is_too_large = retention.bytes_max.is_some_and(|max| size > max);
            let last_at = self.segments.get(behind).and_then(|segment| segment.first_at);
            let is_too_old = retention.age_max.is_some_and(|max| match (newest_at, last_at) {
                (Some(newest), Some(last)) => newest.since(last) > max,
                _ => false,
            });
            if (!is_too_large && !is_too_old) || *behind > self.kept_from {
                break;
            }
            size -= self.segments.remove(oldest).map_or(0, |segment| segment.bytes);
            self.damaged.remove(oldest);
            expired.push(*oldest);
        }
        expired
    }

    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_takes_whole_segments_and_nothing_that_is_to_be_kept() {
        let retention = Retention { bytes_max: Some(15), age_max: None };
        let log = || {
            let segment = |base| (base, Segment { bytes: 10, ..Segment::default() });
            Log::new([0, 5, 9, 20].map(segment).into(), 30, 0)
        };
        for (kept_from, expired, why) in [
            (None, vec![0, 5, 9], "the newest segment stays"),
            (Some(0), vec![], "no checkpoint stands for anything"),
            (Some(4), vec![], "a record of the first segment is to be kept"),
            (Some(5), vec![0], "the first segment is before it"),
            (Some(12), vec![0, 5], "the third holds it"),
            (Some(99), vec![0, 5, 9], "all are before it"),
        ] {
            let mut log = log();
            if let Some(position) = kept_from {
                log.keep_from(position);
            }
            assert_eq!(log.expire(&retention), expired, "{why}");
        }
    }
}
