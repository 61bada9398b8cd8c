//! Commands and their targets.

use std::time::Duration;

use model::{
    Command, CommandId, CommandMode, CommandState, CommandVerb, TargetKind, TargetRef, Timestamp, target,
};

use super::{Noun, WireEnum as _, read, read_all, required, wire_enum, write_all};
use crate::{DecodeError, v1};

wire_enum!(CommandVerb, v1::CommandVerb { Rollback, Promote, Hold });

wire_enum!(CommandMode, v1::CommandMode { Immediate, Approved });

wire_enum!(
    CommandState,
    v1::CommandState { Prepared, Ready, Accepted, Succeeded, Failed, Rejected, Expired, Cancelled }
);

wire_enum!(TargetKind, v1::TargetKind { Webhook, Exec, Kafka });

impl Noun for TargetRef {
    type Wire = v1::TargetReference;

    fn to_wire(&self) -> v1::TargetReference {
        v1::TargetReference {
            kind: self.kind.to_wire(),
            name: self.name.clone(),
            timeout: Some(self.timeout.to_wire()),
        }
    }

    fn from_wire(wire: v1::TargetReference) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: TargetKind::from_wire(wire.kind, "TargetReference.kind")?,
            name: wire.name,
            timeout: read(wire.timeout, "TargetReference.timeout")?,
        })
    }
}

/// The references that a command has, or those to the targets that a command of an earlier version describes.
fn read_targets(
    references: Vec<v1::TargetReference>,
    described: Vec<v1::Target>,
) -> Result<Vec<TargetRef>, DecodeError> {
    if !references.is_empty() {
        return read_all(references);
    }
    let described: Result<Vec<_>, _> = described.into_iter().map(read_described).collect();
    Ok(TargetRef::numbered(described?))
}

fn read_described(wire: v1::Target) -> Result<(TargetKind, String, Duration), DecodeError> {
    Ok(match required(wire.target, "Target.target")? {
        v1::target::Target::Webhook(webhook) => (
            TargetKind::Webhook,
            target::webhook_name(&webhook.url),
            read(webhook.timeout, "Webhook.timeout")?,
        ),
        v1::target::Target::Exec(exec) => {
            (TargetKind::Exec, target::exec_name(&exec.argv), read(exec.timeout, "Exec.timeout")?)
        }
        v1::target::Target::Kafka(kafka) => {
            (TargetKind::Kafka, target::kafka_name(&kafka.topic), target::KAFKA_TIMEOUT)
        }
    })
}

impl Noun for Command {
    type Wire = v1::Command;

    fn to_wire(&self) -> v1::Command {
        v1::Command {
            id: self.id.as_str().to_owned(),
            attempt: self.attempt,
            verb: self.verb.to_wire(),
            release: Some(self.release.to_wire()),
            to_version: self.to_version.clone(),
            to_digest: self.to_digest.clone(),
            mode: self.mode.to_wire(),
            state: self.state.to_wire(),
            state_reason: self.state_reason.clone(),
            targets: Vec::new(),
            target_references: write_all(&self.targets),
            reasons: write_all(&self.reasons),
            decided_at_ms: self.decided_at.to_wire(),
            deadline_ms: self.deadline.to_wire(),
            evidence_at_ms: self.evidence_at.to_wire(),
            fencing: self.fencing,
            approvals_needed: self.approvals_needed,
            approved_by: self.approved_by.clone(),
        }
    }

    fn from_wire(wire: v1::Command) -> Result<Self, DecodeError> {
        Ok(Self {
            id: CommandId::from_text(wire.id),
            attempt: wire.attempt,
            verb: CommandVerb::from_wire(wire.verb, "Command.verb")?,
            release: read(wire.release, "Command.release")?,
            to_version: wire.to_version,
            to_digest: wire.to_digest,
            mode: CommandMode::from_wire(wire.mode, "Command.mode")?,
            state: CommandState::from_wire(wire.state, "Command.state")?,
            state_reason: wire.state_reason,
            targets: read_targets(wire.target_references, wire.targets)?,
            reasons: read_all(wire.reasons)?,
            decided_at: Timestamp::from_millis(wire.decided_at_ms),
            deadline: Timestamp::from_millis(wire.deadline_ms),
            evidence_at: Timestamp::from_millis(wire.evidence_at_ms),
            fencing: wire.fencing,
            approvals_needed: wire.approvals_needed,
            approved_by: wire.approved_by,
        })
    }
}
