//! A look at a release: each trigger of its policy, judged on what the release did.

use std::{sync::Arc, time::Duration};

use model::{Breach, FindingKind, Reason, ReleaseState, Timestamp, is_same_version};
use policy::{EffectivePolicy, Trigger};

use crate::{
    judge::{
        blame::{Accused, attribute},
        compare::Guarding,
        condition::{Judged, SHARED_RECENT, has_alert, judge},
        hold::Step,
        subject::{Baselines, Beside, Sources, Subject},
        truth::Truth,
    },
    outbox::Outbox,
    release::{
        order::ANNOUNCED_LATE_MAX,
        tracked::{BESIDE_HEARD_WITHIN, Tracked, TriggerState, slot_of},
    },
    service::{Context, Scope, Service},
    store::{VersionSeen, Versions},
};

impl Service {
    /// Settled data of event time `at` is there.
    pub(crate) fn look(&mut self, at: Timestamp, context: Context<'_>, outbox: &mut Outbox) {
        self.last_look_at = self.last_look_at.max(Some(at));
        self.judge_all(Scope::All, context, outbox);
    }

    /// Judges what `scope` says, on the telemetry of the last look.
    pub(crate) fn judge_all(&mut self, scope: Scope, context: Context<'_>, outbox: &mut Outbox) {
        let at = self.last_look_at.unwrap_or(context.now());
        let policy = self.effective(context.sources.policy);
        let seen = context.sources.store.versions(&self.key);
        for index in 0..self.releases.len() {
            if self.releases[index].is_open() {
                self.freeze(index, context);
            }
            self.notice_rollout(index, &seen, context, outbox);
            if self.releases[index].is_under_watch() {
                self.note_alive(index, &seen, at, context, outbox);
                self.judge_release(index, scope, at, &seen, &policy, context, outbox);
            } else if scope == Scope::All {
                self.judge_recovery(index, at, &seen, &policy, context, outbox);
            }
        }
        self.judge_own(scope, at, &seen, &policy, context, outbox);
    }

    /// A release that was announced as started is judged as soon as telemetry shows its version: a slow rolling
    /// update is watched from its first instance on, and the watch time still runs from its being out.
    fn notice_rollout(
        &mut self,
        index: usize,
        seen: &[VersionSeen],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let tracked = &mut self.releases[index];
        let started_at = tracked.release.started_at;
        let is_seen = || seen.iter().any(|it| tracked.is_version_of(it) && it.last_at >= started_at);
        if context.is_replay || tracked.state() != ReleaseState::Pending || !is_seen() {
            return;
        }
        let reason = "announced as started, and its version is seen in the telemetry";
        tracked.set_state(context.now(), ReleaseState::Progressing, reason);
        outbox.release(&tracked.release);
    }

