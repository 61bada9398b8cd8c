//! What actuators and people report about a rollback.

use model::{CommandId, CommandVerb, Outcome, OutcomeStatus, ReleaseId, ReleaseState, Verb, VerbKind};

use super::{ending::CALLED_OFF, tracked::Tracked};
use crate::{
    outbox::Outbox,
    service::{Context, Service},
};

/// How many attempts of one command are told from a rollback by their ids; the arbiter gives up long before.
const ATTEMPTS_MAX: u32 = 32;

/// How many failed targets of one release are remembered: more than any policy names.
const FAILED_TARGETS_MAX: usize = 64;

impl Service {
    /// Takes what came of a command; only a rollback's outcome moves a release.
    pub(crate) fn handle_outcome(&mut self, outcome: &Outcome, context: Context<'_>, outbox: &mut Outbox) {
        let Some(at) = self.rolled_back_by(outcome) else { return };
        match outcome.status {
            OutcomeStatus::Accepted => self.rollback_accepted(at, outcome, context, outbox),
            OutcomeStatus::Succeeded => self.rollback_succeeded(at, outcome, context, outbox),
            OutcomeStatus::Failed => self.rollback_failed(at, outcome, context, outbox),
            // The arbiter prepares it instead; nothing happened to the release.
            OutcomeStatus::Refused => {}
        }
    }

    /// After a restart: which targets still have to be rolled back. Where the release stands is told apart.
    pub(crate) fn recall_outcome(&mut self, outcome: &Outcome) {
        if let Some(at) = self.rolled_back_by(outcome) {
            self.releases[at].note_target(outcome);
        }
    }

    /// The release whose rollback the outcome is of.
    fn rolled_back_by(&self, outcome: &Outcome) -> Option<usize> {
        if is_of_other_verb(&outcome.release.id, &outcome.command) {
            return None;
        }
        self.releases.iter().rposition(|it| it.release.id == outcome.release.id)
    }

    fn rollback_accepted(&mut self, at: usize, outcome: &Outcome, context: Context<'_>, outbox: &mut Outbox) {
        use ReleaseState::{Progressing, RollbackFailed, RollbackPrepared, Succeeded, Unproven, Watching};
        let tracked = &mut self.releases[at];
        let can_begin = matches!(
            tracked.state(),
            Progressing | Watching | RollbackPrepared | Succeeded | Unproven | RollbackFailed
        );
        if !can_begin {
            return;
        }
        tracked.set_state(
            context.now(),
            ReleaseState::RollingBack,
            format!("{} accepted the rollback", who(outcome)),
        );
        outbox.release(&tracked.release);
    }

    fn rollback_succeeded(
        &mut self,
        at: usize,
        outcome: &Outcome,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        use ReleaseState::{Cancelled, Recovered, RolledBack, Superseded};
        let tracked = &mut self.releases[at];
        tracked.note_target(outcome);
        let is_over = matches!(tracked.state(), RolledBack | Recovered | Superseded | Cancelled);
        if is_over || !tracked.failed_targets.is_empty() {
            return;
        }
        let reason = format!("{} rolled it back", who(outcome));
        self.close(at, RolledBack, reason, context, outbox);
    }

    fn rollback_failed(&mut self, at: usize, outcome: &Outcome, context: Context<'_>, outbox: &mut Outbox) {
        let tracked = &mut self.releases[at];
        tracked.note_target(outcome);
        // The target was down: the release goes on being watched, for what it shows decides whether the arbiter
        // tries again.
        if outcome.is_retryable || !tracked.can_fail() {
            return;
        }
        let reason = format!("{} could not roll it back: {}", who(outcome), outcome.detail);
        self.close(at, ReleaseState::RollbackFailed, reason, context, outbox);
    }

    /// Takes a person's verb about the release at `at`.
    pub(crate) fn handle_verb(&mut self, at: usize, verb: &Verb, context: Context<'_>, outbox: &mut Outbox) {
        match &verb.kind {
            VerbKind::Cancel { .. } if self.releases[at].is_open() && !context.is_replay => {
                let reason = format!("{CALLED_OFF} {}", verb.actor.name);
                self.close(at, ReleaseState::Cancelled, reason, context, outbox);
            }
            VerbKind::Rollback { to_version: Some(to_version), .. } => {
                self.releases[at].rollback_to = Some(to_version.clone());
            }
            _ => {}
        }
    }
}

impl Tracked {
    fn can_fail(&self) -> bool {
        use ReleaseState::{Cancelled, Pending, Recovered, Superseded};
        !matches!(self.state(), Pending | Recovered | Superseded | Cancelled)
    }

    /// Keeps in mind which targets failed and have not succeeded since; a person's word is about all of them.
    fn note_target(&mut self, outcome: &Outcome) {
        match outcome.status {
            OutcomeStatus::Succeeded if outcome.actor.is_some() => self.failed_targets.clear(),
            OutcomeStatus::Succeeded => drop(self.failed_targets.remove(&outcome.target)),
            OutcomeStatus::Failed if self.can_fail() && self.failed_targets.len() < FAILED_TARGETS_MAX => {
                self.failed_targets.insert(outcome.target.clone());
            }
            _ => {}
        }
    }
}

fn who(outcome: &Outcome) -> &str {
    let actor = outcome.actor.as_ref().map(|actor| actor.name.as_str());
    actor.filter(|name| !name.is_empty()).unwrap_or(if outcome.target.is_empty() {
        "the target"
    } else {
        &outcome.target
    })
}

fn is_of_other_verb(release: &ReleaseId, command: &CommandId) -> bool {
    [CommandVerb::Promote, CommandVerb::Hold].iter().any(|verb| {
        (0..=ATTEMPTS_MAX).any(|attempt| CommandId::of(release, verb.as_str(), attempt) == *command)
    })
}
