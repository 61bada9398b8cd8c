//! After a rollback: whether the service is within its limits again.

use std::{sync::Arc, time::Duration};

use model::{ReleaseState, Timestamp};
use policy::{EffectivePolicy, Trigger};

use crate::{
    judge::{
        compare::Guarding,
        condition::{Judged, judge},
        subject::{Baselines, Subject},
    },
    outbox::Outbox,
    service::{Context, Service},
    store::{VersionSeen, Versions},
    text::measured,
};

/// After a rollback the first scrape still counts what the bad version did since the one before: a minute, the
/// slowest usual scrape. Telemetry without a version is not held against the service for so long.
pub(crate) const STRAGGLERS: Duration = Duration::from_secs(60);

/// What was measured since the rollback, each metric once: `: error_rate 0.1 % of 4312 requests`.
fn values_of(looks: &[Judged<'_>]) -> String {
    let mut seen = Vec::new();
    for evidence in
        looks.iter().flat_map(|look| &look.terms).filter_map(|term| term.compared.evidence.as_ref())
    {
        let text = measured(evidence);
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    if seen.is_empty() { String::new() } else { format!(": {}", seen.join(", ")) }
}

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
        let mut looks: Vec<Judged<'_>> = Vec::with_capacity(asked.len());
        for trigger in &asked {
            let guarding = Guarding::of(trigger);
            looks.push(judge(&trigger.condition, trigger.window, &guarding, &subject, context.sources));
        }
        if looks.is_empty() || !looks.iter().all(|look| look.bare.is_false()) {
            return;
        }
        let reason = format!("the service is within its limits again{}", values_of(&looks));
        let tracked = &mut self.releases[index];
        tracked.set_state(context.now(), ReleaseState::Recovered, reason);
        outbox.release(&tracked.release);
        tracked.breaches_end(outbox);
    }
}
