//! notify: notices through the pure router, messages out through the receivers, results back as events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use bus::{Change, NewRecord, Reader, Topic};
use model::{Delivery, EventBody, Notice, Partition, Position, Send};
use receivers::Receivers;
use router::Desk;
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{clock::ClockSent, member::Member, scrutiny::Scrutiny, writer::EventWriter};

/// Messages under way at once.
const MAX_CONCURRENT: usize = 32;

/// Messages of one thread that wait for the one before; a thread that is slower than this loses nothing, the
/// router only gets its answers later.
const MAX_QUEUED_PER_THREAD: usize = 256;

/// Longest sleep between looks at the desk's timer; keeps a wall clock that jumps from stopping it.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// One process at a time tells; the others stand by.
pub(crate) struct NotifyRole {
    pub(crate) member: Member,
    pub(crate) teller: Teller,
}

/// What telling needs.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) decisions: Topic,
    pub(crate) receivers: Arc<ArcSwap<Receivers>>,
    /// A new routing configuration after a reload.
    pub(crate) routing: watch::Receiver<Arc<router::Config>>,
    pub(crate) writer: EventWriter,
    pub(crate) scrutiny: Scrutiny,
    /// What fires by the newest checkpoint, where the log is not read from its very first record.
    pub(crate) earlier: Arc<Vec<Notice>>,
    /// Where the log is read from.
    pub(crate) history_from: Position,
    pub(crate) stop: CancellationToken,
}

/// The loop around the [`Desk`], while it is this process that tells.
struct Telling {
    teller: Teller,
    desk: Desk,
    clock: ClockSent,
    /// Where the decisions log ended when this process began to tell.
    live_from: Position,
}

impl NotifyRole {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self) {
        let mut telling: Option<(CancellationToken, JoinHandle<()>)> = None;
        loop {
            let change = tokio::select! {
                () = self.teller.stop.cancelled() => break,
                change = self.member.next() => change,
            };
            match change {
                Some(Change::Assigned(partitions)) if !partitions.is_empty() => {
                    let stop = self.teller.stop.child_token();
                    let teller = Teller { stop: stop.clone(), ..self.teller.clone() };
                    telling = Some((stop, tokio::spawn(teller.tell())));
                }
                Some(Change::Assigned(_)) => {}
                Some(Change::Revoked(revoked)) => {
                    end(telling.take()).await;
                    drop(revoked);
                }
                None => {
                    end(telling.take()).await;
                    self.teller.stop.cancelled().await;
                }
            }
        }
        end(telling).await;
        self.member.leave().await;
    }
}

async fn end(telling: Option<(CancellationToken, JoinHandle<()>)>) {
    let Some((stop, task)) = telling else { return };
    stop.cancel();
    if let Err(error) = task.await {
        tracing::error!(%error, "telling ended badly");
    }
}

impl Teller {
    /// Tells until told to stop.
    async fn tell(mut self) {
        let bounds = loop {
            match self.decisions.bounds(Partition::HOME).await {
                Ok(bounds) => break bounds,
                Err(error) => tracing::error!(%error, "the decisions log cannot be read"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(MAX_SLEEP) => {}
            }
        };
        let config = router::Config::clone(&self.routing.borrow_and_update());
        let from = self.history_from.max(bounds.first);
        let reader = self.decisions.reader(Partition::HOME, from);
        let telling = Telling {
            desk: if from == Position(0) {
                Desk::new(config)
            } else {
                Desk::on_partial_log(config, self.earlier.to_vec())
            },
            clock: ClockSent::default(),
            live_from: bounds.next,
            teller: self,
        };
        telling.run(reader).await;
    }
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

impl Telling {
    /// Replays what the log tells, re-sends what has no result, then runs until told to stop.
    async fn run(mut self, mut reader: Reader) {
        let mut threads = Threads {
            waiting: BTreeMap::new(),
            running: JoinSet::new(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        };
        self.replay(&mut reader).await;
        for send in self.desk.unfinished() {
            self.dispatch(send, &mut threads);
        }
        loop {
            let sleep = self.until_timeout();
            tokio::select! {
                () = self.teller.stop.cancelled() => break,
                Some(done) = threads.running.join_next(), if !threads.running.is_empty() => match done {
                    Ok((key, thread)) => self.go_on(key, thread, &mut threads),
                    Err(error) => tracing::error!(%error, "a delivery ended without a result"),
                },
                changed = self.teller.routing.changed() => {
                    if changed.is_ok() {
                        let config = router::Config::clone(&self.teller.routing.borrow_and_update());
                        self.desk.reload(config);
                    }
                }
                record = reader.next() => match record {
                    Ok(record) => self.take(&record).await,
                    Err(error) => {
                        tracing::error!(%error, "the decisions log cannot be read");
                        tokio::time::sleep(MAX_SLEEP).await;
                    }
                },
                () = tokio::time::sleep(sleep) => self.bring_clock().await,
            }
            while let Some(send) = self.desk.poll_send() {
                self.dispatch(send, &mut threads);
            }
        }
        threads.waiting.clear();
        while threads.running.join_next().await.is_some() {}
    }

    async fn replay(&mut self, reader: &mut Reader) {
        loop {
            let record = tokio::select! {
                () = self.teller.stop.cancelled() => return,
                record = reader.next_before(self.live_from) => record,
            };
            match record {
                Ok(Some(record)) => self.take(&record).await,
                Ok(None) => return,
                Err(error) if error.is_retryable() => {
                    tracing::error!(%error, "the decisions log cannot be read; telling waits until it can");
                    tokio::time::sleep(MAX_SLEEP).await;
                }
                Err(_) => return,
            }
            // What was sent then has a result on the log, or is unfinished.
            while self.desk.poll_send().is_some() {}
        }
    }

    async fn take(&mut self, record: &bus::Record) {
        // What nobody can read is told by whoever follows the log.
        if let Ok(decision) = self.teller.scrutiny.decision(record).await {
            self.desk.take(record.position, &decision);
        }
    }

    fn until_timeout(&self) -> Duration {
        self.clock.until(self.desk.poll_timeout(), telemetry::clock::now()).min(MAX_SLEEP)
    }

    /// Brings the time that has come to the log, once: the desk hears of it as whoever tells next will.
    async fn bring_clock(&mut self) {
        let now = telemetry::clock::now();
        let Some(due) = self.clock.due(self.desk.poll_timeout(), now) else { return };
        let clock = NewRecord::new(now, proto::encode_decision(&Desk::clock(now)));
        let appended = tokio::select! {
            () = self.teller.stop.cancelled() => return,
            appended = self.teller.decisions.append(Partition::HOME, clock) => appended,
        };
        match appended {
            Ok(_) => self.clock.note(due, now),
            Err(error) => {
                tracing::error!(%error, "the time cannot be written; what is told by time waits until it can");
                tokio::time::sleep(MAX_SLEEP).await;
            }
        }
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
        let (receivers, writer) = (self.teller.receivers.load_full(), self.teller.writer.clone());
        let (permits, stop) = (Arc::clone(&threads.permits), self.teller.stop.clone());
        threads.running.spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else { return (key, None) };
            let delivery: Delivery = receivers.deliver(&send).await;
            let thread = delivery.thread.clone();
            writer.append_surely("notify", EventBody::Delivery(Box::new(delivery)), &stop).await;
            (key, thread)
        });
    }
}
