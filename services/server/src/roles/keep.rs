//! One partition's judge: events in log order through the analyzer; everything one event leads to goes onto the
//! decisions log as one record.

use std::time::Duration;

use analyzer::Keeper;
use bus::{Bus, NewRecord, Reader};
use bytes::Bytes;
use model::{DecisionRecord, Event, EventBody, Partition, Position, Stamps, Timestamp};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use telemetry::{
    clock::Stopwatch,
    trace::{self, TRACEPARENT, traceparent},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    analyze::Progress,
    ask::{Judges, Question, answer},
    counts::{StoreCounts, StoreMetrics},
    crowding::Crowding,
    fit::Fitting,
    follow::Followed,
    records::{Poison, Unreadable, read_event},
    restore::{Restored, restore},
    scrutiny::Scrutiny,
    unseen::{Unseen, UnseenMetrics},
};
use crate::{handover::Handover, readiness::Readiness};

/// Pause before a decision record is offered again to a log that cannot write.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// An event this far ahead of the clock was stamped before the clock was set back, or by another clock.
const CLOCK_SET_BACK: Duration = Duration::from_secs(10);

/// Time is brought by a tick a second: one that stands still for so long has lost every producer.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(10);

/// How often the judge looks whether its time stands still.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// A snapshot is taken when so much time has passed since the last, …
const SNAPSHOT_PERIOD: Duration = Duration::from_secs(60);

/// … and so many times as long as it took to take one: judging waits while it is taken.
const SNAPSHOT_SHARE: u32 = 200;

/// What the judges say about themselves.
#[derive(Clone, Debug)]
pub(crate) struct KeepMetrics {
    records: IntCounterVec,
    proposals: IntCounterVec,
    lag_records: IntGaugeVec,
    behind_seconds: IntGaugeVec,
    seconds: HistogramVec,
    snapshot_bytes: IntGaugeVec,
    snapshot_seconds: HistogramVec,
    unseen: UnseenMetrics,
    store: StoreMetrics,
}

impl KeepMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        use telemetry::metrics::{counter, gauges, seconds};
        let partition = &["partition"];
        Ok(Self {
            records: counter(registry, "ripcord_judge_records_total", "Event records judged.", &["kind"])?,
            proposals: counter(
                registry,
                "ripcord_judge_proposal_records_total",
                "Records that the analyzers wrote onto the decisions log.",
                &[],
            )?,
            lag_records: gauges(
                registry,
                "ripcord_judge_lag_records",
                "Event records not judged yet.",
                partition,
            )?,
            behind_seconds: gauges(
                registry,
                "ripcord_judge_time_behind_seconds",
                "How far the newest judged event is behind the clock; grows where nobody writes ticks.",
                partition,
            )?,
            seconds: seconds(registry, "ripcord_judge_seconds", "Time to judge one record.", &["kind"])?,
            snapshot_bytes: gauges(
                registry,
                "ripcord_snapshot_bytes",
                "Size of the newest snapshot.",
                partition,
            )?,
            snapshot_seconds: seconds(
                registry,
                "ripcord_snapshot_seconds",
                "Time that judging waited for a snapshot.",
                &[],
            )?,
            unseen: UnseenMetrics::register(registry)?,
            store: StoreMetrics::register(registry)?,
        })
    }
}

/// Says in the readiness that the partition's judge is not there yet. To be said before its thread starts, which may
/// be long after the process answers.
pub(crate) fn say_taken_over(readiness: &Readiness, partition: Partition) {
    readiness
        .set(&format!("partition {partition}"), Err(format!("partition {partition} is being taken over")));
}

/// What a judge is made of.
pub(crate) struct KeepTask {
    pub(crate) bus: Bus,
    pub(crate) partition: Partition,
    pub(crate) followed: Followed,
    pub(crate) judges: Judges,
    pub(crate) handover: Handover,
    pub(crate) metrics: KeepMetrics,
    pub(crate) poison: Poison,
    pub(crate) fitting: Fitting,
    pub(crate) scrutiny: Scrutiny,
    pub(crate) readiness: Readiness,
    pub(crate) progress: Progress,
    pub(crate) stop: CancellationToken,
}

