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
    /// How many of them some metric of the policy counts.
    pub counted_series: u64,
    /// Names of a few series, where no metric counts anything that the service sends: it is not judged.
    pub uncounted: Vec<String>,
    pub last_sample_at: Option<String>,
}

/// The series of one job that could not be placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnplacedJson {
    /// The label `job`, else the service, else nothing.
    pub job: String,
    /// Of at most 100 targets.
    pub instances: Vec<String>,
    /// Which of service, environment is missing.
    pub missing: String,
    pub series: u64,
    /// How many of them a metric of the policy would count.
    pub wanted_series: u64,
    pub example: String,
}

/// What is left out of a service's telemetry before it is stored, since the start of the process that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedJson {
    /// Empty where what is refused does not say.
    pub service: String,
    pub reason: String,
    /// Series, data points or lines.
    pub parts: u64,
    pub example: String,
    pub last_at: String,
}

/// Everything seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoveryJson {
    pub services: Vec<ServiceJson>,
    /// A line a job: what the policy's metrics would count first, then what has most series.
    pub unplaced: Vec<UnplacedJson>,
    /// All series that could not be placed.
    pub unplaced_series: u64,
    /// Lines that `unplaced` had no room for.
    pub unplaced_more: u64,
    pub refused: Vec<RefusedJson>,
}

impl DiscoveryJson {
    pub fn of(discovery: Discovery) -> Self {
        let service = |seen: model::values::ServiceSeen| ServiceJson {
            service: seen.key.service,
            environment: seen.key.environment,
            versions: seen.versions,
            series: seen.series,
            counted_series: seen.counted_series,
            uncounted: seen.uncounted,
            last_sample_at: seen.last_sample_at.map(|at| at.to_string()),
        };
        let unplaced = |seen: model::values::Unplaced| UnplacedJson {
            job: seen.job,
            instances: seen.instances.into_iter().collect(),
            missing: seen.missing,
            series: seen.series,
            wanted_series: seen.wanted_series,
            example: seen.example,
        };
        let refused = |it: model::values::Refused| RefusedJson {
            service: it.service,
            reason: it.reason,
            parts: it.parts,
            example: it.example,
            last_at: it.last_at.to_string(),
        };
        Self {
            services: discovery.services.into_iter().map(service).collect(),
            unplaced: discovery.unplaced.into_iter().map(unplaced).collect(),
            unplaced_series: discovery.unplaced_series,
            unplaced_more: discovery.unplaced_more,
            refused: discovery.refused.into_iter().map(refused).collect(),
        }
    }
}
