//! What comes in.

use serde::{Deserialize, Serialize};

use crate::{Alert, Batch, Delivery, DeploymentEvent, EventId, Outcome, RequestEvent, Timestamp, Verb};

/// The text of every policy file in force from here on; pure cores compile it, so that the policy at a record
/// is a function of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLoad {
    /// File name and the policy sections of its text, in order of precedence; the first is the main file.
    pub files: Vec<(String, String)>,
    /// Who or what loaded it: `start`, `reload`, `file change`.
    pub origin: String,
}

/// The body of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    Telemetry(Batch),
    Requests(Vec<RequestEvent>),
    Deployment(Box<DeploymentEvent>),
    Alerts(Vec<Alert>),
    Outcome(Box<Outcome>),
    Delivery(Box<Delivery>),
    Verb(Box<Verb>),
    PolicyLoad(Box<PolicyLoad>),
    /// Time as a record: silence reaches the core this way.
    Tick,
}

/// Something that came in, with the stamp that is *now* wherever it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: EventId,
    /// When ingest took it; never goes back on one log.
    pub at: Timestamp,
    /// Name of the token or hook it came by.
    pub source: String,
    /// Stands in another partition too, which is the one that passes it through.
    pub is_copy: bool,
    pub body: EventBody,
}
