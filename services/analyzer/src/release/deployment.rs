//! What deployment tools say, and what that makes of a service's releases.

use model::{
    Artifact, ChangeKind, DeploymentEvent, DeploymentStatus, FindingKind, Release, ReleaseId, ReleaseState,
    is_same_version,
};

use super::{order::is_older, tracked::Tracked};
use crate::{
    judge::baseline::Before,
    outbox::Outbox,
    service::{Context, Service},
    text::short,
};

/// How many releases of one service that are over are remembered. A service that is released every quarter of an
/// hour keeps most of a day; where to go back to is found among them.
pub(crate) const RELEASES_OVER_MAX: usize = 64;

/// How many releases of one service may be open at once: one a cluster and kind of change, with room. Beyond it
/// deployment events that would open another are not taken.
pub(crate) const RELEASES_OPEN_MAX: usize = 256;

impl Service {
    /// Takes one deployment event; `false` if nothing in it concerns any release known.
    pub(crate) fn handle_deployment(
        &mut self,
        event: &DeploymentEvent,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        match event.status {
            DeploymentStatus::Started | DeploymentStatus::Deployed | DeploymentStatus::Promoted => {
                self.goes_out(event, context, outbox)
            }
            DeploymentStatus::Failed => self.deployment_failed(event, context, outbox),
            DeploymentStatus::RolledBack => self.was_rolled_back(event, context, outbox),
            DeploymentStatus::Removed => self.was_removed(event, context, outbox),
        }
    }

    /// In a replay the release stands already where this word brought it. What else the word left behind: what
    /// the release is compared with, and that it was said.
    pub(crate) fn replay_deployment(&mut self, event: &DeploymentEvent, context: Context<'_>) -> bool {
        use DeploymentStatus::{Deployed, Failed, Promoted, Removed, RolledBack, Started};
        let now = context.now();
        let ended_as = |state: ReleaseState| {
            let is_meant = |it: &Tracked| it.state() == state && it.release.state_since == now;
            self.releases.iter().rposition(is_meant)
        };
        let at = match event.status {
            Started | Deployed | Promoted => self.newest_of(bare_id(event).bare()),
            Failed => ended_as(ReleaseState::Cancelled),
            RolledBack => ended_as(ReleaseState::RolledBack),
            Removed => None,
        };
        let Some(at) = at else { return false };
        let is_going_out = matches!(event.status, Started | Deployed | Promoted);
        if is_going_out && (!self.releases[at].is_open() || self.is_about_earlier(at, event)) {
            return false;
        }
        let tracked = &mut self.releases[at];
        tracked.last_word_at = tracked.last_word_at.max(event.occurred_at);
        tracked.is_promoted |= event.status == Promoted && can_advance(tracked.state());
        if is_going_out {
            self.begin(at, context);
        }
        true
    }

    fn goes_out(&mut self, event: &DeploymentEvent, context: Context<'_>, outbox: &mut Outbox) -> bool {
        let bare = bare_id(event);
        let newest = self.newest_of(bare.bare());
        let at = match newest {
            Some(at) if self.releases[at].is_open() && !self.is_about_earlier(at, event) => at,
            Some(at) if self.is_repeat(at, event) => return false,
            _ if self.releases.iter().filter(|it| it.is_open()).count() >= RELEASES_OPEN_MAX => return false,
            _ => {
                let id = self.next_id(&bare);
                self.open(id, event, context)
            }
        };
        let before = self.releases[at].release.clone();
        let was_guess = before.previous_is_guess;
        self.releases[at].take_details(event);
        if was_guess != self.releases[at].release.previous_is_guess {
            self.releases[at].release.previous_is_unseen = self.is_previous_unseen(at, context);
        }
        if let Some(newer) = self.replaced_by(at) {
            let reason = format!("it went out before {newer}, whose event came first");
            self.close(at, ReleaseState::Superseded, reason, context, outbox);
            self.forget_old();
            return true;
        }
        self.advance(at, event, context);
        if self.releases[at].release != before || before.state_since == context.now() {
            outbox.release(&self.releases[at].release);
        }
        if event.status != DeploymentStatus::Started && self.releases[at].is_under_watch() {
            self.take_over(at, context, outbox);
        }
        self.begin(at, context);
        self.find_ambiguity(at, before.artifact.as_ref(), outbox);
        self.forget_old();
        true
    }

