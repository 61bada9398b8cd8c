//! One partition's judge without its threads; mirrors `server`'s `roles/keep.rs`.

use analyzer::Keeper;
use model::{DecisionRecord, Partition, Position};

use crate::{log::Log, restore::Restored};

#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) partition: Partition,
    pub(crate) keeper: Keeper,
    /// Number of the next event.
    next: usize,
    /// The newest event whose record, if any, is on the log.
    taken: Option<Position>,
    /// Said of an event and not on the log yet; judging waits for it.
    unwritten: Option<(Position, DecisionRecord)>,
    /// The newest event in the last snapshot.
    holds: Option<Position>,
}

impl Judge {
    pub(crate) fn new(partition: Partition, restored: Restored, log: &Log) -> Self {
        let Restored { keeper, next, is_from_snapshot } = restored;
        let taken = next.0.checked_sub(1).map(Position);
        let next = log.events_of(partition).number_of(next);
        let holds = taken.filter(|_| is_from_snapshot);
        Self { partition, keeper, next, taken, unwritten: None, holds }
    }

    /// Judges the next event, unless something waits to be written. Whether there was one.
    pub(crate) fn take_next(&mut self, log: &Log) -> bool {
        let Some((position, event)) = log.events_of(self.partition).get(self.next) else { return false };
        self.next += 1;
        match self.keeper.judge(position, event) {
            Some(record) => self.unwritten = Some((position, record)),
            None => self.taken = Some(position),
        }
        true
    }

    /// What is to be appended before judging goes on.
    pub(crate) fn unwritten(&self) -> Option<&DecisionRecord> {
        self.unwritten.as_ref().map(|(_, record)| record)
    }

    pub(crate) fn note_written(&mut self) {
        if let Some((position, _)) = self.unwritten.take() {
            self.taken = Some(position);
        }
    }

    /// Whether everything that stands in the partition was judged and is on the log.
    pub(crate) fn is_up_to_date(&self, log: &Log) -> bool {
        self.unwritten.is_none() && self.next == log.events_of(self.partition).len()
    }

    /// The state as bytes, if it is all on the log and there is anything new in it. `skips_unwritten: false` is a
    /// fault put in on purpose: the snapshot is taken as if what waits to be written were.
    pub(crate) fn snapshot(&mut self, skips_unwritten: bool) -> Option<Vec<u8>> {
        let taken = match &self.unwritten {
            Some(_) if skips_unwritten => return None,
            Some((position, _)) => Some(*position),
            None => self.taken,
        };
        let taken = taken.filter(|_| taken > self.holds)?;
        self.holds = Some(taken);
        Some(self.keeper.snapshot(taken))
    }
}
