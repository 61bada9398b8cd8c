//! Approving and rejecting what was prepared.

use model::{Command, CommandId, CommandMode, CommandState, LOCAL_OPERATOR, Verb};

use super::Answer;
use crate::{
    Arbiter,
    arbiter::Moment,
    destination,
    destination::{Destination, Named},
    text,
};

impl Arbiter {
    pub(super) fn approve(&mut self, at: Moment<'_>, id: &CommandId, named: Named<'_>, who: &str) -> Answer {
        let command = self.prepared(at, id)?;
        let key = &command.release.key;
        // Approving consents to what Ripcord wants to do by itself; against a halt it takes an order of one's own.
        if let Some(halt) = self.halts.covering(&key.service, &key.environment).filter(|it| it.until > at.now)
        {
            return Err(format!("halted by {} until {}: {}", halt.by, text::time(halt.until), halt.reason));
        }
        if command.approved_by.iter().any(|name| name == who) {
            return Err(format!("{who} has approved it already; somebody else has to"));
        }
        // The machine's own token is nobody's in particular: a person who has it and a token is still one.
        if command.approvals_needed > 1 && who == LOCAL_OPERATOR {
            let needed = command.approvals_needed;
            return Err(format!(
                "{needed} people have to approve it, each with a token of their own; the data directory's is nobody's"
            ));
        }
        let destination = self.approved_destination(&command, named)?;
        let Some(tracked) = self.commands.get_mut(id) else { return Err(not_known(id)) };
        tracked.command.to_version = Some(destination.version.clone());
        tracked.command.to_digest = destination.digest;
        tracked.command.approved_by.push(who.to_owned());
        let missing = (command.approvals_needed as usize).saturating_sub(tracked.command.approved_by.len());
        if missing > 0 {
            self.emit_command(id);
            self.tell_prepared(at, id);
            return Ok(format!("approved, {missing} more needed"));
        }
        self.make_ready(at, id, CommandMode::Approved);
        Ok(format!("approved, rolling back to {}", destination.version))
    }

    /// The version that the command names; one that the approver names only where it names none.
    fn approved_destination(&self, command: &Command, named: Named<'_>) -> Result<Destination, String> {
        let (version, force) = match (command.to_version.as_deref(), named.version) {
            (Some(version), Some(named)) if version != named => {
                return Err(format!(
                    "it leads to {version}, not to {named}: reject it and roll back to {named}"
                ));
            }
            // What the command names has been checked when it was made.
            (Some(version), _) => (version, true),
            (None, Some(version)) => (version, named.force),
            (None, None) => return Err("it is not known where to: name a version".to_owned()),
        };
        let record = self.releases.get(&command.release.id).ok_or("its release is not known any more")?;
        destination::allow_named(&self.releases, &self.bad, record, version, force)
    }

    pub(super) fn reject(&mut self, at: Moment<'_>, id: &CommandId, verb: &Verb) -> Answer {
        self.prepared(at, id)?;
        let comment =
            if verb.comment.is_empty() { String::new() } else { format!(", who says: {}", verb.comment) };
        self.close(at, id, CommandState::Rejected, &format!("by {}{comment}", verb.actor.name));
        Ok("rejected".to_owned())
    }

    fn prepared(&self, at: Moment<'_>, id: &CommandId) -> Result<Command, String> {
        let command = self.command(id).ok_or_else(|| not_known(id))?;
        if command.state != CommandState::Prepared {
            return Err(format!("the command is {} already", command.state.as_str()));
        }
        if command.deadline <= at.now {
            return Err(format!("the command expired at {}", command.deadline));
        }
        Ok(command.clone())
    }
}

fn not_known(id: &CommandId) -> String {
    format!("the command {id} is not known")
}