    /// A word about a release that is over opens it anew only if it says so and is newer than the last word:
    /// `promoted` belongs to what went out before, and senders retry.
    fn is_repeat(&self, at: usize, event: &DeploymentEvent) -> bool {
        let last_word_at = self.releases[at].last_word_at;
        let is_old = event.occurred_at.is_some() && event.occurred_at <= last_word_at;
        event.status == DeploymentStatus::Promoted || is_old
    }

    fn open(&mut self, id: ReleaseId, event: &DeploymentEvent, context: Context<'_>) -> usize {
        let now = context.now();
        let watch = self.effective(context.sources.policy).defaults.watch;
        // A clock that is ahead, or a word that comes a day late, must not move the start out of the windows.
        let started_at = event.occurred_at.unwrap_or(now).clamp(now - watch, now);
        let at = self.place_of(started_at);
        let known = event
            .previous_version
            .clone()
            .or_else(|| self.newest_other(at, event, &[ReleaseState::Succeeded]));
        let previous_is_guess = known.is_none();
        let previous_version = known.or_else(|| self.find_previous(at, event, context));
        let release = Release {
            id,
            key: self.key.clone(),
            cluster: event.cluster.clone(),
            version: event.version.clone(),
            previous_version,
            previous_is_guess,
            kind: event.kind,
            revertible: event.revertible.unwrap_or(true),
            started_at,
            state_since: now,
            state_reason: "announced".into(),
            ..Release::default()
        };
        self.releases.insert(at, Tracked { release, ..Tracked::default() });
        self.releases[at].release.previous_is_unseen = self.is_previous_unseen(at, context);
        at
    }

    /// A release that is announced or out: what it is compared with is kept, and from when on it is judged.
    fn begin(&mut self, at: usize, context: Context<'_>) {
        if self.releases[at].counts_from.is_none() {
            self.releases[at].counts_from = Some(self.counts_from(at, context));
        }
        if self.releases[at].is_open() {
            self.freeze(at, context);
        }
    }

    /// Moves the release forward: never back from what it already is.
    fn advance(&mut self, at: usize, event: &DeploymentEvent, context: Context<'_>) {
        let policy = self.effective(context.sources.policy);
        let now = context.now();
        let tracked = &mut self.releases[at];
        if event.status == DeploymentStatus::Started || !can_advance(tracked.state()) {
            return;
        }
        if let (Some(stage), None) = (&event.stage, event.traffic_percentage) {
            let of_policy = policy.stages.iter().find(|known| known.name == *stage);
            tracked.release.traffic_percentage =
                of_policy.map(|known| known.traffic_percentage).or(tracked.release.traffic_percentage);
        }
        let is_promotion = event.status == DeploymentStatus::Promoted && !tracked.is_promoted;
        let share = tracked.release.traffic_percentage.unwrap_or(100.0);
        if event.status == DeploymentStatus::Promoted {
            tracked.is_promoted = true;
            tracked.release.traffic_percentage = tracked.release.traffic_percentage.map(|_| 100.0);
        } else if share < 100.0 {
            if tracked.state() != ReleaseState::Watching {
                let stage = tracked.release.stage.as_ref();
                let stage = stage.map_or_else(String::new, |stage| format!(", stage {stage}"));
                tracked.set_state(
                    now,
                    ReleaseState::Progressing,
                    format!("out at {share} % of traffic{stage}"),
                );
            }
            return;
        }
        if tracked.state() != ReleaseState::Watching || is_promotion {
            let watch = policy.defaults.watch.min(policy.defaults.watch_max);
            tracked.release.watch_until = Some(now + watch);
            tracked.extended_from = None;
            tracked.set_state(
                now,
                ReleaseState::Watching,
                format!("fully out, watched for {}", short(watch)),
            );
            tracked.release.state_since = now;
        }
    }