    #[expect(clippy::too_many_arguments, reason = "one look's facts, each read by one trigger's judgement")]
    fn judge_release(
        &mut self,
        index: usize,
        scope: Scope,
        at: Timestamp,
        seen: &[VersionSeen],
        policy: &Arc<EffectivePolicy>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let mut triggers = std::mem::take(&mut self.releases[index].triggers);
        let mut torn = None;
        for trigger in policy.triggers.iter().filter(|it| scope == Scope::All || has_alert(&it.condition)) {
            let tracked = &self.releases[index];
            let by_version = tracked.is_judged_by_version(seen);
            let state = triggers.entry(trigger.name.clone()).or_default();
            let accused = tracked.accused(by_version, seen, policy);
            let mut subject = tracked.subject(at, by_version, seen, policy);
            subject.since = subject.since.max(state.whole_since);
            let judged =
                judge(&trigger.condition, trigger.window, &Guarding::of(trigger), &subject, context.sources);
            let before = state.clone();
            let mut step = state.look(trigger, at, &judged, context);
            let goes_on = step == Step::Unchanged && state.phase.is_firing() && judged.guarded.is_true();
            let may_continue = goes_on && trigger.action.is_rollback() && !context.is_replay;
            let is_due = state.is_slot_new(at);
            let wants_breach = step == Step::Fires
                || may_continue && is_due && is_still_bad(trigger, &subject, context.sources);
            let is_overdue = before.is_overdue(context.now());
            let breach = wants_breach
                .then(|| tracked.breach(trigger, &judged, &subject, accused, context, is_overdue));
            // The version beside it is heard first: the look is taken again when it has reported.
            if step == Step::Fires && breach.as_ref().is_some_and(Option::is_none) {
                let waits_since = before.waits_since.or(Some(context.now()));
                *state = TriggerState { waits_since, ..before };
                step = Step::Unchanged;
            } else {
                state.waits_since = None;
            }
            if scope == Scope::All && (!by_version || tracked.is_seen(seen)) {
                state.eyes.look(trigger, &subject, context.sources);
            }
            torn = torn.or_else(|| judged.torn().map(|evidence| torn_text(trigger, evidence)));
            self.releases[index].saw_enough |= judged.saw_enough();
            match breach.flatten() {
                Some(breach) if step == Step::Unchanged => outbox.breach_continues(breach),
                breach => self.releases[index].take_step(trigger, step, breach, outbox),
            }
        }
        self.releases[index].drop_unknown(&mut triggers, policy, outbox);
        self.releases[index].triggers = triggers;
        if scope == Scope::All && !context.is_replay {
            self.releases[index].note_torn(torn, outbox);
            self.releases[index].note_unmeasured(outbox);
        }
    }
}

impl Service {
    /// Judges again what has waited long enough for the version beside it, on the telemetry that there is.
    pub(crate) fn judge_overdue(&mut self, context: Context<'_>, outbox: &mut Outbox) {
        let Some(at) = self.last_look_at else { return };
        for index in 0..self.releases.len() {
            let tracked = &self.releases[index];
            let is_overdue = tracked.triggers.values().any(|it| it.is_overdue(context.now()));
            if is_overdue && tracked.is_under_watch() {
                let policy = self.effective(context.sources.policy);
                let seen = context.sources.store.versions(&self.key);
                self.judge_release(index, Scope::All, at, &seen, &policy, context, outbox);
            }
        }
    }
}

impl TriggerState {
    /// When a breach stops waiting for the version beside it.
    pub(crate) fn overdue_at(&self) -> Option<Timestamp> {
        Some(self.waits_since? + BESIDE_HEARD_WITHIN)
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        self.overdue_at().is_some_and(|overdue_at| overdue_at <= now)
    }

    /// Whether a slot has begun in which a breach that goes on is told again.
    fn is_slot_new(&mut self, at: Timestamp) -> bool {
        let slot = slot_of(at);
        slot > std::mem::replace(&mut self.slot, slot)
    }

    /// One look; the clock of a condition that asks for alerts is ingest's, of any other that of the data.
    pub(crate) fn look(
        &mut self,
        trigger: &Trigger,
        at: Timestamp,
        judged: &Judged<'_>,
        context: Context<'_>,
    ) -> Step {
        if self.condition != trigger.text && !self.phase.is_firing() {
            self.phase = Default::default();
        }
        self.condition.clone_from(&trigger.text);
        if judged.torn().is_some() {
            self.whole_since = Some(at + Duration::from_millis(1));
        }
        let at = if has_alert(&trigger.condition) { context.now() } else { at };
        if context.is_replay {
            self.phase.look_again(at, judged.guarded);
            return Step::Unchanged;
        }
        self.phase.look(at, judged.guarded, judged.bare, trigger.hold)
    }
}

