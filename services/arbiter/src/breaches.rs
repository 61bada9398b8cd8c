//! Breaches: told, or made into the one rollback command of their release.

use model::{
    Breach, Command, CommandId, CommandState, Finding, NoticeKind, ReleaseRef, ReleaseState, ServiceKey,
    Severity,
};

use crate::{
    Arbiter,
    arbiter::Moment,
    bounds::{MAX_REASONS, MAX_SENT},
    firing::Subject,
    judgement::{Judgement, Level},
    notices::Draft,
    text,
    wording::{breach_subject, scope_of},
};

/// Whether a breach that would act may be held first, to see whether others suffer too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience<'a> {
    MayWait,
    Waited,
    /// The cause is shared: it does not act, for this reason.
    Storm(&'a str),
}

impl Arbiter {
    pub(crate) fn on_breach(&mut self, at: Moment<'_>, breach: &Breach) {
        let Some(release) = &breach.release else {
            let why = if breach.action.is_rollback() {
                "no release is under watch, so nothing is rolled back"
            } else {
                ""
            };
            return self.tell_breach(at, breach, why);
        };
        let Some(record) = self.releases.get_mut(&release.id) else {
            return self.tell_breach(at, breach, "the release is not known, so nothing is rolled back");
        };
        record.note_broken(breach);
        if !breach.action.is_rollback() {
            return self.tell_breach(at, breach, advice(breach));
        }
        if record.is_rolled_back || record.release.state == ReleaseState::RolledBack {
            return;
        }
        if !record.is_under_watch() {
            let why = format!("the release is {}, so nothing is rolled back", record.release.state);
            return self.tell_breach(at, breach, &why);
        }
        self.note_suffering(at, breach);
        self.weigh(at, breach, release, Patience::MayWait);
    }

    /// A release has one rollback: an open one takes the breach in, one that was rejected or failed for good is a
    /// person's matter, and where there is none yet it is decided how far to go.
    pub(crate) fn weigh(
        &mut self,
        at: Moment<'_>,
        breach: &Breach,
        release: &ReleaseRef,
        patience: Patience<'_>,
    ) {
        let newest = self.newest_command(release).map(|command| command.state);
        match newest {
            Some(CommandState::Ready | CommandState::Accepted) => self.join(at, breach, release),
            Some(CommandState::Succeeded) => {}
            Some(CommandState::Failed) if self.waits_to_try_again(at, release) => {
                self.tell_breach(
                    at,
                    breach,
                    "the rollback failed; it is tried again while the breach goes on",
                );
            }
            Some(CommandState::Failed) if !self.may_try_again(release) => {
                self.tell_breach(at, breach, "the rollback failed; roll back by hand or mend it");
            }
            Some(CommandState::Rejected) => {
                self.tell_breach(
                    at,
                    breach,
                    "the rollback of this release was rejected, so it is not asked for again",
                );
            }
            Some(
                CommandState::Prepared
                | CommandState::Expired
                | CommandState::Cancelled
                | CommandState::Failed,
            )
            | None => {
                if let Some(judgement) = self.judgement_of(at, breach) {
                    self.carry_out(at, breach, judgement, patience);
                }
            }
        }
    }

    /// Weighs a breach of a release under watch; `None` when it is not under watch any more.
    pub(crate) fn judgement_of(&mut self, at: Moment<'_>, breach: &Breach) -> Option<Judgement> {
        let effective = self.effective(&breach.key);
        let record = self.releases.get(&breach.release.as_ref()?.id)?;
        if !record.is_under_watch() {
            return None;
        }
        let judgement = self.judge(at.now, breach, record, &effective);
        if record.sent >= MAX_SENT {
            return Some(
                judgement.capped(Level::Advise, "too many rollbacks of this release were tried".to_owned()),
            );
        }
        Some(judgement)
    }

    pub(crate) fn carry_out(
        &mut self,
        at: Moment<'_>,
        breach: &Breach,
        judgement: Judgement,
        patience: Patience<'_>,
    ) {
        let judgement = match patience {
            Patience::Storm(why) => judgement.capped(Level::Prepare, why.to_owned()),
            Patience::MayWait | Patience::Waited => judgement,
        };
        if judgement.level < Level::Act {
            return self.settle_for_less(at, breach, &judgement);
        }
        let environment = &breach.key.environment;
        if patience == Patience::MayWait && self.must_gather(environment) && self.hold(at, breach) {
            return;
        }
        self.act_unless_storm(at, breach, judgement);
    }

    /// Everything short of acting.
    pub(crate) fn settle_for_less(&mut self, at: Moment<'_>, breach: &Breach, judgement: &Judgement) {
        let Some(release) = &breach.release else { return };
        let newest = self.newest_command(release).map(|command| command.state);
        if newest == Some(CommandState::Prepared) {
            return self.join(at, breach, release);
        }
        match judgement.level {
            Level::Advise => {
                let advice = match &judgement.destination {
                    Ok(to) => format!("a rollback to {} is advised: {}", to.version, judgement.why()),
                    Err(_) => format!("a rollback is advised: {}", judgement.why()),
                };
                self.tell_breach(at, breach, &advice);
            }
            Level::Observe | Level::NoTarget => self.decide_without_effect(at, breach, judgement),
            Level::Prepare | Level::Act => {
                let id = self.new_command(at, breach, judgement);
                self.make_prepared(at, &id, judgement.why());
            }
        }
    }

