//! arbitrate: the decisions log through the arbiter, its answers back onto the log. Every process that analyzes
//! keeps an arbiter up to date; the one that the group names claims the chair and answers.

use std::time::Duration;

use arbiter::Chair;
use bus::{Change, NewRecord, Topic};
use model::{Decision, DecisionRecord, Origin, Partition, Position};
use prometheus::{IntCounterVec, IntGauge, Registry};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    checkpoints::{CheckpointWriter, LOOK_INTERVAL},
    clock::ClockSent,
    fit::Fitting,
    member::Member,
    records::Poison,
    scrutiny::Scrutiny,
    story,
};
use crate::readiness::Readiness;

/// Pause before a log that cannot be written or read is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Longest sleep between looks at the arbiter's timer; keeps a wall clock that jumps from stopping it.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// The group named this process, and another's claim stands: whoever claimed has lost its place by then, or was
/// never named.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What the arbiter says about itself.
#[derive(Clone, Debug)]
pub(crate) struct ArbiterMetrics {
    decisions: IntCounterVec,
    is_deciding: IntGauge,
}

impl ArbiterMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        use telemetry::metrics::{counter, gauge};
        Ok(Self {
            decisions: counter(
                registry,
                "ripcord_decisions_total",
                "Commands, notices and other decisions made here.",
                &["kind"],
            )?,
            is_deciding: gauge(
                registry,
                "ripcord_arbiter_is_deciding",
                "1 in the one process whose arbiter decides.",
            )?,
        })
    }
}

/// The loop around the [`Chair`].
pub(crate) struct ArbitrateRole {
    pub(crate) chair: Chair,
    pub(crate) checkpoints: CheckpointWriter,
    pub(crate) decisions: Topic,
    pub(crate) member: Member,
    pub(crate) metrics: ArbiterMetrics,
    pub(crate) fitting: Fitting,
    pub(crate) scrutiny: Scrutiny,
    pub(crate) poison: Poison,
    pub(crate) readiness: Readiness,
    pub(crate) stop: CancellationToken,
}

/// Whether this process may append answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// Another process decides, or none.
    Standby,
    /// The group names this one.
    Active,
}