    /// The release at `at` is out: those of the same cluster and kind that went before it are not any more.
    fn take_over(&mut self, at: usize, context: Context<'_>, outbox: &mut Outbox) {
        let newer = self.releases[at].release.clone();
        for older in 0..at {
            let tracked = &self.releases[older];
            let is_same = tracked.release.cluster == newer.cluster && tracked.release.kind == newer.kind;
            let is_in_the_way = tracked.is_open() || tracked.state() == ReleaseState::RollbackFailed;
            if !is_in_the_way || !is_same {
                continue;
            }
            let is_going_back =
                tracked.state() == ReleaseState::RollingBack && tracked.goes_back_to(&newer.version);
            let (state, reason) = if is_going_back {
                (ReleaseState::RolledBack, format!("{} was deployed again", newer.version))
            } else {
                (ReleaseState::Superseded, format!("{} went out", newer.version))
            };
            self.close(older, state, reason, context, outbox);
        }
    }

    fn deployment_failed(
        &mut self,
        event: &DeploymentEvent,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        let bare = bare_id(event);
        let at = match self.newest_of(bare.bare()).or_else(|| self.open_of_version(event)) {
            Some(at) if self.releases[at].is_open() && !self.is_about_earlier(at, event) => at,
            Some(_) => return false,
            // The sender was given its id: it must find the release, and that it failed.
            None => self.open(bare, event, context),
        };
        if self.releases[at].state() == ReleaseState::RollingBack {
            return false;
        }
        self.releases[at].take_details(event);
        self.close(at, ReleaseState::Cancelled, "its deployment failed", context, outbox);
        self.forget_old();
        true
    }

    /// `{version: X, status: rolled_back}` says that X was rolled back. Some tools name the version that they
    /// went back to: if X is not out and a release that came after X is, that release is meant.
    fn was_rolled_back(
        &mut self,
        event: &DeploymentEvent,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        let at =
            self.open_of_version(event).or_else(|| self.out_after(event)).or_else(|| self.of_version(event));
        let Some(at) = at else { return false };
        let state = self.releases[at].state();
        // One that is not serving any more cannot be rolled back: the word is a repeat or about something older.
        let is_gone = matches!(
            state,
            ReleaseState::RolledBack
                | ReleaseState::Recovered
                | ReleaseState::Cancelled
                | ReleaseState::Superseded
        );
        if is_gone {
            return false;
        }
        self.releases[at].last_word_at = self.releases[at].last_word_at.max(event.occurred_at);
        self.close(at, ReleaseState::RolledBack, "the deployment tool rolled it back", context, outbox);
        true
    }

    fn was_removed(&mut self, event: &DeploymentEvent, context: Context<'_>, outbox: &mut Outbox) -> bool {
        let mut any = false;
        for at in 0..self.releases.len() {
            let tracked = &self.releases[at];
            let is_meant =
                event.version.is_empty() || is_same_version(&tracked.release.version, &event.version);
            let is_later = is_older(event, tracked.release.started_at);
            if tracked.is_open() && is_meant && !is_later && tracked.release.cluster == event.cluster {
                self.close(at, ReleaseState::Cancelled, "removed from the environment", context, outbox);
                any = true;
            }
        }
        any
    }

    /// The version that most likely ran before: what was last deployed and not found bad, else what telemetry last
    /// showed.
    fn find_previous(&self, at: usize, event: &DeploymentEvent, context: Context<'_>) -> Option<String> {
        use ReleaseState::{Progressing, Superseded, Unproven, Watching};
        self.newest_other(at, event, &[Progressing, Watching, Unproven, Superseded])
            .or_else(|| self.seen_before(event, context))
    }

