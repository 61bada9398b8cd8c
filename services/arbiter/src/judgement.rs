//! What may be done about a breach: how far Ripcord may go, and each reason why not further.

use model::{Action, Breach, FindingKind, Timestamp};
use policy::{EffectivePolicy, FreezeEffect, Mode};

use crate::{
    Arbiter,
    destination::{self, Destination},
    freezes,
    releases::Record,
    text,
};

/// Ripcord's own service: it never acts on itself.
const OWN_SERVICE: &str = "ripcord";

/// How far Ripcord goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Decide and record.
    Observe,
    /// Tell.
    Advise,
    /// Decide and tell; there is nothing that could execute it.
    NoTarget,
    /// Wait for approval.
    Prepare,
    Act,
}

/// The answer, with its reasons.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) level: Level,
    caps: Vec<(Level, String)>,
    pub(crate) destination: Result<Destination, String>,
}

impl Judgement {
    pub(crate) fn cap(&mut self, level: Level, why: impl Into<String>) {
        self.level = self.level.min(level);
        self.caps.push((level, why.into()));
    }

    /// Goes no further than `level`, for a reason that only the caller knows.
    pub(crate) fn capped(mut self, level: Level, why: String) -> Self {
        self.cap(level, why);
        self
    }

    /// Why not further, the decisive reasons first; empty when it acts.
    pub(crate) fn why(&self) -> String {
        let (decisive, others): (Vec<_>, Vec<_>) = self.caps.iter().partition(|(cap, _)| *cap == self.level);
        let texts: Vec<&str> = decisive.into_iter().chain(others).map(|(_, why)| why.as_str()).collect();
        texts.join("; ")
    }
}

impl Arbiter {
    /// Weighs everything but the storm, which depends on what else happens at the same time.
    pub(crate) fn judge(
        &self,
        now: Timestamp,
        breach: &Breach,
        record: &Record,
        effective: &EffectivePolicy,
    ) -> Judgement {
        let destination = destination::choose(&self.releases, &self.bad, record);
        let mut judgement = Judgement { level: Level::Act, caps: Vec::new(), destination };
        self.cap_by_policy(&mut judgement, now, breach, record, effective);
        self.cap_by_data(&mut judgement, now, breach, record, effective);
        self.cap_by_attribution(&mut judgement, now, breach, record, &effective.defaults.attribution);
        self.cap_by_missing_version(&mut judgement, breach, record, effective);
        cap_by_release(&mut judgement, record);
        self.cap_by_history(&mut judgement, now, record, effective);
        if effective.targets.is_empty() && judgement.level > Level::Advise {
            judgement.cap(Level::NoTarget, "no target is configured, so nothing is executed");
        }
        judgement
    }

    fn cap_by_policy(
        &self,
        judgement: &mut Judgement,
        now: Timestamp,
        breach: &Breach,
        record: &Record,
        effective: &EffectivePolicy,
    ) {
        match effective.mode {
            Some(Mode::Observe) => judgement.cap(Level::Observe, "observe mode: decided and recorded only"),
            Some(Mode::Advise) => judgement.cap(Level::Advise, "the policy's mode is advise"),
            Some(Mode::Approve) => judgement.cap(Level::Prepare, "the policy's mode is approve"),
            Some(Mode::Auto) | None => {}
        }
        if breach.action != Action::ImmediateRollback {
            judgement.cap(Level::Prepare, format!("the trigger's action is {}", breach.action.as_str()));
        }
        if record.release.key.service == OWN_SERVICE {
            judgement.cap(Level::Advise, "Ripcord does not act on itself");
        }
        let policy = self.policy.as_ref();
        match policy.map(|policy| freezes::rollback_effect(policy, &record.release, now)) {
            Some(FreezeEffect::Deny) => judgement.cap(Level::Advise, "a freeze denies rollbacks now"),
            Some(FreezeEffect::Approve) => judgement.cap(Level::Prepare, "a freeze asks for approval now"),
            Some(FreezeEffect::Allow) | None => {}
        }
        let key = &record.release.key;
        let halt = self.halts.covering(&key.service, &key.environment).filter(|halt| halt.until > now);
        if let Some(halt) = halt {
            let why = format!("halted by {} until {}: {}", halt.by, text::time(halt.until), halt.reason);
            judgement.cap(Level::Prepare, why);
        }
    }

    fn cap_by_data(
        &self,
        judgement: &mut Judgement,
        now: Timestamp,
        breach: &Breach,
        record: &Record,
        effective: &EffectivePolicy,
    ) {
        let release = &record.release;
        let is_found = |kind| self.findings.is_active(&release.key, kind, &release.id);
        if is_found(FindingKind::SenderSilent) {
            judgement.cap(Level::Advise, "the sender of its telemetry is silent");
        }
        if is_found(FindingKind::AmbiguousVersion) {
            let why = format!("the version is ambiguous: {} names more than one artifact", release.version);
            judgement.cap(Level::Advise, why);
        }
        let max_age = effective.defaults.max_decision_age;
        if now.since(breach.reason.evidence_at) > max_age {
            judgement.cap(Level::Prepare, format!("the evidence is older than {}", text::span(max_age)));
        }
    }

    fn cap_by_history(
        &self,
        judgement: &mut Judgement,
        now: Timestamp,
        record: &Record,
        effective: &EffectivePolicy,
    ) {
        let doubt = match &judgement.destination {
            Ok(to) => destination::doubt(&self.releases, record, &to.version),
            Err(why) => Some(why.clone()),
        };
        if let Some(why) = doubt {
            judgement.cap(Level::Prepare, why);
        }
        let since = self.releases.last_automatic(&record.release).map(|at| now.since(at));
        let cooldown = effective.safety.cooldown;
        if let Some(since) = since.filter(|since| *since < cooldown) {
            let (since, cooldown) = (text::span(since), text::span(cooldown));
            judgement.cap(
                Level::Prepare,
                format!("cooldown: the last automatic rollback was {since} ago, less than {cooldown}"),
            );
        }
        if self.commands.is_full() {
            judgement.cap(Level::Advise, "too many commands are open");
        }
    }
}

fn cap_by_release(judgement: &mut Judgement, record: &Record) {
    if !record.release.revertible {
        judgement.cap(Level::Prepare, "the release is marked as not revertible");
    }
}
