//! The states of a command: every change is made, recorded and told here.

use std::{collections::BTreeMap, time::Duration};

use model::{
    BadVersion, Breach, Command, CommandId, CommandMode, CommandState, CommandVerb, Decision, EventId,
    NoticeKind, Reason, Release, ReleaseId, ReleaseRef,
};

use crate::{
    Arbiter,
    arbiter::Moment,
    commands::Tracked,
    destination::{self, Destination},
    firing::Subject,
    judgement::Judgement,
    text,
    timers::Timer,
    wording::target_of,
};

/// How long after its deadline a ready command is taken for not sent, on top of the time that its slowest target
/// may take: a send that began in time ends by then, and its outcome has been recorded.
const REPORT_GRACE: Duration = Duration::from_secs(10);

impl Arbiter {
    /// A new attempt at rolling a release back, in no state yet that anybody is told of.
    pub(crate) fn new_command(
        &mut self,
        at: Moment<'_>,
        breach: &Breach,
        judgement: &Judgement,
    ) -> CommandId {
        let release = breach.release.clone().unwrap_or_default();
        let destination = judgement.destination.as_ref().ok().cloned();
        self.add_command(at, release, destination, vec![breach.reason.clone()])
    }

    pub(crate) fn add_command(
        &mut self,
        at: Moment<'_>,
        release: ReleaseRef,
        destination: Option<Destination>,
        reasons: Vec<Reason>,
    ) -> CommandId {
        let effective = self.effective(&release.key);
        let fencing = self.next_fencing();
        let mut attempt = self.releases.get(&release.id).map_or(1, |record| record.attempts + 1);
        let id_of = |attempt| CommandId::of(&release.id, CommandVerb::Rollback.as_str(), attempt);
        // A release that was forgotten and came again must not take up the commands it had before.
        while self.commands.get(&id_of(attempt)).is_some() {
            attempt += 1;
        }
        let id = id_of(attempt);
        if let Some(record) = self.releases.get_mut(&release.id) {
            record.attempts = attempt;
            record.newest_command = Some(id.clone());
        }
        let (to_version, to_digest) = destination.map_or((None, None), |to| (Some(to.version), to.digest));
        let command = Command {
            id: id.clone(),
            attempt,
            verb: CommandVerb::Rollback,
            release,
            to_version,
            to_digest,
            mode: CommandMode::Approved,
            state: CommandState::Prepared,
            state_reason: String::new(),
            targets: effective.target_refs(),
            evidence_at: reasons.iter().map(|reason| reason.evidence_at).max().unwrap_or(at.now),
            reasons,
            decided_at: at.now,
            deadline: at.now,
            fencing,
            approvals_needed: effective.safety.approvals.max(1),
            approved_by: Vec::new(),
        };
        self.commands.insert(Tracked {
            command,
            reports: BTreeMap::new(),
            is_retryable: true,
            cause: at.cause.clone(),
        });
        id
    }

    /// To be sent. A new fencing number: this is a new intent, even where the command was sent before.
    pub(crate) fn make_ready(&mut self, at: Moment<'_>, id: &CommandId, mode: CommandMode) {
        let Some(release) = self.command(id).map(|command| command.release.clone()) else { return };
        let max_age = self.effective(&release.key).defaults.max_decision_age;
        let fencing = self.next_fencing();
        let Some(tracked) = self.commands.get_mut(id) else { return };
        tracked.reports.clear();
        tracked.is_retryable = true;
        let command = &mut tracked.command;
        command.mode = mode;
        if mode == CommandMode::Immediate {
            // Too few people had approved it when it became automatic: no person ordered it.
            command.approved_by.clear();
        }
        command.state = CommandState::Ready;
        command.state_reason.clear();
        command.fencing = fencing;
        command.decided_at = at.now;
        command.deadline = at.now + max_age;
        let slowest = command.targets.iter().map(|it| it.timeout).max().unwrap_or_default();
        let unsent_at = command.deadline + slowest + REPORT_GRACE;
        self.timers.set(Timer::Command(id.clone()), unsent_at);
        self.emit_command(id);
        if let Some(record) = self.releases.get_mut(&release.id) {
            record.sent += 1;
            record.expired = 0;
        }
        self.mark_release_bad(at, &release.id, "it is being rolled back");
        if mode == CommandMode::Immediate
            && let Some(release) = self.releases.get(&release.id).map(|record| record.release.clone())
        {
            self.releases.note_automatic(at.now, &release);
        }
        for over in [NoticeKind::RollbackPrepared, NoticeKind::RollbackFailed] {
            let summary = format!("{}: the rollback is on its way", text::name(&release));
            self.resolve(at, &Subject::of_release(&release.id, over), Some(summary));
        }
        self.tell_started(at, id);
    }

    /// Waits for approval, and says why.
    pub(crate) fn make_prepared(&mut self, at: Moment<'_>, id: &CommandId, why: String) {
        let Some(release) = self.command(id).map(|command| command.release.clone()) else { return };
        let effective = self.effective(&release.key);
        let Some(tracked) = self.commands.get_mut(id) else { return };
        let command = &mut tracked.command;
        command.mode = CommandMode::Approved;
        command.state = CommandState::Prepared;
        command.state_reason = why;
        command.approved_by.clear();
        command.approvals_needed = effective.safety.approvals.max(1);
        command.deadline = at.now + effective.defaults.approval_expiry;
        let deadline = command.deadline;
        self.timers.set(Timer::Command(id.clone()), deadline);
        self.emit_command(id);
        let summary = format!("{}: the rollback was not sent", text::name(&release));
        self.resolve(at, &Subject::of_release(&release.id, NoticeKind::RollbackStarted), Some(summary));
        self.tell_prepared(at, id);
    }

