//! What a process knows of the decisions log, and people see of it; mirrors `console`'s projection.

use std::collections::BTreeMap;

use model::{
    Command, CommandId, CommandState, Decision, DecisionRecord, Halt, HaltId, Position, Proposal, ReleaseId,
    ServiceKey,
};

use crate::{Sabotage, log::Log, reading::Reading};

/// Commands, halts, releases and bad versions as the records that counted tell them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Projection {
    pub(crate) reading: Reading,
    pub(crate) commands: BTreeMap<CommandId, Command>,
    pub(crate) halts: BTreeMap<HaltId, Halt>,
    /// The newest release of each service.
    pub(crate) newest: BTreeMap<ServiceKey, ReleaseId>,
    /// Whose a release is, by its bare id.
    pub(crate) releases: BTreeMap<String, ServiceKey>,
    pub(crate) bad: Vec<(ServiceKey, String)>,
}

impl Projection {
    pub(crate) fn new(sabotage: Option<Sabotage>) -> Self {
        Self { reading: Reading::new(sabotage), ..Self::default() }
    }

    /// Applies everything that stands on the log by now.
    pub(crate) fn catch_up(&mut self, log: &Log) {
        while let Some((at, record)) = log.decisions.get(self.reading.next) {
            self.apply(at, record);
        }
    }

    fn apply(&mut self, at: Position, record: &DecisionRecord) {
        if self.reading.admit(at, record) {
            record.decisions.iter().for_each(|decision| self.apply_decision(decision));
        }
    }

    /// Commands that are ready and whose outcome nobody recorded.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &Command> {
        self.commands.values().filter(|command| command.state == CommandState::Ready)
    }

    fn apply_decision(&mut self, decision: &Decision) {
        match decision {
            Decision::Command(command) => {
                self.commands.insert(command.id.clone(), Command::clone(command));
            }
            Decision::Halt { halt, is_active: true } => {
                self.halts.insert(halt.id.clone(), halt.clone());
            }
            Decision::Halt { halt, is_active: false } => drop(self.halts.remove(&halt.id)),
            Decision::Proposal(Proposal::Release(release)) => {
                self.newest.insert(release.key.clone(), release.id.clone());
                self.releases.insert(release.id.bare().to_owned(), release.key.clone());
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
