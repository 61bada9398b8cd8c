//! act: commands in state `Ready` are executed, what came of them goes back as events.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actuators::{Actuators, Gate, Refusal};
use bus::{Change, Topic};
use console::SharedProjection;
use model::{
    Command, CommandId, CommandMode, CommandState, Decision, EventBody, Outcome, OutcomeStatus, Partition,
    Position, Standing,
};
use prometheus::IntCounterVec;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    follow::Followed,
    member::Member,
    scrutiny::Scrutiny,
    vetting::{Unfit, vet},
    writer::EventWriter,
};

/// Commands executed at once; each may wait for a slow target, and the storm guard bounds how many there are.
const MAX_CONCURRENT: usize = 32;

/// Intents remembered so that none is executed twice; as many as the arbiter remembers commands, so that what is
/// forgotten here can no longer be told again there.
const MAX_SEEN: usize = 10_000;

/// How long commands under way may take when their partition goes to another process; less than the group waits.
const FINISH_MAX: Duration = Duration::from_secs(4);

/// Between two looks whether they are done.
const FINISH_LOOK: Duration = Duration::from_millis(20);

/// How long a process may take to learn what the log says by now before it sends something all the same.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// Pause before a log that cannot be read is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The loop around the actuators. Commands are shared among processes as events are: by service and environment.
pub(crate) struct ActRole {
    pub(crate) decisions: Topic,
    /// How many partitions the events have.
    pub(crate) partitions: u32,
    pub(crate) member: Member,
    pub(crate) followed: Followed,
    pub(crate) actuators: Arc<Actuators>,
    pub(crate) writer: EventWriter,
    pub(crate) scrutiny: Scrutiny,
    pub(crate) refused: IntCounterVec,
    pub(crate) halt_file: PathBuf,
    pub(crate) stop: CancellationToken,
}

/// Commands under way, and whose are this process's.
struct Work {
    own: BTreeSet<Partition>,
    permits: Arc<Semaphore>,
    running: JoinSet<()>,
    seen: Seen,
}

/// The newest intent of each command that was started.
#[derive(Debug, Default)]
struct Seen(BTreeMap<CommandId, u64>);

impl Seen {
    /// Whether this intent was not started before; notes it. Later reasons join a command that is under way
    /// already; only a new fencing number is a new intent.
    fn is_new(&mut self, id: &CommandId, fencing: u64) -> bool {
        if self.0.get(id).is_some_and(|&known| known >= fencing) {
            return false;
        }
        if self.0.len() >= MAX_SEEN && !self.0.contains_key(id) {
            self.forget_oldest();
        }
        self.0.insert(id.clone(), fencing);
        true
    }

    /// Whether this intent, or a newer one, was started.
    fn knows(&self, command: &Command) -> bool {
        self.0.get(&command.id).is_some_and(|&known| known >= command.fencing)
    }

    /// Fencing numbers grow with every intent: the lowest is the oldest.
    fn forget_oldest(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, fencing)| **fencing).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

/// Looks right before each send whether the command may still go out.
struct LiveGate {
    projection: SharedProjection,
    halt_file: PathBuf,
}

impl Gate for LiveGate {
    fn check(&self, command: &Command) -> Result<(), Refusal> {
        let no = |reason: String| Err(Refusal { reason, is_stale: false });
        let is_automatic = command.mode == CommandMode::Immediate;
        if is_automatic && self.halt_file.exists() {
            return no("the HALT file exists in the data directory".to_owned());
        }
        let projection = self.projection.read();
        // The projection may be a record behind what is executed: an older intent says nothing about this one.
        let known = projection.command(&command.id).filter(|known| known.fencing >= command.fencing);
        if let Some(known) = known
            && (known.state != CommandState::Ready || known.fencing != command.fencing)
        {
            return no(format!("the command is {} by now", known.state.as_str()));
        }
        let key = &command.release.key;
        let halt = projection.halts().find(|halt| halt.scope.covers(&key.service, &key.environment));
        if let Some(halt) = halt.filter(|_| is_automatic) {
            return no(format!("halted by {}: {}", halt.by, halt.reason));
        }
        let now = telemetry::clock::now();
        let max_age = command.deadline.since(command.decided_at);
        if is_automatic && now.since(command.evidence_at) > max_age {
            let reason =
                format!("the evidence of {} is older than {} s", command.evidence_at, max_age.as_secs());
            return Err(Refusal { reason, is_stale: true });
        }
        if !is_automatic && now > command.deadline {
            return no("it was approved too long ago".to_owned());
        }
        Ok(())
    }
}

impl ActRole {
    /// Runs until told to stop, then waits for what is in flight.
    pub(crate) async fn run(mut self) {
        let mut work = Work {
            own: BTreeSet::new(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            running: JoinSet::new(),
            seen: Seen::default(),
        };
        // What stands on the log before is over, or is found unfinished when its partition is assigned.
        let (mut standing, from) = self.followed_so_far();
        let mut reader = self.decisions.reader(Partition::HOME, from);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                change = self.member.next() => self.change(change, &mut work).await,
                Some(_) = work.running.join_next(), if !work.running.is_empty() => {}
                record = reader.next() => match record {
                    Ok(record) => self.take(&record, &mut standing, &mut work).await,
                    Err(error) => {
                        tracing::error!(%error, "the decisions log cannot be read");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                },
            }
        }
        while work.running.join_next().await.is_some() {}
        self.member.leave().await;
    }

    fn followed_so_far(&self) -> (Standing, Position) {
        let projection = self.followed.projection.read();
        (projection.standing().clone(), projection.next())
    }

