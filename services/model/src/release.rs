//! Releases and the deployment events that open, move and end them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{ReleaseId, ServiceKey, Timestamp};

/// What is going out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    #[default]
    Code,
    Config,
    Secret,
    Schema,
    Flag,
    Infra,
}

/// How far the deployment tool says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeploymentStatus {
    Started,
    #[default]
    Deployed,
    Promoted,
    Failed,
    RolledBack,
    /// CDEvents `service.removed`: the service left the environment.
    Removed,
}

/// What was built: the content by which a version is told from another of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Artifact {
    /// As sent, e.g. a package URL `pkg:oci/shop@sha256%3A…` or an image reference.
    pub reference: String,
    /// `sha256:…` where the reference names one.
    pub digest: Option<String>,
}

/// Who is told and asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    pub team: Option<String>,
    pub slack: Option<String>,
    pub email: Option<String>,
    /// Whom Slack mentions in the owner's channel; from the policy only, never from a release event.
    pub mention: Option<String>,
}

/// The fact of a release that names the token that opened it. Facts whose names begin with [`OWN_FACTS`] are Ripcord's
/// own, and no sender's.
pub const OPENED_BY: &str = "ripcord.opened_by";

/// How the names of Ripcord's own facts begin.
pub const OWN_FACTS: &str = "ripcord.";

/// A deployment tool says that a version went out (`POST /api/v1/releases`, CDEvents `service.*`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploymentEvent {
    /// The bare release id, computed by ingest so that the answer can carry it.
    pub release_id: ReleaseId,
    pub key: ServiceKey,
    pub cluster: Option<String>,
    pub version: String,
    pub previous_version: Option<String>,
    pub status: DeploymentStatus,
    pub kind: ChangeKind,
    pub change_id: Option<String>,
    pub stage: Option<String>,
    /// The release's share of traffic, 0..=100.
    pub traffic_percentage: Option<f64>,
    pub artifact: Option<Artifact>,
    pub commit: Option<String>,
    pub committed_at: Option<Timestamp>,
    /// `false`: no automatic rollback, e.g. after a migration that cannot be undone.
    pub revertible: Option<bool>,
    /// No rollback may lead to a version older than this one.
    pub rollback_floor: Option<String>,
    pub owner: Option<Owner>,
    pub links: BTreeMap<String, String>,
    /// Facts for gates, as text (`true`, `87.5`, `…`).
    pub facts: BTreeMap<String, String>,
    /// When the sender says it happened; `None` = when it came in.
    pub occurred_at: Option<Timestamp>,
}

/// Where a release is in its life (DESIGN, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReleaseState {
    /// Announced (`status: started`), not out yet.
    #[default]
    Pending,
    /// Out at part of the traffic, at a stage.
    Progressing,
    /// Fully out and under watch.
    Watching,
    /// The watch ended with enough seen and nothing wrong.
    Succeeded,
    /// The watch ended and too little was seen to say so.
    Unproven,
    /// A rollback waits for approval.
    RollbackPrepared,
    /// A rollback was sent.
    RollingBack,
    /// The target is back at another version.
    RolledBack,
    /// Rolled back, and its service's metrics are within limits again.
    Recovered,
    /// The rollback could not be carried out: somebody must act.
    RollbackFailed,
    /// A newer release of the same service took over.
    Superseded,
    /// Failed to deploy, removed, or called off by a person.
    Cancelled,
}

impl ReleaseState {
    /// In the order of a life.
    pub const ALL: [Self; 12] = [
        Self::Pending,
        Self::Progressing,
        Self::Watching,
        Self::Succeeded,
        Self::Unproven,
        Self::RollbackPrepared,
        Self::RollingBack,
        Self::RolledBack,
        Self::Recovered,
        Self::RollbackFailed,
        Self::Superseded,
        Self::Cancelled,
    ];

    /// Whether triggers judge a release in this state.
    pub fn is_under_watch(self) -> bool {
        matches!(self, Self::Progressing | Self::Watching | Self::RollbackPrepared | Self::RollingBack)
    }

    /// Whether nothing more will happen to it by itself.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Unproven | Self::Recovered | Self::Superseded | Self::Cancelled
        )
    }

    /// The state's name on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Progressing => "progressing",
            Self::Watching => "watching",
            Self::Succeeded => "succeeded",
            Self::Unproven => "unproven",
            Self::RollbackPrepared => "rollback_prepared",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Recovered => "recovered",
            Self::RollbackFailed => "rollback_failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One version of one service going out in one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    pub key: ServiceKey,
    pub cluster: Option<String>,
    pub version: String,
    pub previous_version: Option<String>,
    /// Nobody named `previous_version` and it never succeeded: it serves for comparing, and a rollback does not go
    /// there by itself.
    pub previous_is_guess: bool,
    /// Telemetry showed other versions running before the release, and `previous_version` not among them; of a
    /// guess, that more than one was. Nothing goes there by itself.
    pub previous_is_unseen: bool,
    pub kind: ChangeKind,
    pub change_id: Option<String>,
    pub stage: Option<String>,
    pub traffic_percentage: Option<f64>,
    pub artifact: Option<Artifact>,
    pub commit: Option<String>,
    pub committed_at: Option<Timestamp>,
    pub revertible: bool,
    pub rollback_floor: Option<String>,
    pub owner: Option<Owner>,
    pub links: BTreeMap<String, String>,
    pub facts: BTreeMap<String, String>,
    pub started_at: Timestamp,
    /// When the watch ends if nothing happens; `None` while not fully out.
    pub watch_until: Option<Timestamp>,
    pub state: ReleaseState,
    /// When `state` was entered.
    pub state_since: Timestamp,
    /// Why it is in this state, one sentence for a person.
    pub state_reason: String,
}

impl Release {
    /// The few fields by which commands and notices name a release.
    pub fn reference(&self) -> ReleaseRef {
        ReleaseRef {
            id: self.id.clone(),
            key: self.key.clone(),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
        }
    }
}

/// A release named from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseRef {
    pub id: ReleaseId,
    pub key: ServiceKey,
    pub cluster: Option<String>,
    pub version: String,
}
