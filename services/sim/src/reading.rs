//! Which records of the decisions log a reader counts: [`Standing`], unless a fault was put in on purpose.

use model::{DecisionRecord, Origin, Position, Standing};

use crate::Sabotage;

/// A reader's place at the decisions log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    standing: Standing,
    /// Number of the next record.
    pub(crate) next: usize,
    sabotage: Option<Sabotage>,
}

impl Reading {
    pub(crate) fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..Self::default() }
    }

    /// Whether the record at `at` counts; to be asked once a record, in order.
    pub(crate) fn admit(&mut self, at: Position, record: &DecisionRecord) -> bool {
        self.next += 1;
        let counts = self.standing.admit(at, record);
        let is_of_arbiter = matches!(record.origin, Origin::Arbiter { .. });
        counts || is_of_arbiter && self.sabotage == Some(Sabotage::SupersededWordCounts)
    }
}