    /// Puts a command into a state in which the arbiter waits for nothing any more; tells nobody.
    pub(crate) fn finish(&mut self, id: &CommandId, state: CommandState, why: &str) {
        self.timers.clear(&Timer::Command(id.clone()));
        let Some(tracked) = self.commands.get_mut(id) else { return };
        tracked.command.state = state;
        why.clone_into(&mut tracked.command.state_reason);
        self.emit_command(id);
    }

    /// Ends an open command and what was told of it.
    pub(crate) fn close(&mut self, at: Moment<'_>, id: &CommandId, state: CommandState, why: &str) {
        let Some(command) = self.command(id).filter(|command| !command.state.is_final()) else { return };
        let release = command.release.clone();
        let what = format!("the rollback to {} {}", target_of(command), ended_text(state));
        let summary = format!("{}: {what}: {why}", text::name(&release));
        self.finish(id, state, why);
        for told in [NoticeKind::RollbackPrepared, NoticeKind::RollbackStarted] {
            self.resolve(at, &Subject::of_release(&release.id, told), Some(summary.clone()));
        }
    }

    pub(crate) fn emit_command(&mut self, id: &CommandId) {
        if let Some(command) = self.command(id).cloned() {
            self.emit(Decision::Command(Box::new(command)));
        }
    }

    /// Names where a command goes to.
    pub(crate) fn aim(&mut self, id: &CommandId, destination: Option<&Destination>) {
        let (Some(tracked), Some(to)) = (self.commands.get_mut(id), destination) else { return };
        tracked.command.to_version = Some(to.version.clone());
        tracked.command.to_digest.clone_from(&to.digest);
    }

    /// From the moment a rollback is decided, its version may never be a target.
    pub(crate) fn mark_release_bad(&mut self, at: Moment<'_>, release: &ReleaseId, why: &str) {
        let Some(release) = self.releases.get(release).map(|record| record.release.clone()) else { return };
        let bad = BadVersion {
            key: release.key.clone(),
            cluster: release.cluster.clone(),
            version: release.version.clone(),
            digest: digest_of(&release),
            why: why.to_owned(),
            since: at.now,
        };
        let Some(forgotten) = self.bad.mark(bad.clone()) else { return };
        self.emit_bad(&bad, true);
        for bad in forgotten {
            let why = "too many versions are marked bad: this oldest one is forgotten".to_owned();
            self.emit_bad(&BadVersion { why, ..bad }, false);
        }
        for id in self.commands.open_of(&release.key) {
            self.turn_away_from(at, &id, &bad);
        }
    }

    pub(crate) fn emit_bad(&mut self, bad: &BadVersion, is_bad: bool) {
        self.emit(Decision::BadVersion {
            service: bad.key.service.clone(),
            environment: bad.key.environment.clone(),
            cluster: bad.cluster.clone(),
            version: bad.version.clone(),
            digest: bad.digest.clone(),
            is_bad,
            why: bad.why.clone(),
        });
    }

    /// A command that leads to a version that has just become bad gets another target and waits for approval.
    fn turn_away_from(&mut self, at: Moment<'_>, id: &CommandId, bad: &BadVersion) {
        let Some(command) = self.command(id) else { return };
        let leads_to_bad = command.to_version.as_deref() == Some(bad.version.as_str())
            || (bad.digest.is_some() && command.to_digest == bad.digest);
        if !leads_to_bad || !matches!(command.state, CommandState::Prepared | CommandState::Ready) {
            return;
        }
        let record = self.releases.get(&command.release.id);
        let destination = record.map(|record| destination::choose(&self.releases, &self.bad, record));
        let cause: EventId = self.commands.get(id).map(|tracked| tracked.cause.clone()).unwrap_or_default();
        let Some(tracked) = self.commands.get_mut(id) else { return };
        tracked.command.to_version = None;
        tracked.command.to_digest = None;
        let mut why = format!("its target {} has become bad", bad.version);
        match destination {
            Some(Ok(to)) => self.aim(id, Some(&to)),
            Some(Err(none)) => why = format!("{why}; {none}"),
            None => {}
        }
        self.make_prepared(Moment { now: at.now, cause: &cause }, id, why);
    }
}

fn ended_text(state: CommandState) -> &'static str {
    match state {
        CommandState::Rejected => "was rejected",
        CommandState::Expired => "expired",
        CommandState::Cancelled => "was cancelled",
        CommandState::Failed => "failed",
        _ => "is over",
    }
}

pub(crate) fn digest_of(release: &Release) -> Option<String> {
    release.artifact.as_ref().and_then(|artifact| artifact.digest.clone())
}

/// The reason of a rollback that a person asked for without anything being broken.
pub(crate) fn asked_for(release: &ReleaseRef, by: &str, comment: &str, at: Moment<'_>) -> Reason {
    let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
    Reason {
        trigger: "manual".to_owned(),
        condition: format!("asked for by {by}{comment}"),
        key: release.key.clone(),
        cluster: release.cluster.clone(),
        version: Some(release.version.clone()),
        evidence_at: at.now,
        cause: at.cause.clone(),
        ..Reason::default()
    }
}