impl Tracked {
    /// Whether telemetry tells this release from others by its version: some version was seen lately, or, where
    /// nothing was, ever. A change that is not code is told by the version only where its name is one that runs.
    pub(crate) fn is_told_by_version(&self, seen: &[VersionSeen]) -> bool {
        if !self.has_own_version() {
            return seen.iter().any(|it| self.is_version_of(it) && it.last_at >= self.release.started_at);
        }
        let is_since = |it: &&VersionSeen| it.last_at >= self.release.started_at;
        if seen.iter().filter(is_since).any(|it| it.version.is_some()) {
            return true;
        }
        seen.iter().filter(is_since).count() == 0 && seen.iter().any(|it| it.version.is_some())
    }

    /// Whether telemetry carries any version since it began.
    fn has_versions(&self, seen: &[VersionSeen]) -> bool {
        seen.iter().any(|it| it.version.is_some() && it.last_at >= self.release.started_at)
    }

    /// Whether its own version decides what is judged. Not where it never shows and another new one does: names
    /// differ then between the deployment tool and the telemetry, and the service is judged as if it had none.
    pub(crate) fn is_judged_by_version(&self, seen: &[VersionSeen]) -> bool {
        self.is_told_by_version(seen) && (self.is_seen(seen) || !self.is_misnamed(seen))
    }

    /// Whether telemetry has shown its version since it began.
    pub(crate) fn is_seen(&self, seen: &[VersionSeen]) -> bool {
        seen.iter().any(|it| self.is_version_of(it) && it.last_at >= self.release.started_at)
    }

    /// Whether a version is as new as the release and is neither its own nor the one before.
    fn is_misnamed(&self, seen: &[VersionSeen]) -> bool {
        let release = &self.release;
        let is_previous =
            |name: &str| release.previous_version.as_deref().is_some_and(|it| is_same_version(it, name));
        let others = seen.iter().filter_map(|it| Some((it.version.as_deref()?, it.first_at)));
        let others: Vec<(&str, Timestamp)> =
            others.filter(|(name, _)| !is_same_version(name, &release.version)).collect();
        // Where nobody said what ran before, it was what was there first.
        let first = others.iter().map(|(_, first_at)| *first_at).min();
        others.iter().any(|(name, first_at)| {
            let ran_before =
                if release.previous_is_guess { Some(*first_at) == first } else { is_previous(name) };
            !ran_before && *first_at + ANNOUNCED_LATE_MAX >= release.started_at
        })
    }

    pub(super) fn is_version_of(&self, seen: &VersionSeen) -> bool {
        seen.version.as_deref().is_some_and(|version| is_same_version(version, &self.release.version))
    }

