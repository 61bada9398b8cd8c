//! What stands on the decisions log.

use crate::{Command, EventId, Halt, Notice, Partition, Position, Proposal, ServiceKey, Timestamp};

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
        /// The service that it touches, so that those who may not see the service do not see this either. Empty
        /// where it touches several or is not known; without an environment: the service in all of them.
        about: ServiceKey,
        what: String,
        why: String,
        result: String,
    },
}

/// Who wrote a record of the decisions log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The analyzer of the record's partition: its proposals.
    #[default]
    Analyzer,
    /// The arbiter: what it made of one record of the decisions log.
    Arbiter {
        /// Grows with each arbiter that takes over; what one of a lower epoch still writes does not count.
        epoch: u64,
        /// Where the record that it answers stands on the decisions log.
        answers: Position,
    },
    /// A process says that it is the arbiter from here on.
    Claim { instance: String },
    /// The arbiter says that time has come, so that what it decides by time is a function of the log.
    Clock { epoch: u64 },
    /// A process that tells says that time has come, so that what it tells by time is a function of the log. It
    /// concerns the router only, and counts whoever says it.
    Teller,
}

/// Everything that one event led to: appended as one record, so that it is on the log whole or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionRecord {
    pub origin: Origin,
    /// The event that caused it and where it stands on the events log: in which partition, and where there.
    pub cause: EventId,
    pub partition: Partition,
    pub position: Position,
    /// The event's stamp.
    pub at: Timestamp,
    pub decisions: Vec<Decision>,
}
