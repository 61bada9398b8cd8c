//! Acting on a breach, or not, because of what else happens in the same environment at the same time.

use model::{Breach, CommandMode, CommandState, NoticeKind, ReleaseRef, Severity, checkpoint::HeldBreach};
use policy::{Policy, Storm};

use crate::{
    Arbiter,
    arbiter::Moment,
    breaches::Patience,
    firing::{Scope, Subject},
    judgement::{Judgement, Level},
    notices::Draft,
    storm::Gather,
    text,
    timers::Timer,
};

impl Arbiter {
    fn storm_rules(&self) -> Storm {
        self.policy.as_ref().map_or_else(|| Policy::default_policy().storm, |policy| policy.storm.clone())
    }

    /// Whether breaches have to be gathered before the first one acts: only where so many releases are under
    /// watch that a storm is possible, so that elsewhere nothing waits.
    pub(crate) fn must_gather(&self, environment: &str) -> bool {
        if self.storms.is_storm(environment) {
            return false;
        }
        let storm = self.storm_rules();
        let is_possible = || self.releases.under_watch(environment) > storm.max_rollbacks;
        self.storms.is_gathering(environment) || (!storm.settle.is_zero() && is_possible())
    }

    /// Holds a breach until the gather ends; `false` when it cannot be held.
    pub(crate) fn hold(&mut self, at: Moment<'_>, breach: &Breach) -> bool {
        let Some(release) = &breach.release else { return false };
        let environment = &breach.key.environment;
        if !self.storms.is_gathering(environment) {
            let until = at.now + self.storm_rules().settle;
            self.timers.set(Timer::Gather(environment.clone()), until);
        }
        let held =
            HeldBreach { breach: breach.clone(), release: release.id.clone(), cause: at.cause.clone() };
        self.storms.hold(environment, &breach.key.service, at.now, held)
    }

    /// A release broke a limit. While breaches are gathered, another service that suffers prolongs the gather; at
    /// most by half of `max_decision_age`, so that what was held may still act.
    pub(crate) fn note_suffering(&mut self, at: Moment<'_>, breach: &Breach) {
        let storm = self.storm_rules();
        let longest = self.effective(&breach.key).defaults.max_decision_age / 2;
        let environment = &breach.key.environment;
        let Some(gather) = self.storms.note_service(environment, &breach.key.service) else { return };
        let until = gather.until(at.now, storm.settle, longest, storm.max_rollbacks);
        if until > at.now {
            self.timers.set(Timer::Gather(environment.clone()), until);
            return;
        }
        self.timers.clear(&Timer::Gather(environment.clone()));
        self.on_gathered(at.now, environment);
    }

    /// A breach that ended, or whose release is over, does not act later. One whose release is still under watch
    /// is told: somebody may see it in the timeline and wonder.
    pub(crate) fn let_go(&mut self, at: Moment<'_>, release: &ReleaseRef, trigger: Option<&str>) {
        let environment = &release.key.environment;
        let is_moot = |held: &HeldBreach| {
            held.release == release.id && trigger.is_none_or(|trigger| held.breach.reason.trigger == trigger)
        };
        let (moot, is_empty) = self.storms.release(environment, is_moot);
        if is_empty {
            self.timers.clear(&Timer::Gather(environment.clone()));
            self.storms.end_gather(environment);
        }
        if let (Some(trigger), Some(_)) = (trigger, moot.first()) {
            let name = text::name(release);
            let settle = text::span(self.storm_rules().settle);
            let summary = format!(
                "{name}: {trigger} broke its limit and was within it again before {settle} had shown whether \
                 others suffer too; nothing was done"
            );
            self.progress(at, &release.id, summary);
        }
    }

