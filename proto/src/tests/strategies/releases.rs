//! Releases and deployment events.

use model::*;
use proptest::{option, prelude::*};

use super::small::{key, map, maybe_text, maybe_timestamp, number, one_of, text, timestamp};

pub(super) fn release_ref() -> BoxedStrategy<ReleaseRef> {
    (text(), key(), maybe_text(), text())
        .prop_map(|(id, key, cluster, version)| ReleaseRef {
            id: ReleaseId::from_text(id),
            key,
            cluster,
            version,
        })
        .boxed()
}

pub(super) fn change_kind() -> impl Strategy<Value = ChangeKind> {
    use ChangeKind::*;
    one_of([Code, Config, Secret, Schema, Flag, Infra])
}

pub(super) fn artifact() -> impl Strategy<Value = Option<Artifact>> {
    option::of((text(), maybe_text()).prop_map(|(reference, digest)| Artifact { reference, digest }))
}

pub(super) fn owner() -> impl Strategy<Value = Option<Owner>> {
    let texts = (maybe_text(), maybe_text(), maybe_text(), maybe_text());
    option::of(texts.prop_map(|(team, slack, email, mention)| Owner { team, slack, email, mention }))
}

pub(super) fn deployment_status() -> impl Strategy<Value = DeploymentStatus> {
    use DeploymentStatus::*;
    one_of([Started, Deployed, Promoted, Failed, RolledBack, Removed])
}

pub(super) fn deployment() -> BoxedStrategy<DeploymentEvent> {
    let what = (release_ref(), maybe_text(), deployment_status(), change_kind(), maybe_text(), maybe_text());
    let how = (option::of(number()), artifact(), maybe_text(), maybe_timestamp(), option::of(any::<bool>()));
    let rest = (maybe_text(), owner(), map(), map(), maybe_timestamp());
    (what, how, rest)
        .prop_map(|(what, how, rest)| {
            let (release, previous_version, status, kind, change_id, stage) = what;
            let (traffic_percentage, artifact, commit, committed_at, revertible) = how;
            let (rollback_floor, owner, links, facts, occurred_at) = rest;
            DeploymentEvent {
                release_id: release.id,
                key: release.key,
                cluster: release.cluster,
                version: release.version,
                previous_version,
                status,
                kind,
                change_id,
                stage,
                traffic_percentage,
                artifact,
                commit,
                committed_at,
                revertible,
                rollback_floor,
                owner,
                links,
                facts,
                occurred_at,
            }
        })
        .boxed()
}

pub(super) fn release_state() -> impl Strategy<Value = ReleaseState> {
    use ReleaseState::*;
    one_of([
        Pending,
        Progressing,
        Watching,
        Succeeded,
        Unproven,
        RollbackPrepared,
        RollingBack,
        RolledBack,
        Recovered,
        RollbackFailed,
        Superseded,
        Cancelled,
    ])
}

pub(super) fn release() -> BoxedStrategy<Release> {
    let state = (timestamp(), maybe_timestamp(), release_state(), timestamp(), text());
    (deployment(), state)
        .prop_map(|(event, state)| {
            let (started_at, watch_until, state, state_since, state_reason) = state;
            Release {
                id: event.release_id,
                key: event.key,
                cluster: event.cluster,
                version: event.version,
                previous_version: event.previous_version,
                kind: event.kind,
                change_id: event.change_id,
                stage: event.stage,
                traffic_percentage: event.traffic_percentage,
                artifact: event.artifact,
                commit: event.commit,
                committed_at: event.committed_at,
                revertible: event.revertible.unwrap_or_default(),
                rollback_floor: event.rollback_floor,
                owner: event.owner,
                links: event.links,
                facts: event.facts,
                started_at,
                watch_until,
                state,
                state_since,
                state_reason,
                previous_is_guess: event.revertible.unwrap_or_default(),
                previous_is_unseen: event.revertible.unwrap_or_default(),
            }
        })
        .boxed()
}
