//! What stands on the decisions log.

use crate::{Command, EventId, Halt, Notice, Position, Proposal, Timestamp};

/// One line of the decisions log, in the one total order.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// What an analyzer proposed, or passed through.
    Proposal(Proposal),
    /// A command made, or the same command in a new state.
    Command(Box<Command>),
    Notice(Box<Notice>),
    /// A halt in force, or (`is_active: false`) ended.
    Halt {
        halt: Halt,
        is_active: bool,
    },
    /// A version is bad from here on, or (`is_bad: false`) not any more.
    BadVersion {
        service: String,
        environment: String,
        cluster: Option<String>,
        version: String,
        digest: Option<String>,
        is_bad: bool,
        why: String,
    },
    /// Who did what, why, from where, with what result.
    Audit {
        actor: crate::Actor,
        what: String,
        why: String,
        result: String,
    },
}

/// Everything that one event led to: appended as one record, so that it is on the log whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// The event that caused it and where it stands on the events log.
    pub cause: EventId,
    pub position: Position,
    /// The event's stamp.
    pub at: Timestamp,
    pub decisions: Vec<Decision>,
}
