//! Whose word counts about a release: the token that opened it, and operators.
//!
//! Whoever may deploy a service may announce releases of it. What keeps a release from being rolled back, or chooses
//! where to, is for the token that opened it: else the weakest token of a pipeline could disarm every other release
//! of its service.

use model::{DeploymentEvent, DeploymentStatus, OPENED_BY, ReleaseState, is_same_version};

use super::releases::known;
use crate::{
    auth::{Caller, Role},
    ports::KnownRelease,
    problem::Problem,
    state::Shared,
};

/// Refuses what the caller may not say of releases that others opened.
pub(super) fn expect_may_say(
    ingest: &Shared,
    caller: &Caller,
    event: &DeploymentEvent,
) -> Result<(), Problem> {
    if caller.has(Role::Operate) {
        return Ok(());
    }
    let is_foreign =
        |it: &KnownRelease| it.terms.opened_by.as_ref().is_some_and(|by| *by != caller.actor.name);
    match event.status {
        DeploymentStatus::Started | DeploymentStatus::Deployed | DeploymentStatus::Promoted => {
            let open = known(ingest, &event.release_id).filter(|it| is_open(it) && is_foreign(it));
            match open.as_ref().and_then(|it| Some((it, weakened_by(it, event)?))) {
                Some((release, what)) => Err(refusal(release, what)),
                None => Ok(()),
            }
        }
        DeploymentStatus::Failed => {
            report(reported(ingest, event, false).iter().find(|it| is_foreign(it)), "failed")
        }
        DeploymentStatus::RolledBack => {
            report(reported(ingest, event, true).iter().find(|it| is_foreign(it)), "rolled_back")
        }
        DeploymentStatus::Removed => {
            report(reported(ingest, event, true).iter().find(|it| is_foreign(it)), "removed")
        }
    }
}

/// Notes on an event that opens a release who sent it. The note is a fact of the release, so that it outlives
/// restarts and however much is written to the log; senders cannot name such facts.
pub(super) fn sign(event: &mut DeploymentEvent, name: &str) {
    event.facts.insert(OPENED_BY.to_owned(), name.to_owned());
}

fn report(foreign: Option<&KnownRelease>, what: &'static str) -> Result<(), Problem> {
    foreign.map_or(Ok(()), |release| Err(refusal(release, what)))
}

fn refusal(release: &KnownRelease, what: &str) -> Problem {
    let by = release.terms.opened_by.as_deref().unwrap_or_default();
    let id = &release.release.id;
    Problem::forbidden(format!(
        "release {id} was opened by {by:?}: only that token, or one that also has the role `operate`, may say \
         `{what}` of it"
    ))
    .with("release", id.as_str())
}

fn is_open(known: &KnownRelease) -> bool {
    known.state == ReleaseState::Pending || known.state.is_under_watch()
}

/// What in the event would keep the release from being rolled back, or choose where to.
fn weakened_by(known: &KnownRelease, event: &DeploymentEvent) -> Option<&'static str> {
    let terms = &known.terms;
    let digest = event.artifact.as_ref().and_then(|artifact| artifact.digest.as_ref());
    let is_other_version =
        |version: &String| terms.previous_version.as_ref().is_none_or(|have| !is_same_version(have, version));
    if event.revertible == Some(false) && terms.is_revertible {
        return Some("revertible");
    }
    if event.rollback_floor.is_some() && event.rollback_floor != terms.rollback_floor {
        return Some("rollback_floor");
    }
    if digest.is_some() && digest != terms.digest.as_ref() {
        return Some("artifact.digest");
    }
    event.previous_version.as_ref().is_some_and(is_other_version).then_some("previous_version")
}

/// The releases that a report may be about. It names a version; where that is not out (`or_newer`), a release that
/// replaced it may be meant.
fn reported(ingest: &Shared, event: &DeploymentEvent, or_newer: bool) -> Vec<KnownRelease> {
    let is_named = |it: &KnownRelease| is_same_version(&it.release.version, &event.version);
    let mut all = ingest.lookup.releases_of(&event.key);
    all.extend(known(ingest, &event.release_id));
    all.retain(|it| it.release.cluster == event.cluster && (is_open(it) || is_named(it)));
    if all.iter().any(|it| is_open(it) && is_named(it)) || !or_newer {
        all.retain(is_named);
    }
    all
}
