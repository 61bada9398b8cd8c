//! Health, readiness, metrics, the OpenAPI document, and the guard of the read API.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Console;

/// Lets a request through to the read API if it may look, and says how much of it.
pub(super) async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match (console.authorize)(&parts) {
        Ok(scope) => {
            parts.extensions.insert(scope);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => *refusal,
    }
}

/// 200 as long as the process answers.
#[utoipa::path(get, path = "/-/healthy", operation_id = "getHealthy", responses((status = 200, description = "What was asked for", body = String)))]
pub(super) async fn healthy() -> &'static str {
    "Ripcord is healthy.\n"
}

/// 200 when the log is open, replayed and writable; 503 with the reason otherwise.
#[utoipa::path(get, path = "/-/ready", operation_id = "getReady", responses((status = 200, description = "What was asked for", body = String), (status = 503, description = "Not now; the body says why", body = String)))]
pub(super) async fn ready(State(console): State<Console>) -> Response {
    match (console.readiness)() {
        Ok(()) => "Ripcord is ready.\n".into_response(),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("Ripcord is not ready: {reason}.\n")).into_response()
        }
    }
}

/// Ripcord's own metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", operation_id = "getOwnMetrics", responses((status = 200, description = "What was asked for", body = String)))]
pub(super) async fn metrics(State(console): State<Console>) -> Response {
    (console.before_scrape)();
    match telemetry::metrics::render(&console.registry) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "getOpenApi", responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
pub(super) async fn openapi(State(console): State<Console>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], console.openapi_json.to_string()).into_response()
}
