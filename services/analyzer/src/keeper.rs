//! One partition's analyzer in its place at the events log: judges each event in order and says what to write.

use std::time::Duration;

use model::{Decision, DecisionRecord, Event, Origin, Partition, Position, Timestamp};

use crate::{Analyzer, SnapshotError, store::Refused};

/// How long the decisions log may be silent about a partition, by the events' stamps, before it notes how far was
/// judged: what came before need not be judged again at the next start, however long nothing was proposed.
const NOTE_PROGRESS_AFTER: Duration = Duration::from_secs(60);

/// The first bytes of every snapshot; others with every change of what follows them.
const MAGIC: [u8; 8] = *b"RIPCORDL";

/// Stands for no position in a snapshot: a log never gets that far.
const NONE: u64 = u64::MAX;

/// An analyzer and how far it is.
#[derive(Debug)]
pub struct Keeper {
    partition: Partition,
    analyzer: Analyzer,
    /// Time as the events tell it; never goes back.
    now: Timestamp,
    /// When something was last written about this partition.
    noted_at: Timestamp,
    /// The last event about which the decisions log says something.
    decided: Option<Position>,
}

impl Keeper {
    /// With an analyzer that has taken every event up to `now`; what it says of events up to `decided` stands on
    /// the log already.
    pub fn new(
        partition: Partition,
        analyzer: Analyzer,
        now: Timestamp,
        noted_at: Timestamp,
        decided: Option<Position>,
    ) -> Self {
        Self { partition, analyzer, now, noted_at, decided }
    }

    /// Judges the event at `position`; the record to append, if there is anything to say that the log does not
    /// say already.
    pub fn judge(&mut self, position: Position, event: &Event) -> Option<DecisionRecord> {
        self.now = self.now.max(event.at);
        if self.analyzer.poll_timeout().is_some_and(|due| due <= self.now) {
            self.analyzer.handle_timeout(self.now);
        }
        self.analyzer.handle_event(self.now, position, event);
        let mut decisions = Vec::new();
        while let Some(proposal) = self.analyzer.poll_proposal() {
            decisions.push(Decision::Proposal(proposal));
        }
        if decisions.is_empty() && self.now.since(self.noted_at) < NOTE_PROGRESS_AFTER {
            return None;
        }
        self.noted_at = self.now;
        let record = DecisionRecord {
            cause: event.id.clone(),
            partition: self.partition,
            position,
            at: self.now,
            origin: Origin::Analyzer,
            decisions,
        };
        let is_new = self.decided < Some(position);
        self.decided = self.decided.max(Some(position));
        is_new.then_some(record)
    }

    /// What there was no room for since the last call, the first of each reason.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        self.analyzer.take_refused()
    }

    /// The windows.
    pub fn analyzer(&self) -> &Analyzer {
        &self.analyzer
    }

    /// Time as the events told it last.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The state after the event at `taken`, as bytes: magic, position, the last event about which something was
    /// written, both times (all little-endian, 64 bit), then the analyzer. To be called when every record that
    /// [`Self::judge`] gave is durable.
    pub fn snapshot(&self, taken: Position) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(taken.0.to_le_bytes());
        bytes.extend(self.decided.map_or(NONE, |Position(decided)| decided).to_le_bytes());
        bytes.extend(self.now.as_millis().to_le_bytes());
        bytes.extend(self.noted_at.as_millis().to_le_bytes());
        bytes.extend(self.analyzer.snapshot());
        bytes
    }

    /// The keeper of whom the snapshot was taken, and the last event that it had taken. What it says of events up
    /// to `decided` stands on the log already; a snapshot that relies on more than that is refused, as the rest
    /// would never be said again.
    pub fn from_snapshot(
        partition: Partition,
        bytes: &[u8],
        decided: Option<Position>,
    ) -> Result<(Self, Position), SnapshotError> {
        let bytes = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let (taken, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let (written, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let (now, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let (noted_at, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let written = Some(u64::from_le_bytes(*written)).filter(|&written| written != NONE).map(Position);
        if written > decided {
            return Err(SnapshotError::Ahead);
        }
        let analyzer = Analyzer::from_snapshot(bytes)?;
        let time = |bytes: &[u8; 8]| Timestamp::from_millis(i64::from_le_bytes(*bytes));
        let keeper = Self::new(partition, analyzer, time(now), time(noted_at), decided);
        Ok((keeper, Position(u64::from_le_bytes(*taken))))
    }

    /// The last event that the keeper had taken of whom the snapshot was taken; `None`: these bytes are none.
    pub fn taken(snapshot: &[u8]) -> Option<Position> {
        let taken = snapshot.strip_prefix(&MAGIC)?.first_chunk()?;
        Some(Position(u64::from_le_bytes(*taken)))
    }
}

#[cfg(test)]
mod tests {
    use model::{EventBody, EventId};

    use super::*;

    fn tick(at: i64) -> Event {
        Event {
            id: EventId::default(),
            at: Timestamp::from_millis(at),
            source: "tick".to_owned(),
            is_copy: false,
            body: EventBody::Tick,
        }
    }

    #[test]
    fn a_snapshot_is_not_continued_from_where_decisions_that_it_relies_on_are_lost() {
        let mut keeper =
            Keeper::new(Partition::HOME, Analyzer::new(), Timestamp::default(), Timestamp::default(), None);
        let nothing_written = keeper.snapshot(Position(4));
        // A minute of silence: that it was judged is noted.
        assert!(keeper.judge(Position(5), &tick(61_000)).is_some());
        assert!(keeper.judge(Position(6), &tick(62_000)).is_none());
        let noted = keeper.snapshot(Position(6));
        assert_eq!(Keeper::taken(&noted), Some(Position(6)));
        assert_eq!(Keeper::taken(&noted[1..]), None);
        for (snapshot, decided, is_used, why) in [
            (&nothing_written, None, true, "it relies on nothing"),
            (&nothing_written, Some(Position(5)), true, "more was written later"),
            (&noted, None, false, "the decisions log is gone"),
            (&noted, Some(Position(4)), false, "its end is gone"),
            (&noted, Some(Position(5)), true, "all of it is there"),
            (&noted, Some(Position(9)), true, "more was written later"),
        ] {
            let restored = Keeper::from_snapshot(Partition::HOME, snapshot, decided);
            assert_eq!(restored.is_ok(), is_used, "{why}");
            assert_eq!(restored.err(), (!is_used).then_some(SnapshotError::Ahead), "{why}");
        }
    }
}
