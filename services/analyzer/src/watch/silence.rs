//! Silence: a silent sender stops judgement, a silent release is a finding about the release.

use std::time::Duration;

use model::{FindingKind, ReleaseState, Timestamp};
use policy::RatioKind;

use crate::{
    outbox::Outbox,
    release::tracked::Tracked,
    service::{Context, Service},
    store::{Ask, Store, VersionSeen, Versions},
    text::short,
};

/// After so long without a settled sample somebody is told: eight scrapes of 15 s, two of a minute.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(120);

/// How many requests a release must have been due before having none means that it gets none: with ten expected,
/// none comes by chance once in 20,000 times.
const REQUESTS_DUE_MIN: f64 = 10.0;

/// The share of traffic a release is taken to have been meant for where nobody says.
const SHARE_UNKNOWN: f64 = 0.01;

impl Service {
    /// Remembers whether anything of the release came in.
    pub(super) fn note_alive(
        &mut self,
        index: usize,
        seen: &[VersionSeen],
        at: Timestamp,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) {
        let store = context.sources.store;
        let tracked = &mut self.releases[index];
        let by_version = tracked.is_told_by_version(seen);
        let newest = if by_version {
            seen.iter().filter(|it| tracked.is_version_of(it)).map(|it| it.last_at).max()
        } else {
            store.last_sample_at(&tracked.release.key)
        };
        if newest > tracked.alive.newest {
            tracked.alive.newest = newest;
            tracked.alive.heard_at = Some(context.now());
        }
        tracked.alive.is_starved = by_version && is_starved(tracked, store, at);
        self.judge_silence(index, context, outbox);
    }

    /// Tells of silence and of its end; called at looks and when time passes.
    pub(crate) fn judge_silence(&mut self, index: usize, context: Context<'_>, outbox: &mut Outbox) {
        let now = context.now();
        let tracked = &mut self.releases[index];
        if !matches!(tracked.state(), ReleaseState::Progressing | ReleaseState::Watching) {
            return;
        }
        let heard_at = *tracked.alive.heard_at.get_or_insert(now);
        let is_quiet = now.since(heard_at) >= SILENT_AFTER;
        let arrived = context.sources.store.last_arrival();
        let is_sender_alive = arrived.is_some_and(|arrived| now.since(arrived) < SILENT_AFTER);
        if context.is_replay {
            return;
        }
        let is_sender_silent = is_quiet && !is_sender_alive;
        if is_sender_silent {
            let text = format!("no telemetry from anywhere for {}: nothing is judged", short(SILENT_AFTER));
            tracked.finding_begins(FindingKind::SenderSilent, text, outbox);
        } else {
            tracked.finding_ends(FindingKind::SenderSilent, "telemetry comes in again", outbox);
        }
        if is_sender_alive && (is_quiet || tracked.alive.is_starved) {
            let text = self.silence_text(index, context);
            self.releases[index].finding_begins(FindingKind::ReleaseSilent, text, outbox);
        } else if !is_quiet && !tracked.alive.is_starved {
            tracked.finding_ends(FindingKind::ReleaseSilent, "the release is seen again", outbox);
        }
    }

    fn silence_text(&self, index: usize, context: Context<'_>) -> String {
        let tracked = &self.releases[index];
        let version = &tracked.release.version;
        if tracked.alive.is_starved {
            return format!(
                "{version} is there, but has had no requests for {} while others have",
                short(SILENT_AFTER)
            );
        }
        let seen = context.sources.store.versions(&self.key);
        // What was seen longer ago hints at nothing, and a restart does not know it.
        let seen = seen.into_iter().filter(|it| context.now().since(it.last_at) < SILENT_AFTER);
        let others: Vec<String> =
            seen.filter(|it| !tracked.is_version_of(it)).filter_map(|it| it.version).collect();
        let what = if tracked.alive.newest.is_some() { "nothing of" } else { "nothing was ever seen of" };
        let hint = match (others.is_empty(), context.sources.store.last_sample_at(&self.key)) {
            (false, _) => {
                let shown: Vec<String> = others.iter().map(|it| self.with_errors(it, context)).collect();
                format!("; telemetry names {}", shown.join(", "))
            }
            (true, None) => "; no telemetry of this service ever came in".to_owned(),
            (true, Some(_)) => String::new(),
        };
        format!("{what} {version} for {}, while others still send{hint}", short(SILENT_AFTER))
    }
}

impl Service {
    /// `2.5.0 (8.6 % errors, 26 of 301 requests in 5m)`, so that the finding says how the service fares.
    fn with_errors(&self, version: &str, context: Context<'_>) -> String {
        let ask = Ask {
            key: &self.key,
            versions: Versions::One(version),
            metric: policy::ERROR_RATE,
            window: policy::VALUES_WINDOW,
            at: self.last_look_at.unwrap_or(context.now()),
            since: None,
        };
        let Some(count) = context.sources.store.ratio(&ask).filter(|count| count.total > 0) else {
            return version.to_owned();
        };
        let errors = match count.kind {
            RatioKind::Bad => count.part,
            RatioKind::Good => count.total.saturating_sub(count.part),
        };
        let percent = 100.0 * errors as f64 / count.total as f64;
        let window = short(policy::VALUES_WINDOW);
        format!("{version} ({percent:.1} % errors, {errors} of {} requests in {window})", count.total)
    }
}

impl Tracked {
    /// When silence would next have to be told.
    pub(crate) fn silence_deadline(&self) -> Option<Timestamp> {
        let is_told = self.findings.contains(&FindingKind::SenderSilent)
            || self.findings.contains(&FindingKind::ReleaseSilent);
        let is_judged = matches!(self.state(), ReleaseState::Progressing | ReleaseState::Watching);
        Some(self.alive.heard_at.filter(|_| is_judged && !is_told)? + SILENT_AFTER)
    }
}

/// Whether other versions served so many requests lately that this one must have had some, and had none.
fn is_starved(tracked: &Tracked, store: &Store, at: Timestamp) -> bool {
    let since = at - SILENT_AFTER;
    // One that was announced long before is due requests only from when it was seen.
    if since < tracked.release.started_at.max(tracked.release.state_since) {
        return false;
    }
    let requests = |versions| {
        let ask = Ask {
            key: &tracked.release.key,
            versions,
            metric: policy::ERROR_RATE,
            window: policy::VALUES_WINDOW,
            at,
            since: Some(since),
        };
        store.ratio(&ask).map(|count| count.total)
    };
    let version = tracked.release.version.as_str();
    if requests(Versions::One(version)).unwrap_or(0) > 0 {
        return false;
    }
    let others = requests(Versions::AllBut(version)).unwrap_or(0) as f64;
    let share = tracked.release.traffic_percentage.map_or(SHARE_UNKNOWN, |percent| percent / 100.0);
    let is_shared = share > 0.0 && share < 1.0;
    let share = if is_shared { share } else { SHARE_UNKNOWN };
    others * share / (1.0 - share) >= REQUESTS_DUE_MIN
}
