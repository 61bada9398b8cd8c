//! Proposals, with what passes through the analyzer as it came.

use model::{
    Action, Breach, EventId, Finding, FindingKind, LimitState, Proposal, ReleaseId, proposal::SharedBlame,
};

use super::{Noun, WireEnum as _, read, read_optional, required, wire_enum};
use crate::{DecodeError, v1};

wire_enum!(
    Action,
    v1::Action { AlertTeam, Hold, PrepareRollback, AlertAndPrepareRollback, ImmediateRollback, Promote }
);

wire_enum!(FindingKind, v1::FindingKind { SenderSilent, ReleaseSilent, Torn, AmbiguousVersion, Unmeasured });

impl Noun for SharedBlame {
    type Wire = v1::SharedBlame;

    fn to_wire(&self) -> v1::SharedBlame {
        v1::SharedBlame {
            before: self.before,
            beside: self.beside,
            is_unversioned: self.is_unversioned,
            rise: self.rise.as_ref().map(Noun::to_wire),
            names_others: self.names_others,
        }
    }

    fn from_wire(wire: v1::SharedBlame) -> Result<Self, DecodeError> {
        Ok(Self {
            before: wire.before,
            beside: wire.beside,
            is_unversioned: wire.is_unversioned,
            rise: read_optional(wire.rise)?,
            names_others: wire.names_others,
        })
    }
}

impl Noun for Breach {
    type Wire = v1::Breach;

    fn to_wire(&self) -> v1::Breach {
        v1::Breach {
            key: Some(self.key.to_wire()),
            release: self.release.as_ref().map(Noun::to_wire),
            action: self.action.to_wire(),
            reason: Some(self.reason.to_wire()),
            blame: Some(self.blame.to_wire()),
        }
    }

    fn from_wire(wire: v1::Breach) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "Breach.key")?,
            release: read_optional(wire.release)?,
            action: Action::from_wire(wire.action, "Breach.action")?,
            reason: read(wire.reason, "Breach.reason")?,
            blame: read(wire.blame, "Breach.blame")?,
        })
    }
}

impl Noun for LimitState {
    type Wire = v1::LimitState;

    fn to_wire(&self) -> v1::LimitState {
        v1::LimitState {
            key: Some(self.key.to_wire()),
            trigger: self.trigger.clone(),
            condition: self.condition.clone(),
            is_exceeded: self.is_exceeded,
            value: Some(self.value),
            rise: self.rise.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::LimitState) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "LimitState.key")?,
            trigger: wire.trigger,
            condition: wire.condition,
            is_exceeded: wire.is_exceeded,
            value: required(wire.value, "LimitState.value")?,
            rise: read_optional(wire.rise)?,
        })
    }
}

impl Noun for Finding {
    type Wire = v1::Finding;

    fn to_wire(&self) -> v1::Finding {
        v1::Finding {
            key: Some(self.key.to_wire()),
            release: self.release.as_ref().map(Noun::to_wire),
            kind: self.kind.to_wire(),
            is_active: self.is_active,
            text: self.text.clone(),
        }
    }

    fn from_wire(wire: v1::Finding) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "Finding.key")?,
            release: read_optional(wire.release)?,
            kind: FindingKind::from_wire(wire.kind, "Finding.kind")?,
            is_active: wire.is_active,
            text: wire.text,
        })
    }
}

impl Noun for Proposal {
    type Wire = v1::Proposal;

    fn to_wire(&self) -> v1::Proposal {
        v1::Proposal { proposal: Some(write(self)) }
    }

    fn from_wire(wire: v1::Proposal) -> Result<Self, DecodeError> {
        read_proposal(required(wire.proposal, "Proposal.proposal")?)
    }
}

fn write(proposal: &Proposal) -> v1::proposal::Proposal {
    use v1::proposal as arm;
    match proposal {
        Proposal::Release(release) => arm::Proposal::Release(release.to_wire()),
        Proposal::Limit(limit) => arm::Proposal::Limit(limit.to_wire()),
        Proposal::Breach(breach) => arm::Proposal::Breach(breach.to_wire()),
        Proposal::BreachContinues(breach) => arm::Proposal::BreachContinues(breach.to_wire()),
        Proposal::BreachEnded { key, release, trigger } => arm::Proposal::BreachEnded(arm::BreachEnded {
            key: Some(key.to_wire()),
            release: release.as_ref().map(Noun::to_wire),
            trigger: trigger.clone(),
        }),
        Proposal::Finding(finding) => arm::Proposal::Finding(finding.to_wire()),
        Proposal::StagePassed { release, stage } => arm::Proposal::StagePassed(arm::StagePassed {
            release: Some(release.to_wire()),
            stage: stage.clone(),
        }),
        Proposal::Alert { id, alert } => arm::Proposal::Alert(arm::PassedAlert {
            event_id: id.as_str().to_owned(),
            alert: Some(alert.to_wire()),
        }),
        Proposal::Verb { id, verb } => arm::Proposal::Verb(arm::PassedVerb {
            event_id: id.as_str().to_owned(),
            verb: Some(verb.to_wire()),
        }),
        Proposal::Outcome(outcome) => arm::Proposal::Outcome(outcome.to_wire()),
        Proposal::Delivery(delivery) => arm::Proposal::Delivery(delivery.to_wire()),
        Proposal::PolicyLoad(load) => arm::Proposal::PolicyLoad(load.to_wire()),
        Proposal::Ignored { release, why } => arm::Proposal::Ignored(arm::Ignored {
            release_id: release.as_ref().map(|id| id.as_str().to_owned()),
            why: why.clone(),
        }),
    }
}

fn read_proposal(wire: v1::proposal::Proposal) -> Result<Proposal, DecodeError> {
    use v1::proposal::Proposal as Arm;
    Ok(match wire {
        Arm::Release(release) => Proposal::Release(Box::new(Noun::from_wire(release)?)),
        Arm::Limit(limit) => Proposal::Limit(Noun::from_wire(limit)?),
        Arm::Breach(breach) => Proposal::Breach(Box::new(Noun::from_wire(breach)?)),
        Arm::BreachContinues(breach) => Proposal::BreachContinues(Box::new(Noun::from_wire(breach)?)),
        Arm::BreachEnded(ended) => Proposal::BreachEnded {
            key: read(ended.key, "BreachEnded.key")?,
            release: read_optional(ended.release)?,
            trigger: ended.trigger,
        },
        Arm::Finding(finding) => Proposal::Finding(Noun::from_wire(finding)?),
        Arm::StagePassed(passed) => Proposal::StagePassed {
            release: read(passed.release, "StagePassed.release")?,
            stage: passed.stage,
        },
        Arm::Alert(passed) => Proposal::Alert {
            id: EventId::from_text(passed.event_id),
            alert: Box::new(read(passed.alert, "PassedAlert.alert")?),
        },
        Arm::Verb(passed) => Proposal::Verb {
            id: EventId::from_text(passed.event_id),
            verb: Box::new(read(passed.verb, "PassedVerb.verb")?),
        },
        Arm::Outcome(outcome) => Proposal::Outcome(Box::new(Noun::from_wire(outcome)?)),
        Arm::Delivery(delivery) => Proposal::Delivery(Box::new(Noun::from_wire(delivery)?)),
        Arm::PolicyLoad(load) => Proposal::PolicyLoad(Box::new(Noun::from_wire(load)?)),
        Arm::Ignored(ignored) => {
            Proposal::Ignored { release: ignored.release_id.map(ReleaseId::from_text), why: ignored.why }
        }
    })
}
