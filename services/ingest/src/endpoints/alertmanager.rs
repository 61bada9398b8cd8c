//! `POST /hooks/alertmanager`: Alertmanager's webhook, version 4.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use model::EventBody;
use proto::wire::alertmanager;
use serde_json::json;

use crate::{
    problem::Problem,
    state::{Core, Head},
};

/// Alertmanager's webhook.
#[utoipa::path(
    post, path = "/hooks/alertmanager", tag = "alerts", operation_id = "alertmanagerHook",
    request_body(content = serde_json::Value, description = "Webhook version 4; unknown fields are ignored"),
    responses(
        (status = 200, description = "{accepted}: how many alerts are durable"),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "Not the hook's token"),
        (status = 404, description = "The hook is off: no token is configured for it"),
        (status = 413, description = "Over a limit"), (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn notify(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let off = || Problem::not_found("the hook is off; hooks.alertmanager.token_file switches it on");
    let actor = ingest.alertmanager(&head)?.ok_or_else(off)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.alertmanager_bytes_max).await?;
    let stamp = ingest.stamp();
    let mut alerts = alertmanager::decode(&taken.bytes, stamp.at)?;
    let count = alerts.len();
    // Its resolved may never come: Alertmanager forgets alerts at a restart, and swallows those of a silence. The end
    // is part of the record, so that whoever reads the log ends the alert at the same moment.
    let end = stamp.at + ingest.resolve_timeout();
    for alert in &mut alerts {
        alert.ends_at.get_or_insert(end);
    }
    if count > 0 {
        ingest.append_event(&stamp, &actor.name, EventBody::Alerts(alerts)).await?;
        ingest.metrics.accept("alerts", count);
    }
    Ok(Json(json!({"accepted": count})).into_response())
}
