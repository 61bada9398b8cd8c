//! The arbiter in its place at the decisions log: reads what analyzers wrote, in the log's order, and answers.
//!
//! Every process that may decide keeps one up to date; only the one whose claim stands on the log answers. When
//! it dies, the next one claims, has read the same records in the same order, and answers just those that have
//! no answer yet: the same answers, byte for byte, but for the epoch under which they are given.

use std::collections::VecDeque;

use model::{
    AuditEntry, CHECKPOINT_AUDIT_MAX, Checkpoint, Decision, DecisionRecord, Origin, Position, Standing,
    Timestamp,
};

use crate::Arbiter;

/// An arbiter, the log as far as it was read, and what it has still to write.
#[derive(Debug)]
pub struct Chair {
    arbiter: Arbiter,
    standing: Standing,
    /// The name under which this process claims; no other claim bears it.
    instance: String,
    /// The epoch of its own claim, while no other follows it on the log.
    own_epoch: Option<u64>,
    now: Timestamp,
    /// The first record that was not taken.
    next: Position,
    /// The newest audit lines on the log.
    audit: VecDeque<AuditEntry>,
    /// Answers that do not stand on the log yet, in order.
    unanswered: VecDeque<DecisionRecord>,
    /// How many of them were handed out.
    handed_out: usize,
}

impl Chair {
    /// Knows nothing; `instance` is unlike that of any earlier start of any process.
    pub fn new(instance: String) -> Self {
        Self {
            arbiter: Arbiter::new(),
            standing: Standing::default(),
            instance,
            own_epoch: None,
            now: Timestamp::MIN,
            next: Position::default(),
            audit: VecDeque::new(),
            unanswered: VecDeque::new(),
            handed_out: 0,
        }
    }

    /// Goes on from a checkpoint: the next record to take is that at [`Checkpoint::next`].
    pub fn from_checkpoint(instance: String, checkpoint: Checkpoint) -> Self {
        Self {
            arbiter: Arbiter::from_state(checkpoint.arbiter),
            standing: checkpoint.standing,
            now: checkpoint.now,
            next: checkpoint.next,
            audit: checkpoint.audit.into(),
            unanswered: checkpoint.unanswered.into(),
            ..Self::new(instance)
        }
    }

    /// The state after the record taken last.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            next: self.next,
            now: self.now,
            standing: self.standing.clone(),
            arbiter: self.arbiter.state(),
            unanswered: self.unanswered.iter().cloned().collect(),
            audit: self.audit.iter().cloned().collect(),
        }
    }

    /// The first record that was not taken.
    pub fn next(&self) -> Position {
        self.next
    }

    /// Takes the record at `at` of the decisions log; every record, in order.
    pub fn take(&mut self, at: Position, record: &DecisionRecord) {
        self.next = Position(at.0 + 1);
        if !self.standing.admit(at, record) {
            return;
        }
        match &record.origin {
            Origin::Analyzer | Origin::Clock { .. } => self.answer(at, record),
            Origin::Claim { instance } => self.note_claim(at, instance),
            Origin::Arbiter { answers, .. } => {
                self.note_audit(record);
                self.note_fencing(record);
                self.note_answer(*answers);
            }
            Origin::Teller => {}
        }
    }

    /// The record with which this process claims to decide from there on.
    pub fn claim(&self, at: Timestamp) -> DecisionRecord {
        let origin = Origin::Claim { instance: self.instance.clone() };
        DecisionRecord { at, origin, ..DecisionRecord::default() }
    }

    /// The record with which the time that has come is brought to the log; `None`: others decide.
    pub fn clock(&self, at: Timestamp) -> Option<DecisionRecord> {
        let origin = Origin::Clock { epoch: self.own_epoch? };
        Some(DecisionRecord { at, origin, ..DecisionRecord::default() })
    }

    /// The next answer to append, in order, each once; `None` while others decide, or nothing is to be said.
    pub fn poll_answer(&mut self) -> Option<DecisionRecord> {
        let epoch = self.own_epoch?;
        let mut record = self.unanswered.get(self.handed_out)?.clone();
        self.handed_out += 1;
        if let Origin::Arbiter { epoch: own, .. } = &mut record.origin {
            *own = epoch;
        }
        Some(record)
    }

    /// When [`Self::clock`] has to be brought to the log, unless a record of that time comes before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.arbiter.poll_timeout()
    }

    /// Whether this process decides, by what was read so far.
    pub fn is_deciding(&self) -> bool {
        self.own_epoch.is_some()
    }

    /// The arbiter itself.
    pub fn arbiter(&self) -> &Arbiter {
        &self.arbiter
    }

    fn answer(&mut self, at: Position, record: &DecisionRecord) {
        self.now = self.now.max(record.at);
        let mut decisions = Vec::new();
        let proposals = record.decisions.iter().filter_map(|decision| match decision {
            Decision::Proposal(proposal) => Some(proposal),
            _ => None,
        });
        self.arbiter.handle_record(self.now, &record.cause, proposals);
        while let Some(decision) = self.arbiter.poll_decision() {
            decisions.push(decision);
        }
        if !decisions.is_empty() {
            self.unanswered.push_back(DecisionRecord {
                cause: record.cause.clone(),
                partition: record.partition,
                position: record.position,
                at: self.now,
                origin: Origin::Arbiter { epoch: 0, answers: at },
                decisions,
            });
        }
    }

    fn note_claim(&mut self, at: Position, instance: &str) {
        self.own_epoch = (instance == self.instance).then_some(at.0);
        // What was handed out under an older epoch and is not on the log by now never will be.
        self.handed_out = 0;
    }

    /// Fencing numbers never fall back, also where the state that they were counted in is lost.
    fn note_fencing(&mut self, record: &DecisionRecord) {
        for decision in &record.decisions {
            if let Decision::Command(command) = decision {
                self.arbiter.fencing = self.arbiter.fencing.max(command.fencing);
            }
        }
    }

    fn note_audit(&mut self, record: &DecisionRecord) {
        for decision in &record.decisions {
            let Decision::Audit { actor, about, what, why, result } = decision.clone() else { continue };
            if self.audit.len() >= CHECKPOINT_AUDIT_MAX {
                self.audit.pop_front();
            }
            self.audit.push_back(AuditEntry { at: record.at, actor, about, what, why, result });
        }
    }

    /// What stands on the log is the answer, whoever gave it.
    fn note_answer(&mut self, answers: Position) {
        let is_done = |record: &DecisionRecord| match record.origin {
            Origin::Arbiter { answers: own, .. } => own <= answers,
            Origin::Analyzer | Origin::Claim { .. } | Origin::Clock { .. } | Origin::Teller => false,
        };
        while self.unanswered.front().is_some_and(is_done) {
            self.unanswered.pop_front();
            self.handed_out = self.handed_out.saturating_sub(1);
        }
    }
}
