//! Outcomes of commands and deliveries of messages.

use model::{
    CommandId, Delivery, DeliveryResult, NoticeId, Outcome, OutcomeStatus, Recipient, RecipientState, SendId,
};

use super::{Noun, WireEnum as _, read, read_optional, wire_enum};
use crate::{DecodeError, v1};

wire_enum!(OutcomeStatus, v1::OutcomeStatus { Accepted, Succeeded, Failed, Refused });

wire_enum!(DeliveryResult, v1::DeliveryResult { Delivered, Failed, Suppressed });

wire_enum!(RecipientState, v1::RecipientState { Reached, Refused, Waiting });

impl Noun for Outcome {
    type Wire = v1::Outcome;

    fn to_wire(&self) -> v1::Outcome {
        v1::Outcome {
            command_id: self.command.as_str().to_owned(),
            release: Some(self.release.to_wire()),
            status: self.status.to_wire(),
            is_stale: self.is_stale,
            target: self.target.clone(),
            attempts: self.attempts,
            detail: self.detail.clone(),
            actor: self.actor.as_ref().map(Noun::to_wire),
            is_retryable: self.is_retryable,
        }
    }

    fn from_wire(wire: v1::Outcome) -> Result<Self, DecodeError> {
        Ok(Self {
            command: CommandId::from_text(wire.command_id),
            release: read(wire.release, "Outcome.release")?,
            status: OutcomeStatus::from_wire(wire.status, "Outcome.status")?,
            is_stale: wire.is_stale,
            is_retryable: wire.is_retryable,
            target: wire.target,
            attempts: wire.attempts,
            detail: wire.detail,
            actor: read_optional(wire.actor)?,
        })
    }
}

impl Noun for Delivery {
    type Wire = v1::Delivery;

    fn to_wire(&self) -> v1::Delivery {
        v1::Delivery {
            send_id: self.send.as_str().to_owned(),
            notice_ids: self.notices.iter().map(|id| id.as_str().to_owned()).collect(),
            release: self.release.as_ref().map(Noun::to_wire),
            receiver: self.receiver.clone(),
            integration: self.integration.clone(),
            index: self.index,
            group_key: self.group_key.clone(),
            result: self.result.to_wire(),
            attempts: self.attempts,
            detail: self.detail.clone(),
            thread: self.thread.clone(),
            firing: self.firing.clone(),
            resolved: self.resolved.clone(),
            recipients: self.recipients.iter().map(Noun::to_wire).collect(),
        }
    }

    fn from_wire(wire: v1::Delivery) -> Result<Self, DecodeError> {
        Ok(Self {
            send: SendId::from_text(wire.send_id),
            notices: wire.notice_ids.into_iter().map(NoticeId::from_text).collect(),
            release: read_optional(wire.release)?,
            receiver: wire.receiver,
            integration: wire.integration,
            index: wire.index,
            group_key: wire.group_key,
            result: DeliveryResult::from_wire(wire.result, "Delivery.result")?,
            attempts: wire.attempts,
            detail: wire.detail,
            thread: wire.thread,
            firing: wire.firing,
            resolved: wire.resolved,
            recipients: wire.recipients.into_iter().map(Noun::from_wire).collect::<Result<_, _>>()?,
        })
    }
}

impl Noun for Recipient {
    type Wire = v1::Recipient;

    fn to_wire(&self) -> v1::Recipient {
        v1::Recipient { to: self.to.clone(), state: self.state.to_wire(), detail: self.detail.clone() }
    }

    fn from_wire(wire: v1::Recipient) -> Result<Self, DecodeError> {
        Ok(Self {
            to: wire.to,
            state: RecipientState::from_wire(wire.state, "Recipient.state")?,
            detail: wire.detail,
        })
    }
}
