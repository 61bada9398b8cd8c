//! notify: notices through the pure router, messages out through the receivers, results back as events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use bus::{Reader, Topic};
use model::{Decision, DecisionRecord, Delivery, EventBody, Notice, Position, Proposal, Send, Timestamp};
use receivers::Receivers;
use router::Router;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::judge::EventWriter;

/// Messages under way at once.
const MAX_CONCURRENT: usize = 32;

/// Messages of one thread that wait for the one before; a thread that is slower than this loses nothing, the
/// router only gets its answers later.
const MAX_QUEUED_PER_THREAD: usize = 256;

/// Longest sleep between looks at the router's timer; keeps a wall clock that jumps from stopping it.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// The loop around the router.
pub(crate) struct NotifyRole {
    pub(crate) router: Router,
    pub(crate) decisions: Topic,
    /// Where the decisions log ended at start.
    pub(crate) live_from: Position,
    pub(crate) receivers: Arc<ArcSwap<Receivers>>,
    /// A new routing configuration after a reload.
    pub(crate) routing: watch::Receiver<Arc<router::Config>>,
    pub(crate) writer: EventWriter,
    /// The event whose decisions were told last.
    pub(crate) told: Option<Position>,
    pub(crate) stop: CancellationToken,
}

/// What one thread of messages is told apart by: its order is kept, others overtake it.
type ThreadKey = (String, String, u32, String);

/// Messages under way: one at a time per thread, since the second needs what the first left behind.
struct Threads {
    /// A key is present while a message of its thread is under way; its queue holds those that wait.
    waiting: BTreeMap<ThreadKey, VecDeque<Send>>,
    running: JoinSet<(ThreadKey, Option<String>)>,
    permits: Arc<Semaphore>,
}

impl NotifyRole {
    /// Replays what the log tells, re-sends what has no result, then runs until told to stop.
    pub(crate) async fn run(mut self) {
        let mut threads = Threads {
            waiting: BTreeMap::new(),
            running: JoinSet::new(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        };
        let mut reader = self.decisions.reader(self.decisions.first_position());
        self.replay(&mut reader).await;
        for send in self.router.unfinished() {
            self.dispatch(send, &mut threads);
        }
        loop {
            let sleep = self.until_timeout();
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some(done) = threads.running.join_next(), if !threads.running.is_empty() => match done {
                    Ok((key, thread)) => self.go_on(key, thread, &mut threads),
                    Err(error) => tracing::error!(%error, "a delivery ended without a result"),
                },
                changed = self.routing.changed() => {
                    if changed.is_ok() {
                        let config = router::Config::clone(&self.routing.borrow_and_update());
                        self.router.reload(config, telemetry::clock::now());
                    }
                }
                record = reader.next() => match record {
                    Ok(record) => self.take(&record.payload, telemetry::clock::now()),
                    Err(error) => {
                        tracing::error!(%error, "the decisions log cannot be read");
                        tokio::time::sleep(MAX_SLEEP).await;
                    }
                },
                () = tokio::time::sleep(sleep) => self.router.handle_timeout(telemetry::clock::now()),
            }
            while let Some(send) = self.router.poll_send() {
                self.dispatch(send, &mut threads);
            }
        }
        threads.waiting.clear();
        while threads.running.join_next().await.is_some() {}
    }

    async fn replay(&mut self, reader: &mut Reader) {
        while reader.position() < self.live_from {
            match reader.next().await {
                Ok(record) => {
                    let now =
                        if record.position < self.live_from { record.at } else { telemetry::clock::now() };
                    self.take(&record.payload, now);
                }
                Err(error) if error.is_retryable() => {
                    tracing::error!(%error, "the decisions log cannot be read; telling waits until it can");
                    tokio::time::sleep(MAX_SLEEP).await;
                }
                Err(_) => return,
            }
            // What was sent then has a result on the log, or is unfinished.
            while self.router.poll_send().is_some() {}
        }
    }

    fn take(&mut self, payload: &[u8], now: Timestamp) {
        let DecisionRecord { decisions, position, .. } = match proto::decode_decision(payload) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, "a decision record cannot be read; nobody is told of it");
                return;
            }
        };
        // After a failed write the same record may stand there twice.
        if self.told >= Some(position) {
            return;
        }
        self.told = Some(position);
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
        for decision in &decisions {
            if let Decision::Proposal(Proposal::Delivery(delivery)) = decision {
                self.router.handle_delivery(now, delivery);
            }
        }
        let notices: Vec<&Notice> = decisions.iter().filter_map(notice_of).collect();
        if !notices.is_empty() {
            self.router.handle_notices(now, notices);
        }
    }

    fn until_timeout(&self) -> Duration {
        let now = telemetry::clock::now();
        self.router.poll_timeout().map_or(MAX_SLEEP, |due| due.since(now).min(MAX_SLEEP))
    }

    /// Sends a message now, or after those of its thread that are under way.
    fn dispatch(&self, send: Send, threads: &mut Threads) {
        let thread = send.release.as_ref().map_or(send.group_key.clone(), |release| release.id.to_string());
        let key = (send.receiver.clone(), send.integration.clone(), send.index, thread);
        match threads.waiting.get_mut(&key) {
            Some(queue) if queue.len() < MAX_QUEUED_PER_THREAD => queue.push_back(send),
            Some(_) => {
                tracing::error!(receiver = send.receiver, "a thread of messages is too slow; one is left out")
            }
            None => {
                threads.waiting.insert(key.clone(), VecDeque::new());
                self.deliver(key, send, threads);
            }
        }
    }

    /// The thread's message is done: the next one continues from what it left behind.
    fn go_on(&self, key: ThreadKey, thread: Option<String>, threads: &mut Threads) {
        match threads.waiting.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(mut next) => {
                next.thread = thread.or(next.thread);
                self.deliver(key, next, threads);
            }
            None => drop(threads.waiting.remove(&key)),
        }
    }

    fn deliver(&self, key: ThreadKey, send: Send, threads: &mut Threads) {
        let (receivers, writer) = (self.receivers.load_full(), self.writer.clone());
        let (permits, stop) = (Arc::clone(&threads.permits), self.stop.clone());
        threads.running.spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else { return (key, None) };
            let delivery: Delivery = receivers.deliver(&send).await;
            let thread = delivery.thread.clone();
            writer.append_surely("notify", EventBody::Delivery(Box::new(delivery)), &stop).await;
            (key, thread)
        });
    }
}

fn notice_of(decision: &Decision) -> Option<&Notice> {
    match decision {
        Decision::Notice(notice) => Some(notice),
        _ => None,
    }
}
