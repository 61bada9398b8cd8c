//! Which records of the decisions log count.
//!
//! Several processes write it, and for a moment two of them may believe that the same work is theirs. The log's
//! one order settles it, for every reader alike:
//!
//! - What an analyzer writes counts once for each event: of two records about the same partition, only one about
//!   a later event than the last that counted.
//! - An arbiter's word counts from its claim until somebody else's. Its **epoch** is the position of its claim;
//!   what it still writes after another claim is void, as if it had never been written.

use std::collections::BTreeMap;

use crate::{DecisionRecord, Origin, Partition, Position};

/// What the log says up to some record; a function of the records before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    decided: BTreeMap<Partition, Position>,
    epoch: Option<u64>,
    answered: Option<Position>,
}

impl Standing {
    /// Takes note of the record at `at`; whether it counts. To be asked once a record, in the log's order.
    pub fn admit(&mut self, at: Position, record: &DecisionRecord) -> bool {
        match &record.origin {
            Origin::Analyzer => {
                let is_new = self.decided(record.partition) < Some(record.position);
                if is_new {
                    self.decided.insert(record.partition, record.position);
                }
                is_new
            }
            Origin::Claim { .. } => {
                self.epoch = Some(at.0);
                true
            }
            Origin::Clock { epoch } => self.epoch == Some(*epoch),
            Origin::Teller => true,
            Origin::Arbiter { epoch, answers } => {
                let is_new = self.epoch == Some(*epoch) && self.answered < Some(*answers);
                if is_new {
                    self.answered = Some(*answers);
                }
                is_new
            }
        }
    }

    /// The last event of a partition about which something was written.
    pub fn decided(&self, partition: Partition) -> Option<Position> {
        self.decided.get(&partition).copied()
    }

    /// Whose word counts now.
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// The last record that an arbiter answered: those before it need no answer any more.
    pub fn answered(&self) -> Option<Position> {
        self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analyzer(partition: u32, position: u64) -> DecisionRecord {
        record(Origin::Analyzer, partition, position)
    }

    fn record(origin: Origin, partition: u32, position: u64) -> DecisionRecord {
        let (partition, position) = (Partition(partition), Position(position));
        DecisionRecord { origin, partition, position, ..DecisionRecord::default() }
    }

    fn claim() -> DecisionRecord {
        record(Origin::Claim { instance: "a".to_owned() }, 0, 0)
    }

    fn clock(epoch: u64) -> DecisionRecord {
        record(Origin::Clock { epoch }, 0, 0)
    }

    fn answer(epoch: u64, answers: u64) -> DecisionRecord {
        record(Origin::Arbiter { epoch, answers: Position(answers) }, 0, 0)
    }

    #[test]
    fn a_record_counts_once_and_only_from_whoever_holds_the_word() {
        let mut standing = Standing::default();
        for (at, (record, counts, why)) in (0..).zip([
            (analyzer(0, 5), true, "the first of its partition"),
            (analyzer(0, 5), false, "the same again, after a write that only seemed to fail"),
            (analyzer(1, 3), true, "another partition has its own order"),
            (analyzer(0, 4), false, "an analyzer that lost the partition comes late"),
            (answer(9, 0), false, "nobody has claimed yet"),
            (claim(), true, "the first claim, at 5"),
            (answer(5, 0), true, "its word"),
            (answer(5, 0), false, "the same again"),
            (clock(5), true, "its clock"),
            (claim(), true, "a second claim, at 9"),
            (answer(5, 2), false, "the first one does not know yet that it was replaced"),
            (clock(5), false, "its clock does not count either"),
            (answer(9, 2), true, "the second one answers the same"),
            (record(Origin::Teller, 0, 0), true, "who tells brings time, whoever decides"),
            (analyzer(0, 6), true, "analyzers are not concerned"),
        ]) {
            assert_eq!(standing.admit(Position(at), &record), counts, "{why}");
        }
        assert_eq!(standing.decided(Partition(0)), Some(Position(6)));
        assert_eq!(standing.decided(Partition(2)), None);
        assert_eq!((standing.epoch(), standing.answered()), (Some(9), Some(Position(2))));
    }
}
