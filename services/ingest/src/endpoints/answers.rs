//! Waiting for what became of an event: a sender that hears "accepted" before anything was decided hears a lie
//! whenever the answer is no.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use model::EventId;
use serde_json::{Map, Value, json};

use crate::{ports::Answered, problem::Problem, stamp::Stamp, state::Shared};

/// How long a verb waits for the arbiter. It answers within milliseconds; after a takeover, within the session
/// timeout of the process that died. Whoever waits at a terminal gives up not long after this.
const VERB_WAIT: Duration = Duration::from_secs(5);

/// How long a deployment event waits for the analyzer: deployment tools post one after the other, and what they are
/// answered without is only a warning.
pub(super) const DEPLOYMENT_WAIT: Duration = Duration::from_secs(2);

/// What became of an event, if that is known within `limit`.
pub(super) async fn wait(ingest: &Shared, event: &EventId, limit: Duration) -> Option<Answered> {
    tokio::time::timeout(limit, ingest.lookup.answered(event)).await.ok()
}

/// The answer to a verb that is on the log: 202 with what was done, 409 with why not; also 202, with
/// `"accepted": null`, where nothing answered in time.
pub(super) async fn to_verb(ingest: &Shared, stamp: &Stamp, more: Value) -> Result<Response, Problem> {
    let mut body = Map::new();
    match wait(ingest, &stamp.id, VERB_WAIT).await {
        Some(Answered::Verb { is_accepted: false, text }) => {
            return Err(Problem::conflict(text).with("event_id", stamp.id.as_str()));
        }
        Some(Answered::Verb { is_accepted: true, text }) => {
            body.insert("accepted".to_owned(), true.into());
            body.insert("result".to_owned(), text.into());
        }
        Some(Answered::Moved(_) | Answered::Ignored { .. }) | None => {
            body.insert("accepted".to_owned(), Value::Null);
            body.insert("detail".to_owned(), unanswered().into());
        }
    }
    body.insert("event_id".to_owned(), stamp.id.as_str().into());
    body.insert("accepted_at".to_owned(), stamp.at.to_string().into());
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Ok((StatusCode::ACCEPTED, Json(Value::Object(body))).into_response())
}

fn unanswered() -> String {
    let seconds = VERB_WAIT.as_secs();
    format!(
        "it is on the log and has not been answered within {seconds} s: it will be done or refused once a process \
         with the role `analyze` reads it; GET /api/v1/audit shows which, under this event_id"
    )
}

/// As [`to_verb`], with nothing to add.
pub(super) async fn to_plain_verb(ingest: &Shared, stamp: &Stamp) -> Result<Response, Problem> {
    to_verb(ingest, stamp, json!({})).await
}
