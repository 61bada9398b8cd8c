//! The notify role without its threads; mirrors `server`'s `roles/notify.rs`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::{
    Decision, DecisionRecord, Delivery, DeliveryResult, Notice, NoticeStatus, Proposal, Send, Timestamp,
};
use router::{Config, GroupBy, Integration, ReceiverPlan, Route, Router};

use crate::{Sabotage, log::Log, outside::Post, reading::Reading};

/// A receiver that hears everything, and one for what it could not be told.
pub(crate) fn routing() -> Config {
    let webhook = |fallback: Option<&str>| ReceiverPlan {
        integrations: vec![Integration { kind: "webhook".into(), send_resolved: true, max_alerts: 0 }],
        fallback: fallback.map(str::to_owned),
    };
    Config {
        route: Route {
            receiver: Some("sre".into()),
            group_by: Some(GroupBy::Labels(vec!["service".into()])),
            group_wait: Some(Duration::from_secs(5)),
            group_interval: Some(Duration::from_secs(30)),
            repeat_interval: Some(Duration::from_secs(1_200)),
            ..Route::default()
        },
        receivers: BTreeMap::from([
            ("sre".to_owned(), webhook(Some("pager"))),
            ("pager".to_owned(), webhook(None)),
        ]),
        ..Config::default()
    }
}

/// Messages of one thread go out one after the other.
type ThreadKey = (String, String, u32, String);

/// The router while it is this process that tells.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) router: Router,
    reading: Reading,
    waiting: BTreeMap<ThreadKey, VecDeque<Send>>,
    /// Messages to hand to their receiver now.
    pub(crate) outgoing: Vec<Send>,
    /// Messages under way, and when they are there.
    pub(crate) posts: Vec<(u32, Send, Post)>,
}

impl Telling {
    /// Replays what the log tells; what has no result is sent again.
    pub(crate) fn begin(log: &Log, sabotage: Option<Sabotage>) -> Self {
        let mut telling = Self {
            router: Router::new(routing()),
            reading: Reading::new(sabotage),
            waiting: BTreeMap::new(),
            outgoing: Vec::new(),
            posts: Vec::new(),
        };
        for (at, record) in log.decisions.iter() {
            if telling.reading.admit(at, record) {
                telling.take(record, record.at);
            }
            while telling.router.poll_send().is_some() {}
        }
        for send in telling.router.unfinished() {
            telling.dispatch(send);
        }
        telling
    }

    /// Takes the next record of the decisions log; whether there was one.
    pub(crate) fn read_next(&mut self, log: &Log, now: Timestamp) -> bool {
        let Some((at, record)) = log.decisions.get(self.reading.next) else { return false };
        if self.reading.admit(at, record) {
            self.take(record, now);
            self.drain();
        }
        true
    }

    pub(crate) fn pass(&mut self, now: Timestamp) {
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
        self.drain();
    }

    fn take(&mut self, record: &DecisionRecord, now: Timestamp) {
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
        for decision in &record.decisions {
            if let Decision::Proposal(Proposal::Delivery(delivery)) = decision {
                self.router.handle_delivery(now, delivery);
            }
        }
        let notices: Vec<&Notice> = record.decisions.iter().filter_map(notice_of).collect();
        if !notices.is_empty() {
            self.router.handle_notices(now, notices);
        }
    }

    fn drain(&mut self) {
        while let Some(send) = self.router.poll_send() {
            self.dispatch(send);
        }
    }

    fn dispatch(&mut self, send: Send) {
        let key = thread_key(&send);
        match self.waiting.get_mut(&key) {
            Some(queue) => queue.push_back(send),
            None => {
                self.waiting.insert(key, VecDeque::new());
                self.outgoing.push(send);
            }
        }
    }

    /// The thread's message is done: the next one continues from what it left behind.
    pub(crate) fn go_on(&mut self, done: &Send, thread: Option<String>) {
        let key = thread_key(done);
        match self.waiting.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(mut next) => {
                next.thread = thread.or(next.thread);
                self.outgoing.push(next);
            }
            None => drop(self.waiting.remove(&key)),
        }
    }
}

fn thread_key(send: &Send) -> ThreadKey {
    let thread = send.release.as_ref().map_or(send.group_key.clone(), |release| release.id.to_string());
    (send.receiver.clone(), send.integration.clone(), send.index, thread)
}

fn notice_of(decision: &Decision) -> Option<&Notice> {
    match decision {
        Decision::Notice(notice) => Some(notice),
        _ => None,
    }
}

/// What the receiver reports of a message.
pub(crate) fn delivery(send: &Send, is_delivered: bool) -> Delivery {
    let prints = |status: NoticeStatus| {
        let shown = send.notices.iter().filter(|notice| notice.status == status);
        shown.map(|notice| notice.labels.fingerprint()).collect::<Vec<u64>>()
    };
    Delivery {
        send: send.id.clone(),
        notices: send.notices.iter().map(|notice| notice.id.clone()).collect(),
        release: send.release.clone(),
        receiver: send.receiver.clone(),
        integration: send.integration.clone(),
        index: send.index,
        group_key: send.group_key.clone(),
        result: if is_delivered { DeliveryResult::Delivered } else { DeliveryResult::Failed },
        attempts: 1,
        detail: String::new(),
        thread: is_delivered.then(|| send.thread.clone().unwrap_or_else(|| format!("thread of {}", send.id))),
        firing: prints(NoticeStatus::Firing),
        resolved: prints(NoticeStatus::Resolved),
    }
}
