//! act: commands in state `Ready` are executed, what came of them goes back as events.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use actuators::{Actuators, Gate, Refusal};
use bus::{Reader, Topic};
use console::SharedProjection;
use model::{Command, CommandId, CommandMode, CommandState, Decision, EventBody, Position};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::judge::EventWriter;

/// Commands executed at once; each may wait for a slow target, and the storm guard bounds how many there are.
const MAX_CONCURRENT: usize = 32;

/// The loop around the actuators.
pub(crate) struct ActRole {
    pub(crate) decisions: Topic,
    /// Where the decisions log ended at start: what stands before it is looked up in the projection.
    pub(crate) from: Position,
    pub(crate) projection: SharedProjection,
    pub(crate) actuators: Arc<Actuators>,
    pub(crate) writer: EventWriter,
    pub(crate) halt_file: PathBuf,
    pub(crate) stop: CancellationToken,
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
    pub(crate) async fn run(self) {
        let mut reader = self.decisions.reader(self.from);
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
        let mut running = JoinSet::new();
        let mut seen: BTreeMap<CommandId, u64> = BTreeMap::new();
        let unfinished: Vec<Command> = self.unfinished();
        for command in unfinished {
            self.start(command, &permits, &mut running, &mut seen);
        }
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some(_) = running.join_next(), if !running.is_empty() => {}
                commands = next_ready(&mut reader) => {
                    for command in commands {
                        self.start(command, &permits, &mut running, &mut seen);
                    }
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Commands that were ready when the process last ended and whose outcome nobody recorded: executed again
    /// under the same id.
    fn unfinished(&self) -> Vec<Command> {
        let projection = self.projection.read();
        let views = projection.releases();
        views
            .flat_map(|view| projection.commands_of(view).cloned().collect::<Vec<_>>())
            .filter(|command| command.state == CommandState::Ready)
            .collect()
    }

    fn start(
        &self,
        command: Command,
        permits: &Arc<Semaphore>,
        running: &mut JoinSet<()>,
        seen: &mut BTreeMap<CommandId, u64>,
    ) {
        // Later reasons join a command that is under way already; only a new fencing number is a new intent.
        if seen.insert(command.id.clone(), command.fencing) == Some(command.fencing) {
            return;
        }
        let gate = LiveGate { projection: self.projection.clone(), halt_file: self.halt_file.clone() };
        let (actuators, writer) = (Arc::clone(&self.actuators), self.writer.clone());
        let (permits, stop) = (Arc::clone(permits), self.stop.clone());
        running.spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else { return };
            for outcome in actuators.execute(&command, &gate).await {
                writer.append_surely("act", EventBody::Outcome(Box::new(outcome)), &stop).await;
            }
        });
    }
}

async fn next_ready(reader: &mut Reader) -> Vec<Command> {
    let record = match reader.next().await {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(%error, "the decisions log cannot be read");
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            return Vec::new();
        }
    };
    let Ok(record) = proto::decode_decision(&record.payload) else { return Vec::new() };
    let ready = |decision| match decision {
        Decision::Command(command) if command.state == CommandState::Ready => Some(*command),
        _ => None,
    };
    record.decisions.into_iter().filter_map(ready).collect()
}
