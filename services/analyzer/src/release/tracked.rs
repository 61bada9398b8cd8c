//! One release and everything that watching it has to remember.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{ChangeKind, DeploymentEvent, Finding, FindingKind, Owner, Release, ReleaseState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    judge::{baseline::Frozen, hold::Phase, sight::Eyes},
    outbox::Outbox,
};

/// One trigger of one release (or service).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TriggerState {
    pub(crate) phase: Phase,
    /// Whether it could show a breach at all.
    pub(crate) eyes: Eyes,
    /// The condition it was judged by: another one starts its stretch anew.
    pub(crate) condition: String,
    /// Only data from then on counts: what came before was torn, and a window that mixes torn data with whole
    /// data looks like a ratio and is none.
    pub(crate) whole_since: Option<Timestamp>,
    /// In which slot of [`CONTINUES_EVERY`] the last look fell: a breach that goes on is told anew once a slot. The
    /// slots are event time's own, so that a restart finds the same ones.
    pub(crate) slot: i64,
    /// Since when, by ingest's clock, a breach waits for what the version beside it has still to report.
    pub(crate) waits_since: Option<Timestamp>,
}

/// A breach waits so long for the version beside it: the slower usual scrape interval. What has not reported by then
/// may be gone, and evidence must not grow too old to act on.
pub(crate) const BESIDE_HEARD_WITHIN: Duration = Duration::from_secs(30);

/// How often a breach that goes on is told with the evidence of now: half of the age at which evidence grows too
/// old to act on.
const CONTINUES_EVERY: Duration = Duration::from_secs(30);

/// The slot of a look at `at`.
pub(crate) fn slot_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(CONTINUES_EVERY.as_millis() as i64)
}

/// A release under the analyzer's eyes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tracked {
    pub(crate) release: Release,
    pub(crate) triggers: BTreeMap<String, TriggerState>,
    /// Names of the triggers that it ever broke: all of them must hold before it counts as recovered.
    pub(crate) broke: BTreeSet<String>,
    pub(crate) frozen: Frozen,
    /// Only what its version did from then on counts; [`Timestamp::MIN`]: all of it, as the version is as new as the
    /// release. `None` until it went out.
    pub(crate) counts_from: Option<Timestamp>,
    /// Whether any trigger was ever judged on enough requests.
    pub(crate) saw_enough: bool,
    pub(crate) is_promoted: bool,
    /// Where the watch would have ended had nothing been undecided; `None` while it was not extended.
    pub(crate) extended_from: Option<Timestamp>,
    pub(crate) findings: BTreeSet<FindingKind>,
    /// What was last said about triggers that cannot see.
    pub(crate) unmeasured: String,
    pub(crate) alive: Alive,
    /// When the sender last said something about it; older words are repeats.
    pub(crate) last_word_at: Option<Timestamp>,
    /// Where somebody asked to roll it back to.
    pub(crate) rollback_to: Option<String>,
    /// Rolled back, and not seen to recover within the longest watch.
    pub(crate) gave_up: bool,
    /// Targets whose rollback failed and has not succeeded since.
    pub(crate) failed_targets: BTreeSet<String>,
}

/// When data last came in, by the clock of ingest: a sender whose own clock is off is not silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alive {
    /// Newest sample of the release, event time.
    pub(crate) newest: Option<Timestamp>,
    /// The event during which `newest` last grew; `None` until first looked at.
    pub(crate) heard_at: Option<Timestamp>,
    /// Other versions get so much traffic that this one must have had some, and had none.
    pub(crate) is_starved: bool,
}

impl Tracked {
    pub(crate) fn state(&self) -> ReleaseState {
        self.release.state
    }

    /// Triggers judge it.
    pub(crate) fn is_under_watch(&self) -> bool {
        self.release.state.is_under_watch()
    }

    /// A deployment event can still move it.
    pub(crate) fn is_open(&self) -> bool {
        self.release.state == ReleaseState::Pending || self.is_under_watch()
    }

    /// Telemetry carries versions of code; a changed flag or schema shows in the service as a whole.
    pub(crate) fn has_own_version(&self) -> bool {
        self.release.kind == ChangeKind::Code
    }

