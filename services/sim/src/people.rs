//! What people do, given what the console shows them.

use std::time::Duration;

use model::{Actor, CommandState, EventId, Halt, HaltId, HaltScope, ReleaseId, Timestamp, Verb, VerbKind};

use crate::{
    plan::{Deed, ENVIRONMENT, Plan},
    projection::Projection,
    world::World,
};

/// The verb for a deed, if what is shown gives rise to one.
pub(crate) fn verb(
    deed: Deed,
    projection: &Projection,
    plan: &Plan,
    world: &World,
    now: Timestamp,
) -> Option<Verb> {
    let prepared = || projection.commands.values().find(|command| command.state == CommandState::Prepared);
    let kind = match deed {
        Deed::Approve => {
            let command = prepared()?;
            let to_version = command.to_version.is_none().then(|| "1.0".to_owned());
            VerbKind::Approve { command: command.id.clone(), to_version, force: true }
        }
        Deed::Reject => VerbKind::Reject { command: prepared()?.id.clone() },
        Deed::RollBack { service } => VerbKind::Rollback {
            release: projection.newest.get(&world.services[service].key)?.clone(),
            to_version: None,
            force: false,
        },
        Deed::Halt { service, seconds } => {
            let scope = service.map_or(HaltScope::All, |service| HaltScope::Service {
                service: plan.services[service].name.clone(),
                environment: None,
            });
            VerbKind::Halt(Halt {
                id: HaltId::of(&EventId::from_text(now.to_string())),
                scope,
                reason: "we look into it".to_owned(),
                until: now + Duration::from_secs(u64::from(seconds)),
                by: "ann".to_owned(),
            })
        }
        Deed::Unhalt => VerbKind::Unhalt { id: projection.halts.keys().next()?.clone() },
        Deed::ClearBad => {
            let (key, version) = projection.bad.first()?.clone();
            VerbKind::ClearBad { service: key.service, environment: key.environment, version }
        }
        _ => return None,
    };
    let actor = Actor { name: "ann".to_owned(), via: "cli".to_owned(), address: String::new() };
    Some(Verb { kind, actor, comment: String::new() })
}

/// The id under which a version of a service goes out.
pub(crate) fn release_id(plan: &Plan, service: usize, version: usize) -> ReleaseId {
    let planned = &plan.services[service];
    ReleaseId::of(&planned.name, ENVIRONMENT, "", &planned.versions[version].name, "")
}
