//! What the same events lead to when nobody ever dies: one keeper per partition, and one chair.

use analyzer::{Analyzer, Keeper};
use arbiter::Chair;
use model::{DecisionRecord, Origin, Partition, Position, Timestamp};

use crate::log::Log;

/// A moment at which everything that had come was judged and answered, so that time had its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    /// How many records of analyzers counted by then.
    pub(crate) counted: usize,
}

/// The records that count, by who wrote them. Under which epoch an answer was given, and where the record that it
/// answers stands, is set aside.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) proposals: Vec<DecisionRecord>,
    pub(crate) answers: Vec<DecisionRecord>,
}

impl Reference {
    pub(crate) fn of<'a>(counted: impl Iterator<Item = (Position, &'a DecisionRecord)>) -> Self {
        let mut reference = Self::default();
        for (_, record) in counted {
            match record.origin {
                Origin::Analyzer => reference.proposals.push(record.clone()),
                Origin::Arbiter { .. } => reference.answers.push(record.clone()),
                Origin::Claim { .. } | Origin::Clock { .. } | Origin::Teller => {}
            }
        }
        reference
    }
}

/// What one keeper writes that judges every event of the partition.
pub(crate) fn proposed_without_a_crash(log: &Log, partition: Partition) -> Vec<DecisionRecord> {
    let mut keeper = Keeper::new(partition, Analyzer::new(), Timestamp::MIN, Timestamp::MIN, None);
    let events = log.events_of(partition).iter();
    events.filter_map(|(position, event)| keeper.judge(position, event)).collect()
}

/// A chair that nobody else has ever had.
struct OnlyChair {
    chair: Chair,
    epoch: u64,
    /// Where the next record stands that it is handed.
    next: u64,
    answers: Vec<DecisionRecord>,
}

impl OnlyChair {
    fn new() -> Self {
        let mut chair = Chair::new("reference".to_owned());
        let claim = chair.claim(Timestamp::MIN);
        chair.take(Position(0), &claim);
        Self { chair, epoch: 0, next: 1, answers: Vec::new() }
    }

    fn take(&mut self, record: &DecisionRecord) {
        let at = Position(self.next);
        self.next += 1;
        self.chair.take(at, record);
        while let Some(answer) = self.chair.poll_answer() {
            self.answers.push(answer);
        }
    }

    fn take_clock(&mut self, at: Timestamp) {
        let origin = Origin::Clock { epoch: self.epoch };
        self.take(&DecisionRecord { at, origin, ..DecisionRecord::default() });
    }
}

/// What a chair answers that reads the records of analyzers and clocks as they stand on the log.
pub(crate) fn answers_by_the_log(counted: &[(Position, &DecisionRecord)]) -> Vec<DecisionRecord> {
    let mut only = OnlyChair::new();
    for (_, record) in counted {
        match record.origin {
            Origin::Analyzer => only.take(record),
            Origin::Clock { .. } => only.take_clock(record.at),
            Origin::Claim { .. } | Origin::Arbiter { .. } | Origin::Teller => {}
        }
    }
    only.answers
}

/// What a chair decides that brings time to the log by itself, at the moments at which it had its turn.
pub(crate) fn decided_without_a_crash(proposals: &[DecisionRecord], marks: &[Mark]) -> Vec<DecisionRecord> {
    let mut only = OnlyChair::new();
    let mut taken = 0;
    for mark in marks {
        for record in &proposals[taken..mark.counted] {
            only.take(record);
        }
        taken = mark.counted;
        if only.chair.poll_timeout().is_some_and(|due| due <= mark.at) {
            only.take_clock(mark.at);
        }
    }
    proposals[taken..].iter().for_each(|record| only.take(record));
    only.answers
}