    pub(crate) fn set_state(&mut self, now: Timestamp, state: ReleaseState, reason: impl Into<String>) {
        if self.release.state != state {
            self.release.state = state;
            self.release.state_since = now;
        }
        self.release.state_reason = reason.into();
    }

    /// Whether any trigger fires.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &str> {
        self.triggers.iter().filter(|(_, it)| it.phase.is_firing()).map(|(name, _)| name.as_str())
    }

    /// The first trigger that fires or may soon.
    pub(crate) fn undecided(&self) -> Option<&str> {
        let is_undecided = |it: &TriggerState| it.phase != Phase::Inactive;
        self.triggers.iter().find(|(_, it)| is_undecided(it)).map(|(name, _)| name.as_str())
    }

    /// Says which triggers cannot see, when that changes.
    pub(crate) fn note_unmeasured(&mut self, outbox: &mut Outbox) {
        let text = self.unmeasured_text();
        if text.is_empty() {
            let over = "every trigger can be judged now";
            self.finding_ends(FindingKind::Unmeasured, over, outbox);
        } else if text != self.unmeasured {
            self.findings.insert(FindingKind::Unmeasured);
            outbox.finding(self.finding(FindingKind::Unmeasured, true, text.clone()));
        }
        self.unmeasured = text;
    }

    /// Which triggers cannot see and why; empty where all can.
    pub(crate) fn unmeasured_text(&self) -> String {
        let blind = self.triggers.iter().filter_map(|(name, it)| Some((name, it.eyes.blind()?)));
        let blind: Vec<String> = blind.map(|(name, why)| format!("{name} cannot be judged: {why}")).collect();
        blind.join("; ")
    }

    /// Tells of a finding unless it was told already.
    pub(crate) fn finding_begins(&mut self, kind: FindingKind, text: String, outbox: &mut Outbox) {
        if self.findings.insert(kind) {
            outbox.finding(self.finding(kind, true, text));
        }
    }

    /// Tells that a finding is over, if there is one.
    pub(crate) fn finding_ends(&mut self, kind: FindingKind, text: &str, outbox: &mut Outbox) {
        if self.findings.remove(&kind) {
            outbox.finding(self.finding(kind, false, text.to_owned()));
        }
    }

    fn finding(&self, kind: FindingKind, is_active: bool, text: String) -> Finding {
        let (key, release) = (self.release.key.clone(), Some(self.release.reference()));
        Finding { key, release, kind, is_active, text }
    }

    /// Ends every breach that was told.
    pub(crate) fn breaches_end(&mut self, outbox: &mut Outbox) {
        for name in self.firing() {
            outbox.breach_ended(&self.release.key, Some(self.release.reference()), name);
        }
        self.triggers.clear();
    }

    /// Takes over what the event says and an earlier one did not, or said otherwise.
    pub(crate) fn take_details(&mut self, event: &DeploymentEvent) {
        let release = &mut self.release;
        // The first word about it wins: what ran before does not change afterwards.
        if release.previous_is_guess && event.previous_version.is_some() {
            release.previous_version.clone_from(&event.previous_version);
            release.previous_is_guess = false;
        }
        replace(&mut release.change_id, &event.change_id);
        replace(&mut release.stage, &event.stage);
        replace(&mut release.artifact, &event.artifact);
        replace(&mut release.commit, &event.commit);
        replace(&mut release.committed_at, &event.committed_at);
        replace(&mut release.rollback_floor, &event.rollback_floor);
        replace_owner(&mut release.owner, &event.owner);
        if let Some(share) = event.traffic_percentage.filter(|share| share.is_finite()) {
            release.traffic_percentage = Some(share.clamp(0.0, 100.0));
        }
        release.revertible = event.revertible.unwrap_or(release.revertible);
        // Ingest refuses what does not fit, by what was shown then; updates that were sent together come here.
        for (have, new) in [(&mut release.links, &event.links), (&mut release.facts, &event.facts)] {
            drop(model::merge_details(have, new));
        }
        self.last_word_at = self.last_word_at.max(event.occurred_at);
    }
}

fn replace<T: Clone>(have: &mut Option<T>, with: &Option<T>) {
    if with.is_some() {
        have.clone_from(with);
    }
}

fn replace_owner(have: &mut Option<Owner>, with: &Option<Owner>) {
    if with.as_ref().is_some_and(|owner| *owner != Owner::default()) {
        have.clone_from(with);
    }
}
