//! The read API on axum.

mod commands;
mod lists;
mod operations;
mod problem;
mod releases;
mod scope;
mod values;

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{Router, http::request::Parts, response::Response, routing::get};
use model::{
    Scope,
    values::{Discovery, ServiceValues, ValuesQuery},
};
use prometheus::Registry;
use utoipa::OpenApi;

use problem::Parameters;
pub use problem::Problem;

use crate::SharedProjection;

/// An answer that may take a moment.
pub type Answer<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

/// Rolling values, asked of whoever holds the windows; `None` while nobody does.
pub trait Values: Send + Sync {
    fn values(&self, query: ValuesQuery) -> Answer<Vec<ServiceValues>>;
    fn discovery(&self) -> Answer<Discovery>;
}

/// Says what a request may see; the answer to give if it may not look at all.
pub type Authorize = Arc<dyn Fn(&Parts) -> Result<Scope, Box<Response>> + Send + Sync>;

/// Whether the process does its job, and what is in the way.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Refreshes gauges that are read rather than counted, right before a scrape is answered.
pub type BeforeScrape = Arc<dyn Fn() + Send + Sync>;

/// What the handlers need.
#[derive(Clone)]
pub struct Console {
    pub projection: SharedProjection,
    pub values: Arc<dyn Values>,
    pub authorize: Authorize,
    pub readiness: Readiness,
    pub registry: Registry,
    pub before_scrape: BeforeScrape,
    /// The whole OpenAPI document, ready to serve.
    pub openapi_json: Arc<str>,
}

/// The routes of operations: health, readiness, metrics, the OpenAPI document. Every process has them.
pub fn operations(console: Console) -> Router {
    Router::new()
        .route("/-/healthy", get(operations::healthy))
        .route("/-/ready", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .route("/api/v1/openapi.json", get(operations::openapi))
        .with_state(console)
}

/// The routes of the read API.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/api/v1/releases", get(releases::list))
        .route("/api/v1/releases/{id}", get(releases::one))
        .route("/api/v1/releases/{id}/verdict", get(releases::verdict))
        .route("/api/v1/commands", get(commands::list))
        .route("/api/v1/commands/{id}", get(commands::one))
        .route("/api/v1/services", get(values::services))
        .route("/api/v1/services/{service}/metrics", get(values::metrics))
        .route("/api/v1/discovery", get(values::discovery))
        .route("/api/v1/deliveries", get(lists::deliveries))
        .route("/api/v1/audit", get(lists::audit))
        .route("/api/v1/halts", get(lists::halts))
        .route("/api/v1/versions/bad", get(lists::bad_versions))
        .layer(axum::middleware::from_fn_with_state(console.clone(), operations::guard))
        .with_state(console)
}

#[derive(OpenApi)]
#[openapi(paths(
    releases::list,
    releases::one,
    releases::verdict,
    commands::list,
    commands::one,
    values::services,
    values::metrics,
    values::discovery,
    lists::deliveries,
    lists::audit,
    lists::halts,
    lists::bad_versions,
    operations::healthy,
    operations::ready,
    operations::metrics,
    operations::openapi,
))]
struct ReadApi;

/// The read API's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    ReadApi::openapi()
}