/// A judge at work.
struct Judge {
    task: KeepTask,
    keeper: Keeper,
    reader: Reader,
    stamps: Stamps,
    questions: mpsc::Receiver<Question>,
    /// Where the log ended when the partition was taken over; `None`: reached.
    catching_up_to: Option<Position>,
    /// The newest event taken.
    taken: Option<Position>,
    snapshot: SnapshotPlan,
    is_clock_behind: bool,
    taken_over_at: Timestamp,
    is_behind: bool,
    stands_still: bool,
    is_overtaken: bool,
    unseen: Unseen,
    counts: StoreCounts,
    crowding: Crowding,
}

impl KeepTask {
    /// Takes the partition over and judges until told to stop; what is durable then is judged by the next one.
    pub(crate) async fn run(self) {
        let name = format!("partition {}", self.partition);
        let Some(restored) = self.restore_surely().await else {
            self.readiness.forget(&name);
            return;
        };
        let Restored { keeper, next, end, is_from_snapshot } = restored;
        let (partition, from, end_at) = (self.partition, next.0, end.0);
        tracing::info!(%partition, from, end = end_at, is_from_snapshot, "partition taken over");
        let taken = next.0.checked_sub(1).map(Position);
        let taken_over_at = telemetry::clock::now();
        let counts = self.metrics.store.of(partition, keeper.analyzer().store().counters());
        let judge = Judge {
            counts,
            crowding: Crowding::default(),
            stamps: Stamps::from(keeper.now()),
            reader: self.bus.events.reader(self.partition, next),
            questions: self.judges.answer_for(self.partition),
            keeper,
            catching_up_to: Some(end),
            taken,
            snapshot: SnapshotPlan::new(taken.filter(|_| is_from_snapshot)),
            is_clock_behind: false,
            taken_over_at,
            is_behind: false,
            stands_still: false,
            is_overtaken: false,
            unseen: Unseen::default(),
            task: self,
        };
        judge.run(&name).await;
    }

