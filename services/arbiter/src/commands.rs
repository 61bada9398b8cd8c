//! Commands and what their targets reported.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Command, CommandId, CommandState, EventId, OutcomeStatus, ServiceKey, checkpoint::CommandRecord,
};

use crate::bounds::MAX_COMMANDS;

/// A command, what came of it at each target, and the record it goes back to.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) command: Command,
    pub(crate) reports: BTreeMap<String, OutcomeStatus>,
    /// No target has refused for good: where it failed, a later attempt may get through.
    pub(crate) is_retryable: bool,
    pub(crate) cause: EventId,
}

impl Tracked {
    /// Notes what `target` reported. A name that is none of the command's targets speaks for all of them: whoever
    /// reports over HTTP need not know how the targets are called here.
    pub(crate) fn report(&mut self, target: &str, status: OutcomeStatus) {
        let names = self.target_names();
        let told: Vec<String> =
            if names.iter().any(|name| name == target) { vec![target.to_owned()] } else { names };
        for name in told {
            let have = self.reports.entry(name).or_insert(status);
            // What succeeded stays so; what was given up may still turn out to have worked.
            if rank(status) > rank(*have) {
                *have = status;
            }
        }
    }

    /// What all reports together say; `None` while a target has not reported.
    pub(crate) fn verdict(&self) -> Option<CommandState> {
        let names = self.target_names();
        let reported: Vec<OutcomeStatus> =
            names.iter().filter_map(|name| self.reports.get(name).copied()).collect();
        if reported.contains(&OutcomeStatus::Failed) {
            return Some(CommandState::Failed);
        }
        if reported.len() < names.len() {
            return None;
        }
        let all_succeeded = reported.iter().all(|status| *status == OutcomeStatus::Succeeded);
        Some(if all_succeeded { CommandState::Succeeded } else { CommandState::Accepted })
    }

