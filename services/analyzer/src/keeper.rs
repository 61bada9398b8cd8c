//! One partition's analyzer in its place at the events log: judges each event in order and says what to write.

use std::time::Duration;

use model::{Decision, DecisionRecord, Event, Origin, Partition, Position, Timestamp};

use crate::{Analyzer, SnapshotError};

/// How long the decisions log may be silent about a partition, by the events' stamps, before it notes how far was
/// judged: what came before need not be judged again at the next start, however long nothing was proposed.
const NOTE_PROGRESS_AFTER: Duration = Duration::from_secs(60);

/// The first bytes of every snapshot.
const MAGIC: [u8; 8] = *b"RIPCORDK";

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
        (self.decided < Some(position)).then_some(record)
    }

    /// The windows.
    pub fn analyzer(&self) -> &Analyzer {
        &self.analyzer
    }

    /// Time as the events told it last.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The state after the event at `taken`, as bytes: magic, position, both times (all little-endian, 64 bit),
    /// then the analyzer.
    pub fn snapshot(&self, taken: Position) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(taken.0.to_le_bytes());
        bytes.extend(self.now.as_millis().to_le_bytes());
        bytes.extend(self.noted_at.as_millis().to_le_bytes());
        bytes.extend(self.analyzer.snapshot());
        bytes
    }

    /// The keeper of whom the snapshot was taken, and the last event that it had taken. What it says of events up
    /// to `decided` stands on the log already.
    pub fn from_snapshot(
        partition: Partition,
        bytes: &[u8],
        decided: Option<Position>,
    ) -> Result<(Self, Position), SnapshotError> {
        let bytes = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let (taken, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let (now, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let (noted_at, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let analyzer = Analyzer::from_snapshot(bytes)?;
        let time = |bytes: &[u8; 8]| Timestamp::from_millis(i64::from_le_bytes(*bytes));
        let keeper = Self::new(partition, analyzer, time(now), time(noted_at), decided);
        Ok((keeper, Position(u64::from_le_bytes(*taken))))
    }
}