    async fn restore_surely(&self) -> Option<Restored> {
        loop {
            let restoring =
                restore(&self.bus, self.partition, &self.followed, (&self.poison, &self.scrutiny));
            let restored = tokio::select! {
                () = self.stop.cancelled() => return None,
                restored = restoring => restored,
            };
            match restored {
                Ok(restored) => return Some(restored),
                Err(error) => {
                    let partition = self.partition;
                    tracing::error!(error = format!("{error:#}"), %partition, "a partition cannot be taken over yet");
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}

impl Judge {
    async fn run(mut self, name: &str) {
        let mut look = tokio::time::interval(LOOK_PERIOD);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.note_caught_up(name);
        loop {
            // A backlog is read without ever waiting; without this, questions and the stop would not be seen.
            tokio::task::consume_budget().await;
            tokio::select! {
                biased;
                () = self.task.stop.cancelled() => break,
                Some(question) = self.questions.recv() => answer(&self.keeper, question),
                _ = look.tick() => {
                    self.watch_time(name);
                    self.note_lag();
                    self.note_unseen();
                    self.counts.note(self.keeper.analyzer().store().counters());
                    self.save_if_due().await;
                }
                record = self.reader.next() => match record {
                    Ok(record) => {
                        if !self.take(record).await {
                            // What could not be written is judged again at the next start: no snapshot behind it.
                            self.taken = None;
                            break;
                        }
                        self.note_caught_up(name);
                    }
                    Err(error) => {
                        tracing::error!(%error, "the events log cannot be read");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                },
            }
        }
        self.task.judges.forget(self.task.partition);
        self.task.readiness.forget(name);
        self.save();
        self.end_save().await;
    }

    /// `false`: told to stop before what it led to was written.
    async fn take(&mut self, record: bus::Record) -> bool {
        let (partition, position) = (self.task.partition, record.position);
        if let Some(next) = self.task.bus.events.known_next(partition) {
            set_lag(&self.task.metrics.lag_records, partition, self.reader.position(), next);
        }
        self.task.poison.note_missing("events", partition, &record);
        match read_event(&record, &self.task.handover) {
            Ok(mut event) => {
                self.task.scrutiny.believe(&mut self.stamps, partition, position, &mut event);
                let parent = record.header(TRACEPARENT).cloned();
                if !self.judge(position, event, parent).await {
                    return false;
                }
            }
            Err(why) => self.bury(&record, &why),
        }
        self.taken = Some(position);
        self.task.progress.note(partition, Position(position.0 + 1));
        true
    }

    /// What was decided before a restart was buried before it, too.
    fn bury(&self, record: &bus::Record, why: &Unreadable) {
        let (poison, partition) = (&self.task.poison, self.task.partition);
        if self.catching_up_to.is_some() {
            poison.note("events", partition, record, why);
        } else {
            poison.bury("events", partition, record, why);
        }
    }

    async fn judge(&mut self, position: Position, event: Event, parent: Option<Bytes>) -> bool {
        let kind = kind_of(&event.body);
        let span = tracing::debug_span!("judge", kind, position = position.0);
        if let Some(parent) = parent {
            trace::link(&span, &parent);
        }
        let watch = Stopwatch::start();
        let record = span.in_scope(|| self.keeper.judge(position, &event));
        self.task.metrics.seconds.with_label_values(&[kind]).observe(watch.elapsed().as_secs_f64());
        self.task.metrics.records.with_label_values(&[kind]).inc();
        self.task.handover.give_back_of(event);
        self.crowding.note(self.task.partition, self.keeper.take_refused());
        let Some(record) = record else { return true };
        let parent = span.in_scope(traceparent);
        self.propose(record, parent).await
    }

    async fn propose(&mut self, record: DecisionRecord, parent: Option<String>) -> bool {
        self.task.metrics.proposals.with_label_values::<&str>(&[]).inc();
        let mut bytes = proto::encode_decision(&record);
        let mut is_cut = false;
        loop {
            let append = NewRecord::new(record.at, bytes.clone()).keyed(self.task.partition.to_string());
            let append = match &parent {
                Some(parent) => append.with_header(TRACEPARENT, parent.clone()),
                None => append,
            };
            match self.task.bus.decisions.append(Partition::HOME, append).await {
                Ok(_) => return true,
                Err(error) if !error.is_retryable() => {
                    match self.task.fitting.fit(&record, &error).filter(|_| !is_cut) {
                        Some(fitted) => (bytes, is_cut) = (fitted, true),
                        None => return true,
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a proposal cannot be written; judging waits until it can");
                    if !self.pause().await {
                        return false;
                    }
                }
            }
        }
    }

    /// Waits before the log is tried again, answering readers meanwhile; `false`: told to stop.
    async fn pause(&mut self) -> bool {
        let pause = tokio::time::sleep(RETRY_PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = self.task.stop.cancelled() => return false,
                () = &mut pause => return true,
                Some(question) = self.questions.recv() => answer(&self.keeper, question),
            }
        }
    }

    fn note_caught_up(&mut self, name: &str) {
        if self.catching_up_to.is_some_and(|end| self.reader.position() >= end) {
            self.catching_up_to = None;
            self.task.readiness.set(name, Ok(()));
        }
    }

    /// Tells, once each time, that the newest event is ahead of the clock: time stands still here until it has caught up.
    fn watch_clock(&mut self, now: Timestamp) {
        let ahead = self.keeper.now().since(now);
        let is_behind = ahead > CLOCK_SET_BACK;
        if is_behind && !self.is_clock_behind {
            tracing::error!(
                seconds = ahead.as_secs(),
                "the clock was set back, or is not that of who writes events: nothing ends or falls due until it \
                 catches up"
            );
        }
        self.is_clock_behind = is_behind;
    }

    /// Says, once each time, what keeps this partition from being judged: its time, or somebody else's word.
    fn watch_time(&mut self, name: &str) {
        let (partition, label) = (self.task.partition, self.task.partition.to_string());
        let (now, newest) = (telemetry::clock::now(), self.keeper.now());
        self.watch_clock(now);
        let behind = now.since(if newest == Timestamp::MIN { self.taken_over_at } else { newest });
        let gauge = self.task.metrics.behind_seconds.with_label_values(&[&label]);
        gauge.set(i64::try_from(behind.as_secs()).unwrap_or(i64::MAX));
        if self.catching_up_to.is_some() {
            return;
        }
        // Not before somebody has looked for so long: whoever brings the time may start last.
        let is_behind = now.since(newest.max(self.taken_over_at)) > STANDS_STILL_AFTER;
        // Nor at the first look: a process that was stopped for a while has not read on yet.
        let stands_still = std::mem::replace(&mut self.is_behind, is_behind) && is_behind;
        if stands_still && !self.stands_still {
            tracing::error!(%partition, seconds = behind.as_secs(),
                "time stands still: nobody writes to this partition, and nothing is decided in it");
        }
        self.stands_still = stands_still;
        let overtaken = self.watch_word();
        let ahead = self.is_clock_behind.then(|| newest.since(now));
        self.task
            .readiness
            .set(name, obstacle(partition, ahead, stands_still, overtaken).map_or(Ok(()), Err));
    }

    /// Up to which event the decisions log says that this partition was judged, where that is further than its
    /// judge has come: what the judge writes until then is void.
    fn watch_word(&mut self) -> Option<Position> {
        let (partition, taken) = (self.task.partition, self.taken);
        let decided = self.task.followed.projection.read().decided(partition);
        let overtaken = decided.filter(|_| decided > taken);
        // Not at the first look: whoever judged before may have written to the last moment.
        let is_lasting = std::mem::replace(&mut self.is_overtaken, overtaken.is_some());
        overtaken.filter(|_| is_lasting)
    }

    /// What cannot be judged; not while the past is read, when much of it is still to come.
    fn note_unseen(&mut self) {
        if self.catching_up_to.is_none() {
            self.unseen.look(&self.keeper, self.task.partition, &self.task.metrics.unseen);
        }
    }

    /// How many events wait.
    fn note_lag(&self) {
        let (events, partition) = (self.task.bus.events.clone(), self.task.partition);
        if let Some(next) = events.known_next(partition) {
            return set_lag(&self.task.metrics.lag_records, partition, self.reader.position(), next);
        }
        let (taken, gauges) = (self.reader.position(), self.task.metrics.lag_records.clone());
        // Beside the judging: the answer takes a journey.
        tokio::spawn(async move {
            if let Ok(bounds) = events.bounds(partition).await {
                set_lag(&gauges, partition, taken, bounds.next);
            }
        });
    }
}

// === snapshots ===

/// When the next snapshot is due, and what the last one holds.
struct SnapshotPlan {
    since: Stopwatch,
    period: Duration,
    /// The newest event in the last one stored.
    holds: Option<Position>,
    /// One that is being stored, and the newest event in it.
    saving: Option<(Position, JoinHandle<bool>)>,
}

impl SnapshotPlan {
    fn new(holds: Option<Position>) -> Self {
        Self { since: Stopwatch::start(), period: SNAPSHOT_PERIOD, holds, saving: None }
    }
}

impl Judge {
    async fn save_if_due(&mut self) {
        if self.snapshot.saving.as_ref().is_some_and(|(_, saving)| saving.is_finished()) {
            self.end_save().await;
        }
        let is_due = self.snapshot.since.elapsed() >= self.snapshot.period;
        if is_due && self.catching_up_to.is_none() && self.snapshot.saving.is_none() {
            self.save();
        }
    }

    /// Stores the state, if anything came since it was last stored. Judging waits for the copy, not for the disk.
    fn save(&mut self) {
        let Some(taken) = self.taken.filter(|_| self.taken > self.snapshot.holds) else { return };
        let watch = Stopwatch::start();
        let bytes = self.keeper.snapshot(taken);
        let took = watch.elapsed();
        let (metrics, label) = (&self.task.metrics, self.task.partition.to_string());
        metrics.snapshot_seconds.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        metrics.snapshot_bytes.with_label_values(&[&label]).set(size);
        self.snapshot.since = Stopwatch::start();
        self.snapshot.period = SNAPSHOT_PERIOD.max(took.saturating_mul(SNAPSHOT_SHARE));
        let (snapshots, partition) = (self.task.bus.snapshots.clone(), self.task.partition);
        let store = async move {
            let stored = snapshots.save(partition, bytes.into()).await;
            if let Err(error) = &stored {
                tracing::warn!(%error, %partition, "a snapshot cannot be stored; a restart takes longer");
            }
            stored.is_ok()
        };
        self.snapshot.saving = Some((taken, tokio::spawn(store)));
    }

    async fn end_save(&mut self) {
        if let Some((taken, saving)) = self.snapshot.saving.take()
            && matches!(saving.await, Ok(true))
        {
            self.snapshot.holds = Some(taken);
        }
    }
}

/// Why a partition is not judged as it should be, in one sentence.
fn obstacle(
    partition: Partition,
    ahead: Option<Duration>,
    stands_still: bool,
    overtaken: Option<Position>,
) -> Option<String> {
    let seconds = ahead.map(|ahead| ahead.as_secs());
    let clock = seconds.map(|seconds| {
        format!(
            "the clock is {seconds} s behind the newest event of partition {partition}: nothing ends or falls due \
             until it catches up"
        )
    });
    let word = overtaken.map(|Position(event)| {
        format!(
            "what this process decides in partition {partition} is void: the decisions log says that event {event} \
             was judged, which is still to come"
        )
    });
    let still = stands_still
        .then(|| format!("time stands still in partition {partition}: no ingest role writes to it"));
    clock.or(word).or(still)
}

fn set_lag(gauges: &IntGaugeVec, partition: Partition, taken: Position, next: Position) {
    let lag = i64::try_from(next.0.saturating_sub(taken.0)).unwrap_or(i64::MAX);
    gauges.with_label_values(&[&partition.to_string()]).set(lag);
}

fn kind_of(body: &EventBody) -> &'static str {
    match body {
        EventBody::Telemetry(_) => "telemetry",
        EventBody::Requests(_) => "requests",
        EventBody::Deployment(_) => "deployment",
        EventBody::Alerts(_) => "alerts",
        EventBody::Outcome(_) => "outcome",
        EventBody::Delivery(_) => "delivery",
        EventBody::Verb(_) => "verb",
        EventBody::PolicyLoad(_) => "policy_load",
        EventBody::Tick => "tick",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_is_not_judged_says_why() {
        for (ahead, stands_still, overtaken, told) in [
            (None, false, None, None),
            (
                Some(3_599),
                false,
                None,
                Some(
                    "the clock is 3599 s behind the newest event of partition 2: nothing ends or falls due until it \
                     catches up",
                ),
            ),
            (None, true, None, Some("time stands still in partition 2: no ingest role writes to it")),
            (
                None,
                false,
                Some(1_u64 << 40),
                Some(
                    "what this process decides in partition 2 is void: the decisions log says that event \
                     1099511627776 was judged, which is still to come",
                ),
            ),
        ] {
            let ahead = ahead.map(Duration::from_secs);
            let reason = obstacle(Partition(2), ahead, stands_still, overtaken.map(Position));
            assert_eq!(reason.as_deref(), told);
        }
    }
}
