//! What the notices about breaches and commands say.

use model::{Breach, Command, CommandId, NoticeKind, Reason, ReleaseRef, ServiceKey, Severity};

use crate::{
    Arbiter,
    arbiter::Moment,
    firing::{Scope, Subject},
    notices::Draft,
    text,
};

impl Arbiter {
    /// Tells of a breach that leads to no command; `why` says why not, where one might have been expected.
    pub(crate) fn tell_breach(&mut self, at: Moment<'_>, breach: &Breach, why: &str) {
        let subject = breach_subject(&breach.key, breach.release.as_ref(), &breach.reason.trigger);
        let severity = if breach.action.is_rollback() { Severity::Critical } else { Severity::Warning };
        let what = self.breach_name(breach);
        let broken = text::reason(self.policy.as_ref(), &breach.reason);
        let consequence = if why.is_empty() { String::new() } else { format!("; {why}") };
        let mut draft = Draft::new(subject, severity, format!("{what}: {broken}{consequence}"));
        draft.description = self.in_full(std::slice::from_ref(&breach.reason), why);
        draft.reasons = vec![breach.reason.clone()];
        draft.named.clone_from(&breach.release);
        self.fire(at, draft);
    }

    fn breach_name(&self, breach: &Breach) -> String {
        match (&breach.release, &breach.reason.version) {
            (Some(release), _) => text::name(release),
            (None, Some(version)) => {
                format!("{} {version} in {}", breach.key.service, breach.key.environment)
            }
            (None, None) => breach.key.to_string(),
        }
    }

    pub(crate) fn tell_prepared(&mut self, at: Moment<'_>, id: &CommandId) {
        let Some(command) = self.command(id).cloned() else { return };
        let consequence = match &command.to_version {
            Some(version) => format!("rollback to {version} waits for approval"),
            None => "a rollback waits for somebody to name a version".to_owned(),
        };
        let why = if command.state_reason.is_empty() {
            String::new()
        } else {
            format!(": {}", command.state_reason)
        };
        self.tell_command(at, &command, NoticeKind::RollbackPrepared, &format!("{consequence}{why}"));
    }

    pub(crate) fn tell_started(&mut self, at: Moment<'_>, id: &CommandId) {
        let Some(command) = self.command(id).cloned() else { return };
        let approved = if command.approved_by.is_empty() {
            String::new()
        } else {
            format!(", approved by {}", command.approved_by.join(", "))
        };
        let consequence = format!("rolling back to {}{approved}", target_of(&command));
        self.tell_command(at, &command, NoticeKind::RollbackStarted, &consequence);
    }

    /// As [`Self::tell_started`], where it is not told already.
    pub(crate) fn tell_started_once(&mut self, at: Moment<'_>, id: &CommandId) {
        let subject =
            self.command(id).map(|it| Subject::of_release(&it.release.id, NoticeKind::RollbackStarted));
        if subject.is_some_and(|subject| self.firing.get(&subject).is_none()) {
            self.tell_started(at, id);
        }
    }

    pub(crate) fn tell_failed(&mut self, at: Moment<'_>, id: &CommandId) {
        let Some(command) = self.command(id).cloned() else { return };
        let next = self.next_try_text(&command);
        let consequence =
            format!("the rollback to {} failed, {next}: {}", target_of(&command), command.state_reason);
        self.tell_command(at, &command, NoticeKind::RollbackFailed, &consequence);
    }

    /// A decision that nothing executes is told as the breach that it is.
    pub(crate) fn tell_not_executed(&mut self, at: Moment<'_>, breach: &Breach, command: &Command) {
        let consequence = match &command.to_version {
            Some(version) => format!("a rollback to {version} was decided: {}", command.state_reason),
            None => format!("a rollback was decided: {}", command.state_reason),
        };
        self.tell_breach(at, breach, &consequence);
    }

    fn tell_command(&mut self, at: Moment<'_>, command: &Command, kind: NoticeKind, consequence: &str) {
        let subject = Subject::of_release(&command.release.id, kind);
        let name = text::name(&command.release);
        let broken = command.reasons.first().map(|reason| text::reason(self.policy.as_ref(), reason));
        let others = text::list(command.reasons.iter().skip(1).map(|reason| reason.trigger.as_str()));
        let others = if others.is_empty() { String::new() } else { format!(" and {others} too") };
        let broken = broken.map(|broken| format!("{broken}{others}; ")).unwrap_or_default();
        let mut draft = Draft::new(subject, Severity::Critical, format!("{name}: {broken}{consequence}"));
        draft.description = self.in_full(&command.reasons, &command.state_reason);
        draft.reasons.clone_from(&command.reasons);
        draft.command = Some(command.id.clone());
        self.fire(at, draft);
    }

    /// Every reason with its numbers, a line each, and why no more is done.
    fn in_full(&self, reasons: &[Reason], why: &str) -> String {
        let lines = reasons.iter().map(|reason| text::reason_in_full(self.policy.as_ref(), reason));
        let why = (!why.is_empty()).then(|| why.to_owned());
        lines.chain(why).collect::<Vec<_>>().join("\n")
    }
}

/// Under which subject a breach is told: its release's where it has one, else its service's.
pub(crate) fn breach_subject(key: &ServiceKey, release: Option<&ReleaseRef>, trigger: &str) -> Subject {
    Subject::of(scope_of(key, release), NoticeKind::Breach).about(trigger)
}

pub(crate) fn scope_of(key: &ServiceKey, release: Option<&ReleaseRef>) -> Scope {
    release.map_or_else(|| Scope::Service(key.clone()), |release| Scope::Release(release.id.clone()))
}

pub(crate) fn target_of(command: &Command) -> &str {
    command.to_version.as_deref().unwrap_or("a version not named yet")
}
