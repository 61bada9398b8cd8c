//! The router in its place at the decisions log: reads every record, in the log's order, and tells.
//!
//! Its time is the log's. What one process told by a clock of its own, the next one could not find again: it would
//! make other messages, under other ids, and not know of those that went out and were not reported yet. So time
//! that has come is brought to the log as a record, and whoever reads the same records has made the same messages.

use model::{
    Decision, DecisionRecord, Delivery, DeliveryResult, Notice, NoticeStatus, Origin, Position, Proposal,
    Send, Standing, Timestamp,
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
    /// Notices that fire and whose records are gone, until the first record shows which of them those are.
    earlier: Vec<Notice>,
}

impl Desk {
    /// Knows nothing but how to route.
    pub fn new(config: Config) -> Self {
        Self {
            router: Router::new(config),
            standing: Standing::default(),
            now: Timestamp::MIN,
            earlier: Vec::new(),
        }
    }

    /// On a log whose oldest records are gone; `firing` fired at some later moment.
    pub fn on_partial_log(config: Config, mut firing: Vec<Notice>) -> Self {
        firing.sort_by_key(|notice| notice.starts_at);
        Self { standing: Standing::of_partial_log(), earlier: firing, ..Self::new(config) }
    }

    /// Takes the record at `at` of the decisions log; every record, in order.
    pub fn take(&mut self, at: Position, record: &DecisionRecord) {
        if !self.standing.admit(at, record) {
            return;
        }
        self.recall_earlier(record.at);
        self.now = self.now.max(record.at);
        self.router.handle_timeout(self.now);
        for delivery in record.decisions.iter().filter_map(delivery_of) {
            self.router.handle_delivery(self.now, delivery);
        }
        self.router.handle_notices(self.now, record.decisions.iter().filter_map(notice_of));
    }

    /// Notices from before `first` were delivered by somebody who is not on the log any more: they are in force, and
    /// not sent again before they are due to be repeated.
    fn recall_earlier(&mut self, first: Timestamp) {
        let earlier = std::mem::take(&mut self.earlier);
        if earlier.is_empty() {
            return;
        }
        for notice in earlier.iter().filter(|notice| notice.starts_at < first) {
            self.now = self.now.max(notice.starts_at);
            self.router.handle_timeout(self.now);
            self.router.handle_notices(self.now, [notice]);
        }
        self.router.handle_timeout(first);
        while let Some(send) = self.router.poll_send() {
            self.router.handle_delivery(first, &delivered(&send));
        }
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

/// A message's delivery, of which nothing is known but that it was.
fn delivered(send: &Send) -> Delivery {
    let fingerprints = |status: NoticeStatus| {
        let of_status = send.notices.iter().filter(|notice| notice.status == status);
        of_status.map(|notice| notice.labels.fingerprint()).collect()
    };
    Delivery {
        send: send.id.clone(),
        notices: send.notices.iter().map(|notice| notice.id.clone()).collect(),
        release: send.release.clone(),
        receiver: send.receiver.clone(),
        integration: send.integration.clone(),
        index: send.index,
        group_key: send.group_key.clone(),
        result: DeliveryResult::Delivered,
        attempts: 1,
        detail: String::new(),
        thread: None,
        firing: fingerprints(NoticeStatus::Firing),
        resolved: fingerprints(NoticeStatus::Resolved),
        recipients: Vec::new(),
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
