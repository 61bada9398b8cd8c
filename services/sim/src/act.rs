//! The act role without its threads; mirrors `server`'s `roles/act.rs` and the gate of `actuators`.

use std::collections::BTreeMap;

use model::{
    Command, CommandId, CommandMode, CommandState, Decision, DecisionRecord, Halt, HaltId, Outcome,
    OutcomeStatus, Position, ReleaseId, ServiceKey, Standing, Timestamp,
};

/// What the console's projection shows of commands and halts.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    pub(crate) commands: BTreeMap<CommandId, Command>,
    pub(crate) halts: BTreeMap<HaltId, Halt>,
    /// The newest release of each service.
    pub(crate) newest: BTreeMap<ServiceKey, ReleaseId>,
    pub(crate) bad: Vec<(ServiceKey, String)>,
    standing: Standing,
}

impl Projection {
    pub(crate) fn of(records: &[DecisionRecord]) -> Self {
        let mut projection = Self::default();
        for (at, record) in records.iter().enumerate() {
            projection.apply(Position(at as u64), record);
        }
        projection
    }

    pub(crate) fn apply(&mut self, at: Position, record: &DecisionRecord) {
        if !self.standing.admit(at, record) {
            return;
        }
        for decision in &record.decisions {
            match decision {
                Decision::Command(command) => {
                    self.commands.insert(command.id.clone(), Command::clone(command));
                }
                Decision::Halt { halt, is_active: true } => {
                    self.halts.insert(halt.id.clone(), halt.clone());
                }
                Decision::Halt { halt, is_active: false } => drop(self.halts.remove(&halt.id)),
                Decision::Proposal(model::Proposal::Release(release)) => {
                    self.newest.insert(release.key.clone(), release.id.clone());
                }
                Decision::BadVersion { service, environment, version, is_bad, .. } => {
                    let line = (ServiceKey::new(&**service, &**environment), version.clone());
                    self.bad.retain(|it| *it != line);
                    if *is_bad {
                        self.bad.push(line);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A command on its way to its target.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) command: Command,
    pub(crate) due: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Act {
    seen: BTreeMap<CommandId, u64>,
    fence: BTreeMap<ServiceKey, u64>,
    pub(crate) flights: Vec<Flight>,
    standing: Standing,
}

impl Act {
    /// Commands that were ready when the process ended are executed again under the same id.
    pub(crate) fn restore(projection: &Projection, second: u32) -> Self {
        let mut act = Self { standing: projection.standing.clone(), ..Self::default() };
        let ready = projection.commands.values().filter(|command| command.state == CommandState::Ready);
        for command in ready.cloned().collect::<Vec<_>>() {
            act.start(command, second);
        }
        act
    }

    pub(crate) fn read(&mut self, at: Position, record: &DecisionRecord, due: u32) {
        if self.standing.admit(at, record) {
            self.take(record, due);
        }
    }

    /// Whatever counts, or (a fault put in on purpose) may never come to.
    pub(crate) fn take(&mut self, record: &DecisionRecord, due: u32) {
        for decision in &record.decisions {
            if let Decision::Command(command) = decision
                && command.state == CommandState::Ready
            {
                self.start(Command::clone(command), due);
            }
        }
    }

    fn start(&mut self, command: Command, due: u32) {
        if self.seen.get(&command.id).is_some_and(|&known| known >= command.fencing) {
            return;
        }
        self.seen.insert(command.id.clone(), command.fencing);
        self.flights.push(Flight { command, due });
    }

    pub(crate) fn take_due(&mut self, second: u32) -> Vec<Command> {
        let (due, waiting): (Vec<_>, Vec<_>) = self.flights.drain(..).partition(|it| it.due <= second);
        self.flights = waiting;
        due.into_iter().map(|flight| flight.command).collect()
    }

    /// Looks right before the send whether the command may still go out.
    pub(crate) fn check(
        &mut self,
        command: &Command,
        now: Timestamp,
        projection: &Projection,
    ) -> Result<(), (String, bool)> {
        let no = |why: &str| Err((why.to_owned(), false));
        if now >= command.deadline {
            return no("the deadline has passed");
        }
        let highest = self.fence.entry(command.release.key.clone()).or_default();
        if *highest > command.fencing {
            return no("fenced");
        }
        *highest = command.fencing;
        let known = projection.commands.get(&command.id).filter(|known| known.fencing >= command.fencing);
        if known.is_some_and(|it| it.state != CommandState::Ready || it.fencing != command.fencing) {
            return no("the command is not ready by now");
        }
        if command.mode != CommandMode::Immediate {
            return Ok(());
        }
        let key = &command.release.key;
        if projection.halts.values().any(|halt| halt.scope.covers(&key.service, &key.environment)) {
            return no("halted");
        }
        if now.since(command.evidence_at) > command.deadline.since(command.decided_at) {
            return Err(("the evidence is too old".to_owned(), true));
        }
        Ok(())
    }
}

pub(crate) fn outcome(command: &Command, status: OutcomeStatus, detail: &str, is_stale: bool) -> Outcome {
    let target = command.targets.first().map(model::Target::display_name).unwrap_or_default();
    Outcome {
        command: command.id.clone(),
        release: command.release.clone(),
        status,
        is_stale,
        target,
        attempts: 1,
        detail: detail.to_owned(),
        actor: None,
    }
}
