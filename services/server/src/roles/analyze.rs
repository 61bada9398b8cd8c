//! analyze: which partitions are this process's, and a judge for each of them on a thread of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bus::{Bus, Change};
use model::{Partition, Position};
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    ask::Judges,
    fit::Fitting,
    follow::Followed,
    keep::{KeepMetrics, KeepTask, say_taken_over},
    member::Member,
    records::Poison,
    scrutiny::Scrutiny,
};
use crate::{handover::Handover, readiness::Readiness};

/// How often the group is told how far this process is.
const COMMIT_PERIOD: Duration = Duration::from_secs(1);

/// The loop around the partitions.
pub(crate) struct AnalyzeRole {
    pub(crate) bus: Bus,
    pub(crate) member: Member,
    pub(crate) followed: Followed,
    pub(crate) judges: Judges,
    pub(crate) handover: Handover,
    pub(crate) metrics: KeepMetrics,
    pub(crate) poison: Poison,
    pub(crate) fitting: Fitting,
    pub(crate) scrutiny: Scrutiny,
    pub(crate) readiness: Readiness,
    pub(crate) stop: CancellationToken,
}

/// The first event of each partition that is not taken care of yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Mutex<BTreeMap<Partition, Position>>>);

impl Progress {
    pub(crate) fn note(&self, partition: Partition, next: Position) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, next);
    }

    fn take(&self) -> BTreeMap<Partition, Position> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A judge at work.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl AnalyzeRole {
    /// Runs until told to stop; then every judge has said what it had to say.
    pub(crate) async fn run(mut self) {
        let progress = Progress::default();
        let mut running = BTreeMap::new();
        let mut commit = tokio::time::interval(COMMIT_PERIOD);
        commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                change = self.member.next() => match change {
                    Some(Change::Assigned(partitions)) => {
                        for partition in partitions {
                            running.insert(partition, self.start(partition, &progress));
                        }
                    }
                    Some(Change::Revoked(revoked)) => {
                        end(&mut running, &revoked.partitions).await;
                        self.commit(&progress);
                        drop(revoked);
                    }
                    None => {
                        // The readiness says why.
                        self.stop.cancelled().await;
                    }
                },
                _ = commit.tick() => self.commit(&progress),
            }
        }
        let all: Vec<Partition> = running.keys().copied().collect();
        end(&mut running, &all).await;
        self.commit(&progress);
        self.member.leave().await;
    }

    fn start(&self, partition: Partition, progress: &Progress) -> Running {
        say_taken_over(&self.readiness, partition);
        let stop = self.stop.child_token();
        let task = KeepTask {
            bus: self.bus.clone(),
            partition,
            followed: self.followed.clone(),
            judges: self.judges.clone(),
            handover: self.handover.clone(),
            metrics: self.metrics.clone(),
            poison: self.poison.clone(),
            fitting: self.fitting.clone(),
            scrutiny: self.scrutiny.clone(),
            readiness: self.readiness.clone(),
            progress: progress.clone(),
            stop: stop.clone(),
        };
        let runtime = tokio::runtime::Handle::current();
        // Judging is work for the processor: on a thread of its own it keeps no request waiting.
        Running { stop, task: tokio::task::spawn_blocking(move || runtime.block_on(task.run())) }
    }

    fn commit(&self, progress: &Progress) {
        for (partition, next) in progress.take() {
            self.member.commit(partition, next);
        }
    }
}

async fn end(running: &mut BTreeMap<Partition, Running>, partitions: &[Partition]) {
    let ending: Vec<Running> = partitions.iter().filter_map(|partition| running.remove(partition)).collect();
    ending.iter().for_each(|judge| judge.stop.cancel());
    for judge in ending {
        if let Err(error) = judge.task.await {
            tracing::error!(%error, "a judge ended badly");
        }
    }
}
