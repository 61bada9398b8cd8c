//! analyze + arbiter: events in log order through the pure cores; everything one event leads to goes onto the
//! decisions log as one record.

use std::{sync::Arc, time::Duration};

use analyzer::Analyzer;
use arbiter::Arbiter;
use bus::{Reader, Topic};
use console::SharedProjection;
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, Position, Timestamp,
    values::{Discovery, ServiceValues, ValuesQuery},
};
use prometheus::{HistogramVec, IntCounterVec, IntGauge, Registry};
use proto::{EnvelopeBody, EventEnvelope};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::handover::Handover;

/// Questions that wait for the judge; more than this at once and the asker is told to come back.
const MAX_QUESTIONS: usize = 64;

/// Pause before a decision record is offered again to a log that cannot write.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long the decisions log may be silent, by the events' stamps, before it notes how far was judged: what came
/// before need not be judged again at the next start, however long nothing was decided.
const NOTE_PROGRESS_AFTER: Duration = Duration::from_secs(60);

/// A stamp this far behind the latest is a clock set back, not a record overtaken on its way to the log.
const CLOCK_SET_BACK: Duration = Duration::from_secs(10);

/// What readers ask of the holder of the windows.
#[derive(Debug)]
pub(crate) enum Question {
    Values(ValuesQuery, oneshot::Sender<Vec<ServiceValues>>),
    Discovery(oneshot::Sender<Discovery>),
}

/// What the judge says about itself.
#[derive(Clone, Debug)]
pub(crate) struct JudgeMetrics {
    records: IntCounterVec,
    decisions: IntCounterVec,
    poison: IntCounterVec,
    lag_records: IntGauge,
    seconds: HistogramVec,
}

impl JudgeMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        use telemetry::metrics::{counter, gauge, seconds};
        Ok(Self {
            records: counter(registry, "ripcord_judge_records_total", "Event records judged.", &["kind"])?,
            decisions: counter(
                registry,
                "ripcord_decisions_total",
                "Lines of the decisions log.",
                &["kind"],
            )?,
            poison: counter(
                registry,
                "ripcord_judge_poison_records_total",
                "Records that could not be read and were skipped.",
                &["reason"],
            )?,
            lag_records: gauge(registry, "ripcord_judge_lag_records", "Event records not judged yet.")?,
            seconds: seconds(registry, "ripcord_judge_seconds", "Time to judge one record.", &["kind"])?,
        })
    }
}

impl JudgeMetrics {
    /// Records that could not be read.
    pub(crate) fn poison(&self) -> &IntCounterVec {
        &self.poison
    }
}

/// The cores and what they have seen so far.
pub(crate) struct Judge {
    pub(crate) analyzer: Analyzer,
    pub(crate) arbiter: Arbiter,
    /// Time as the log tells it; never goes back.
    pub(crate) now: Timestamp,
    /// When something was last written to the decisions log.
    pub(crate) noted_at: Timestamp,
}

impl Judge {
    /// Judges one event; what came of it, in order.
    pub(crate) fn judge(&mut self, position: Position, event: &Event) -> Vec<Decision> {
        self.now = self.now.max(event.at);
        let mut decisions = Vec::new();
        if self.arbiter.poll_timeout().is_some_and(|due| due <= self.now) {
            self.arbiter.handle_timeout(self.now);
            self.drain_arbiter(&mut decisions);
        }
        if self.analyzer.poll_timeout().is_some_and(|due| due <= self.now) {
            self.analyzer.handle_timeout(self.now);
        }
        self.analyzer.handle_event(self.now, position, event);
        while let Some(proposal) = self.analyzer.poll_proposal() {
            self.arbiter.handle_proposal(self.now, &event.id, &proposal);
            decisions.push(Decision::Proposal(proposal));
            self.drain_arbiter(&mut decisions);
        }
        decisions
    }

    /// Whether the decisions log should learn how far was judged, though nothing was decided.
    fn is_progress_due(&self) -> bool {
        self.now.since(self.noted_at) >= NOTE_PROGRESS_AFTER
    }

    fn drain_arbiter(&mut self, decisions: &mut Vec<Decision>) {
        while let Some(decision) = self.arbiter.poll_decision() {
            decisions.push(decision);
        }
    }
}