    /// The decision is recorded; nothing will execute it.
    fn decide_without_effect(&mut self, at: Moment<'_>, breach: &Breach, judgement: &Judgement) {
        let Some(release) = &breach.release else { return };
        if self.newest_command(release).map(|command| command.state) == Some(CommandState::Cancelled) {
            self.join(at, breach, release);
        } else {
            let id = self.new_command(at, breach, judgement);
            self.finish(&id, CommandState::Cancelled, &judgement.why());
        }
        if judgement.level == Level::NoTarget
            && let Some(command) = self.newest_command(release).cloned()
        {
            self.tell_not_executed(at, breach, &command);
        }
    }

    /// Adds a breach to the reasons of its release's command. A command is told anew when a trigger joins that it
    /// did not have; its fencing number stays, for it is the same intent.
    pub(crate) fn join(&mut self, at: Moment<'_>, breach: &Breach, release: &ReleaseRef) {
        let Some(id) = self.newest_command(release).map(|command| command.id.clone()) else { return };
        if !self.absorb(&id, breach) {
            return;
        }
        self.emit_command(&id);
        match self.command(&id).map_or(CommandState::Cancelled, |command| command.state) {
            CommandState::Prepared => self.tell_prepared(at, &id),
            CommandState::Ready | CommandState::Accepted => self.tell_started(at, &id),
            _ => {}
        }
    }

    /// Takes a breach into a command's reasons; whether its trigger is new there.
    pub(crate) fn absorb(&mut self, id: &CommandId, breach: &Breach) -> bool {
        let Some(tracked) = self.commands.get_mut(id) else { return false };
        let command = &mut tracked.command;
        command.evidence_at = command.evidence_at.max(breach.reason.evidence_at);
        let same = command.reasons.iter_mut().find(|have| have.trigger == breach.reason.trigger);
        if let Some(have) = same {
            have.clone_from(&breach.reason);
            return false;
        }
        let has_room = command.reasons.len() < MAX_REASONS;
        if has_room {
            command.reasons.push(breach.reason.clone());
        }
        has_room
    }

    pub(crate) fn newest_command(&self, release: &ReleaseRef) -> Option<&Command> {
        self.command(self.releases.get(&release.id)?.newest_command.as_ref()?)
    }

    pub(crate) fn on_breach_ended(
        &mut self,
        at: Moment<'_>,
        key: &ServiceKey,
        release: Option<&ReleaseRef>,
        trigger: &str,
    ) {
        if let Some(record) = release.and_then(|release| self.releases.get_mut(&release.id)) {
            record.broken.remove(trigger);
        }
        let name = release.map_or_else(|| key.to_string(), text::name);
        let summary = format!("{name}: {trigger} is within its limit again");
        self.resolve(at, &breach_subject(key, release, trigger), Some(summary));
        if let Some(release) = release {
            self.let_go(at, release, Some(trigger));
        }
    }

    /// Tells of what is still broken once no command speaks for it any more.
    pub(crate) fn tell_what_is_still_broken(&mut self, at: Moment<'_>, release: &ReleaseRef, why: &str) {
        let Some(record) = self.releases.get(&release.id).filter(|record| record.is_under_watch()) else {
            return;
        };
        let broken: Vec<Breach> =
            record.broken.values().filter(|it| it.action.is_rollback()).cloned().collect();
        for breach in broken {
            self.tell_breach(at, &breach, why);
        }
    }

    pub(crate) fn on_finding(&mut self, at: Moment<'_>, finding: &Finding) {
        self.findings.note(finding);
        let name = finding.release.as_ref().map_or_else(|| finding.key.to_string(), text::name);
        let (about, severity) = finding_words(finding);
        let subject =
            Subject::of(scope_of(&finding.key, finding.release.as_ref()), NoticeKind::Finding).about(about);
        let summary = format!("{name}: {}", finding.text);
        if finding.is_active {
            let named = finding.release.clone();
            self.fire(at, Draft { named, ..Draft::new(subject, severity, summary) });
        } else {
            self.resolve(at, &subject, Some(summary));
        }
    }
}

fn advice(breach: &Breach) -> &'static str {
    match breach.action {
        model::Action::Hold => "do not promote it",
        _ => "",
    }
}

fn finding_words(finding: &Finding) -> (&'static str, Severity) {
    use model::FindingKind::{AmbiguousVersion, ReleaseSilent, SenderSilent, Torn, Unmeasured};
    match finding.kind {
        SenderSilent => ("sender_silent", Severity::Critical),
        ReleaseSilent => ("release_silent", Severity::Critical),
        Torn => ("torn", Severity::Warning),
        AmbiguousVersion => ("ambiguous_version", Severity::Warning),
        Unmeasured => ("unmeasured", Severity::Warning),
    }
}
