//! `POST /api/v1/events`: CloudEvents.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use model::ReleaseId;
use proto::wire::cloudevents::{self, Occurrence};
use serde_json::{Value, json};

use crate::{
    auth::{Caller, Reach, Role},
    endpoints::{
        answers, details, own,
        releases::{self, Became},
    },
    problem::Problem,
    state::{Core, Head, Shared},
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
        (status = 202, description = "{accepted, ignored, releases, warnings?}: durable; `ignored` has a reason for each event that changed nothing"),
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
    let caller = ingest.caller(&head, Role::Deploy)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.events_bytes_max).await?;
    let headers = head
        .headers
        .iter()
        .map(|(name, value): (&HeaderName, &HeaderValue)| (name.as_str(), value.as_bytes()));
    let occurrences = cloudevents::decode(head.header("content-type").unwrap_or(""), headers, &taken.bytes)?;
    expect_within(&ingest, &caller, &occurrences)?;
    let (mut said, mut appended) = (Said::default(), Vec::new());
    for occurrence in occurrences {
        match occurrence {
            Occurrence::Ignored { kind, why } => said.ignored.push(json!({"type": kind, "why": why})),
            Occurrence::Deployment(mut event) => {
                let answer = releases::announce(&ingest, &caller, &mut event, false)?;
                said.warnings.extend(releases::warnings(&ingest, &event));
                let stamp = ingest.stamp();
                releases::not_ahead(&mut event, stamp.at);
                releases::append(&ingest, &caller, &stamp, event, &answer).await?;
                appended.push((stamp.id, answer));
            }
        }
    }
    ingest.metrics.accept("deployments", appended.len());
    // All of a batch together, so that a judge that is busy keeps its sender waiting once.
    let until = tokio::time::Instant::now() + answers::DEPLOYMENT_WAIT;
    for (event, answer) in appended {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let answered = answers::wait(&ingest, &event, left).await;
        let became = releases::became(&answer, answered);
        releases::forget_unless_opened(&ingest, &answer, &became);
        said.take(&answer, became);
    }
    ingest.metrics.ignored.with_label_values(&["cloudevents"]).inc_by(said.ignored.len() as u64);
    Ok(said.into_response())
}

/// What is said of a request's events.
#[derive(Default)]
struct Said {
    accepted: usize,
    releases: Vec<String>,
    ignored: Vec<Value>,
    warnings: Vec<String>,
}

impl Said {
    fn take(&mut self, answer: &releases::Answer, became: Became) {
        let id = match became {
            Became::Moved(id) => id,
            Became::Unknown => answer.release.id.clone(),
            Became::Ignored { release, why } => {
                let shown = release.as_ref().map(ReleaseId::as_str);
                self.ignored.push(json!({"type": "deployment", "why": why, "release": shown}));
                self.releases.extend(release.map(|id| id.as_str().to_owned()));
                return;
            }
        };
        self.accepted += 1;
        self.releases.push(id.as_str().to_owned());
    }

    fn into_response(self) -> Response {
        let status = if self.releases.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
        let mut body = json!({"accepted": self.accepted, "releases": self.releases, "ignored": self.ignored});
        if !self.warnings.is_empty() {
            body["warnings"] = self.warnings.into();
        }
        (status, Json(body)).into_response()
    }
}

fn expect_within(ingest: &Shared, caller: &Caller, occurrences: &[Occurrence]) -> Result<(), Problem> {
    for occurrence in occurrences {
        if let Occurrence::Deployment(event) = occurrence {
            caller.expect_within(Reach::ServiceIn(&event.key.service, &event.key.environment))?;
            own::expect_may_say(ingest, caller, event)?;
            details::expect_room(ingest, event)?;
        }
    }
    Ok(())
}