    /// Gathering is over: either the cause is shared, or each breach acts for itself.
    pub(crate) fn on_gathered(&mut self, now: model::Timestamp, environment: &str) {
        let Some(gather) = self.storms.end_gather(environment) else { return };
        let Some(cause) = gather.held.first().map(|held| held.cause.clone()) else { return };
        let storm = self.storm_rules();
        let is_shared = gather.services.len() > storm.max_rollbacks;
        let why = if is_shared {
            self.begin_shared(Moment { now, cause: &cause }, environment, &gather, &storm)
        } else {
            String::new()
        };
        let patience = if is_shared { Patience::Storm(&why) } else { Patience::Waited };
        for held in &gather.held {
            let Some(release) = &held.breach.release else { continue };
            self.weigh(Moment { now, cause: &held.cause }, &held.breach, release, patience);
        }
    }

    /// Begins the storm that a gather has shown; why its breaches do not act.
    fn begin_shared(&mut self, at: Moment<'_>, environment: &str, gather: &Gather, storm: &Storm) -> String {
        let services = text::list(gather.services.iter().map(String::as_str));
        let (count, gathered) = (gather.services.len(), text::span(at.now.since(gather.begun)));
        let cause = format!("{count} services broke their limits within {gathered} ({services})");
        for held in &gather.held {
            let service = &held.breach.key.service;
            self.storms.demand(environment, at.now, service, storm.per, storm.max_rollbacks);
        }
        self.begin_storm(at, environment, &cause, storm);
        storm_reason(&cause)
    }

    /// Acts, unless more rollbacks than allowed were wanted of late.
    pub(crate) fn act_unless_storm(&mut self, at: Moment<'_>, breach: &Breach, judgement: Judgement) {
        let Some(release) = breach.release.clone() else { return };
        let (environment, storm) = (&breach.key.environment, self.storm_rules());
        let is_too_many =
            self.storms.demand(environment, at.now, &breach.key.service, storm.per, storm.max_rollbacks);
        if is_too_many || self.storms.is_storm(environment) {
            let per = text::span(storm.per);
            let cause = if is_too_many {
                format!("rollbacks of more than {} services were wanted within {per}", storm.max_rollbacks)
            } else {
                format!("the last rollback of a storm was wanted less than {per} ago")
            };
            self.begin_storm(at, environment, &cause, &storm);
            let judgement = judgement.capped(Level::Prepare, storm_reason(&cause));
            return self.settle_for_less(at, breach, &judgement);
        }
        self.act(at, breach, &release, &judgement);
    }

    fn act(&mut self, at: Moment<'_>, breach: &Breach, release: &ReleaseRef, judgement: &Judgement) {
        let newest = self.newest_command(release).map(|command| (command.id.clone(), command.state));
        let id = match newest {
            Some((id, CommandState::Prepared)) => {
                self.absorb(&id, breach);
                self.aim(&id, judgement.destination.as_ref().ok());
                id
            }
            Some((_, CommandState::Ready | CommandState::Accepted)) => return self.join(at, breach, release),
            _ => self.new_command(at, breach, judgement),
        };
        self.make_ready(at, &id, CommandMode::Immediate);
    }

    /// Begins or prolongs a storm, and tells of it once.
    fn begin_storm(&mut self, at: Moment<'_>, environment: &str, cause: &str, storm: &Storm) {
        let is_new = !self.storms.is_storm(environment);
        self.storms.begin_storm(environment);
        self.timers.set(Timer::Storm(environment.to_owned()), at.now + storm.per);
        if !is_new {
            return;
        }
        let per = text::span(storm.per);
        let summary = format!(
            "rollback storm in {environment}: {cause}; a shared cause is likely, so no further rollback is sent by \
             itself until none was wanted for {per}; all wait for approval"
        );
        self.fire(at, Draft::new(storm_subject(environment), Severity::Critical, summary));
    }

    pub(crate) fn on_storm_over(&mut self, at: Moment<'_>, environment: &str) {
        self.storms.end_storm(environment);
        let per = text::span(self.storm_rules().per);
        let summary = format!("rollback storm in {environment} is over: no rollback was wanted for {per}");
        self.resolve(at, &storm_subject(environment), Some(summary));
    }
}

fn storm_reason(cause: &str) -> String {
    format!("storm: {cause}, so a shared cause is likely")
}

fn storm_subject(environment: &str) -> Subject {
    Subject::of(Scope::Environment(environment.to_owned()), NoticeKind::Safety).about("rollback_storm")
}
