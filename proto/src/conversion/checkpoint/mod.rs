//! Checkpoints of the decisions log.

mod arbiter;
mod firing;
mod storm;

use model::{AuditEntry, Checkpoint, Decision, Partition, Position, Standing, Timestamp};

use super::{Noun, read, read_all, required, write_all};
use crate::{DecodeError, v1};

impl Noun for Checkpoint {
    type Wire = v1::Checkpoint;

    fn to_wire(&self) -> v1::Checkpoint {
        v1::Checkpoint {
            next: self.next.0,
            now_ms: self.now.to_wire(),
            standing: Some(self.standing.to_wire()),
            arbiter: Some(self.arbiter.to_wire()),
            unanswered: write_all(&self.unanswered),
            audit: write_all(&self.audit),
        }
    }

    fn from_wire(wire: v1::Checkpoint) -> Result<Self, DecodeError> {
        Ok(Self {
            next: Position(wire.next),
            now: Timestamp::from_millis(wire.now_ms),
            standing: read(wire.standing, "Checkpoint.standing")?,
            arbiter: read(wire.arbiter, "Checkpoint.arbiter")?,
            unanswered: read_all(wire.unanswered)?,
            audit: read_all(wire.audit)?,
        })
    }
}

impl Noun for Standing {
    type Wire = v1::Standing;

    fn to_wire(&self) -> v1::Standing {
        let decided = self.all_decided().map(|(partition, position)| v1::standing::Decided {
            partition: partition.0,
            position: position.0,
        });
        v1::Standing {
            decided: decided.collect(),
            epoch: self.epoch(),
            answered: self.answered().map(|position| position.0),
        }
    }

    fn from_wire(wire: v1::Standing) -> Result<Self, DecodeError> {
        let decided = wire.decided.into_iter().map(|it| (Partition(it.partition), Position(it.position)));
        Ok(Self::restored(decided, wire.epoch, wire.answered.map(Position)))
    }
}

impl Noun for AuditEntry {
    type Wire = v1::AuditEntry;

    fn to_wire(&self) -> v1::AuditEntry {
        let audit = v1::Audit {
            actor: Some(self.actor.to_wire()),
            service: self.about.service.clone(),
            environment: self.about.environment.clone(),
            what: self.what.clone(),
            why: self.why.clone(),
            result: self.result.clone(),
        };
        v1::AuditEntry { at_ms: self.at.to_wire(), audit: Some(audit) }
    }

    fn from_wire(wire: v1::AuditEntry) -> Result<Self, DecodeError> {
        use v1::decision::Decision::Audit as Arm;
        let audit = required(wire.audit, "AuditEntry.audit")?;
        match Noun::from_wire(v1::Decision { decision: Some(Arm(audit)) })? {
            Decision::Audit { actor, about, what, why, result } => {
                Ok(Self { at: Timestamp::from_millis(wire.at_ms), actor, about, what, why, result })
            }
            _ => Err(DecodeError::Missing { field: "AuditEntry.audit" }),
        }
    }
}