impl ArbitrateRole {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self) {
        let Ok(first) = self.first_position().await else { return };
        let mut reader = self.decisions.reader(Partition::HOME, first);
        let mut checkpoint_due = tokio::time::interval(LOOK_INTERVAL);
        checkpoint_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seat, mut claim) = (Seat::Standby, None);
        let mut deposed_at: Option<Instant> = None;
        let mut clock = ClockSent::default();
        loop {
            tokio::task::consume_budget().await;
            let wait = self.until_timeout(&clock);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                _ = checkpoint_due.tick() => if self.chair.is_deciding() {
                    self.checkpoints.look(&self.chair).await;
                },
                change = self.member.next() => {
                    (seat, claim) = self.change(change).await;
                    deposed_at = None;
                }
                record = reader.next() => match record {
                    Ok(record) => self.take(&record).await,
                    Err(error) => {
                        tracing::error!(%error, "the decisions log cannot be read");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                },
                () = tokio::time::sleep(wait), if seat == Seat::Active => {
                    self.bring_clock(&mut clock).await;
                }
            }
            if seat == Seat::Active {
                self.answer().await;
            }
            // Its own claim was read back and does not stand.
            let is_deposed =
                claim.is_some_and(|claim| reader.position() > claim) && !self.chair.is_deciding();
            self.say_deposed(is_deposed);
            deposed_at = is_deposed.then(|| deposed_at.unwrap_or_else(Instant::now));
            if deposed_at.is_some_and(|at| at.elapsed() >= CLAIM_AGAIN_AFTER) {
                (claim, deposed_at) = (self.claim().await, None);
            }
            self.metrics.is_deciding.set(i64::from(seat == Seat::Active && self.chair.is_deciding()));
        }
        // While the place is this process's: the next one writes its own.
        if self.chair.is_deciding() {
            self.checkpoints.finish(&self.chair).await;
        }
        self.member.leave().await;
    }

    /// Where the log begins, or the chair goes on.
    async fn first_position(&self) -> Result<Position, ()> {
        if self.chair.next() > Position(0) {
            return Ok(self.chair.next());
        }
        loop {
            match self.decisions.bounds(Partition::HOME).await {
                Ok(bounds) => return Ok(bounds.first),
                Err(error) => tracing::error!(%error, "the decisions log cannot be read"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(()),
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }

    /// The seat from here on, and where the claim stands.
    async fn change(&mut self, change: Option<Change>) -> (Seat, Option<Position>) {
        match change {
            Some(Change::Assigned(partitions)) if partitions.is_empty() => (Seat::Standby, None),
            Some(Change::Assigned(_)) => {
                tracing::info!("this process's arbiter decides from here on");
                self.checkpoints.take_over();
                (Seat::Active, self.claim().await)
            }
            Some(Change::Revoked(revoked)) => {
                tracing::info!("another process's arbiter decides from here on");
                drop(revoked);
                (Seat::Standby, None)
            }
            None => {
                self.stop.cancelled().await;
                (Seat::Standby, None)
            }
        }
    }

    async fn claim(&self) -> Option<Position> {
        self.append(self.chair.claim(telemetry::clock::now())).await
    }

    fn say_deposed(&self, is_deposed: bool) {
        let reason = "this process's arbiter is to decide, and another's claim stands on the decisions log";
        let state = if is_deposed { Err(reason.to_owned()) } else { Ok(()) };
        self.readiness.set("claim", state);
    }

    async fn take(&mut self, record: &bus::Record) {
        let decision = match self.scrutiny.decision(record).await {
            Ok(decision) => decision,
            // One that cannot be read was told and counted by whoever follows the log. Kept it is once, by who decides.
            Err(why) => {
                if why.is_doubted() && self.chair.is_deciding() {
                    self.poison.keep("decisions", Partition::HOME, record, &why);
                }
                return;
            }
        };
        // Not what is only read again after a start: that was told then.
        if self.chair.is_deciding() && decision.origin == Origin::Analyzer {
            story::tell(&decision);
        }
        self.chair.take(record.position, &decision);
    }

    /// Appends what is to be said, once everything that stands on the log is known: an answer that another
    /// process gave may be among it.
    async fn answer(&mut self) {
        while let Some(answer) = self.chair.poll_answer() {
            for decision in &answer.decisions {
                self.metrics.decisions.with_label_values(&[decision_kind(decision)]).inc();
            }
            story::tell(&answer);
            self.append(answer).await;
        }
    }

    fn until_timeout(&self, clock: &ClockSent) -> Duration {
        let now = telemetry::clock::now();
        clock.until(self.chair.poll_timeout(), now).min(MAX_SLEEP)
    }

    /// Brings the time that has come to the log, once.
    async fn bring_clock(&mut self, sent: &mut ClockSent) {
        let now = telemetry::clock::now();
        let due = sent.due(self.chair.poll_timeout(), now);
        if let (Some(due), Some(clock)) = (due, self.chair.clock(now)) {
            self.append(clock).await;
            sent.note(due, now);
        }
    }

    /// Appends until it is durable or the process stops; in this loop, so that the order is kept.
    async fn append(&self, record: DecisionRecord) -> Option<Position> {
        let mut bytes = proto::encode_decision(&record);
        let mut is_cut = false;
        loop {
            let append = NewRecord::new(record.at, bytes.clone());
            match self.decisions.append(Partition::HOME, append).await {
                Ok(position) => return Some(position),
                Err(error) if !error.is_retryable() => {
                    match self.fitting.fit(&record, &error).filter(|_| !is_cut) {
                        Some(fitted) => (bytes, is_cut) = (fitted, true),
                        None => return None,
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "a decision cannot be written; deciding waits until it can");
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
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