    /// The newest other version of the same place and kind whose release went out before `at` and is in one of
    /// `states`.
    fn newest_other(&self, at: usize, event: &DeploymentEvent, states: &[ReleaseState]) -> Option<String> {
        let is_other = |it: &&Tracked| {
            !is_same_version(&it.release.version, &event.version)
                && it.release.cluster == event.cluster
                && it.release.kind == event.kind
                && states.contains(&it.state())
        };
        self.releases[..at].iter().rev().find(is_other).map(|it| it.release.version.clone())
    }

    fn seen_before(&self, event: &DeploymentEvent, context: Context<'_>) -> Option<String> {
        // What telemetry names are versions of code; a flag does not go back to one.
        if event.kind != ChangeKind::Code {
            return None;
        }
        let is_bad = |seen: &str| {
            let mut of_version = self.releases.iter().filter(|it| is_same_version(&it.release.version, seen));
            of_version.any(|it| {
                use ReleaseState::{Cancelled, Recovered, RollbackFailed, RolledBack};
                matches!(it.state(), RolledBack | Recovered | RollbackFailed | Cancelled)
            })
        };
        let mut seen = context.sources.store.versions(&self.key);
        seen.sort_by_key(|it| it.last_at);
        let mut newest_first = seen.into_iter().rev().filter_map(|it| it.version);
        newest_first.find(|seen| !is_same_version(seen, &event.version) && !is_bad(seen))
    }

    /// Keeps the numbers of the window before, as long as the store still has them.
    pub(crate) fn freeze(&mut self, at: usize, context: Context<'_>) {
        let policy = self.effective(context.sources.policy);
        let tracked = &mut self.releases[at];
        let before = Before {
            key: &self.key,
            version: &tracked.release.version,
            previous_version: tracked.release.previous_version.as_deref(),
            started_at: tracked.release.started_at,
            by_version: tracked.has_own_version(),
        };
        let sources = context.sources;
        tracked.frozen.fill(sources.store, sources.policy, &policy.triggers, before, sources.now);
    }

    /// One name, two contents: among releases, or in one whose sender changed its mind.
    fn find_ambiguity(&mut self, at: usize, artifact_before: Option<&Artifact>, outbox: &mut Outbox) {
        let release = &self.releases[at].release;
        let Some(digest) = digest_of(release.artifact.as_ref()) else { return };
        let of_version =
            self.releases.iter().map(|it| &it.release).filter(|it| it.version == release.version);
        let others = of_version.map(|it| it.artifact.as_ref()).chain([artifact_before]);
        let Some(other) = others.filter_map(digest_of).find(|other| *other != digest) else { return };
        let text = format!(
            "version {} of {} is {other} in one place and {digest} in another: its name does not say which",
            release.version, self.key
        );
        self.releases[at].finding_begins(FindingKind::AmbiguousVersion, text, outbox);
    }

    /// Makes room: the oldest that is over goes first.
    pub(crate) fn forget_old(&mut self) {
        while self.releases.iter().filter(|it| !it.is_open()).count() > RELEASES_OVER_MAX {
            let Some(oldest) = self.releases.iter().position(|it| !it.is_open()) else { return };
            self.releases.remove(oldest);
        }
    }
}

fn digest_of(artifact: Option<&Artifact>) -> Option<&str> {
    artifact?.digest.as_deref()
}

fn can_advance(state: ReleaseState) -> bool {
    matches!(state, ReleaseState::Pending | ReleaseState::Progressing | ReleaseState::Watching)
}

/// The id ingest gave it; computed here where a sender in process did not.
pub(super) fn bare_id(event: &DeploymentEvent) -> ReleaseId {
    if !event.release_id.as_str().is_empty() {
        return event.release_id.clone();
    }
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let (cluster, change) = (text(&event.cluster), text(&event.change_id));
    ReleaseId::of(&event.key.service, &event.key.environment, &cluster, &event.version, &change)
}
