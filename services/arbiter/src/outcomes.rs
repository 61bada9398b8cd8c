//! What came of commands.

use model::{CommandId, CommandState, Decision, NoticeKind, Outcome, OutcomeStatus, ReleaseRef};

use crate::{Arbiter, arbiter::Moment, firing::Subject, lifecycle::is_worth_telling, text, timers::Timer};

impl Arbiter {
    pub(crate) fn on_outcome(&mut self, at: Moment<'_>, outcome: &Outcome) {
        let is_known = self.command(&outcome.command).is_some();
        if let Some(actor) = &outcome.actor {
            let result = if is_known { "accepted" } else { "refused: the command is not known" };
            self.emit(Decision::Audit {
                actor: actor.clone(),
                about: outcome.release.key.clone(),
                what: format!("report {} {}", outcome.command, outcome.status.as_str()),
                why: outcome.detail.clone(),
                result: result.to_owned(),
            });
        }
        if !is_known {
            return;
        }
        if outcome.status == OutcomeStatus::Refused {
            return self.on_refused(at, outcome);
        }
        let Some(tracked) = self.commands.get_mut(&outcome.command) else { return };
        tracked.report(&outcome.target, outcome.status);
        tracked.is_retryable &= outcome.status != OutcomeStatus::Failed || outcome.is_retryable;
        let before = tracked.command.state;
        let Some(after) = tracked.verdict().filter(|after| *after != before) else { return };
        // The deployment tool may report the rollback while the answer to the request is still on its way.
        if (before, after) == (CommandState::Succeeded, CommandState::Accepted) {
            return;
        }
        // A target's word counts whatever the command has become meanwhile: what happened, happened.
        match after {
            CommandState::Accepted => self.on_accepted(at, &outcome.command),
            CommandState::Succeeded => self.on_succeeded(at, outcome),
            CommandState::Failed => self.on_failed(at, &outcome.command, &outcome.detail),
            _ => {}
        }
    }

    /// Not sent: it waits for a person, who sees why, or for fresh evidence.
    fn on_refused(&mut self, at: Moment<'_>, outcome: &Outcome) {
        let Some(command) = self.command(&outcome.command) else { return };
        if command.state != CommandState::Ready {
            return;
        }
        let what = if outcome.is_stale { "not sent, its evidence had become too old" } else { "not sent" };
        let why = format!("{what}: {}", outcome.detail);
        let release = command.release.clone();
        self.pause_before_next(at.now, &release);
        self.make_prepared(at, &outcome.command, why);
    }

    fn on_accepted(&mut self, at: Moment<'_>, id: &CommandId) {
        let Some(release) = self.command(id).map(|command| command.release.clone()) else { return };
        self.finish(id, CommandState::Accepted, "");
        let summary = format!("{}: the rollback is on its way", text::name(&release));
        self.resolve(at, &Subject::of_release(&release.id, NoticeKind::RollbackPrepared), Some(summary));
        if self.is_live(&release) {
            self.mark_release_bad(at, &release.id, "it is being rolled back");
            self.tell_started_once(at, id);
        }
    }

    fn on_succeeded(&mut self, at: Moment<'_>, outcome: &Outcome) {
        let Some(release) = self.command(&outcome.command).map(|command| command.release.clone()) else {
            return;
        };
        self.finish(&outcome.command, CommandState::Succeeded, &outcome.detail);
        // An earlier attempt has worked after all: a later one that is under way has nothing to do.
        let later = self.newest_command(&release).filter(|newest| !newest.state.is_final());
        if let Some(later) = later.map(|newest| newest.id.clone()) {
            self.finish(&later, CommandState::Succeeded, "an earlier attempt has rolled it back");
        }
        self.on_rolled_back(at, &release.id);
    }

    pub(crate) fn on_failed(&mut self, at: Moment<'_>, id: &CommandId, detail: &str) {
        let Some(release) = self.command(id).map(|command| command.release.clone()) else { return };
        self.timers.clear(&Timer::Command(id.clone()));
        self.finish(id, CommandState::Failed, detail);
        self.pause_before_next(at.now, &release);
        let summary = format!("{}: the rollback failed", text::name(&release));
        for over in [NoticeKind::RollbackPrepared, NoticeKind::RollbackStarted] {
            self.resolve(at, &Subject::of_release(&release.id, over), Some(summary.clone()));
        }
        if self.is_live(&release) {
            self.tell_failed(at, id);
        }
    }

    fn is_live(&self, release: &ReleaseRef) -> bool {
        let record = self.releases.get(&release.id);
        record.is_some_and(|record| !record.is_rolled_back && is_worth_telling(record.release.state))
    }
}
