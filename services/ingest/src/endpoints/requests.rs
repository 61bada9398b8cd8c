//! `POST /api/v1/requests`: raw request events as NDJSON.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use proto::{EnvelopeBody, TelemetryEncoding, wire::requests};
use serde_json::json;

use crate::{
    auth::{Reach, Role},
    body::offload,
    problem::Problem,
    state::{Core, Head},
};

/// Raw request events, one JSON object a line.
///
/// Valid lines are kept even where others are not; the answer is then 400 and names those.
#[utoipa::path(
    post, path = "/api/v1/requests", tag = "telemetry", operation_id = "postRequests",
    request_body(content = crate::openapi::RequestLine, content_type = "application/x-ndjson",
        description = "Plain or gzip"),
    responses(
        (status = 202, description = "{accepted}: how many lines are durable"),
        (status = 400, description = "{accepted, rejected, errors}: the lines that were left out, by number"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 413, description = "Over a limit"), (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn requests(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Telemetry)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.requests_bytes_max).await?;
    let (stamp, bytes) = (ingest.stamp(), taken.bytes.clone());
    let (at, judge) = (stamp.at, caller.clone());
    let judged = offload(bytes.len(), move || {
        let decoded = requests::decode(&bytes, at)?;
        if judge.is_scoped() {
            for event in &decoded.body {
                judge.expect_within(Reach::ServiceIn(&event.key.service, &event.key.environment))?;
            }
        }
        Ok::<_, Problem>((decoded.body.len(), decoded.rejected))
    });
    let (accepted, rejected) = judged.await??;
    ingest.reject("lines", &rejected, stamp.at);
    if accepted > 0 {
        let encoding = TelemetryEncoding::RequestsNdjson;
        let body = EnvelopeBody::Telemetry { encoding, body: taken.bytes.clone() };
        ingest.append(&stamp, &caller.actor.name, body).await?;
        ingest.metrics.accept("requests", accepted);
    }
    if rejected.is_empty() {
        return Ok((StatusCode::ACCEPTED, Json(json!({"accepted": accepted}))).into_response());
    }
    let detail =
        format!("{} ({} lines were left out, {accepted} are kept)", rejected.examples[0], rejected.parts);
    Err(Problem::bad_request(detail)
        .with("accepted", accepted)
        .with("rejected", rejected.parts)
        .with("errors", rejected.examples))
}
