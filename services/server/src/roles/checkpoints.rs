//! The checkpoint of the decisions log: read at the start, written while this process decides.
//!
//! Retention takes the oldest decisions; what they said that still holds is in the checkpoint. The embedded log keeps
//! whatever the checkpoint before the newest does not stand for, so that a damaged newest one loses nothing either.

use std::time::Duration;

use anyhow::Context as _;
use arbiter::Chair;
use bus::{Bus, Snapshots, Topic};
use model::{Checkpoint, Fit, Partition, Position};
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::{task::JoinHandle, time::Instant};

/// Between two checkpoints. Long beside what writing one takes, short beside the time in which retention could take
/// what none stands for.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// Records in front of the checkpoint from which timelines and deliveries are shown: at 20 us a record one second of a
/// start, however old the log is.
const HISTORY_RECORDS_MAX: u64 = 50_000;

/// Between two looks whether one is due.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the last one may take at a stop: the log has it all for the next start.
const LAST_MAX: Duration = Duration::from_secs(3);

/// What is told of checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointMetrics {
    saved_at_s: IntGauge,
    bytes: IntGauge,
    failed: IntCounter,
}

impl CheckpointMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        use telemetry::metrics::{counter, gauge};
        Ok(Self {
            saved_at_s: gauge(
                registry,
                "ripcord_checkpoint_last_success_timestamp_seconds",
                "When the newest checkpoint of the decisions log was written here.",
            )?,
            bytes: gauge(
                registry,
                "ripcord_checkpoint_bytes",
                "Size of the newest checkpoint written here.",
            )?,
            failed: counter(
                registry,
                "ripcord_checkpoint_failures_total",
                "Checkpoints of the decisions log that could not be written.",
                &[],
            )?
            .with_label_values::<&str>(&[]),
        })
    }
}

/// What is known before the decisions log is read.
#[derive(Debug)]
pub(crate) struct Known {
    /// Where the arbiter goes on; `None`: at the first record that there ever was.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// What the newest checkpoint stands for.
    pub(crate) saved: Position,
    /// Retention has taken records, the policy's perhaps among them.
    pub(crate) is_log_partial: bool,
    /// Where those begin to read who show and tell what happened.
    pub(crate) history_from: Position,
}

impl Known {
    /// The state that stands for what those do not read.
    pub(crate) fn before_history(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref().filter(|_| self.history_from > Position(0))
    }
}

pub(crate) async fn load(bus: &Bus) -> anyhow::Result<Known> {
    let bytes = bus.checkpoints.load(Partition::HOME).await;
    // After the checkpoint: another process may write one meanwhile, of records that are behind these bounds.
    let bounds = bus.decisions.bounds(Partition::HOME).await.context("the decisions log cannot be read")?;
    let is_log_partial = bounds.first > Position(0);
    let bytes = if is_log_partial {
        bytes.context("the checkpoint of the decisions log cannot be read")?
    } else {
        bytes.unwrap_or_else(|error| {
            tracing::warn!(%error, "the checkpoint of the decisions log cannot be read; the log is, from its beginning");
            None
        })
    };
    let found = bytes.map(|bytes| proto::decode_checkpoint(&bytes)).transpose().unwrap_or_else(|error| {
        tracing::error!(%error, "the checkpoint of the decisions log is not used");
        None
    });
    let saved = found.as_ref().map(|it| it.next).filter(|next| *next <= bounds.next).unwrap_or_default();
    let (checkpoint, fit) = Checkpoint::fitted(found, bounds.first, bounds.next);
    match fit {
        Fit::Whole => {}
        Fit::Missing { records } => tracing::error!(
            records,
            "decisions are gone that no checkpoint stands for: halts and bad versions among them are forgotten; look \
             at `ripcord list halts` and `ripcord list bad-versions`"
        ),
        Fit::Ahead { records } => tracing::error!(
            records,
            "the decisions log ends before its checkpoint: it is damaged, or an older copy"
        ),
    }
    let newest = checkpoint.as_ref().map_or(0, |it| it.next.0.saturating_sub(HISTORY_RECORDS_MAX));
    Ok(Known { checkpoint, saved, is_log_partial, history_from: bounds.first.max(Position(newest)) })
}

/// Writes checkpoints, one at a time.
#[derive(Debug)]
pub(crate) struct CheckpointWriter {
    decisions: Topic,
    store: Snapshots,
    metrics: CheckpointMetrics,
    /// What the newest one stands for.
    saved: Position,
    /// When this process began to write the newest of its own.
    written_at: Option<Instant>,
    under_way: Option<JoinHandle<Option<Position>>>,
}

impl CheckpointWriter {
    pub(crate) fn new(bus: &Bus, metrics: CheckpointMetrics, saved: Position) -> Self {
        let (decisions, store) = (bus.decisions.clone(), bus.checkpoints.clone());
        Self { decisions, store, metrics, saved, written_at: None, under_way: None }
    }

    /// This process decides from here on; others may have written checkpoints meanwhile.
    pub(crate) fn take_over(&mut self) {
        self.store.forget(Partition::HOME);
        self.written_at = None;
    }

    /// Lets go what a written one stands for, and begins the next one if it is due. The first one is due at once: until
    /// it is written the log keeps everything.
    pub(crate) async fn look(&mut self, chair: &Chair) {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.note_written().await;
        }
        if self.written_at.is_none_or(|at| at.elapsed() >= CHECKPOINT_INTERVAL) {
            self.write(chair).await;
        }
    }

    /// Begins to write one if there is something new, and none is under way.
    async fn write(&mut self, chair: &Chair) {
        if self.under_way.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.note_written().await;
        if chair.next() <= self.saved {
            return;
        }
        self.written_at = Some(Instant::now());
        let (checkpoint, store, metrics) = (chair.checkpoint(), self.store.clone(), self.metrics.clone());
        self.under_way = Some(tokio::spawn(save(checkpoint, store, metrics)));
    }

    /// The last one.
    pub(crate) async fn finish(mut self, chair: &Chair) {
        let all = async {
            self.note_written().await;
            self.write(chair).await;
            self.note_written().await;
        };
        if tokio::time::timeout(LAST_MAX, all).await.is_err() {
            tracing::warn!(
                "the last checkpoint was not written in time; the next start reads more of the log"
            );
        }
    }

    async fn note_written(&mut self) {
        let Some(task) = self.under_way.take() else { return };
        if let Ok(Some(written)) = task.await {
            self.decisions.keep_from(Partition::HOME, self.saved);
            self.saved = written;
        }
    }
}

/// Up to where the checkpoint stands for the log, if it was written.
async fn save(checkpoint: Checkpoint, store: Snapshots, metrics: CheckpointMetrics) -> Option<Position> {
    let next = checkpoint.next;
    let encoded = tokio::task::spawn_blocking(move || proto::encode_checkpoint(&checkpoint)).await;
    let Ok(encoded) = encoded else { return None };
    let bytes = i64::try_from(encoded.len()).unwrap_or(i64::MAX);
    match store.save(Partition::HOME, encoded.into()).await {
        Ok(()) => {
            metrics.saved_at_s.set(telemetry::clock::now().as_millis() / 1000);
            metrics.bytes.set(bytes);
            Some(next)
        }
        Err(error) => {
            metrics.failed.inc();
            tracing::error!(%error, "the checkpoint of the decisions log cannot be written; the log grows until it can");
            None
        }
    }
}
