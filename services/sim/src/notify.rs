//! The notify role without its threads; mirrors `server`'s `roles/notify.rs`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::{DecisionRecord, Delivery, DeliveryResult, NoticeStatus, Send, Timestamp};
use router::{Config, Desk, GroupBy, Integration, ReceiverPlan, Route};

use crate::{log::Log, outside::Post};

/// A clock record that was not read back by then is appended again.
const CLOCK_AGAIN_AFTER_SECONDS: u64 = 5;

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

/// The desk while it is this process that tells.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) desk: Desk,
    /// Number of the next record of the decisions log.
    next: usize,
    /// For which moment a clock record was appended last, and when.
    clock_sent: Option<(Timestamp, Timestamp)>,
    waiting: BTreeMap<ThreadKey, VecDeque<Send>>,
    /// Messages to hand to their receiver now.
    pub(crate) outgoing: Vec<Send>,
    /// Messages under way, and when they are there.
    pub(crate) posts: Vec<(u32, Send, Post)>,
}

impl Telling {
    /// Replays what the log tells; what has no result is sent again.
    pub(crate) fn begin(log: &Log) -> Self {
        let mut telling = Self {
            desk: Desk::new(routing()),
            next: 0,
            clock_sent: None,
            waiting: BTreeMap::new(),
            outgoing: Vec::new(),
            posts: Vec::new(),
        };
        while telling.take_next(log) {
            while telling.desk.poll_send().is_some() {}
        }
        for send in telling.desk.unfinished() {
            telling.dispatch(send);
        }
        telling
    }

    /// Reads the next record of the decisions log; whether there was one.
    pub(crate) fn read_next(&mut self, log: &Log) -> bool {
        let has_read = self.take_next(log);
        self.drain();
        has_read
    }

    fn take_next(&mut self, log: &Log) -> bool {
        let Some((at, record)) = log.decisions.get(self.next) else { return false };
        self.next += 1;
        self.desk.take(at, record);
        true
    }

    /// The record by which time is brought to the log, and for which moment, if one is due.
    pub(crate) fn due_clock(&self, now: Timestamp) -> Option<(Timestamp, DecisionRecord)> {
        let is_on_its_way = |due: Timestamp| {
            self.clock_sent.is_some_and(|(for_due, at)| {
                for_due == due && now.since(at).as_secs() < CLOCK_AGAIN_AFTER_SECONDS
            })
        };
        let due = self.desk.poll_timeout().filter(|due| *due <= now && !is_on_its_way(*due))?;
        Some((due, Desk::clock(now)))
    }

    pub(crate) fn note_clock(&mut self, due: Timestamp, now: Timestamp) {
        self.clock_sent = Some((due, now));
    }

    fn drain(&mut self) {
        while let Some(send) = self.desk.poll_send() {
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
        recipients: Vec::new(),
    }
}
