//! Deciding again: a breach that goes on is not forgotten because its first decision came to nothing.
//!
//! The facts that kept a rollback back may be gone (a halt, a freeze, a shared cause, a target that was down), and
//! a request for approval may have reached nobody. Each continuing breach brings the evidence of now; what is
//! decided on it passes all the checks that a first decision passes.

use std::time::Duration;

use model::{Breach, Command, CommandMode, CommandState, Reason, ReleaseRef, Timestamp};
use policy::Mode;

use crate::{
    Arbiter,
    arbiter::Moment,
    bounds::{MAX_REASONS, MAX_SENT},
    breaches::Patience,
    destination::{self, Destination},
    judgement::{Judgement, Level},
    text,
};

/// After the first failure. The attempts of that command went on until its deadline, so that this only has to be
/// long enough to be told from another attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// The pauses double up to this: often enough for a target that comes back, rare enough for one that does not.
const MAX_PAUSE: Duration = Duration::from_secs(300);

impl Arbiter {
    /// A breach goes on, with the evidence of now.
    pub(crate) fn on_breach_continues(&mut self, at: Moment<'_>, breach: &Breach) {
        let Some(release) = &breach.release else { return };
        let Some(record) = self.releases.get_mut(&release.id) else { return };
        record.note_broken(breach);
        if !breach.action.is_rollback() || !record.is_under_watch() || record.waits(at.now) {
            return;
        }
        let may_change = match self.newest_command(release).map(|command| command.state) {
            None | Some(CommandState::Prepared | CommandState::Expired | CommandState::Cancelled) => true,
            Some(CommandState::Failed) => self.may_try_again(release),
            Some(
                CommandState::Ready
                | CommandState::Accepted
                | CommandState::Succeeded
                | CommandState::Rejected,
            ) => false,
        };
        if !may_change {
            return;
        }
        if let Some(judgement) = self.judgement_of(at, breach) {
            self.decide_again(at, breach, release, judgement);
        }
    }

    /// Only what goes further than before is done or told: the same once more is no news.
    fn decide_again(&mut self, at: Moment<'_>, breach: &Breach, release: &ReleaseRef, judgement: Judgement) {
        let newest = self.newest_command(release);
        match judgement.level {
            Level::Act => self.carry_out(at, breach, judgement, Patience::MayWait),
            Level::Prepare if newest.is_some_and(|it| it.state == CommandState::Prepared) => {
                let id = newest.map(|command| command.id.clone()).unwrap_or_default();
                self.absorb(&id, breach);
            }
            Level::Prepare => match self.consent(at.now, release) {
                Some((to, approved_by)) => self.send_approved_again(at, release, to, approved_by),
                None => self.settle_for_less(at, breach, &judgement),
            },
            Level::Observe | Level::Advise | Level::NoTarget => {}
        }
    }

    /// People approved the rollback that failed: they need not be asked a second time for the same one.
    fn consent(&self, now: Timestamp, release: &ReleaseRef) -> Option<(Destination, Vec<String>)> {
        let failed = self.newest_command(release).filter(|command| command.state == CommandState::Failed)?;
        if failed.mode != CommandMode::Approved || failed.approved_by.is_empty() {
            return None;
        }
        let key = &release.key;
        if self.halts.covering(&key.service, &key.environment).is_some_and(|halt| halt.until > now) {
            return None;
        }
        let record = self.releases.get(&release.id)?;
        let to =
            destination::allow_named(&self.releases, &self.bad, record, failed.to_version.as_deref()?, true)
                .ok()?;
        Some((to, failed.approved_by.clone()))
    }

    fn send_approved_again(
        &mut self,
        at: Moment<'_>,
        release: &ReleaseRef,
        to: Destination,
        approved_by: Vec<String>,
    ) {
        let reasons = self.broken_reasons(release);
        let id = self.add_command(at, release.clone(), Some(to), reasons);
        if let Some(tracked) = self.commands.get_mut(&id) {
            tracked.command.approved_by = approved_by;
        }
        self.make_ready(at, &id, CommandMode::Approved);
    }

    /// A request for approval expired. While its breach goes on, people are asked again, each time as something new:
    /// a release that is known to be bad is never left to itself.
    pub(crate) fn ask_again(&mut self, at: Moment<'_>, release: &ReleaseRef) {
        let Some(record) = self.releases.get(&release.id).filter(|record| record.is_under_watch()) else {
            return;
        };
        if record.broken_for_rollback().next().is_none() {
            return;
        }
        let destination = destination::choose(&self.releases, &self.bad, record).ok();
        let effective = self.effective(&release.key);
        let only_tells = matches!(effective.mode, Some(Mode::Observe | Mode::Advise));
        if only_tells || self.commands.is_full() {
            let why = "the prepared rollback expired, for nobody approved it";
            return self.tell_what_is_still_broken(at, release, why);
        }
        let reasons = self.broken_reasons(release);
        let Some(record) = self.releases.get_mut(&release.id) else { return };
        record.expired += 1;
        let (times, expiry) = (record.expired, text::span(effective.defaults.approval_expiry));
        let asked = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        let id = self.add_command(at, release.clone(), destination, reasons);
        let why = format!(
            "escalated: approval was asked for {asked} and nobody answered within {expiry}, and the limit is still \
             exceeded"
        );
        self.make_prepared(at, &id, why);
    }

    fn broken_reasons(&self, release: &ReleaseRef) -> Vec<Reason> {
        let broken = self.releases.get(&release.id).into_iter().flat_map(|it| it.broken_for_rollback());
        broken.take(MAX_REASONS).map(|breach| breach.reason.clone()).collect()
    }

    /// A rollback failed or was not sent: the next one is not made at once.
    pub(crate) fn pause_before_next(&mut self, now: Timestamp, release: &ReleaseRef) {
        if let Some(record) = self.releases.get_mut(&release.id) {
            let doubled = 1_u32.checked_shl(record.sent.saturating_sub(1)).unwrap_or(u32::MAX);
            record.retry_at = Some(now + FIRST_PAUSE.saturating_mul(doubled).min(MAX_PAUSE));
        }
    }

    /// Whether the rollback that failed last may get through at another time.
    pub(crate) fn may_try_again(&self, release: &ReleaseRef) -> bool {
        let record = self.releases.get(&release.id).filter(|record| record.sent < MAX_SENT);
        let newest = record.and_then(|record| self.commands.get(record.newest_command.as_ref()?));
        newest.is_some_and(|tracked| tracked.is_retryable)
    }

    /// Whether it is too early for that.
    pub(crate) fn waits_to_try_again(&self, at: Moment<'_>, release: &ReleaseRef) -> bool {
        let waits = self.releases.get(&release.id).is_some_and(|record| record.waits(at.now));
        waits && self.may_try_again(release)
    }

    /// What follows a failure, for the person who reads of it.
    pub(crate) fn next_try_text(&self, command: &Command) -> String {
        let release = &command.release;
        let retry_at = self.releases.get(&release.id).and_then(|record| record.retry_at);
        match retry_at.filter(|_| self.may_try_again(release)) {
            Some(at) => {
                let at = text::time(at);
                format!("it is tried again after {at} while the limit is exceeded; look at the target")
            }
            None => "somebody must act".to_owned(),
        }
    }
}
