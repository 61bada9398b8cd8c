//! The router in its place at the decisions log: reads every record, in the log's order, and tells.
//!
//! Its time is the log's. What one process told by a clock of its own, the next one could not find again: it would
//! make other messages, under other ids, and not know of those that went out and were not reported yet. So time
//! that has come is brought to the log as a record, and whoever reads the same records has made the same messages.

use model::{
    Decision, DecisionRecord, Delivery, Notice, Origin, Position, Proposal, Send, Standing, Timestamp,
};

use crate::{Config, Counts, Router};

/// A router, and the log as far as it was read.
///
/// ```text
/// replay: take … ; poll_send until None, discarding; unfinished() → send again
/// then:   take; poll_send until None; at poll_timeout append clock(now), which comes back as the next record
/// ```
#[derive(Clone, Debug)]
pub struct Desk {
    router: Router,
    standing: Standing,
    now: Timestamp,
}

impl Desk {
    /// Knows nothing but how to route.
    pub fn new(config: Config) -> Self {
        Self { router: Router::new(config), standing: Standing::default(), now: Timestamp::MIN }
    }

    /// Takes the record at `at` of the decisions log; every record, in order.
    pub fn take(&mut self, at: Position, record: &DecisionRecord) {
        if !self.standing.admit(at, record) {
            return;
        }
        self.now = self.now.max(record.at);
        self.router.handle_timeout(self.now);
        for delivery in record.decisions.iter().filter_map(delivery_of) {
            self.router.handle_delivery(self.now, delivery);
        }
        self.router.handle_notices(self.now, record.decisions.iter().filter_map(notice_of));
    }

    /// Takes a new configuration, at the moment of the last record.
    pub fn reload(&mut self, config: Config) {
        self.router.reload(config, self.now);
    }

    /// The record with which the time that has come is brought to the log.
    pub fn clock(at: Timestamp) -> DecisionRecord {
        DecisionRecord { at, origin: Origin::Teller, ..DecisionRecord::default() }
    }

    /// When [`Self::clock`] has to be brought to the log, unless a record of that time comes before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.router.poll_timeout()
    }

    /// The next message to send.
    pub fn poll_send(&mut self) -> Option<Send> {
        self.router.poll_send()
    }

    /// Messages made whose delivery is not reported yet: after a replay exactly these are sent again.
    pub fn unfinished(&self) -> Vec<Send> {
        self.router.unfinished()
    }

    /// Figures for metrics.
    pub fn counts(&self) -> Counts {
        self.router.counts()
    }
}

fn delivery_of(decision: &Decision) -> Option<&Delivery> {
    match decision {
        Decision::Proposal(Proposal::Delivery(delivery)) => Some(delivery),
        _ => None,
    }
}

fn notice_of(decision: &Decision) -> Option<&Notice> {
    match decision {
        Decision::Notice(notice) => Some(notice),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
