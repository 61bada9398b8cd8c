//! Decisions and the record that holds them.

use model::{Decision, DecisionRecord, EventId, Origin, Partition, Position, ServiceKey, Timestamp};

use super::{Noun, read, read_all, required, write_all};
use crate::{DecodeError, v1};

impl Noun for Decision {
    type Wire = v1::Decision;

    fn to_wire(&self) -> v1::Decision {
        v1::Decision { decision: Some(write(self)) }
    }

    fn from_wire(wire: v1::Decision) -> Result<Self, DecodeError> {
        use v1::decision::Decision as Arm;
        Ok(match required(wire.decision, "Decision.decision")? {
            Arm::Proposal(proposal) => Self::Proposal(Noun::from_wire(proposal)?),
            Arm::Command(command) => Self::Command(Box::new(Noun::from_wire(command)?)),
            Arm::Notice(notice) => Self::Notice(Box::new(Noun::from_wire(notice)?)),
            Arm::Halt(change) => {
                Self::Halt { halt: read(change.halt, "HaltChange.halt")?, is_active: change.is_active }
            }
            Arm::BadVersion(bad) => Self::BadVersion {
                service: bad.service,
                environment: bad.environment,
                cluster: bad.cluster,
                version: bad.version,
                digest: bad.digest,
                is_bad: bad.is_bad,
                why: bad.why,
            },
            Arm::Audit(audit) => Self::Audit {
                actor: read(audit.actor, "Audit.actor")?,
                about: ServiceKey::new(audit.service, audit.environment),
                what: audit.what,
                why: audit.why,
                result: audit.result,
            },
        })
    }
}

fn write(decision: &Decision) -> v1::decision::Decision {
    use v1::decision::Decision as Arm;
    match decision {
        Decision::Proposal(proposal) => Arm::Proposal(proposal.to_wire()),
        Decision::Command(command) => Arm::Command(command.to_wire()),
        Decision::Notice(notice) => Arm::Notice(notice.to_wire()),
        Decision::Halt { halt, is_active } => {
            Arm::Halt(v1::HaltChange { halt: Some(halt.to_wire()), is_active: *is_active })
        }
        Decision::BadVersion { service, environment, cluster, version, digest, is_bad, why } => {
            Arm::BadVersion(v1::BadVersion {
                service: service.clone(),
                environment: environment.clone(),
                cluster: cluster.clone(),
                version: version.clone(),
                digest: digest.clone(),
                is_bad: *is_bad,
                why: why.clone(),
            })
        }
        Decision::Audit { actor, about, what, why, result } => Arm::Audit(v1::Audit {
            actor: Some(actor.to_wire()),
            service: about.service.clone(),
            environment: about.environment.clone(),
            what: what.clone(),
            why: why.clone(),
            result: result.clone(),
        }),
    }
}

impl Noun for DecisionRecord {
    type Wire = v1::DecisionRecord;

    fn to_wire(&self) -> v1::DecisionRecord {
        v1::DecisionRecord {
            cause: self.cause.as_str().to_owned(),
            position: self.position.0,
            at_ms: self.at.to_wire(),
            decisions: write_all(&self.decisions),
            partition: self.partition.0,
            origin: write_origin(&self.origin),
        }
    }

    fn from_wire(wire: v1::DecisionRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            cause: EventId::from_text(wire.cause),
            position: Position(wire.position),
            at: Timestamp::from_millis(wire.at_ms),
            decisions: read_all(wire.decisions)?,
            partition: Partition(wire.partition),
            origin: read_origin(wire.origin),
        })
    }
}

/// An analyzer is written as nothing: its records keep the bytes that they had when nobody else wrote any.
fn write_origin(origin: &Origin) -> Option<v1::decision_record::Origin> {
    use v1::decision_record::Origin as Arm;
    match origin {
        Origin::Analyzer => None,
        Origin::Arbiter { epoch, answers } => {
            Some(Arm::Arbiter(v1::Arbiter { epoch: *epoch, answers: answers.0 }))
        }
        Origin::Claim { instance } => Some(Arm::Claim(v1::Claim { instance: instance.clone() })),
        Origin::Clock { epoch } => Some(Arm::Clock(v1::Clock { epoch: *epoch })),
        Origin::Teller => Some(Arm::Teller(v1::Teller {})),
    }
}

fn read_origin(wire: Option<v1::decision_record::Origin>) -> Origin {
    use v1::decision_record::Origin as Arm;
    match wire {
        None | Some(Arm::Analyzer(v1::Analyzer {})) => Origin::Analyzer,
        Some(Arm::Arbiter(arbiter)) => {
            Origin::Arbiter { epoch: arbiter.epoch, answers: Position(arbiter.answers) }
        }
        Some(Arm::Claim(claim)) => Origin::Claim { instance: claim.instance },
        Some(Arm::Clock(clock)) => Origin::Clock { epoch: clock.epoch },
        Some(Arm::Teller(v1::Teller {})) => Origin::Teller,
    }
}
