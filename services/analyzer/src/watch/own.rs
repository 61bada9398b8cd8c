//! A service without a release under watch: its limits are the ground for telling a shared cause from a bad
//! release, and its team is told. Nothing is ever rolled back for it.

use std::sync::Arc;

use model::{
    Action, Breach, Finding, FindingKind, LimitState, Reason, ReleaseState, Rise, SharedBlame, Timestamp,
};
use policy::{EffectivePolicy, Trigger};
use serde::{Deserialize, Serialize};

use super::look::{reason_of, torn_text};
use crate::{
    judge::{
        baseline::has_baseline,
        compare::Guarding,
        condition::{Comparison, Judged, SHARED_RECENT, for_each_leaf, has_alert, judge},
        count::Yardstick,
        hold::{Phase, Step},
        rise::rise,
        subject::{Baselines, Subject},
    },
    outbox::Outbox,
    release::tracked::{Tracked, TriggerState},
    service::{Context, Scope, Service},
    store::{VersionSeen, Versions},
};

/// One trigger of the service as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OwnTrigger {
    pub(crate) state: TriggerState,
    /// Whether the limit was last proposed as exceeded.
    pub(crate) is_exceeded: bool,
}

impl OwnTrigger {
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state.phase, Phase::Pending { .. })
    }
}

impl Service {
    pub(crate) fn judge_own(
        &mut self,
        scope: Scope,
        at: Timestamp,
        seen: &[VersionSeen],
        policy: &Arc<EffectivePolicy>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        // A release of which nothing is seen yet stands for nothing: until then the service is judged as without it.
        let is_judged = |it: &Tracked| it.is_seen(seen) || !it.is_judged_by_version(seen);
        let is_watched = self.releases.iter().any(|it| it.is_under_watch() && is_judged(it));
        let mut torn = None;
        for trigger in policy.triggers.iter().filter(|it| scope == Scope::All || has_alert(&it.condition)) {
            // Without a deployment there is no "before" to compare with.
            if has_baseline(&trigger.condition) {
                continue;
            }
            let mut own = self.own.remove(&trigger.name).unwrap_or_default();
            if is_watched {
                self.judge_under_watch(trigger, &mut own, at, context, outbox);
            } else {
                let found = self.judge_alone(trigger, &mut own, at, context, outbox);
                torn = torn.or(found);
            }
            self.own.insert(trigger.name.clone(), own);
        }
        self.drop_unknown_own(policy, outbox);
        if scope == Scope::All && !context.is_replay {
            self.note_own_torn(torn, outbox);
        }
    }

    fn judge_alone(
        &self,
        trigger: &Trigger,
        own: &mut OwnTrigger,
        at: Timestamp,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Option<String> {
        let subject = self.own_subject(at, own);
        let full =
            judge(&trigger.condition, trigger.window, &Guarding::telling(trigger), &subject, context.sources);
        if !context.is_replay {
            self.judge_limit(trigger, own, &full, &subject, context, outbox);
        }
        match own.state.look(trigger, at, &full, context) {
            Step::Fires => outbox.breach(self.own_breach(trigger, &full, context)),
            Step::Ends => outbox.breach_ended(&self.key, None, &trigger.name),
            Step::Unchanged => {}
        }
        full.torn().map(|evidence| torn_text(trigger, evidence))
    }

    /// The limit without `for`, softer over the whole window, or over the last minute by itself. It is exceeded only
    /// while the last minute shows it: what is over excuses nothing.
    fn judge_limit(
        &self,
        trigger: &Trigger,
        own: &mut OwnTrigger,
        full: &Judged<'_>,
        subject: &Subject<'_>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let over = |guarding: &Guarding, subject: &Subject<'_>| {
            judge(&trigger.condition, trigger.window, guarding, subject, context.sources)
        };
        let recent = Subject { since: subject.since.max(Some(subject.at - SHARED_RECENT)), ..*subject };
        let recent = over(&Guarding::shared_recently(trigger), &recent);
        // With too few requests in a minute the whole window speaks.
        let has_passed = if recent.saw_enough() { recent.bare.is_false() } else { full.bare.is_false() };
        if own.is_exceeded {
            if has_passed && !recent.guarded.is_true() {
                self.set_limit(trigger, own, full, subject, context, outbox);
            }
            return;
        }
        if !self.is_ground() {
            return;
        }
        if recent.guarded.is_true() {
            self.set_limit(trigger, own, &recent, subject, context, outbox);
        } else if full.bare.is_true()
            && !has_passed
            && over(&Guarding::shared(trigger), subject).guarded.is_true()
        {
            self.set_limit(trigger, own, full, subject, context, outbox);
        }
    }

    /// With a release under watch the release is judged instead. What was told before goes on until the service
    /// is within the limit. Ground for a shared cause are then the versions beside the release alone: what it does
    /// itself excuses no other.
    fn judge_under_watch(
        &self,
        trigger: &Trigger,
        own: &mut OwnTrigger,
        at: Timestamp,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let (subject, sources) = (self.own_subject(at, own), context.sources);
        if !context.is_replay {
            self.judge_beside(trigger, own, &subject, context, outbox);
        }
        if !own.state.phase.is_firing() {
            own.state.phase = Phase::Inactive;
            return;
        }
        let full = judge(&trigger.condition, trigger.window, &Guarding::telling(trigger), &subject, sources);
        if own.state.look(trigger, at, &full, context) == Step::Ends {
            outbox.breach_ended(&self.key, None, &trigger.name);
        }
    }

    /// The limit of the versions beside the one release under watch; where there is more than one, or what is beside
    /// has ended, no one says whose requests they are.
    fn judge_beside(
        &self,
        trigger: &Trigger,
        own: &mut OwnTrigger,
        subject: &Subject<'_>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let seen = context.sources.store.versions(&self.key);
        let mut watched = self.releases.iter().filter(|it| it.is_under_watch());
        let beside = match (watched.next(), watched.next()) {
            // One that is not seen may run under another name.
            (Some(only), None) if only.has_own_version() && only.is_seen(&seen) => {
                Some(Versions::AllBut(&only.release.version))
            }
            _ => None,
        };
        let is_alive = |versions: &Versions<'_>| {
            context.sources.store.known(&self.key, *versions, subject.at).is_some_and(|it| it.is_alive)
        };
        if let Some(versions) = beside.filter(is_alive) {
            let (guarding, subject) = (Guarding::telling(trigger), Subject { versions, ..*subject });
            let full = judge(&trigger.condition, trigger.window, &guarding, &subject, context.sources);
            self.judge_limit(trigger, own, &full, &subject, context, outbox);
        } else if own.is_exceeded {
            own.is_exceeded = false;
            self.tell_limit(trigger, own, 0.0, None, outbox);
        }
    }

