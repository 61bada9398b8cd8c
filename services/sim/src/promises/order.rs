//! Promises about the order of the decisions log: which records count, told apart by other means than
//! `model::Standing` does it, and what may stand in them.

use std::collections::{BTreeMap, BTreeSet};

use model::{DecisionRecord, EventId, Origin, Partition, Position, Timestamp};

use super::Promises;
use crate::{log::Log, world::second_of};

/// What was seen of the decisions log.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Records looked at, and the numbers of those that count.
    looked_at: usize,
    counted: Vec<usize>,
    proposals: usize,
    /// Events about which a record counts.
    spoken_of: BTreeMap<Partition, BTreeSet<Position>>,
    claims: Vec<Position>,
    /// Records that count and are to be answered, and those that were.
    questions: BTreeSet<Position>,
    answered: BTreeSet<Position>,
    /// Who may judge which partition.
    judges: BTreeSet<(usize, Partition)>,
    /// Stamp of the newest event up to the last one looked at, by partition.
    time: BTreeMap<Partition, (usize, Timestamp)>,
}

impl Seen {
    /// Takes the next record; whether it counts.
    pub(super) fn take(&mut self, at: Position, record: &DecisionRecord) -> bool {
        let has_word = |epoch: u64| self.claims.last() == Some(&Position(epoch));
        let counts = match &record.origin {
            Origin::Analyzer => {
                let spoken_of = self.spoken_of.entry(record.partition).or_default();
                spoken_of.range(record.position..).next().is_none() && spoken_of.insert(record.position)
            }
            Origin::Claim { .. } => {
                self.claims.push(at);
                true
            }
            Origin::Clock { epoch } => has_word(*epoch),
            Origin::Teller => true,
            Origin::Arbiter { epoch, answers } => {
                has_word(*epoch) && self.answered.range(*answers..).next().is_none()
            }
        };
        if counts {
            self.counted.push(self.looked_at);
            self.proposals += usize::from(record.origin == Origin::Analyzer);
        }
        self.looked_at += 1;
        counts
    }
}

impl Promises {
    pub(crate) fn decisions_seen(&self) -> usize {
        self.order.looked_at
    }

    /// How many records of analyzers count.
    pub(crate) fn proposals_counted(&self) -> usize {
        self.order.proposals
    }

    /// The records that count.
    pub(crate) fn counted<'a>(&self, log: &'a Log) -> impl Iterator<Item = (Position, &'a DecisionRecord)> {
        let counted = self.order.counted.clone();
        counted.into_iter().filter_map(|number| log.decisions.get(number))
    }

    pub(super) fn check_order(&mut self, at: Position, record: &DecisionRecord, log: &Log, now: Timestamp) {
        match &record.origin {
            Origin::Analyzer => {
                self.check_cause(record, log);
                self.order.questions.insert(at);
            }
            Origin::Clock { .. } => {
                self.check_clock(record, now);
                self.order.questions.insert(at);
            }
            Origin::Teller => self.check_clock(record, now),
            Origin::Arbiter { answers, .. } => {
                if !self.order.questions.contains(answers) {
                    let what =
                        format!("at {} the record at {} is answered, which does not count", at.0, answers.0);
                    self.broken("a record is answered once", second_of(now), what);
                }
                if !self.order.answered.insert(*answers) {
                    let what = format!("at {} the record at {} is answered again", at.0, answers.0);
                    self.broken("a record is answered once", second_of(now), what);
                }
            }
            Origin::Claim { .. } => {}
        }
    }

    fn check_clock(&mut self, record: &DecisionRecord, now: Timestamp) {
        if record.at > now {
            let what = format!("a clock of {}", record.at);
            self.broken("nobody is ahead of time", second_of(now), what);
        }
    }

    /// A partition's time is what its events tell: without producers it stands still, and nothing is decided.
    fn check_cause(&mut self, record: &DecisionRecord, log: &Log) {
        let events = log.events_of(record.partition);
        let (from, mut time) = *self.order.time.get(&record.partition).unwrap_or(&(0, Timestamp::MIN));
        let until = events.number_of(Position(record.position.0 + 1));
        for number in from..until {
            time = events.get(number).map_or(time, |(_, event)| time.max(event.at));
        }
        self.order.time.insert(record.partition, (until, time));
        let is_caused = events.at(record.position).is_some_and(|event| event.id == record.cause);
        if !is_caused || time != record.at {
            let what = format!("{} at {}: {}", record.cause, record.at, record.position.0);
            self.broken("time is what a partition's events tell", second_of(record.at), what);
        }
    }

    /// A process is told that a partition is its own to judge, or not any more.
    pub(crate) fn note_judge(&mut self, number: usize, partition: Partition, is_own: bool) {
        if is_own {
            self.order.judges.insert((number, partition));
        } else {
            self.order.judges.remove(&(number, partition));
        }
    }

    pub(crate) fn note_death(&mut self, number: usize) {
        self.order.judges.retain(|(judge, _)| *judge != number);
    }

    /// The partitions that a process was told are its own.
    pub(crate) fn judged_by(&self, number: usize) -> Vec<Partition> {
        let own = self.order.judges.iter().filter(|(judge, _)| *judge == number);
        own.map(|(_, partition)| *partition).collect()
    }

    pub(crate) fn note_writer(&mut self, number: usize, record: &DecisionRecord, second: u32) {
        if record.origin == Origin::Analyzer && !self.order.judges.contains(&(number, record.partition)) {
            let what = format!("process {number}, partition {}", record.partition);
            self.broken("who gave a partition back writes nothing more for it", i64::from(second), what);
        }
    }

    /// What was acked is on the log.
    pub(crate) fn check_acked(&mut self, second: u32, log: &Log, acked: &[(Partition, Position, EventId)]) {
        let is_lost = |(partition, position, id): &&(Partition, Position, EventId)| {
            log.events_of(*partition).at(*position).is_none_or(|event| event.id != *id)
        };
        // Whatever is on the log and was looked at before stays there; only the end can be lost.
        if let Some((partition, _, id)) = acked.iter().rev().take(2_000).find(is_lost) {
            let what = format!("{id} of partition {partition}");
            self.broken("what was acked is kept", i64::from(second), what);
        }
    }
}