    async fn change(&self, change: Option<Change>, work: &mut Work) {
        match change {
            Some(Change::Assigned(partitions)) => {
                work.own.extend(partitions);
                // Whatever was decided before is in the projection then, and what came of it.
                if let Err(error) = self.followed.catch_up().await {
                    tracing::error!(%error, "the decisions log cannot be read");
                }
                for command in self.unfinished() {
                    self.start(command, work);
                }
            }
            Some(Change::Revoked(revoked)) => {
                work.own.retain(|partition| !revoked.partitions.contains(partition));
                // The next owner does again what has no outcome: harmless under its id, and still better avoided.
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    _ = tokio::time::timeout(FINISH_MAX, self.finished(&revoked.partitions, work)) => {}
                }
                drop(revoked);
            }
            None => {
                work.own.clear();
                self.stop.cancelled().await;
            }
        }
    }

    async fn take(&self, record: &bus::Record, standing: &mut Standing, work: &mut Work) {
        // One that cannot be read was told and counted by whoever follows the log.
        let Ok(decision) = self.scrutiny.decision(record).await else { return };
        if !standing.admit(record.position, &decision) {
            return;
        }
        for decision in decision.decisions {
            if let Decision::Command(command) = decision
                && command.state == CommandState::Ready
                && is_current(&self.followed.projection, &command)
            {
                self.start(*command, work);
            }
        }
    }

    /// Resolves once everybody knows the outcome of what was started here for these partitions.
    async fn finished(&self, partitions: &[Partition], work: &Work) {
        if let Err(error) = self.followed.catch_up().await {
            tracing::warn!(%error, "the decisions log cannot be read");
        }
        let is_under_way =
            |command: &Command| partitions.contains(&self.partition_of(command)) && work.seen.knows(command);
        while self.unfinished().iter().any(is_under_way) {
            tokio::time::sleep(FINISH_LOOK).await;
        }
    }

    fn partition_of(&self, command: &Command) -> Partition {
        Partition::of(&command.release.key, self.partitions)
    }

    /// Commands that are ready and whose outcome nobody recorded: executed again under the same id.
    fn unfinished(&self) -> Vec<Command> {
        let projection = self.followed.projection.read();
        let views = projection.releases();
        views
            .flat_map(|view| projection.commands_of(view).cloned().collect::<Vec<_>>())
            .filter(|command| command.state == CommandState::Ready)
            .collect()
    }

    fn start(&self, command: Command, work: &mut Work) {
        let is_own = work.own.contains(&self.partition_of(&command));
        if !is_own || !work.seen.is_new(&command.id, command.fencing) {
            return;
        }
        let followed = self.followed.clone();
        let gate = LiveGate { projection: followed.projection.clone(), halt_file: self.halt_file.clone() };
        let (actuators, writer) = (Arc::clone(&self.actuators), self.writer.clone());
        let (permits, stop) = (Arc::clone(&work.permits), self.stop.clone());
        let refused = self.refused.clone();
        work.running.spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else { return };
            // Whoever was paused for a while finds out first what others have done meanwhile, or halted.
            let caught_up = tokio::time::timeout(CATCH_UP_MAX, followed.catch_up()).await;
            if !matches!(caught_up, Ok(Ok(_))) {
                tracing::warn!(command = %command.id, "what the log says by now is not known");
            }
            if !is_current(&followed.projection, &command) {
                return;
            }
            let verdict = vet(&followed.projection.read(), &command);
            let outcomes = match verdict {
                Ok(()) => actuators.execute(&command, &gate).await,
                Err(unfit) => {
                    refused.with_label_values(&[unfit.reason()]).inc();
                    refuse(&command, &unfit)
                }
            };
            for outcome in outcomes {
                writer.append_surely("act", EventBody::Outcome(Box::new(outcome)), &stop).await;
            }
        });
    }
}

/// An outcome a target, none of which is asked.
fn refuse(command: &Command, unfit: &Unfit) -> Vec<Outcome> {
    let (service, version) = (&command.release.key.service, &command.release.version);
    let (to, detail) = (command.to_version.as_deref(), format!("refused: {unfit}"));
    tracing::error!(command = %command.id, service, version, to, detail,
        "a command on the decisions log is not carried out: look who may write to it");
    let outcome = |target: &model::TargetRef| Outcome {
        command: command.id.clone(),
        release: command.release.clone(),
        status: OutcomeStatus::Refused,
        is_stale: false,
        is_retryable: false,
        target: target.name.clone(),
        attempts: 0,
        detail: detail.clone(),
        actor: None,
    };
    command.targets.iter().map(outcome).collect()
}

/// Whether the intent still stands: another process may have carried it out.
fn is_current(projection: &SharedProjection, command: &Command) -> bool {
    projection.read().command(&command.id).is_none_or(|known| {
        known.fencing < command.fencing
            || known.fencing == command.fencing && known.state == CommandState::Ready
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_started_once_and_what_is_remembered_is_bounded() {
        let id = |n: u64| CommandId::from_text(format!("cmd_{n}"));
        let mut seen = Seen::default();
        for (command, fencing, is_new, why) in [
            (1, 1, true, "the first word of it"),
            (1, 1, false, "a later reason joins"),
            (1, 3, true, "approved after it was prepared: a new intent"),
            (1, 2, false, "an overtaken intent"),
            (2, 4, true, "another command"),
        ] {
            assert_eq!(seen.is_new(&id(command), fencing), is_new, "{why}");
        }
        for n in 10..MAX_SEEN as u64 + 20 {
            assert!(seen.is_new(&id(n), n));
        }
        assert_eq!(seen.0.len(), MAX_SEEN);
        assert!(!seen.is_new(&id(MAX_SEEN as u64 + 19), MAX_SEEN as u64 + 19), "the newest are kept");
    }
}
