//! Commands and their targets.

use model::{Command, CommandId, CommandMode, CommandState, CommandVerb, Target, Timestamp};

use super::{Noun, WireEnum as _, read, read_all, required, wire_enum, write_all};
use crate::{DecodeError, v1};

wire_enum!(CommandVerb, v1::CommandVerb { Rollback, Promote, Hold });

wire_enum!(CommandMode, v1::CommandMode { Immediate, Approved });

wire_enum!(
    CommandState,
    v1::CommandState { Prepared, Ready, Accepted, Succeeded, Failed, Rejected, Expired, Cancelled }
);

impl Noun for Target {
    type Wire = v1::Target;

    fn to_wire(&self) -> v1::Target {
        let target = match self {
            Self::Webhook { url, secret_file, headers, timeout } => {
                v1::target::Target::Webhook(v1::target::Webhook {
                    url: url.clone(),
                    secret_file: secret_file.clone(),
                    headers: headers.clone(),
                    timeout: Some(timeout.to_wire()),
                })
            }
            Self::Exec { argv, timeout } => v1::target::Target::Exec(v1::target::Exec {
                argv: argv.clone(),
                timeout: Some(timeout.to_wire()),
            }),
            Self::Kafka { topic } => v1::target::Target::Kafka(v1::target::Kafka { topic: topic.clone() }),
        };
        v1::Target { target: Some(target) }
    }

    fn from_wire(wire: v1::Target) -> Result<Self, DecodeError> {
        Ok(match required(wire.target, "Target.target")? {
            v1::target::Target::Webhook(webhook) => Self::Webhook {
                url: webhook.url,
                secret_file: webhook.secret_file,
                headers: webhook.headers,
                timeout: read(webhook.timeout, "Webhook.timeout")?,
            },
            v1::target::Target::Exec(exec) => {
                Self::Exec { argv: exec.argv, timeout: read(exec.timeout, "Exec.timeout")? }
            }
            v1::target::Target::Kafka(kafka) => Self::Kafka { topic: kafka.topic },
        })
    }
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
            targets: write_all(&self.targets),
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
            targets: read_all(wire.targets)?,
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
