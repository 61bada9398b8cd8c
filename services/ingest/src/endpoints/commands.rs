//! People's verbs on a command, and what its target says came of it.

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use model::{CommandId, CommandState, EventBody, Outcome, Verb, VerbKind};
use proto::wire::verb::{OutcomeBody, VerbBody};

use crate::{
    auth::{Caller, Reach, Role},
    endpoints::answers,
    ports::KnownCommand,
    problem::Problem,
    state::{Core, Head, Shared},
};

/// Approves a prepared command.
#[utoipa::path(
    post, path = "/api/v1/commands/{id}/approve", tag = "verbs", operation_id = "approveCommand",
    params(("id" = String, Path, description = "cmd_…")),
    request_body = crate::openapi::VerbBody,
    responses(
        (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 404, description = "No such command"), (status = 409, description = "Refused; the detail says why"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn approve(
    State(ingest): State<Core>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    decide(&ingest, id, request, true).await
}

/// Rejects a prepared command.
#[utoipa::path(
    post, path = "/api/v1/commands/{id}/reject", tag = "verbs", operation_id = "rejectCommand",
    params(("id" = String, Path, description = "cmd_…")),
    request_body = crate::openapi::VerbBody,
    responses(
        (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 404, description = "No such command"), (status = 409, description = "Refused; the detail says why"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn reject(
    State(ingest): State<Core>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    decide(&ingest, id, request, false).await
}

async fn decide(
    ingest: &Shared,
    id: String,
    request: Request,
    is_approval: bool,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let said = VerbBody::decode(&taken.bytes, is_approval)?;
    let command = CommandId::from_text(id);
    let known = known(ingest, &caller, &command)?;
    // Approving what is under way is harmless and is noted; rejecting it comes too late.
    let is_open = known.state == CommandState::Prepared || (is_approval && !known.state.is_final());
    if !is_open {
        return Err(too_late(&command, known.state));
    }
    let kind = if is_approval {
        VerbKind::Approve { command, to_version: said.to_version, force: said.force }
    } else {
        VerbKind::Reject { command }
    };
    let stamp = ingest.stamp();
    let verb = Verb { kind, actor: caller.actor.clone(), comment: said.comment };
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Verb(Box::new(verb))).await?;
    ingest.metrics.accept("verbs", 1);
    answers::to_plain_verb(ingest, &stamp).await
}

/// A target says what came of a command.
#[utoipa::path(
    post, path = "/api/v1/commands/{id}/outcome", tag = "deployments", operation_id = "reportOutcome",
    params(("id" = String, Path, description = "cmd_…, the webhook-id of the rollback webhook")),
    request_body = crate::openapi::OutcomeBody,
    responses(
        (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 404, description = "No such command"), (status = 409, description = "It was never sent"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn outcome(
    State(ingest): State<Core>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let said = OutcomeBody::decode(&taken.bytes)?;
    let command = CommandId::from_text(id);
    let known = known(&ingest, &caller, &command)?;
    if matches!(known.state, CommandState::Prepared | CommandState::Rejected | CommandState::Expired) {
        let detail = format!("command {command} is {}: it was never sent", known.state.as_str());
        return Err(Problem::conflict(detail).with("state", known.state.as_str()));
    }
    let outcome = Outcome {
        command,
        release: known.release,
        status: said.status,
        is_stale: false,
        is_retryable: false,
        target: said.target.unwrap_or_else(|| caller.actor.name.clone()),
        attempts: 1,
        detail: said.detail,
        actor: Some(caller.actor.clone()),
    };
    let stamp = ingest.stamp();
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Outcome(Box::new(outcome))).await?;
    ingest.metrics.accept("outcomes", 1);
    answers::to_plain_verb(&ingest, &stamp).await
}

fn known(ingest: &Shared, caller: &Caller, command: &CommandId) -> Result<KnownCommand, Problem> {
    let known = ingest.lookup.command(command).ok_or_else(|| {
        Problem::not_found("there is no command of this id; GET /api/v1/releases/{id} lists a release's")
    })?;
    let key = &known.release.key;
    caller.expect_within(Reach::ServiceIn(&key.service, &key.environment))?;
    Ok(known)
}

fn too_late(command: &CommandId, state: CommandState) -> Problem {
    let detail = format!("command {command} is {} already", state.as_str());
    Problem::conflict(detail).with("state", state.as_str())
}
