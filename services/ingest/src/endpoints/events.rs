//! `POST /api/v1/events`: CloudEvents.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use model::EventBody;
use proto::wire::cloudevents::{self, Occurrence};
use serde_json::json;

use crate::{
    auth::{Caller, Reach, Role},
    endpoints::releases,
    problem::Problem,
    state::{Core, Head},
};

/// CloudEvents in binary, structured or batch mode.
///
/// Understood are CDEvents `service.*` and `ripcord.release.v1`; other types are taken and ignored.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "deployments", operation_id = "postEvents",
    request_body(content(
        (serde_json::Value = "application/cloudevents+json"),
        (Vec<serde_json::Value> = "application/cloudevents-batch+json"),
        (serde_json::Value = "application/json")
    )),
    responses(
        (status = 202, description = "{accepted, ignored, releases}: durable"),
        (status = 200, description = "{accepted: 0, ignored}: nothing in it means anything here"),
        (status = 400, description = "No CloudEvent, or one that contradicts itself; nothing of a batch is kept"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 413, description = "Over a limit"), (status = 415, description = "Another encoding"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn events(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Ingest)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.events_bytes_max).await?;
    let headers = head
        .headers
        .iter()
        .map(|(name, value): (&HeaderName, &HeaderValue)| (name.as_str(), value.as_bytes()));
    let occurrences = cloudevents::decode(head.header("content-type").unwrap_or(""), headers, &taken.bytes)?;
    expect_within(&caller, &occurrences)?;
    let (mut ids, mut ignored) = (Vec::new(), Vec::new());
    for occurrence in occurrences {
        match occurrence {
            Occurrence::Ignored { kind, why } => ignored.push(json!({"type": kind, "why": why})),
            Occurrence::Deployment(event) => {
                let answer = releases::answer(&ingest, &event, false);
                ids.push(answer.release.id.as_str().to_owned());
                let body = EventBody::Deployment(event);
                ingest.append_event(&ingest.stamp(), &caller.actor.name, body).await?;
                releases::remember(&ingest, answer);
            }
        }
    }
    ingest.metrics.accept("deployments", ids.len());
    ingest.metrics.ignored.with_label_values(&["cloudevents"]).inc_by(ignored.len() as u64);
    let status = if ids.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let body = json!({"accepted": ids.len(), "releases": ids, "ignored": ignored});
    Ok((status, Json(body)).into_response())
}

fn expect_within(caller: &Caller, occurrences: &[Occurrence]) -> Result<(), Problem> {
    for occurrence in occurrences {
        if let Occurrence::Deployment(event) = occurrence {
            caller.expect_within(Reach::ServiceIn(&event.key.service, &event.key.environment))?;
        }
    }
    Ok(())
}
