//! Releases as the analyzer describes them: opened, moved, over.

use model::{CommandState, NoticeKind, Release, ReleaseId, ReleaseRef, ReleaseState, Severity};

use crate::{
    Arbiter,
    arbiter::Moment,
    firing::Subject,
    notices::Draft,
    releases::{Place, Record},
    text,
    wording::target_of,
};

impl Arbiter {
    pub(crate) fn on_release(&mut self, at: Moment<'_>, release: &Release) {
        let upserted = self.releases.upsert(release);
        for record in upserted.forgotten {
            self.forget(at, &record);
        }
        let before = upserted.before.as_ref();
        let has_moved =
            before.is_none_or(|before| (before.state, &before.stage) != (release.state, &release.stage));
        if !has_moved {
            return;
        }
        if before.is_some_and(|before| before.state.is_final()) && is_going_on(release.state) {
            self.reopen(&release.id);
        }
        match release.state {
            ReleaseState::Pending | ReleaseState::Progressing | ReleaseState::Watching => {
                self.on_moved(at, release);
            }
            ReleaseState::RollbackPrepared | ReleaseState::RollingBack => {}
            ReleaseState::RolledBack => self.on_reported_back(at, release),
            ReleaseState::RollbackFailed => self.on_reported_failed(at, release),
            ReleaseState::Recovered => self.on_recovered(at, release),
            ReleaseState::Succeeded
            | ReleaseState::Unproven
            | ReleaseState::Superseded
            | ReleaseState::Cancelled => self.on_over(at, release),
        }
    }

    /// Says anew where a release stands; nothing once it is rolled back or over.
    pub(crate) fn progress(&mut self, at: Moment<'_>, release: &ReleaseId, summary: String) {
        let is_live = |record: &&Record| !record.is_rolled_back && is_going_on(record.release.state);
        if self.releases.get(release).filter(is_live).is_some() {
            let subject = Subject::of_release(release, NoticeKind::ReleaseProgress);
            self.fire(at, Draft::new(subject, Severity::Info, summary));
        }
    }

    fn reopen(&mut self, release: &ReleaseId) {
        if let Some(record) = self.releases.get_mut(release) {
            record.is_rolled_back = false;
            record.broken.clear();
        }
    }

    fn on_moved(&mut self, at: Moment<'_>, release: &Release) {
        let mut summary = progress_text(release);
        let place = Place::of(release);
        let digest = self.releases.digest_of(&place, &release.version).map(str::to_owned);
        if let Some(bad) = self.bad.find(&release.key, &release.version, digest.as_deref()) {
            summary = format!("{summary}; this version is marked bad since {}", text::time(bad.since));
        }
        self.progress(at, &release.id, summary);
    }

    pub(crate) fn on_stage_passed(&mut self, at: Moment<'_>, release: &ReleaseRef, stage: &str) {
        let summary = format!("{}: stage {stage} is passed", text::name(release));
        self.progress(at, &release.id, summary);
    }

    /// The deployment tool says that it is back, whether on a command's behalf or by itself.
    fn on_reported_back(&mut self, at: Moment<'_>, release: &Release) {
        let newest = self.newest_command(&release.reference()).map(|it| (it.id.clone(), it.state));
        match newest {
            Some((id, CommandState::Ready | CommandState::Accepted)) => {
                self.finish(&id, CommandState::Succeeded, "the deployment tool reports the rollback");
            }
            Some((id, CommandState::Prepared)) => {
                self.close(at, &id, CommandState::Cancelled, "it was rolled back already");
            }
            _ => {}
        }
        self.on_rolled_back(at, &release.id);
    }

    /// Once for every release, whoever says it first: an outcome or the deployment tool.
    pub(crate) fn on_rolled_back(&mut self, at: Moment<'_>, id: &ReleaseId) {
        let Some(record) = self.releases.get_mut(id).filter(|record| !record.is_rolled_back) else { return };
        record.is_rolled_back = true;
        let release = record.release.clone();
        self.let_go(at, &release.reference(), None);
        self.mark_release_bad(at, id, "it was rolled back");
        let to = self.went_back_to(&release).map(|to| format!(" to {to}")).unwrap_or_default();
        let summary = format!("{} was rolled back{to}", text::name_of(&release));
        let over = [
            NoticeKind::ReleaseProgress,
            NoticeKind::RollbackPrepared,
            NoticeKind::RollbackStarted,
            NoticeKind::RollbackFailed,
        ];
        for kind in over {
            self.resolve(at, &Subject::of_release(id, kind), Some(summary.clone()));
        }
        if !is_worth_telling(release.state) {
            return;
        }
        let mut draft =
            Draft::new(Subject::of_release(id, NoticeKind::RolledBack), Severity::Warning, summary);
        if let Some(command) = self.newest_command(&release.reference()) {
            draft.command = Some(command.id.clone());
            draft.reasons.clone_from(&command.reasons);
        }
        self.fire(at, draft);
    }

    /// The version that a command of Ripcord's brought back; where somebody else did it, only they know.
    fn went_back_to(&self, release: &Release) -> Option<&str> {
        let command = self.newest_command(&release.reference())?;
        (command.state == CommandState::Succeeded).then(|| target_of(command))
    }

