//! Commands: decisions addressed to an actuator.

use crate::{CommandId, Reason, ReleaseRef, TargetRef, Timestamp};

/// What is to be done to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandVerb {
    Rollback,
    Promote,
    Hold,
}

impl CommandVerb {
    /// The verb's name on every wire and in command ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Promote => "promote",
            Self::Hold => "hold",
        }
    }
}

/// Whether a command was made to be sent at once or after approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandMode {
    Immediate,
    /// Somebody approved it first.
    Approved,
}

impl CommandMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Approved => "approved",
        }
    }
}

/// Where a command is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandState {
    /// Waits for approval.
    #[default]
    Prepared,
    /// To be sent: the decision record is the intent.
    Ready,
    /// Every target accepted it.
    Accepted,
    /// Verified: the target is where it was sent.
    Succeeded,
    Failed,
    Rejected,
    Expired,
    /// Halted, superseded, or made pointless by an event.
    Cancelled,
}

impl CommandState {
    /// In the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Prepared,
        Self::Ready,
        Self::Accepted,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Ready => "ready",
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Prepared | Self::Ready | Self::Accepted)
    }
}

/// A decision addressed to an actuator. The same id twice is the same command: executing it again is harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub id: CommandId,
    pub attempt: u32,
    pub verb: CommandVerb,
    pub release: ReleaseRef,
    /// Where a rollback goes to, named by content. `None` only while prepared: nobody knows, a person must say.
    pub to_version: Option<String>,
    /// The digest of `to_version`, where one is known.
    pub to_digest: Option<String>,
    pub mode: CommandMode,
    pub state: CommandState,
    /// Why it is prepared and not sent, or why it was cancelled: one sentence.
    pub state_reason: String,
    pub targets: Vec<TargetRef>,
    /// Every breach that joined it, the first is the one that tipped it.
    pub reasons: Vec<Reason>,
    pub decided_at: Timestamp,
    /// After this it is not sent any more; a prepared one expires.
    pub deadline: Timestamp,
    /// Event time of the newest evidence: `max_decision_age` counts from here.
    pub evidence_at: Timestamp,
    /// Grows with every command; an executor refuses a lower one than it has seen for the same service.
    pub fencing: u64,
    pub approvals_needed: u32,
    /// Names of those who approved.
    pub approved_by: Vec<String>,
}
