//! Which records of the decisions log count.
//!
//! Several processes write it, and for a moment two of them may believe that the same work is theirs. The log's
//! one order settles it, for every reader alike:
//!
//! - What an analyzer writes counts once for each event: of two records about the same partition, only one about
//!   a later event than the last that counted.
//! - An arbiter's word counts from its claim until somebody else's. Its **epoch** is the position of its claim;
//!   what it still writes after another claim is void, as if it had never been written.
//! - An arbiter answers what stands before its answer. A record that claims to answer itself or what is to come is
//!   void: otherwise one such record would make every later answer void.

use std::collections::BTreeMap;

use crate::{DecisionRecord, Origin, Partition, Position};

/// What the log says up to some record; a function of the records before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    decided: BTreeMap<Partition, Position>,
    epoch: Option<u64>,
    answered: Option<Position>,
    /// The claim of the first arbiter may be gone.
    is_partial: bool,
}

/// Why a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// A record that counts says the same already, or something about a later event.
    Repeated,
    /// Another arbiter has claimed, or none has.
    Superseded,
    /// The record speaks of what does not exist yet.
    Ahead,
}

impl Void {
    /// As a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Superseded => "superseded",
            Self::Ahead => "ahead",
        }
    }
}

impl Standing {
    /// That of a log which was read up to some record.
    pub fn restored(
        decided: impl IntoIterator<Item = (Partition, Position)>,
        epoch: Option<u64>,
        answered: Option<Position>,
    ) -> Self {
        Self { decided: decided.into_iter().collect(), epoch, answered, is_partial: false }
    }

    /// Of a log whose oldest records are gone: the claim of the arbiter that wrote the first ones may be among them.
    pub fn of_partial_log() -> Self {
        Self { is_partial: true, ..Self::default() }
    }

    /// The last event of each partition about which something was written.
    pub fn all_decided(&self) -> impl Iterator<Item = (Partition, Position)> {
        self.decided.iter().map(|(partition, position)| (*partition, *position))
    }

    /// As [`Self::take`]; whether the record counts.
    pub fn admit(&mut self, at: Position, record: &DecisionRecord) -> bool {
        self.take(at, record).is_ok()
    }

    /// Takes note of the record at `at`. To be asked once a record, in the log's order.
    pub fn take(&mut self, at: Position, record: &DecisionRecord) -> Result<(), Void> {
        match &record.origin {
            Origin::Analyzer => {
                if self.decided(record.partition) >= Some(record.position) {
                    return Err(Void::Repeated);
                }
                self.decided.insert(record.partition, record.position);
            }
            Origin::Claim { .. } => self.epoch = Some(at.0),
            Origin::Clock { epoch } => self.expect_epoch(at, *epoch)?,
            Origin::Teller => {}
            Origin::Arbiter { epoch, answers } => {
                self.expect_epoch(at, *epoch)?;
                if *answers >= at {
                    return Err(Void::Ahead);
                }
                if self.answered >= Some(*answers) {
                    return Err(Void::Repeated);
                }
                self.answered = Some(*answers);
            }
        }
        Ok(())
    }

    fn expect_epoch(&mut self, at: Position, epoch: u64) -> Result<(), Void> {
        if self.is_partial && self.epoch.is_none() && epoch < at.0 {
            self.epoch = Some(epoch);
        }
        if self.epoch == Some(epoch) { Ok(()) } else { Err(Void::Superseded) }
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
    fn an_answer_to_what_does_not_stand_before_it_is_void_and_silences_no_later_one() {
        let mut standing = Standing::default();
        standing.admit(Position(5), &claim());
        for (at, answers, verdict, why) in [
            (6, 1_000_000_000, Err(Void::Ahead), "far ahead of the log's end"),
            (7, u64::MAX, Err(Void::Ahead), "no log ever gets there"),
            (8, 8, Err(Void::Ahead), "itself"),
            (9, 4, Ok(()), "the real answer to what came before"),
            (10, 4, Err(Void::Repeated), "the same again"),
            (11, 10, Ok(()), "the next one"),
        ] {
            assert_eq!(standing.take(Position(at), &answer(5, answers)), verdict, "{why}");
        }
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
