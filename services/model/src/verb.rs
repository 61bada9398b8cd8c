//! People's verbs: each needs a role, each is audited, each is an event.

use crate::{CommandId, HaltId, ReleaseId, Timestamp};

/// The name under which the token of the data directory acts: whoever may read that directory has it.
pub const LOCAL_OPERATOR: &str = "operator";

/// Who did something, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Name of the token, user or signature that authenticated.
    pub name: String,
    /// `api`, `cli`, `slack`, `file`.
    pub via: String,
    /// Remote address, where there is one.
    pub address: String,
}

/// What a halt stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltScope {
    All,
    Environment(String),
    /// A service, in one environment or in all.
    Service {
        service: String,
        environment: Option<String>,
    },
}

impl HaltScope {
    /// Whether the scope holds `service` in `environment`.
    pub fn covers(&self, service: &str, environment: &str) -> bool {
        match self {
            Self::All => true,
            Self::Environment(halted) => halted == environment,
            Self::Service { service: halted, environment: only } => {
                halted == service && only.as_deref().is_none_or(|only| only == environment)
            }
        }
    }
}

/// All automatic action stopped for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    pub id: HaltId,
    pub scope: HaltScope,
    pub reason: String,
    pub until: Timestamp,
    pub by: String,
}

/// What somebody wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerbKind {
    /// Roll back now, to `to_version` or to where Ripcord would go.
    Rollback {
        release: ReleaseId,
        to_version: Option<String>,
        /// Also to a version that was never seen out; never to a bad one.
        force: bool,
    },
    Promote {
        release: ReleaseId,
    },
    Hold {
        release: ReleaseId,
    },
    /// Stop watching.
    Cancel {
        release: ReleaseId,
    },
    /// `to_version` is needed where the prepared command names none.
    Approve {
        command: CommandId,
        to_version: Option<String>,
        /// As a rollback's.
        force: bool,
    },
    Reject {
        command: CommandId,
    },
    Halt(Halt),
    Unhalt {
        id: HaltId,
    },
    /// A version is not bad any more.
    ClearBad {
        service: String,
        environment: String,
        version: String,
    },
}

/// A person's verb, as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verb {
    pub kind: VerbKind,
    pub actor: Actor,
    pub comment: String,
}
