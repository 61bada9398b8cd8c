//! follow: the decisions log, from its start to whatever comes, into the projection that this process shows and
//! asks. Every process has one; it can be thrown away and is, at every start.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use bus::{ReadError, Reader, Record, Topic};
use console::SharedProjection;
use model::{Checkpoint, Decision, DecisionRecord, Partition, PolicyLoad, Position, Proposal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{records::Poison, scrutiny::Scrutiny};

/// Pause before a log that cannot be read is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The decisions log as this process knows it; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) projection: SharedProjection,
    decisions: Topic,
    /// Everything before this position was applied, or is gone.
    applied: watch::Receiver<Position>,
    /// The furthest position that somebody waits for.
    wanted: Arc<watch::Sender<Position>>,
    policy: Arc<Mutex<Option<PolicyLoad>>>,
}

/// The loop that keeps [`Followed`] up to date.
pub(crate) struct FollowRole {
    followed: Followed,
    applied: watch::Sender<Position>,
    from: Position,
    poison: Poison,
    scrutiny: Scrutiny,
    stop: CancellationToken,
}

impl Followed {
    /// Nothing applied yet, and the loop that will.
    pub(crate) async fn new(
        decisions: Topic,
        from: Position,
        projection: SharedProjection,
        poison: Poison,
        scrutiny: Scrutiny,
        stop: CancellationToken,
    ) -> anyhow::Result<(Self, FollowRole)> {
        let bounds = decisions.bounds(Partition::HOME).await.context("the decisions log cannot be read")?;
        let (sender, applied) = watch::channel(from);
        let wanted = Arc::new(watch::Sender::new(bounds.next));
        let followed = Self { projection, decisions, applied, wanted, policy: Arc::default() };
        let role = FollowRole { followed: followed.clone(), applied: sender, from, poison, scrutiny, stop };
        Ok((followed, role))
    }

    /// What records said that retention has taken. Before the log is read.
    pub(crate) fn restore(&self, checkpoint: &Checkpoint) {
        self.projection.restore(checkpoint);
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = checkpoint.arbiter.policy.clone();
    }

    /// Waits until everything that stands on the log now was applied; returns where that is.
    pub(crate) async fn catch_up(&self) -> Result<Position, ReadError> {
        let end = self.decisions.bounds(Partition::HOME).await?.next;
        self.wanted.send_modify(|wanted| *wanted = (*wanted).max(end));
        let mut applied = self.applied.clone();
        // Fails only when the loop has ended: the process is stopping.
        applied.wait_for(|applied| *applied >= end).await.map_err(|_| ReadError::Closed)?;
        Ok(end)
    }

    /// The newest policy on the log that compiles.
    pub(crate) fn policy(&self) -> Option<PolicyLoad> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_policy(&self, record: &DecisionRecord) {
        for decision in &record.decisions {
            if let Decision::Proposal(Proposal::PolicyLoad(load)) = decision
                && policy::compile(load).0.is_some()
            {
                *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some((**load).clone());
            }
        }
    }
}

impl FollowRole {
    /// Runs until told to stop.
    pub(crate) async fn run(self) {
        let mut reader = self.followed.decisions.reader(Partition::HOME, self.from);
        let mut wanted = self.followed.wanted.subscribe();
        loop {
            // Thousands of records are applied in one go; the server's other tasks get their turn in between.
            tokio::task::consume_budget().await;
            let end = *wanted.borrow_and_update();
            let record = tokio::select! {
                () = self.stop.cancelled() => return,
                record = next(&mut reader, end) => record,
                changed = wanted.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            match record {
                Ok(Some(record)) => self.take(&record).await,
                Ok(None) => drop(self.applied.send_replace(end)),
                Err(error) => {
                    tracing::error!(%error, "the decisions log cannot be read");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn take(&self, record: &Record) {
        self.poison.note_missing("decisions", Partition::HOME, record);
        match self.scrutiny.decision(record).await {
            Ok(decision) => match self.followed.projection.apply(record.position, &decision) {
                None => self.followed.note_policy(&decision),
                Some(void) => self.scrutiny.note_void(record.position, &decision, void),
            },
            Err(why) => self.poison.note("decisions", Partition::HOME, record, &why),
        }
        self.applied.send_replace(Position(record.position.0 + 1));
    }
}

/// The next record; `None` where the last ones before `end` are gone, so that nobody waits for those.
async fn next(reader: &mut Reader, end: Position) -> Result<Option<Record>, ReadError> {
    if reader.position() < end { reader.next_before(end).await } else { reader.next().await.map(Some) }
}