    fn target_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.command.targets.iter().map(|it| it.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn rank(status: OutcomeStatus) -> u8 {
    match status {
        OutcomeStatus::Refused => 0,
        OutcomeStatus::Accepted => 1,
        OutcomeStatus::Failed => 2,
        OutcomeStatus::Succeeded => 3,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Commands {
    by_id: BTreeMap<CommandId, Tracked>,
    /// In the order in which they were made.
    in_order: BTreeMap<u64, CommandId>,
    of_service: BTreeMap<ServiceKey, BTreeSet<CommandId>>,
    made: u64,
}

impl Commands {
    /// In the order in which they were made, and how many were.
    pub(crate) fn state(&self) -> (Vec<CommandRecord>, u64) {
        let record = |(number, id): (&u64, &CommandId)| {
            let tracked = self.by_id.get(id)?.clone();
            let Tracked { command, reports, is_retryable, cause } = tracked;
            Some(CommandRecord { number: *number, command, reports, is_retryable, cause })
        };
        (self.in_order.iter().filter_map(record).collect(), self.made)
    }

    pub(crate) fn from_state(state: Vec<CommandRecord>, made: u64) -> Self {
        let mut commands = Self { made, ..Self::default() };
        for CommandRecord { number, command, reports, is_retryable, cause } in state {
            let (id, key) = (command.id.clone(), command.release.key.clone());
            commands.in_order.insert(number, id.clone());
            commands.of_service.entry(key).or_default().insert(id.clone());
            commands.by_id.insert(id, Tracked { command, reports, is_retryable, cause });
        }
        commands
    }

    pub(crate) fn get(&self, id: &CommandId) -> Option<&Tracked> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &CommandId) -> Option<&mut Tracked> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Command> {
        self.by_id.values().map(|tracked| &tracked.command)
    }

    /// Whether another command would drop one that is still open.
    pub(crate) fn is_full(&self) -> bool {
        self.by_id.len() >= MAX_COMMANDS && self.oldest_final().is_none()
    }

    pub(crate) fn insert(&mut self, tracked: Tracked) {
        if self.by_id.len() >= MAX_COMMANDS
            && let Some(oldest) = self.oldest_final()
        {
            self.remove(oldest);
        }
        let (id, key) = (tracked.command.id.clone(), tracked.command.release.key.clone());
        if self.by_id.insert(id.clone(), tracked).is_none() {
            self.made += 1;
            self.in_order.insert(self.made, id.clone());
            self.of_service.entry(key).or_default().insert(id);
        }
    }

    fn remove(&mut self, number: u64) {
        let removed = self.in_order.remove(&number).and_then(|id| self.by_id.remove(&id));
        let Some(Tracked { command, .. }) = removed else { return };
        if let Some(ids) = self.of_service.get_mut(&command.release.key) {
            ids.remove(&command.id);
            if ids.is_empty() {
                self.of_service.remove(&command.release.key);
            }
        }
    }

    /// The number of the oldest one that is over.
    fn oldest_final(&self) -> Option<u64> {
        let is_over = |id: &CommandId| self.by_id.get(id).is_some_and(|it| it.command.state.is_final());
        self.in_order.iter().find(|(_, id)| is_over(id)).map(|(number, _)| *number)
    }

    /// Ids of the open commands of a service in an environment.
    pub(crate) fn open_of(&self, key: &ServiceKey) -> Vec<CommandId> {
        let is_open = |id: &&CommandId| self.by_id.get(*id).is_some_and(|it| !it.command.state.is_final());
        self.of_service.get(key).into_iter().flatten().filter(is_open).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{CommandMode, CommandVerb, ReleaseRef, TargetKind, TargetRef, Timestamp};

    use super::*;

    fn tracked(targets: &[&str]) -> Tracked {
        let exec = |name: &&str| TargetRef {
            kind: TargetKind::Exec,
            name: format!("exec {name}"),
            timeout: Duration::ZERO,
        };
        let command = Command {
            id: CommandId::default(),
            attempt: 1,
            verb: CommandVerb::Rollback,
            release: ReleaseRef::default(),
            to_version: None,
            to_digest: None,
            mode: CommandMode::Immediate,
            state: CommandState::Ready,
            state_reason: String::new(),
            targets: targets.iter().map(exec).collect(),
            reasons: Vec::new(),
            decided_at: Timestamp::default(),
            deadline: Timestamp::default(),
            evidence_at: Timestamp::default(),
            fencing: 1,
            approvals_needed: 1,
            approved_by: Vec::new(),
        };
        Tracked { command, reports: BTreeMap::new(), is_retryable: true, cause: EventId::default() }
    }

    /// A command of `service` that is over if its number is even.
    fn numbered(number: usize, service: &str) -> Tracked {
        let mut tracked = tracked(&[]);
        tracked.command.id = CommandId::from_text(format!("cmd_{number}"));
        tracked.command.release.key = ServiceKey::new(service, "production");
        let states = [CommandState::Succeeded, CommandState::Prepared];
        tracked.command.state = states[number % 2];
        tracked
    }

    #[test]
    fn the_oldest_that_is_over_makes_room_and_an_open_one_never_does() {
        let mut commands = Commands::default();
        (0..MAX_COMMANDS).for_each(|number| commands.insert(numbered(number, "checkout")));
        commands.insert(numbered(MAX_COMMANDS + 1, "search"));
        let has = |commands: &Commands, number| {
            commands.get(&CommandId::from_text(format!("cmd_{number}"))).is_some()
        };
        assert_eq!([0, 1, 2].map(|number| has(&commands, number)), [false, true, true]);
        let open =
            |commands: &Commands, service| commands.open_of(&ServiceKey::new(service, "production")).len();
        assert_eq!((open(&commands, "checkout"), open(&commands, "search")), (MAX_COMMANDS / 2, 1));
        let over = MAX_COMMANDS / 2 - 1;
        (0..over).for_each(|number| commands.insert(numbered(2 * (MAX_COMMANDS + number) + 1, "search")));
        assert!(commands.is_full(), "all are open");
        assert_eq!((open(&commands, "checkout"), open(&commands, "search")), (MAX_COMMANDS / 2, 1 + over));
    }

    #[test]
    fn a_command_of_several_targets_is_as_far_as_its_slowest_and_fails_with_its_first_failure() {
        use OutcomeStatus::{Accepted, Failed, Succeeded};
        for (why, reports, expected) in [
            ("one of two accepted", vec![("exec a", Accepted)], None),
            ("both accepted", vec![("exec a", Accepted), ("exec b", Accepted)], Some(CommandState::Accepted)),
            (
                "one succeeded, one accepted",
                vec![("exec a", Succeeded), ("exec b", Accepted)],
                Some(CommandState::Accepted),
            ),
            (
                "both succeeded",
                vec![("exec a", Succeeded), ("exec b", Succeeded)],
                Some(CommandState::Succeeded),
            ),
            ("one failed, one silent", vec![("exec a", Failed)], Some(CommandState::Failed)),
            (
                "given up, then worked after all",
                vec![("exec a", Failed), ("exec a", Succeeded), ("exec b", Succeeded)],
                Some(CommandState::Succeeded),
            ),
            (
                "worked, then a late failure report",
                vec![("exec a", Succeeded), ("exec a", Failed), ("exec b", Succeeded)],
                Some(CommandState::Succeeded),
            ),
            ("reported by a person for the whole", vec![("ci", Succeeded)], Some(CommandState::Succeeded)),
        ] {
            let mut tracked = tracked(&["a", "b"]);
            for (target, status) in reports {
                tracked.report(target, status);
            }
            assert_eq!(tracked.verdict(), expected, "{why}");
        }
    }
}
