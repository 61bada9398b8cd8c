//! Deliveries, audit, halts, bad versions, discovery.

use model::{Delivery, Halt, HaltScope, Recipient, Timestamp, values::Discovery};
use serde::Serialize;
use utoipa::ToSchema;

use crate::projection::{AuditLine, BadVersionLine};

/// What was sent to whom with what result.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryJson {
    pub id: String,
    pub at: String,
    pub receiver: String,
    pub integration: String,
    pub group_key: String,
    pub release: Option<String>,
    pub notices: Vec<String>,
    /// `delivered`, `failed` or `suppressed`.
    pub result: &'static str,
    pub attempts: u32,
    pub detail: String,
    /// What came of each recipient, where the channel has several.
    pub recipients: Vec<RecipientJson>,
}

/// One recipient of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecipientJson {
    pub to: String,
    /// `reached`, `refused` for good, or `waiting` for another try.
    pub state: &'static str,
    pub detail: String,
}

impl DeliveryJson {
    pub fn of(at: Timestamp, delivery: &Delivery) -> Self {
        Self {
            id: delivery.send.to_string(),
            at: at.to_string(),
            receiver: delivery.receiver.clone(),
            integration: delivery.integration.clone(),
            group_key: delivery.group_key.clone(),
            release: delivery.release.as_ref().map(|release| release.id.to_string()),
            notices: delivery.notices.iter().map(ToString::to_string).collect(),
            result: delivery.result.as_str(),
            attempts: delivery.attempts,
            detail: delivery.detail.clone(),
            recipients: delivery.recipients.iter().map(RecipientJson::of).collect(),
        }
    }
}

impl RecipientJson {
    fn of(recipient: &Recipient) -> Self {
        let (to, detail) = (recipient.to.clone(), recipient.detail.clone());
        Self { to, state: recipient.state.as_str(), detail }
    }
}

/// Who did what, why, from where, with what result.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditJson {
    pub at: String,
    pub actor: String,
    pub via: String,
    pub address: String,
    pub what: String,
    pub why: String,
    pub result: String,
}

impl AuditJson {
    pub fn of(line: &AuditLine) -> Self {
        Self {
            at: line.at.to_string(),
            actor: line.actor.name.clone(),
            via: line.actor.via.clone(),
            address: line.actor.address.clone(),
            what: line.what.clone(),
            why: line.why.clone(),
            result: line.result.clone(),
        }
    }
}

/// A halt in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct HaltJson {
    pub id: String,
    /// `all`, `environment` or `service`.
    pub scope: &'static str,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub reason: String,
    pub until: String,
    pub by: String,
}

impl HaltJson {
    pub fn of(halt: &Halt) -> Self {
        let (scope, service, environment) = match &halt.scope {
            HaltScope::All => ("all", None, None),
            HaltScope::Environment(environment) => ("environment", None, Some(environment.clone())),
            HaltScope::Service { service, environment } => {
                ("service", Some(service.clone()), environment.clone())
            }
        };
        Self {
            id: halt.id.to_string(),
            scope,
            service,
            environment,
            reason: halt.reason.clone(),
            until: halt.until.to_string(),
            by: halt.by.clone(),
        }
    }
}

/// A version that no rollback may lead to.
#[derive(Debug, Serialize, ToSchema)]
pub struct BadVersionJson {
    pub at: String,
    pub service: String,
    pub environment: String,
    pub cluster: Option<String>,
    pub version: String,
    pub why: String,
}

impl BadVersionJson {
    pub fn of(line: &BadVersionLine) -> Self {
        Self {
            at: line.at.to_string(),
            service: line.key.service.clone(),
            environment: line.key.environment.clone(),
            cluster: line.cluster.clone(),
            version: line.version.clone(),
            why: line.why.clone(),
        }
    }
}

/// A service that sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceJson {
    pub service: String,
    pub environment: String,
    /// `null`: telemetry without a version.
    pub versions: Vec<Option<String>>,
    pub series: u64,
    pub last_sample_at: Option<String>,
}

/// Series that could not be placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnplacedJson {
    pub example: String,
    pub missing: String,
    pub series: u64,
}

/// Everything seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoveryJson {
    pub services: Vec<ServiceJson>,
    pub unplaced: Vec<UnplacedJson>,
}

impl DiscoveryJson {
    pub fn of(discovery: Discovery) -> Self {
        let service = |seen: model::values::ServiceSeen| ServiceJson {
            service: seen.key.service,
            environment: seen.key.environment,
            versions: seen.versions,
            series: seen.series,
            last_sample_at: seen.last_sample_at.map(|at| at.to_string()),
        };
        let unplaced = |seen: model::values::Unplaced| UnplacedJson {
            example: seen.example,
            missing: seen.missing,
            series: seen.series,
        };
        Self {
            services: discovery.services.into_iter().map(service).collect(),
            unplaced: discovery.unplaced.into_iter().map(unplaced).collect(),
        }
    }
}