/// The loop around [`Judge`].
pub(crate) struct JudgeRole {
    pub(crate) judge: Judge,
    pub(crate) reader: Reader,
    pub(crate) events: Topic,
    pub(crate) decisions: Topic,
    pub(crate) projection: SharedProjection,
    pub(crate) questions: mpsc::Receiver<Question>,
    pub(crate) handover: Handover,
    pub(crate) metrics: JudgeMetrics,
    /// Whether the newest stamp was behind the latest one.
    pub(crate) is_clock_behind: bool,
    pub(crate) stop: CancellationToken,
}

/// Asks the judge; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Asker(mpsc::Sender<Question>);

impl Asker {
    pub(crate) fn pair() -> (Self, mpsc::Receiver<Question>) {
        let (sender, receiver) = mpsc::channel(MAX_QUESTIONS);
        (Self(sender), receiver)
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.try_send(question(sender)).ok()?;
        receiver.await.ok()
    }
}

impl console::Values for Asker {
    fn values(&self, query: ValuesQuery) -> console::api::Answer<Vec<ServiceValues>> {
        let asker = self.clone();
        Box::pin(async move { asker.ask(|reply| Question::Values(query, reply)).await })
    }

    fn discovery(&self) -> console::api::Answer<Discovery> {
        let asker = self.clone();
        Box::pin(async move { asker.ask(Question::Discovery).await })
    }
}

impl JudgeRole {
    /// Runs until told to stop; what is durable when that happens is judged at the next start. Judging is work
    /// for the processor: this belongs onto a thread of its own, where it keeps no request waiting.
    pub(crate) async fn run(mut self) {
        loop {
            // A backlog is read without ever waiting; without this, questions and the stop would not be seen.
            tokio::task::consume_budget().await;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                Some(question) = self.questions.recv() => self.answer(question),
                record = self.reader.next() => match record {
                    Ok(record) => self.take(record).await,
                    Err(error) => {
                        tracing::error!(%error, "the events log cannot be read");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                },
            }
        }
    }

    fn answer(&self, question: Question) {
        // A reader that went away is not told.
        match question {
            Question::Values(query, reply) => {
                drop(reply.send(self.judge.analyzer.values(self.judge.now, &query)));
            }
            Question::Discovery(reply) => drop(reply.send(self.judge.analyzer.discovery())),
        }
    }

    async fn take(&mut self, record: bus::Record) {
        let behind = self.events.next_position().0.saturating_sub(record.position.0 + 1);
        self.metrics.lag_records.set(i64::try_from(behind).unwrap_or(i64::MAX));
        if record.missing_before > 0 {
            self.metrics.poison.with_label_values(&["missing"]).inc_by(record.missing_before);
            tracing::error!(
                records = record.missing_before,
                before = record.position.0,
                "records of the log are gone"
            );
        }
        let Some(event) = self.read(&record) else { return };
        self.watch_clock(event.at);
        let kind = kind_of(&event.body);
        let span = tracing::debug_span!("judge", kind, position = record.position.0);
        let watch = telemetry::clock::Stopwatch::start();
        let decisions = span.in_scope(|| self.judge.judge(record.position, &event));
        self.metrics.seconds.with_label_values(&[kind]).observe(watch.elapsed().as_secs_f64());
        self.metrics.records.with_label_values(&[kind]).inc();
        let Event { id, body, .. } = event;
        if let EventBody::Telemetry(batch) = body {
            self.handover.give_back(batch);
        }
        if !decisions.is_empty() || self.judge.is_progress_due() {
            self.decide(id, record.position, decisions).await;
        }
    }

    /// The record's event; telemetry that ingest decoded in this process is not decoded again.
    fn read(&self, record: &bus::Record) -> Option<Event> {
        let envelope = read_envelope(record, &self.metrics.poison)?;
        match self.handover.take(&envelope.id) {
            Some(batch) => Some(Event {
                id: envelope.id,
                at: envelope.at,
                source: envelope.source,
                body: EventBody::Telemetry(batch),
            }),
            None => unpack(envelope, record.position, &self.metrics.poison),
        }
    }

    /// Tells, once each time, that the clock was set back: time stands still here until it has caught up.
    fn watch_clock(&mut self, at: Timestamp) {
        let behind = self.judge.now.since(at);
        let is_behind = behind > CLOCK_SET_BACK;
        if is_behind && !self.is_clock_behind {
            tracing::error!(
                seconds = behind.as_secs(),
                "the clock was set back: nothing ends or falls due until it catches up"
            );
        }
        self.is_clock_behind = is_behind;
    }