    /// What the release's triggers look at.
    pub(crate) fn subject<'a>(
        &'a self,
        at: Timestamp,
        by_version: bool,
        seen: &[VersionSeen],
        policy: &EffectivePolicy,
    ) -> Subject<'a> {
        let release = &self.release;
        let first_at =
            seen.iter().find(|it| self.is_version_of(it)).map_or(release.started_at, |it| it.first_at);
        let counts_from = self.counts_from.filter(|from| *from > Timestamp::MIN);
        let beside = Beside {
            version: &release.version,
            previous_version: release.previous_version.as_deref(),
            since: counts_from.unwrap_or(first_at.min(release.started_at)),
        };
        Subject {
            key: &release.key,
            versions: if by_version { Versions::One(&release.version) } else { Versions::All },
            since: if by_version { counts_from } else { Some(release.started_at) },
            at,
            alert_version: Some(&release.version),
            facts: Some(&release.facts),
            baselines: Baselines { beside: by_version.then_some(beside), before: Some(&self.frozen) },
            warm_at: Some(release.started_at + policy.defaults.warmup),
        }
    }

    /// What a breach needs to know of it.
    fn accused(&self, by_version: bool, seen: &[VersionSeen], policy: &EffectivePolicy) -> Accused<'_> {
        Accused {
            version: &self.release.version,
            started_at: self.release.started_at,
            by_version,
            has_versions: self.has_versions(seen),
            margin: policy.defaults.attribution.margin,
        }
    }

    /// What is broken, and whether the release is to blame; `None` where it is too early to say.
    fn breach(
        &self,
        trigger: &Trigger,
        judged: &Judged<'_>,
        subject: &Subject<'_>,
        accused: Accused<'_>,
        context: Context<'_>,
        is_overdue: bool,
    ) -> Option<Breach> {
        let attribution = attribute(trigger, judged, accused, subject, context.sources);
        if attribution.is_early && !is_overdue {
            return None;
        }
        let mut judged = judged.clone();
        judged.take_comparisons(attribution.comparisons);
        Some(Breach {
            key: self.release.key.clone(),
            release: Some(self.release.reference()),
            action: trigger.action,
            reason: self.reason(trigger, &judged, accused.by_version, context),
            blame: attribution.blame,
        })
    }

    fn reason(
        &self,
        trigger: &Trigger,
        judged: &Judged<'_>,
        by_version: bool,
        context: Context<'_>,
    ) -> Reason {
        let version = by_version.then(|| self.release.version.clone());
        Reason {
            key: self.release.key.clone(),
            cluster: self.release.cluster.clone(),
            version,
            ..reason_of(trigger, judged, context)
        }
    }

    fn take_step(&mut self, trigger: &Trigger, step: Step, breach: Option<Breach>, outbox: &mut Outbox) {
        if let Some(breach) = breach {
            self.broke.insert(trigger.name.clone());
            outbox.breach(breach);
        }
        if step == Step::Ends {
            outbox.breach_ended(&self.release.key, Some(self.release.reference()), &trigger.name);
        }
    }

    /// Triggers that a new policy does not know any more: nobody will ever say that they hold again.
    fn drop_unknown(
        &self,
        triggers: &mut std::collections::BTreeMap<String, TriggerState>,
        policy: &EffectivePolicy,
        outbox: &mut Outbox,
    ) {
        triggers.retain(|name, state| {
            let is_known = policy.triggers.iter().any(|trigger| trigger.name == *name);
            if !is_known && state.phase.is_firing() {
                outbox.breach_ended(&self.release.key, Some(self.release.reference()), name);
            }
            is_known
        });
    }

    fn note_torn(&mut self, torn: Option<String>, outbox: &mut Outbox) {
        match torn {
            Some(text) => self.finding_begins(FindingKind::Torn, text, outbox),
            None => self.finding_ends(FindingKind::Torn, "errors and requests fit together again", outbox),
        }
    }
}

/// Whether the last minute by itself shows it too: what is over is still in the window, and is no fresh evidence.
fn is_still_bad(trigger: &Trigger, subject: &Subject<'_>, sources: Sources<'_>) -> bool {
    let recent = Subject { since: subject.since.max(Some(subject.at - SHARED_RECENT)), ..*subject };
    let recent = judge(&trigger.condition, trigger.window, &Guarding::of(trigger), &recent, sources);
    match recent.bare {
        Truth::True => true,
        Truth::False => false,
        // With few requests in a minute, one bad one is as much as can be asked for.
        Truth::Unknown(_) => recent.evidence().iter().any(|evidence| evidence.errors > 0),
    }
}

/// Everything about a broken trigger but whom it was broken by.
pub(super) fn reason_of(trigger: &Trigger, judged: &Judged<'_>, context: Context<'_>) -> Reason {
    Reason {
        trigger: trigger.name.clone(),
        condition: trigger.text.clone(),
        window: trigger.window,
        hold: trigger.hold,
        evidence: judged.evidence(),
        // An alert has no samples: its sender says that it fires, now.
        evidence_at: judged.broken_at.unwrap_or(context.now()),
        cause: context.cause.clone(),
        position: context.position,
        ..Reason::default()
    }
}

pub(super) fn torn_text(trigger: &Trigger, evidence: &model::Evidence) -> String {
    format!(
        "{}: {} errors in {} requests: the halves of different scrapes, or selectors that do not belong together; not judged",
        trigger.text, evidence.errors, evidence.requests
    )
}
