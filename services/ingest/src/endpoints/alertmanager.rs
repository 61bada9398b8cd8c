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
        (status = 401, description = "Neither the hook's token nor a known one"),
        (status = 403, description = "The token may not send alerts, or an alert is about something outside its scope; nothing is kept"),
        (status = 413, description = "Over a limit"), (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn notify(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.alertmanager(&head)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.alertmanager_bytes_max).await?;
    let stamp = ingest.stamp();
    let mut alerts = alertmanager::decode(&taken.bytes, stamp.at)?;
    ingest.expect_alerts_within(&caller, &alerts)?;
    let count = alerts.len();
    ingest.expect_alerts_in_pace(&caller, count, stamp.at)?;
    // Its resolved may never come: Alertmanager forgets alerts at a restart, and swallows those of a silence. The end
    // is part of the record, so that whoever reads the log ends the alert at the same moment.
    let end = stamp.at + ingest.resolve_timeout();
    for alert in &mut alerts {
        alert.ends_at.get_or_insert(end);
    }
    if count > 0 {
        ingest.append_event(&stamp, &caller.actor.name, EventBody::Alerts(alerts)).await?;
        ingest.metrics.accept("alerts", count);
    }
    Ok(Json(json!({"accepted": count})).into_response())
}
