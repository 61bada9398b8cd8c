//! Stopping all automatic action for a while, and letting it go on.

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use model::{EventBody, Halt, HaltId, HaltScope, Verb, VerbKind};
use proto::wire::verb::{HaltBody, VerbBody};
use serde_json::json;

use crate::{
    auth::{Reach, Role},
    endpoints::answers,
    problem::Problem,
    state::{Core, Head},
};

/// Stops all automatic action for a service, an environment or everything.
#[utoipa::path(
    post, path = "/api/v1/halt", tag = "verbs", operation_id = "halt",
    request_body = crate::openapi::HaltBody,
    responses(
        (status = 202, description = "In force, or with `accepted: null` on the log and not answered yet", body = crate::openapi::HaltAnswer),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 409, description = "Refused; the detail says why"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn halt(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let said = HaltBody::decode(&taken.bytes)?;
    caller.expect_within(reach_of(&said.scope))?;
    let stamp = ingest.stamp();
    let halt = Halt {
        id: HaltId::of(&stamp.id),
        scope: said.scope,
        reason: said.reason.clone(),
        until: stamp.at + said.length,
        by: caller.actor.name.clone(),
    };
    let (id, scope) = (halt.id.clone(), halt.scope.clone());
    let more = json!({"id": id.as_str(), "until": halt.until.to_string()});
    let verb = Verb { kind: VerbKind::Halt(halt), actor: caller.actor.clone(), comment: said.reason };
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Verb(Box::new(verb))).await?;
    ingest.halts.insert(id.as_str(), scope);
    ingest.metrics.accept("verbs", 1);
    answers::to_verb(&ingest, &stamp, more).await
}

/// Ends a halt before its time.
#[utoipa::path(
    delete, path = "/api/v1/halt/{id}", tag = "verbs", operation_id = "unhalt",
    params(("id" = String, Path, description = "hlt_…")),
    responses(
        (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 404, description = "No such halt"),
        (status = 409, description = "Refused; the detail says why"), (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn unhalt(
    State(ingest): State<Core>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let said = VerbBody::decode(&taken.bytes, false)?;
    let id = HaltId::from_text(id);
    let scope = ingest.lookup.halt(&id).or_else(|| ingest.halts.get(id.as_str()));
    let scope = scope.ok_or_else(|| Problem::not_found("there is no halt of this id in force"))?;
    caller.expect_within(reach_of(&scope))?;
    let stamp = ingest.stamp();
    let verb = Verb { kind: VerbKind::Unhalt { id }, actor: caller.actor.clone(), comment: said.comment };
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Verb(Box::new(verb))).await?;
    ingest.metrics.accept("verbs", 1);
    answers::to_plain_verb(&ingest, &stamp).await
}

fn reach_of(scope: &HaltScope) -> Reach<'_> {
    match scope {
        HaltScope::All => Reach::Everything,
        HaltScope::Environment(environment) => Reach::Environment(environment),
        HaltScope::Service { service, environment: None } => Reach::Service(service),
        HaltScope::Service { service, environment: Some(environment) } => {
            Reach::ServiceIn(service, environment)
        }
    }
}
