//! How a watch ends: by time, by a newer release, by a rollback, by a person.

use std::time::Duration;

use model::{FindingKind, ReleaseState, Timestamp};

use super::tracked::Tracked;
use crate::{
    outbox::Outbox,
    service::{Context, Service},
    text::short,
    watch::recovery::STRAGGLERS,
};

/// How the reason of a release begins whose watch a person called off: nothing was taken out.
pub(super) const CALLED_OFF: &str = "called off by";

/// How the reason of an extended watch begins; by it an extended watch is known again after a restart.
const WATCH_GOES_ON: &str = "the watch goes on until";

impl Service {
    /// Puts a release into a state in which triggers do not judge it any more.
    pub(crate) fn close(
        &mut self,
        at: usize,
        state: ReleaseState,
        reason: impl Into<String>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let now = context.now();
        let tracked = &mut self.releases[at];
        tracked.set_state(now, state, reason);
        for kind in tracked.findings.clone() {
            tracked.finding_ends(kind, "the release is not under watch any more", outbox);
        }
        // What it broke stays told until the service is seen within its limits again.
        let awaits_recovery = matches!(state, ReleaseState::RolledBack | ReleaseState::RollbackFailed);
        if awaits_recovery {
            tracked.triggers.retain(|_, it| it.phase.is_firing());
        } else {
            tracked.breaches_end(outbox);
        }
        outbox.release(&tracked.release);
        self.note_traces(at);
    }

    /// What a release that was taken out did is not held against the service. By the time it has recovered, it
    /// was out long ago.
    pub(crate) fn note_traces(&mut self, at: usize) {
        use ReleaseState::{Cancelled, RollbackFailed, RolledBack, Superseded};
        let release = &self.releases[at].release;
        let goes_on = release.state == Cancelled && release.state_reason.starts_with(CALLED_OFF);
        if matches!(release.state, RolledBack | RollbackFailed | Superseded | Cancelled) && !goes_on {
            self.quiet_since = self.quiet_since.max(Some(release.state_since + STRAGGLERS));
        }
    }

    /// Ends what has waited long enough; called whenever time passes.
    pub(crate) fn end_watches(&mut self, context: Context<'_>, outbox: &mut Outbox) {
        let watch_max = self.effective(context.sources.policy).defaults.watch_max;
        for at in 0..self.releases.len() {
            let deadline = self.releases[at].watch_deadline(watch_max);
            if deadline.is_none_or(|deadline| context.now() < deadline) {
                continue;
            }
            match self.releases[at].state() {
                // Of giving up nothing is said on the log.
                state if context.is_replay && state != ReleaseState::RolledBack => {}
                ReleaseState::Pending => {
                    let reason = "announced, but never said to be out";
                    self.close(at, ReleaseState::Cancelled, reason, context, outbox);
                }
                ReleaseState::Progressing => {
                    let reason = "never said to be fully out";
                    self.close(at, ReleaseState::Unproven, reason, context, outbox);
                }
                ReleaseState::Watching => self.end_watch(at, context, outbox),
                ReleaseState::RolledBack => {
                    let tracked = &mut self.releases[at];
                    tracked.breaches_end(outbox);
                    tracked.gave_up = true;
                }
                _ => {}
            }
        }
    }

    fn end_watch(&mut self, at: usize, context: Context<'_>, outbox: &mut Outbox) {
        let watch_max = self.effective(context.sources.policy).defaults.watch_max;
        let tracked = &mut self.releases[at];
        let watch_limit = tracked.release.state_since + watch_max;
        let undecided = tracked.undecided().map(str::to_owned);
        if let Some(trigger) = &undecided
            && context.now() < watch_limit
        {
            tracked.extended_from = tracked.extended_from.or(tracked.release.watch_until);
            tracked.release.watch_until = Some(watch_limit);
            tracked.release.state_reason = format!("{WATCH_GOES_ON} {trigger} is decided");
            outbox.release(&tracked.release);
            return;
        }
        let watched = short(context.now().since(tracked.release.state_since));
        let (state, reason) = tracked.verdict(undecided.as_deref());
        let reason = format!("watched for {watched}: {reason}");
        self.close(at, state, reason, context, outbox);
    }
}

impl Tracked {
    /// After a restart: whether its watch had been extended is seen by what was said of it.
    pub(crate) fn recall_extension(&mut self) {
        let is_watched = self.state() == ReleaseState::Watching;
        let is_extended = is_watched && self.release.state_reason.starts_with(WATCH_GOES_ON);
        self.extended_from = is_extended.then_some(self.release.state_since);
    }

    /// When time alone next moves it.
    pub(crate) fn watch_deadline(&self, watch_max: Duration) -> Option<Timestamp> {
        let since = self.release.state_since;
        match self.state() {
            ReleaseState::Pending | ReleaseState::Progressing => Some(since + watch_max),
            ReleaseState::RolledBack if !self.gave_up => Some(since + watch_max),
            ReleaseState::Watching if self.undecided().is_none() => {
                self.extended_from.or(self.release.watch_until)
            }
            ReleaseState::Watching => self.release.watch_until,
            _ => None,
        }
    }

    /// What a watch that came to its end has shown; silence is never success.
    fn verdict(&self, undecided: Option<&str>) -> (ReleaseState, String) {
        let is_silent = [FindingKind::ReleaseSilent, FindingKind::SenderSilent]
            .iter()
            .any(|kind| self.findings.contains(kind));
        if let Some(trigger) = undecided {
            return (ReleaseState::Unproven, format!("{trigger} was still broken at its end"));
        }
        if is_silent {
            return (ReleaseState::Unproven, "its telemetry was silent at the end".into());
        }
        let unmeasured = self.unmeasured_text();
        if !unmeasured.is_empty() {
            return (ReleaseState::Unproven, unmeasured);
        }
        if !self.saw_enough {
            return (ReleaseState::Unproven, "no trigger ever saw enough requests to judge it".into());
        }
        if self.broke.is_empty() {
            return (ReleaseState::Succeeded, "nothing was broken".into());
        }
        let broke: Vec<&str> = self.broke.iter().map(String::as_str).collect();
        (
            ReleaseState::Succeeded,
            format!("within its limits at the end, after {} was broken", broke.join(", ")),
        )
    }
}
