//! A rollback that a person orders.

use model::{CommandId, CommandMode, CommandState, Reason, ReleaseId, ReleaseState, Verb};

use super::{Answer, unknown};
use crate::{
    Arbiter,
    arbiter::Moment,
    bounds::MAX_SENT,
    destination::{self, Destination, Named},
    releases::Record,
    transitions::asked_for,
};

impl Arbiter {
    /// At once, whatever attribution, storm, cooldown, freeze or halt say of automatic action: this is none.
    pub(super) fn roll_back(
        &mut self,
        at: Moment<'_>,
        verb: &Verb,
        id: &ReleaseId,
        named: Named<'_>,
    ) -> Answer {
        let record = self.releases.find(id).ok_or_else(|| unknown(id))?;
        self.may_roll_back(record)?;
        let destination = self.ordered_destination(record, named)?;
        let release = record.release.reference();
        let who = &verb.actor.name;
        if self.effective(&release.key).targets.is_empty() {
            return Err(format!("no target is configured for {}", release.key));
        }
        let replaced = self.replaceable(&release.id)?;
        if self.commands.is_full() {
            return Err("too many commands are open".to_owned());
        }
        self.let_go(at, &release, None);
        let mut reasons = self.reasons_for(&release.id, replaced.as_ref());
        if let Some(replaced) = replaced {
            self.close(at, &replaced, CommandState::Cancelled, &format!("{who} ordered a rollback by hand"));
        }
        if reasons.is_empty() {
            reasons.push(asked_for(&release, who, &verb.comment, at));
        }
        let version = destination.version.clone();
        let command = self.add_command(at, release, Some(destination), reasons);
        if let Some(tracked) = self.commands.get_mut(&command) {
            tracked.command.approved_by.push(who.clone());
        }
        self.make_ready(at, &command, CommandMode::Approved);
        Ok(format!("rolling back to {version} by {command}"))
    }

    fn may_roll_back(&self, record: &Record) -> Result<(), String> {
        let state = record.standing();
        let is_gone = record.is_rolled_back
            || matches!(
                state,
                ReleaseState::RolledBack
                    | ReleaseState::Recovered
                    | ReleaseState::Superseded
                    | ReleaseState::Cancelled
            );
        if is_gone {
            return Err(format!("the release is {state} already, there is nothing to roll back"));
        }
        if state.is_final() && !self.releases.is_newest(record) {
            return Err(format!("the release is {state} and a newer one is out, roll that one back"));
        }
        if record.sent >= MAX_SENT {
            return Err("too many rollbacks of this release were tried".to_owned());
        }
        Ok(())
    }

    fn ordered_destination(&self, record: &Record, named: Named<'_>) -> Result<Destination, String> {
        match named.version {
            Some(version) => {
                destination::allow_named(&self.releases, &self.bad, record, version, named.force)
            }
            None => destination::choose(&self.releases, &self.bad, record)
                .map_err(|why| format!("{why}: name the version to go back to")),
        }
    }

    /// The open command that the new one replaces; one that is being sent is not replaced.
    fn replaceable(&self, release: &ReleaseId) -> Result<Option<CommandId>, String> {
        let newest = self.releases.get(release).and_then(|record| record.newest_command.as_ref());
        let Some(newest) = newest.and_then(|id| self.command(id)) else { return Ok(None) };
        match newest.state {
            CommandState::Ready => Err(format!("{} is being sent already", newest.id)),
            CommandState::Prepared | CommandState::Accepted => Ok(Some(newest.id.clone())),
            _ => Ok(None),
        }
    }

    /// What is broken speaks for the rollback as well as the person does.
    fn reasons_for(&self, release: &ReleaseId, replaced: Option<&CommandId>) -> Vec<Reason> {
        if let Some(command) = replaced.and_then(|id| self.command(id)) {
            return command.reasons.clone();
        }
        let broken = self.releases.get(release).map(|record| &record.broken);
        broken.into_iter().flat_map(|it| it.values()).map(|breach| breach.reason.clone()).collect()
    }
}
