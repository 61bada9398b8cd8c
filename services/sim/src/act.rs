//! The act role without its threads; mirrors `server`'s `roles/act.rs` and the gate of `actuators`.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Command, CommandId, CommandMode, CommandState, Decision, DecisionRecord, Outcome, OutcomeStatus,
    Partition, ServiceKey, Timestamp,
};

use crate::{log::Log, projection::Projection, reading::Reading};

/// A command on its way to its target.
#[derive(Clone, Debug)]
struct Flight {
    command: Command,
    due: u32,
}

#[derive(Debug)]
pub(crate) struct Act {
    reading: Reading,
    /// How many partitions the events have.
    partitions: u32,
    own: BTreeSet<Partition>,
    /// The newest intent of each command that was started.
    seen: BTreeMap<CommandId, u64>,
    fence: BTreeMap<ServiceKey, u64>,
    flights: Vec<Flight>,
}

impl Act {
    /// What stands on the log before is over, or is found unfinished when its partition is assigned.
    pub(crate) fn new(known: &Projection, partitions: u32) -> Self {
        Self {
            reading: known.reading.clone(),
            partitions,
            own: BTreeSet::new(),
            seen: BTreeMap::new(),
            fence: BTreeMap::new(),
            flights: Vec::new(),
        }
    }

    /// Commands of the partition that were ready and have no outcome are executed again under the same id.
    pub(crate) fn take(&mut self, partition: Partition, known: &Projection, due: u32) {
        self.own.insert(partition);
        for command in known.unfinished() {
            self.start(command, due);
        }
    }

    /// What is under way ends here.
    pub(crate) fn give_back(&mut self, partition: Partition) {
        self.own.remove(&partition);
    }

    pub(crate) fn own(&self) -> Vec<Partition> {
        self.own.iter().copied().collect()
    }

    /// Takes the next record of the decisions log; whether there was one.
    pub(crate) fn read_next(&mut self, log: &Log, known: &Projection, due: u32) -> bool {
        let Some((at, record)) = log.decisions.get(self.reading.next) else { return false };
        if self.reading.admit(at, record) {
            self.take_record(record, Some(known), due);
        }
        true
    }

    /// `known`: what says whether an intent still stands; `None` is a fault put in on purpose.
    pub(crate) fn take_record(&mut self, record: &DecisionRecord, known: Option<&Projection>, due: u32) {
        for decision in &record.decisions {
            if let Decision::Command(command) = decision
                && command.state == CommandState::Ready
                && known.is_none_or(|known| is_current(command, known))
            {
                self.start(command, due);
            }
        }
    }

    fn start(&mut self, command: &Command, due: u32) {
        let is_own = self.own.contains(&Partition::of(&command.release.key, self.partitions));
        if !is_own || self.seen.get(&command.id).is_some_and(|&known| known >= command.fencing) {
            return;
        }
        self.seen.insert(command.id.clone(), command.fencing);
        self.flights.push(Flight { command: command.clone(), due });
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
        known: &Projection,
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
        let same = known.commands.get(&command.id).filter(|known| known.fencing >= command.fencing);
        if same.is_some_and(|it| it.state != CommandState::Ready || it.fencing != command.fencing) {
            return no("the command is not ready by now");
        }
        if command.mode != CommandMode::Immediate {
            return Ok(());
        }
        let key = &command.release.key;
        if known.halts.values().any(|halt| halt.scope.covers(&key.service, &key.environment)) {
            return no("halted");
        }
        if now.since(command.evidence_at) > command.deadline.since(command.decided_at) {
            return Err(("the evidence is too old".to_owned(), true));
        }
        Ok(())
    }
}

/// Whether the intent still stands: the process that had the partition before may have carried it out.
fn is_current(command: &Command, known: &Projection) -> bool {
    known.commands.get(&command.id).is_none_or(|known| {
        known.fencing < command.fencing
            || known.fencing == command.fencing && known.state == CommandState::Ready
    })
}

/// `is_passing`: what kept the command from going out, or from being done, may be gone later.
pub(crate) fn outcome(command: &Command, status: OutcomeStatus, detail: &str, is_passing: bool) -> Outcome {
    let target = command.targets.first().map(|target| target.name.clone()).unwrap_or_default();
    Outcome {
        command: command.id.clone(),
        release: command.release.clone(),
        status,
        is_stale: is_passing && status == OutcomeStatus::Refused,
        is_retryable: is_passing && status == OutcomeStatus::Failed,
        target,
        attempts: 1,
        detail: detail.to_owned(),
        actor: None,
    }
}