    fn set_limit(
        &self,
        trigger: &Trigger,
        own: &mut OwnTrigger,
        soft: &Judged<'_>,
        subject: &Subject<'_>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        own.is_exceeded = !own.is_exceeded;
        let value = soft.evidence().first().map_or(0.0, |evidence| evidence.value);
        let rise = own.is_exceeded.then(|| rise_above_past(trigger, subject, context)).flatten();
        self.tell_limit(trigger, own, value, rise, outbox);
    }

    fn tell_limit(
        &self,
        trigger: &Trigger,
        own: &OwnTrigger,
        value: f64,
        rise: Option<Rise>,
        outbox: &mut Outbox,
    ) {
        outbox.limit(LimitState {
            key: self.key.clone(),
            trigger: trigger.name.clone(),
            condition: trigger.text.clone(),
            is_exceeded: own.is_exceeded,
            value,
            rise,
        });
    }

    /// A service that still serves a version that could not be rolled back shows that version's fault.
    fn is_ground(&self) -> bool {
        !self.releases.iter().any(|it| it.state() == ReleaseState::RollbackFailed)
    }

    fn own_subject(&self, at: Timestamp, own: &OwnTrigger) -> Subject<'_> {
        Subject {
            key: &self.key,
            versions: Versions::All,
            since: self.quiet_since.max(own.state.whole_since),
            at,
            alert_version: None,
            facts: None,
            baselines: Baselines::default(),
            warm_at: None,
        }
    }

    fn own_breach(&self, trigger: &Trigger, judged: &Judged<'_>, context: Context<'_>) -> Breach {
        Breach {
            key: self.key.clone(),
            release: None,
            action: Action::AlertTeam,
            reason: Reason { key: self.key.clone(), ..reason_of(trigger, judged, context) },
            blame: SharedBlame::default(),
        }
    }

    fn drop_unknown_own(&mut self, policy: &EffectivePolicy, outbox: &mut Outbox) {
        let key = &self.key;
        self.own.retain(|name, own| {
            let is_known = policy.triggers.iter().any(|it| it.name == *name && !has_baseline(&it.condition));
            if !is_known && own.state.phase.is_firing() {
                outbox.breach_ended(key, None, name);
            }
            if !is_known && own.is_exceeded {
                let condition = own.state.condition.clone();
                let (key, trigger) = (key.clone(), name.clone());
                outbox.limit(LimitState {
                    key,
                    trigger,
                    condition,
                    is_exceeded: false,
                    ..LimitState::default()
                });
            }
            is_known
        });
    }

    fn note_own_torn(&mut self, torn: Option<String>, outbox: &mut Outbox) {
        if torn.is_some() == self.is_torn {
            return;
        }
        self.is_torn = torn.is_some();
        outbox.finding(Finding {
            key: self.key.clone(),
            release: None,
            kind: FindingKind::Torn,
            is_active: self.is_torn,
            text: torn.unwrap_or_else(|| "errors and requests fit together again".into()),
        });
    }
}

/// Against what the same service did in the window before: `None` where it cannot be counted.
fn rise_above_past(trigger: &Trigger, subject: &Subject<'_>, context: Context<'_>) -> Option<Rise> {
    let (window, sources) = (trigger.window, context.sources);
    let mut leaves = Vec::new();
    for_each_leaf(&trigger.condition, &mut |leaf| leaves.extend(Comparison::of(leaf)));
    leaves.iter().find_map(|comparison| {
        let signal = subject.read(sources, comparison.metric, window)?;
        let yardstick = Yardstick::of(comparison, &signal)?;
        let earlier = Subject { at: subject.at - window, ..*subject };
        let past = earlier.read(sources, comparison.metric, window);
        let past = past.and_then(|signal| yardstick.certain(&signal)).unwrap_or_default();
        rise(comparison, window, past, subject, sources)
    })
}
