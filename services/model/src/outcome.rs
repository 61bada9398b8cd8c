//! What came of a command or of a message: reported by actuators and receivers, coming back as events.

use crate::{Actor, CommandId, NoticeId, ReleaseRef, SendId};

/// What happened to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeStatus {
    /// The target took it (2xx); it may report success later.
    Accepted,
    /// Verified, or reported by the target.
    Succeeded,
    /// Given up: retries are spent or the answer was final.
    Failed,
    /// Not sent: halted, older than `max_decision_age`, or fenced.
    Refused,
}

impl OutcomeStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// What came of a command, as an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub command: CommandId,
    pub release: ReleaseRef,
    pub status: OutcomeStatus,
    /// Why `Refused`: `true` when the evidence was too old, so that the arbiter prepares it instead.
    pub is_stale: bool,
    /// `Failed` because nobody answered or the answer may be another one later: a new command on fresh evidence
    /// may get through. A refusal for good is not.
    pub is_retryable: bool,
    /// Display name of the target that reported.
    pub target: String,
    pub attempts: u32,
    /// Status line, exit code, captured output: bounded, without secrets.
    pub detail: String,
    /// Who reported, where a person or a target did so over HTTP.
    pub actor: Option<Actor>,
}

/// How a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryResult {
    Delivered,
    /// Given up for good: dead letter.
    Failed,
    /// The router decided not to send, and says why in `detail`.
    Suppressed,
}

impl DeliveryResult {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Suppressed => "suppressed",
        }
    }
}

/// What was sent to whom with what result.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub send: SendId,
    pub notices: Vec<NoticeId>,
    /// The release the message is about, if it is about one.
    pub release: Option<ReleaseRef>,
    pub receiver: String,
    /// `slack`, `email`, `webhook`, and which of the receiver's integrations of that kind.
    pub integration: String,
    pub index: u32,
    pub group_key: String,
    pub result: DeliveryResult,
    pub attempts: u32,
    pub detail: String,
    /// What the channel needs to update the message or to continue its thread: Slack's `channel` and `ts`, the
    /// root `Message-Id` of a mail. Opaque to everyone but the receiver.
    pub thread: Option<String>,
    /// Fingerprints of the alerts it showed as firing, and as resolved.
    pub firing: Vec<u64>,
    pub resolved: Vec<u64>,
    /// What came of each recipient, where the channel has several (a mail's addresses, Slack channels); empty:
    /// `result` holds for the only one.
    pub recipients: Vec<Recipient>,
}

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address or channel.
    pub to: String,
    pub state: RecipientState,
    /// How the endpoint put it; without secrets.
    pub detail: String,
}

/// How far a message got with one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecipientState {
    /// Has the message.
    Reached,
    /// Will not take this message, however often it is tried.
    Refused,
    /// Does not have it yet; another try may work.
    Waiting,
}

impl RecipientState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }
}

impl Delivery {
    /// The recipients that another try has to leave out: they have the message, or refused it for good.
    pub fn settled(&self) -> impl Iterator<Item = &Recipient> {
        self.recipients.iter().filter(|recipient| recipient.state != RecipientState::Waiting)
    }

    /// Whether a recipient is left for another try.
    pub fn has_waiting(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.state == RecipientState::Waiting)
    }

    /// Whether each recipient refused the message for good.
    pub fn is_refused_by_all(&self) -> bool {
        !self.recipients.is_empty()
            && self.recipients.iter().all(|recipient| recipient.state == RecipientState::Refused)
    }
}
