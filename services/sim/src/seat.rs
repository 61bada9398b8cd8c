//! The arbiter's place without its threads; mirrors `server`'s `roles/arbitrate.rs`.

use std::collections::VecDeque;

use arbiter::Chair;
use model::{DecisionRecord, Origin, Partition, Timestamp};

use crate::{Sabotage, log::Log};

/// A clock record that was not read back by then is appended again.
const CLOCK_AGAIN_AFTER_SECONDS: u64 = 5;

/// Where no partition is: a record said to be of it counts whatever was there before.
const NOWHERE: u32 = 1_000;

#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) chair: Chair,
    next: usize,
    /// The group names this process.
    pub(crate) is_active: bool,
    /// To be appended, in order, before reading goes on.
    unwritten: VecDeque<DecisionRecord>,
    /// For which moment a clock record was appended last, and when.
    clock_sent: Option<(Timestamp, Timestamp)>,
    counts_repeats: bool,
    seen: Option<(Partition, model::Position)>,
}

impl Seat {
    /// Goes on from the newest checkpoint, or reads the decisions from the first one on.
    pub(crate) fn new(instance: String, log: &Log, sabotage: Option<Sabotage>) -> Self {
        let (chair, next) = match &log.checkpoint {
            Some(checkpoint) => {
                let next = log.decisions.number_of(checkpoint.next);
                (Chair::from_checkpoint(instance, checkpoint.clone()), next)
            }
            None => (Chair::new(instance), 0),
        };
        Self {
            chair,
            next,
            is_active: false,
            unwritten: VecDeque::new(),
            clock_sent: None,
            counts_repeats: sabotage == Some(Sabotage::RepeatsCountAsNew),
            seen: None,
        }
    }

    /// The group names this process from here on.
    pub(crate) fn take(&mut self, now: Timestamp) {
        self.is_active = true;
        self.unwritten.push_back(self.chair.claim(now));
    }

    pub(crate) fn give_back(&mut self) {
        self.is_active = false;
        self.unwritten.clear();
    }

    /// Takes the next record, unless something waits to be written. Whether there was one.
    pub(crate) fn read_next(&mut self, log: &Log) -> bool {
        let Some((at, record)) = log.decisions.get(self.next) else { return false };
        self.next += 1;
        let place = (record.partition, record.position);
        if self.counts_repeats && record.origin == Origin::Analyzer && self.seen.replace(place) == Some(place)
        {
            let partition = Partition(NOWHERE + self.next as u32);
            self.chair.take(at, &DecisionRecord { partition, ..record.clone() });
        } else {
            self.chair.take(at, record);
        }
        if self.is_active {
            self.unwritten.extend(std::iter::from_fn(|| self.chair.poll_answer()));
        }
        true
    }

    pub(crate) fn unwritten(&self) -> Option<&DecisionRecord> {
        self.unwritten.front()
    }

    pub(crate) fn note_written(&mut self) {
        self.unwritten.pop_front();
    }

    /// Brings the time that has come to the log, once; whether it had to.
    pub(crate) fn bring_clock(&mut self, now: Timestamp) -> bool {
        let is_on_its_way = |due: Timestamp| {
            self.clock_sent.is_some_and(|(for_due, at)| {
                for_due == due && now.since(at).as_secs() < CLOCK_AGAIN_AFTER_SECONDS
            })
        };
        let due = self.chair.poll_timeout().filter(|due| *due <= now && !is_on_its_way(*due));
        let (true, Some(due), Some(clock)) = (self.is_active, due, self.chair.clock(now)) else {
            return false;
        };
        self.unwritten.push_back(clock);
        self.clock_sent = Some((due, now));
        true
    }

    /// Whether this process decides, and has decided everything that there is to decide.
    pub(crate) fn is_up_to_date(&self, log: &Log) -> bool {
        let has_read = self.next == log.decisions.len();
        self.is_active && self.chair.is_deciding() && has_read && self.unwritten.is_empty()
    }
}
