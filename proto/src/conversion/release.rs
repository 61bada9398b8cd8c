//! Releases and deployment events.

use model::{
    Artifact, ChangeKind, DeploymentEvent, DeploymentStatus, Owner, Release, ReleaseId, ReleaseRef,
    ReleaseState, Timestamp,
};

use super::{Noun, WireEnum as _, read, read_optional, wire_enum};
use crate::{DecodeError, v1};

wire_enum!(ChangeKind, v1::ChangeKind { Code, Config, Secret, Schema, Flag, Infra });

wire_enum!(
    DeploymentStatus,
    v1::DeploymentStatus { Started, Deployed, Promoted, Failed, RolledBack, Removed }
);

wire_enum!(
    ReleaseState,
    v1::ReleaseState {
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
    }
);

impl Noun for Artifact {
    type Wire = v1::Artifact;

    fn to_wire(&self) -> v1::Artifact {
        v1::Artifact { reference: self.reference.clone(), digest: self.digest.clone() }
    }

    fn from_wire(wire: v1::Artifact) -> Result<Self, DecodeError> {
        Ok(Self { reference: wire.reference, digest: wire.digest })
    }
}

impl Noun for Owner {
    type Wire = v1::Owner;

    fn to_wire(&self) -> v1::Owner {
        v1::Owner {
            team: self.team.clone(),
            slack: self.slack.clone(),
            email: self.email.clone(),
            mention: self.mention.clone(),
        }
    }

    fn from_wire(wire: v1::Owner) -> Result<Self, DecodeError> {
        Ok(Self { team: wire.team, slack: wire.slack, email: wire.email, mention: wire.mention })
    }
}

impl Noun for DeploymentEvent {
    type Wire = v1::DeploymentEvent;

    fn to_wire(&self) -> v1::DeploymentEvent {
        v1::DeploymentEvent {
            release_id: self.release_id.as_str().to_owned(),
            key: Some(self.key.to_wire()),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
            previous_version: self.previous_version.clone(),
            status: self.status.to_wire(),
            kind: self.kind.to_wire(),
            change_id: self.change_id.clone(),
            stage: self.stage.clone(),
            traffic_percentage: self.traffic_percentage,
            artifact: self.artifact.as_ref().map(Noun::to_wire),
            commit: self.commit.clone(),
            committed_at_ms: self.committed_at.as_ref().map(Noun::to_wire),
            revertible: self.revertible,
            rollback_floor: self.rollback_floor.clone(),
            owner: self.owner.as_ref().map(Noun::to_wire),
            links: self.links.clone(),
            facts: self.facts.clone(),
            occurred_at_ms: self.occurred_at.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::DeploymentEvent) -> Result<Self, DecodeError> {
        Ok(Self {
            release_id: ReleaseId::from_text(wire.release_id),
            key: read(wire.key, "DeploymentEvent.key")?,
            cluster: wire.cluster,
            version: wire.version,
            previous_version: wire.previous_version,
            status: DeploymentStatus::from_wire(wire.status, "DeploymentEvent.status")?,
            kind: ChangeKind::from_wire(wire.kind, "DeploymentEvent.kind")?,
            change_id: wire.change_id,
            stage: wire.stage,
            traffic_percentage: wire.traffic_percentage,
            artifact: read_optional(wire.artifact)?,
            commit: wire.commit,
            committed_at: read_optional(wire.committed_at_ms)?,
            revertible: wire.revertible,
            rollback_floor: wire.rollback_floor,
            owner: read_optional(wire.owner)?,
            links: wire.links,
            facts: wire.facts,
            occurred_at: read_optional(wire.occurred_at_ms)?,
        })
    }
}

impl Noun for Release {
    type Wire = v1::Release;

    fn to_wire(&self) -> v1::Release {
        v1::Release {
            id: self.id.as_str().to_owned(),
            key: Some(self.key.to_wire()),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
            previous_version: self.previous_version.clone(),
            kind: self.kind.to_wire(),
            change_id: self.change_id.clone(),
            stage: self.stage.clone(),
            traffic_percentage: self.traffic_percentage,
            artifact: self.artifact.as_ref().map(Noun::to_wire),
            commit: self.commit.clone(),
            committed_at_ms: self.committed_at.as_ref().map(Noun::to_wire),
            revertible: self.revertible,
            rollback_floor: self.rollback_floor.clone(),
            owner: self.owner.as_ref().map(Noun::to_wire),
            links: self.links.clone(),
            facts: self.facts.clone(),
            started_at_ms: self.started_at.to_wire(),
            watch_until_ms: self.watch_until.as_ref().map(Noun::to_wire),
            state: self.state.to_wire(),
            state_since_ms: self.state_since.to_wire(),
            state_reason: self.state_reason.clone(),
            previous_is_guess: self.previous_is_guess,
            previous_is_unseen: self.previous_is_unseen,
        }
    }

    fn from_wire(wire: v1::Release) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ReleaseId::from_text(wire.id),
            key: read(wire.key, "Release.key")?,
            cluster: wire.cluster,
            version: wire.version,
            previous_version: wire.previous_version,
            previous_is_guess: wire.previous_is_guess,
            previous_is_unseen: wire.previous_is_unseen,
            kind: ChangeKind::from_wire(wire.kind, "Release.kind")?,
            change_id: wire.change_id,
            stage: wire.stage,
            traffic_percentage: wire.traffic_percentage,
            artifact: read_optional(wire.artifact)?,
            commit: wire.commit,
            committed_at: read_optional(wire.committed_at_ms)?,
            revertible: wire.revertible,
            rollback_floor: wire.rollback_floor,
            owner: read_optional(wire.owner)?,
            links: wire.links,
            facts: wire.facts,
            started_at: Timestamp::from_millis(wire.started_at_ms),
            watch_until: read_optional(wire.watch_until_ms)?,
            state: ReleaseState::from_wire(wire.state, "Release.state")?,
            state_since: Timestamp::from_millis(wire.state_since_ms),
            state_reason: wire.state_reason,
        })
    }
}

impl Noun for ReleaseRef {
    type Wire = v1::ReleaseRef;

    fn to_wire(&self) -> v1::ReleaseRef {
        v1::ReleaseRef {
            id: self.id.as_str().to_owned(),
            key: Some(self.key.to_wire()),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
        }
    }

    fn from_wire(wire: v1::ReleaseRef) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ReleaseId::from_text(wire.id),
            key: read(wire.key, "ReleaseRef.key")?,
            cluster: wire.cluster,
            version: wire.version,
        })
    }
}
