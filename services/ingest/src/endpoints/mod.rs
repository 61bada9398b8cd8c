//! One file an endpoint, or a family of them.

pub(crate) mod alertmanager;
mod answers;
pub(crate) mod commands;
mod details;
pub(crate) mod events;
pub(crate) mod halts;
pub(crate) mod otlp;
mod own;
pub(crate) mod releases;
pub(crate) mod remote_write;
pub(crate) mod requests;
pub(crate) mod versions;

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{delete, post},
};

use crate::state::Core;

pub(crate) fn router(ingest: Core) -> Router {
    Router::new()
        .route("/api/v1/write", post(remote_write::write))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/api/v1/requests", post(requests::requests))
        .route("/api/v1/events", post(events::events))
        .route("/api/v1/releases", post(releases::create))
        .route("/hooks/alertmanager", post(alertmanager::notify))
        .route("/api/v1/releases/{id}/rollback", post(releases::rollback))
        .route("/api/v1/releases/{id}/promote", post(releases::promote))
        .route("/api/v1/releases/{id}/hold", post(releases::hold))
        .route("/api/v1/releases/{id}/cancel", post(releases::cancel))
        .route("/api/v1/commands/{id}/approve", post(commands::approve))
        .route("/api/v1/commands/{id}/reject", post(commands::reject))
        .route("/api/v1/commands/{id}/outcome", post(commands::outcome))
        .route("/api/v1/halt", post(halts::halt))
        .route("/api/v1/halt/{id}", delete(halts::unhalt))
        .route("/api/v1/versions/clear", post(versions::clear))
        .route_layer(middleware::from_fn_with_state(ingest.clone(), measured))
        .with_state(ingest)
}

/// Counts and times every answer.
async fn measured(State(ingest): State<Core>, path: MatchedPath, request: Request, next: Next) -> Response {
    let stopwatch = telemetry::clock::Stopwatch::start();
    let response = next.run(request).await;
    let endpoint = path.as_str();
    let code = response.status();
    ingest.metrics.requests.with_label_values(&[endpoint, code.as_str()]).inc();
    ingest.metrics.seconds.with_label_values(&[endpoint]).observe(stopwatch.elapsed().as_secs_f64());
    ingest.metrics.in_flight.set(i64::try_from(ingest.budget.taken()).unwrap_or(i64::MAX));
    response
}
