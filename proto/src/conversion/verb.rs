//! People's verbs and halts.

use model::{CommandId, Halt, HaltId, HaltScope, ReleaseId, Timestamp, Verb, VerbKind};

use super::{Noun, read, required};
use crate::{
    DecodeError,
    v1::{self, halt_scope::Scope, verb::Kind},
};

impl Noun for HaltScope {
    type Wire = v1::HaltScope;

    fn to_wire(&self) -> v1::HaltScope {
        let scope = match self {
            Self::All => Scope::All(v1::halt_scope::All {}),
            Self::Environment(environment) => {
                Scope::Environment(v1::halt_scope::Environment { environment: environment.clone() })
            }
            Self::Service { service, environment } => Scope::Service(v1::halt_scope::Service {
                service: service.clone(),
                environment: environment.clone(),
            }),
        };
        v1::HaltScope { scope: Some(scope) }
    }

    fn from_wire(wire: v1::HaltScope) -> Result<Self, DecodeError> {
        Ok(match required(wire.scope, "HaltScope.scope")? {
            Scope::All(v1::halt_scope::All {}) => Self::All,
            Scope::Environment(scope) => Self::Environment(scope.environment),
            Scope::Service(scope) => Self::Service { service: scope.service, environment: scope.environment },
        })
    }
}

impl Noun for Halt {
    type Wire = v1::Halt;

    fn to_wire(&self) -> v1::Halt {
        v1::Halt {
            id: self.id.as_str().to_owned(),
            scope: Some(self.scope.to_wire()),
            reason: self.reason.clone(),
            until_ms: self.until.to_wire(),
            by: self.by.clone(),
        }
    }

    fn from_wire(wire: v1::Halt) -> Result<Self, DecodeError> {
        Ok(Self {
            id: HaltId::from_text(wire.id),
            scope: read(wire.scope, "Halt.scope")?,
            reason: wire.reason,
            until: Timestamp::from_millis(wire.until_ms),
            by: wire.by,
        })
    }
}

impl Noun for Verb {
    type Wire = v1::Verb;

    fn to_wire(&self) -> v1::Verb {
        v1::Verb {
            actor: Some(self.actor.to_wire()),
            comment: self.comment.clone(),
            kind: Some(self.kind.to_wire()),
        }
    }

    fn from_wire(wire: v1::Verb) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: read(wire.kind, "Verb.kind")?,
            actor: read(wire.actor, "Verb.actor")?,
            comment: wire.comment,
        })
    }
}

impl Noun for VerbKind {
    type Wire = Kind;

    fn to_wire(&self) -> Kind {
        match self {
            Self::Rollback { release, to_version, force } => Kind::Rollback(v1::verb::Rollback {
                release_id: release.as_str().to_owned(),
                to_version: to_version.clone(),
                force: *force,
            }),
            Self::Promote { release } => {
                Kind::Promote(v1::verb::Promote { release_id: release.as_str().to_owned() })
            }
            Self::Hold { release } => Kind::Hold(v1::verb::Hold { release_id: release.as_str().to_owned() }),
            Self::Cancel { release } => {
                Kind::Cancel(v1::verb::Cancel { release_id: release.as_str().to_owned() })
            }
            Self::Approve { command, to_version, force } => Kind::Approve(v1::verb::Approve {
                command_id: command.as_str().to_owned(),
                to_version: to_version.clone(),
                force: *force,
            }),
            Self::Reject { command } => {
                Kind::Reject(v1::verb::Reject { command_id: command.as_str().to_owned() })
            }
            Self::Halt(halt) => Kind::Halt(halt.to_wire()),
            Self::Unhalt { id } => Kind::Unhalt(v1::verb::Unhalt { halt_id: id.as_str().to_owned() }),
            Self::ClearBad { service, environment, version } => Kind::ClearBad(v1::verb::ClearBad {
                service: service.clone(),
                environment: environment.clone(),
                version: version.clone(),
            }),
        }
    }

    fn from_wire(wire: Kind) -> Result<Self, DecodeError> {
        Ok(match wire {
            Kind::Rollback(verb) => Self::Rollback {
                release: ReleaseId::from_text(verb.release_id),
                to_version: verb.to_version,
                force: verb.force,
            },
            Kind::Promote(verb) => Self::Promote { release: ReleaseId::from_text(verb.release_id) },
            Kind::Hold(verb) => Self::Hold { release: ReleaseId::from_text(verb.release_id) },
            Kind::Cancel(verb) => Self::Cancel { release: ReleaseId::from_text(verb.release_id) },
            Kind::Approve(verb) => Self::Approve {
                command: CommandId::from_text(verb.command_id),
                to_version: verb.to_version,
                force: verb.force,
            },
            Kind::Reject(verb) => Self::Reject { command: CommandId::from_text(verb.command_id) },
            Kind::Halt(halt) => Self::Halt(Halt::from_wire(halt)?),
            Kind::Unhalt(verb) => Self::Unhalt { id: HaltId::from_text(verb.halt_id) },
            Kind::ClearBad(verb) => {
                Self::ClearBad { service: verb.service, environment: verb.environment, version: verb.version }
            }
        })
    }
}
