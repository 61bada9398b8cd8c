//! After a rollback: whether the service is within its limits again.

use std::{sync::Arc, time::Duration};

use model::{ReleaseState, Timestamp};
use policy::{EffectivePolicy, Trigger};

use crate::{
    judge::{
        compare::Guarding,
        condition::judge,
        subject::{Baselines, Subject},
    },
    outbox::Outbox,
    service::{Context, Service},
    store::{VersionSeen, Versions},
};

/// After a rollback the first scrape still counts what the bad version did since the one before: a minute, the
/// slowest usual scrape. Telemetry without a version is not held against the service for so long.
pub(crate) const STRAGGLERS: Duration = Duration::from_secs(60);

impl Service {
    /// Recovered = at one look all the triggers that the release broke (all there are, if somebody rolled it
    /// back without a breach) are known to hold, on what was served since the rollback by other versions.
    pub(crate) fn judge_recovery(
        &mut self,
        index: usize,
        at: Timestamp,
        seen: &[VersionSeen],
        policy: &Arc<EffectivePolicy>,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let tracked = &self.releases[index];
        let is_waited_for = tracked.state() == ReleaseState::RolledBack && !tracked.gave_up;
        if !is_waited_for || context.is_replay || at <= tracked.release.state_since {
            return;
        }
        let is_asked = |it: &&Trigger| tracked.broke.is_empty() || tracked.broke.contains(&it.name);
        let asked: Vec<&Trigger> = policy.triggers.iter().filter(is_asked).collect();
        let by_version = tracked.is_told_by_version(seen);
        let rolled_back_at = tracked.release.state_since;
        let (versions, since) = if by_version {
            (Versions::AllBut(&tracked.release.version), rolled_back_at)
        } else {
            (Versions::All, rolled_back_at + STRAGGLERS)
        };
        let subject = Subject {
            key: &self.key,
            versions,
            since: Some(since),
            at,
            alert_version: None,
            facts: Some(&tracked.release.facts),
            baselines: Baselines { beside: None, before: Some(&tracked.frozen) },
            warm_at: None,
        };
        let is_within = |trigger: &&Trigger| {
            let guarding = Guarding::of(trigger);
            judge(&trigger.condition, trigger.window, &guarding, &subject, context.sources).bare.is_false()
        };
        if asked.is_empty() || !asked.iter().all(is_within) {
            return;
        }
        let tracked = &mut self.releases[index];
        let reason = "the service is within its limits again";
        tracked.set_state(context.now(), ReleaseState::Recovered, reason);
        outbox.release(&tracked.release);
        tracked.breaches_end(outbox);
    }
}
