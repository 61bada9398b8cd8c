//! Which release a deployment event is about, and which release went out before which: by the events' own times,
//! whatever the order in which they came in.
//!
//! Brokers and retries reorder events. `releases` is kept in the order in which they went out; an event that is
//! older than a release is about one before it. A sender's clock is believed as far back as one watch; a time that
//! is ahead counts as the time of arrival.

use std::time::Duration;

use model::{ChangeKind, DeploymentEvent, ReleaseId, ReleaseState, Timestamp, is_same_version};

use super::tracked::Tracked;
use crate::service::{Context, Service};

/// A version seen so long before its release was announced ran before: only what it did since then counts. Less
/// is the time a rollout takes, whose tool speaks when it is done.
pub(crate) const ANNOUNCED_LATE_MAX: Duration = Duration::from_secs(15 * 60);

impl Service {
    /// The newest release of that bare id.
    pub(crate) fn newest_of(&self, bare: &str) -> Option<usize> {
        self.releases.iter().rposition(|it| it.release.id.bare() == bare)
    }

    /// Brings releases that were put in from outside into the order in which they went out.
    pub(crate) fn sort_releases(&mut self) {
        self.releases.sort_by_key(|it| (it.release.started_at, times(&it.release.id)));
    }

    /// Where a release that went out at `started_at` belongs: behind every one that went out no later.
    pub(super) fn place_of(&self, started_at: Timestamp) -> usize {
        self.releases.partition_point(|it| it.release.started_at <= started_at)
    }

    pub(super) fn next_id(&self, bare: &ReleaseId) -> ReleaseId {
        let same = self.releases.iter().filter(|it| it.release.id.bare() == bare.bare());
        match same.map(|it| times(&it.release.id)).max() {
            Some(last) => bare.again(last.saturating_add(1)),
            None => bare.clone(),
        }
    }

    /// The version that went out after the release at `at` and took its place before that became known.
    pub(super) fn replaced_by(&self, at: usize) -> Option<String> {
        let older = &self.releases[at].release;
        let later = self.releases[at + 1..].iter().filter(|it| it.release.started_at > older.started_at);
        let went_out = |it: &&Tracked| {
            it.release.cluster == older.cluster
                && it.release.kind == older.kind
                && !matches!(it.state(), ReleaseState::Pending | ReleaseState::Cancelled)
        };
        later.rev().find(went_out).map(|it| it.release.version.clone())
    }

    /// Whether an event about a release of that bare id is about an earlier one than that at `newest`.
    pub(super) fn is_about_earlier(&self, newest: usize, event: &DeploymentEvent) -> bool {
        let release = &self.releases[newest].release;
        is_older(event, release.started_at)
            && self.releases[..newest].iter().any(|it| it.release.id.bare() == release.id.bare())
    }

    pub(super) fn open_of_version(&self, event: &DeploymentEvent) -> Option<usize> {
        self.of_version(event).filter(|&at| self.releases[at].is_open())
    }

    /// The newest release of the event's version that went out no later than the event; one that seems to have
    /// gone out later only where there is no other, as clocks differ a little.
    pub(super) fn of_version(&self, event: &DeploymentEvent) -> Option<usize> {
        let is_meant = |it: &Tracked| {
            is_same_version(&it.release.version, &event.version) && it.release.cluster == event.cluster
        };
        let in_time = |it: &Tracked| is_meant(it) && !is_older(event, it.release.started_at);
        self.releases.iter().rposition(in_time).or_else(|| self.releases.iter().rposition(is_meant))
    }

    /// A release that is out and replaced the event's version: by what is known of it, or by having come later.
    pub(super) fn out_after(&self, event: &DeploymentEvent) -> Option<usize> {
        let is_out = |it: &Tracked| {
            it.is_under_watch()
                && it.release.cluster == event.cluster
                && !is_older(event, it.release.started_at)
        };
        let replaced = |it: &Tracked| is_out(it) && it.goes_back_to(&event.version);
        let came_later = || {
            let closed = self.of_version(event)?;
            self.releases.iter().rposition(is_out).filter(|later| *later > closed)
        };
        self.releases.iter().rposition(replaced).or_else(came_later)
    }

    /// Whether telemetry speaks against the previous version of the release at `at`: others ran before it, and that
    /// one did not; or, where it is only guessed, more than one other ran. Where telemetry shows nothing of the time
    /// before, it says nothing, and the deployment tool's word stands.
    pub(super) fn is_previous_unseen(&self, at: usize, context: Context<'_>) -> bool {
        let release = &self.releases[at].release;
        let Some(previous) = release.previous_version.as_deref() else { return false };
        let seen = context.sources.store.versions(&self.key);
        let before = seen.iter().filter(|it| it.first_at < release.started_at);
        let mut others: Vec<&str> = before.filter_map(|it| it.version.as_deref()).collect();
        others.retain(|it| !is_same_version(it, &release.version));
        let is_among = others.iter().any(|it| is_same_version(it, previous));
        let is_alone = others.iter().all(|it| is_same_version(it, previous));
        if release.previous_is_guess { !(is_among && is_alone) } else { !others.is_empty() && !is_among }
    }

    /// From when on what its version does counts for the release at `at`: from its beginning where the version ran
    /// before, and then only from the first scrape on that begins after it. What an earlier try of the version did,
    /// or the version before its configuration was mended, is not this release's.
    pub(super) fn counts_from(&self, at: usize, context: Context<'_>) -> Timestamp {
        let release = &self.releases[at].release;
        let seen = context.sources.store.versions(&self.key);
        let is_own = |name: &str| is_same_version(name, &release.version);
        let Some(own) = seen.iter().find(|it| it.version.as_deref().is_some_and(is_own)) else {
            return Timestamp::MIN;
        };
        let went_out_before = self.releases[..at].iter().any(|it| is_own(&it.release.version));
        let ran_before = own.first_at + ANNOUNCED_LATE_MAX < release.started_at
            || went_out_before
            || release.kind != ChangeKind::Code
            || release.id.as_str() != release.id.bare();
        if ran_before { release.started_at + own.interval } else { Timestamp::MIN }
    }
}

impl Tracked {
    pub(super) fn goes_back_to(&self, version: &str) -> bool {
        let is_version =
            |name: &Option<String>| name.as_deref().is_some_and(|it| is_same_version(it, version));
        is_version(&self.rollback_to) || is_version(&self.release.previous_version)
    }
}

/// Whether the event happened before `moment`, by its own time.
pub(super) fn is_older(event: &DeploymentEvent, moment: Timestamp) -> bool {
    event.occurred_at.is_some_and(|occurred_at| occurred_at < moment)
}

/// The how-manieth time a release goes out, by its id.
fn times(id: &ReleaseId) -> u32 {
    let number = id.as_str().split_once('-').and_then(|(_, number)| number.parse().ok());
    number.unwrap_or(1)
}