    fn on_reported_failed(&mut self, at: Moment<'_>, release: &Release) {
        let newest =
            self.newest_command(&release.reference()).map(|command| (command.id.clone(), command.state));
        if let Some((id, CommandState::Ready | CommandState::Accepted)) = newest {
            self.on_failed(at, &id, &release.state_reason);
        }
    }

    fn on_recovered(&mut self, at: Moment<'_>, release: &Release) {
        if self.releases.get(&release.id).is_some_and(|record| !record.is_rolled_back) {
            self.on_reported_back(at, release);
        }
        let to = self.went_back_to(release).map(|to| format!(" on {to}")).unwrap_or_default();
        let (service, environment) = (&release.key.service, &release.key.environment);
        // What was measured since, as the analyzer found it.
        let now = release
            .state_reason
            .split_once(": ")
            .map(|(_, values)| format!(": {values}"))
            .unwrap_or_default();
        let summary = format!(
            "{service} in {environment} is within its limits again{to}, after {} was rolled back{now}",
            release.version
        );
        self.end(at, release, &summary);
        self.settle_older(at, release, &summary);
        let subject = Subject::of_release(&release.id, NoticeKind::Recovered);
        let mut draft = Draft::new(subject, Severity::Info, summary);
        if let Some(command) = self.newest_command(&release.reference()) {
            draft.command = Some(command.id.clone());
            draft.reasons.clone_from(&command.reasons);
        }
        self.announce(at, draft);
    }

    fn on_over(&mut self, at: Moment<'_>, release: &Release) {
        let why = if release.state_reason.is_empty() {
            String::new()
        } else {
            format!(": {}", release.state_reason)
        };
        let summary = format!("{} {}{why}", text::name_of(release), over_text(release.state));
        self.end(at, release, &summary);
        if matches!(release.state, ReleaseState::Succeeded | ReleaseState::Unproven) {
            self.settle_older(at, release, &summary);
        }
    }

    /// No command and no notice outlives its release.
    fn end(&mut self, at: Moment<'_>, release: &Release, summary: &str) {
        self.let_go(at, &release.reference(), None);
        let open = self.newest_command(&release.reference()).filter(|command| !command.state.is_final());
        if let Some(id) = open.map(|command| command.id.clone()) {
            let why = format!("the release {}", over_text(release.state));
            self.close(at, &id, CommandState::Cancelled, &why);
        }
        if let Some(record) = self.releases.get_mut(&release.id) {
            record.broken.clear();
        }
        self.findings.forget(&release.key, &release.id);
        self.resolve_all(at, &release.id, summary);
    }

    /// What a newer release's end has shown to be over: rollbacks of older ones whose end was not reported.
    fn settle_older(&mut self, at: Moment<'_>, release: &Release, summary: &str) {
        let Some(order) = self.releases.get(&release.id).map(Record::order) else { return };
        let older = self.releases.history(&Place::of(release)).filter(|record| record.order() < order);
        let older: Vec<ReleaseId> = older.map(|record| record.release.id.clone()).collect();
        for id in older {
            self.resolve_all(at, &id, summary);
        }
    }

    /// A forgotten release leaves no open command and no firing notice behind.
    fn forget(&mut self, at: Moment<'_>, record: &Record) {
        let release = &record.release;
        let summary = format!("{}: too many releases, this oldest one is forgotten", text::name_of(release));
        self.let_go(at, &release.reference(), None);
        if let Some(id) = &record.newest_command {
            self.close(at, id, CommandState::Cancelled, "the release is too old to be remembered");
        }
        self.findings.forget(&release.key, &release.id);
        self.resolve_all(at, &release.id, &summary);
    }
}

/// Whether a rollback of a release in this state is still of interest: one by hand may follow a watch that ended
/// well, and nothing else ends what begins to fire for a release that is gone.
pub(crate) fn is_worth_telling(state: ReleaseState) -> bool {
    !matches!(state, ReleaseState::Superseded | ReleaseState::Cancelled | ReleaseState::Recovered)
}

fn is_going_on(state: ReleaseState) -> bool {
    matches!(state, ReleaseState::Pending) || state.is_under_watch()
}

fn progress_text(release: &Release) -> String {
    let name = text::name_of(release);
    let stage = release.stage.as_ref().map(|stage| format!(", stage {stage}")).unwrap_or_default();
    let share = release.traffic_percentage.map(|share| format!(", {share} % of traffic")).unwrap_or_default();
    match release.state {
        ReleaseState::Pending => format!("{name} is about to go out"),
        ReleaseState::Progressing => format!("{name} goes out{stage}{share}"),
        _ => match release.watch_until {
            Some(until) => format!("{name} is out and watched until {}", text::time(until)),
            None => format!("{name} is out and watched"),
        },
    }
}

fn over_text(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Succeeded => "succeeded",
        ReleaseState::Unproven => "ended its watch unproven",
        ReleaseState::Superseded => "was superseded",
        ReleaseState::Cancelled => "was cancelled",
        ReleaseState::Recovered => "was rolled back and recovered",
        _ => "is over",
    }
}
