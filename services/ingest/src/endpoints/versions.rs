//! Clearing a version's bad name.

use axum::{
    extract::{Request, State},
    response::Response,
};
use model::{EventBody, Verb, VerbKind};
use proto::wire::verb::ClearBody;

use crate::{
    auth::{Reach, Role},
    endpoints::answers,
    problem::Problem,
    state::{Core, Head},
};

/// Says that a version is not bad any more.
#[utoipa::path(
    post, path = "/api/v1/versions/clear", tag = "verbs", operation_id = "clearBadVersion",
    request_body = crate::openapi::ClearBody,
    responses(
        (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 409, description = "Refused; the detail says why"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn clear(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let ClearBody { service, environment, version, comment } = ClearBody::decode(&taken.bytes)?;
    caller.expect_within(Reach::ServiceIn(&service, &environment))?;
    let stamp = ingest.stamp();
    let kind = VerbKind::ClearBad { service, environment, version };
    let verb = Verb { kind, actor: caller.actor.clone(), comment };
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Verb(Box::new(verb))).await?;
    ingest.metrics.accept("verbs", 1);
    answers::to_plain_verb(&ingest, &stamp).await
}