    async fn decide(&mut self, cause: EventId, position: Position, decisions: Vec<Decision>) {
        for decision in &decisions {
            self.metrics.decisions.with_label_values(&[decision_kind(decision)]).inc();
        }
        let record = DecisionRecord { cause, position, at: self.judge.now, decisions };
        let bytes = proto::encode_decision(&record);
        loop {
            match self.decisions.append(record.at, bytes.clone()).await {
                Ok(_) => break,
                Err(error) if !error.is_retryable() => {
                    self.metrics.poison.with_label_values(&["decision"]).inc();
                    tracing::error!(%error, position = position.0, "a decision can never be written and is given up");
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "a decision cannot be written; judging waits until it can");
                    if !self.pause().await {
                        return;
                    }
                }
            }
        }
        self.judge.noted_at = record.at;
        self.projection.apply(&record);
    }
}

impl JudgeRole {
    /// Waits before the log is tried again, answering readers meanwhile; `false`: told to stop.
    async fn pause(&mut self) -> bool {
        let pause = tokio::time::sleep(RETRY_PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = &mut pause => return true,
                Some(question) = self.questions.recv() => self.answer(question),
            }
        }
    }
}

/// Reads a record of the events log; one that cannot be read is counted and skipped, for it would stop all
/// services for one sender's fault.
pub(crate) fn read_event(record: &bus::Record, poison: &IntCounterVec) -> Option<Event> {
    unpack(read_envelope(record, poison)?, record.position, poison)
}

fn read_envelope(record: &bus::Record, poison: &IntCounterVec) -> Option<EventEnvelope> {
    proto::decode_event_shared(record.payload.clone())
        .map_err(|error| skip(record.position, "envelope", &error, poison))
        .ok()
}

/// Decodes what the envelope holds.
fn unpack(envelope: EventEnvelope, position: Position, poison: &IntCounterVec) -> Option<Event> {
    let EventEnvelope { id, at, source, body } = envelope;
    let body = match body {
        EnvelopeBody::Other(body) => body,
        EnvelopeBody::Telemetry { encoding, body } => proto::wire::decode_telemetry(encoding, &body, at)
            .map_err(|error| skip(position, "telemetry", &error, poison))
            .ok()?,
    };
    Some(Event { id, at, source, body })
}

fn skip(position: Position, reason: &str, error: &dyn std::fmt::Display, poison: &IntCounterVec) {
    poison.with_label_values(&[reason]).inc();
    tracing::error!(position = position.0, %error, "a record cannot be read and is skipped");
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

fn decision_kind(decision: &Decision) -> &'static str {
    match decision {
        Decision::Proposal(_) => "proposal",
        Decision::Command(_) => "command",
        Decision::Notice(_) => "notice",
        Decision::Halt { .. } => "halt",
        Decision::BadVersion { .. } => "bad_version",
        Decision::Audit { .. } => "audit",
    }
}

/// Shared by the roles that append events of their own.
#[derive(Clone)]
pub(crate) struct EventWriter {
    pub(crate) events: Topic,
    ids: Arc<EventIds>,
}

/// Makes ids of events that this process itself appends.
#[derive(Debug)]
struct EventIds {
    boot: String,
    next: std::sync::atomic::AtomicU64,
}

impl EventWriter {
    pub(crate) fn new(events: Topic, boot: &str) -> Self {
        Self { events, ids: Arc::new(EventIds { boot: boot.to_owned(), next: 0.into() }) }
    }

    /// Appends one event and waits until it is durable.
    pub(crate) async fn append(&self, source: &str, body: EventBody) -> Result<Position, bus::AppendError> {
        let at = telemetry::clock::now();
        let number = self.ids.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = EventId::from_text(format!(
            "evt_{}",
            model::id::stable_hash(&[&self.ids.boot, "own", &number.to_string()])
        ));
        let envelope = EventEnvelope { id, at, source: source.to_owned(), body: EnvelopeBody::Other(body) };
        self.events.append(at, proto::encode_event(&envelope)).await
    }

    /// Appends one event that must not be lost: tries until it is durable or the process stops.
    pub(crate) async fn append_surely(&self, source: &str, body: EventBody, stop: &CancellationToken) {
        loop {
            match self.append(source, body.clone()).await {
                Ok(_) => return,
                Err(error) => tracing::error!(%error, source, "an event cannot be written; trying again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}
