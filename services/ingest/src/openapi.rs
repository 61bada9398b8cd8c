//! The shapes of bodies for readers of the API description; what is accepted is decided by `proto::wire`.

#![allow(dead_code, reason = "these types are described, never built")]

use std::collections::BTreeMap;

use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::endpoints::{
    alertmanager, commands, events, halts, otlp, releases, remote_write, requests, versions,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Ripcord", description = "Watches every deployment and pulls the bad ones back."),
    paths(
        remote_write::write, otlp::metrics, requests::requests, events::events, releases::create,
        releases::rollback, releases::promote, releases::hold, releases::cancel,
        commands::approve, commands::reject, commands::outcome,
        halts::halt, halts::unhalt, versions::clear, alertmanager::notify,
    ),
    modifiers(&Bearer),
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The description of what this crate serves; `console` merges it with its own.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// One request as an access log knows it.
#[derive(ToSchema)]
pub(crate) struct RequestLine {
    service: String,
    environment: String,
    version: Option<String>,
    route: Option<String>,
    /// An HTTP status code; 500 and above is an error.
    status: Option<u16>,
    error: Option<bool>,
    duration_ms: Option<f64>,
    /// RFC 3339, or milliseconds since the epoch; when it came in where missing.
    #[schema(value_type = Option<String>)]
    at: Option<String>,
}

/// A version of a service went out in an environment.
#[derive(ToSchema)]
pub(crate) struct ReleaseBody {
    service: String,
    environment: String,
    version: String,
    cluster: Option<String>,
    previous_version: Option<String>,
    /// `started`, `deployed` (default), `promoted`, `failed`, `rolled_back`.
    status: Option<String>,
    /// `code` (default), `config`, `secret`, `schema`, `flag`, `infra`.
    kind: Option<String>,
    change_id: Option<String>,
    stage: Option<String>,
    #[schema(minimum = 0, maximum = 100)]
    traffic_percentage: Option<f64>,
    /// An image reference or a package URL.
    artifact: Option<String>,
    commit: Option<String>,
    committed_at: Option<String>,
    revertible: Option<bool>,
    rollback_floor: Option<String>,
    owner: Option<OwnerBody>,
    links: Option<BTreeMap<String, String>>,
    facts: Option<BTreeMap<String, serde_json::Value>>,
    occurred_at: Option<String>,
}

/// Who is told and asked.
#[derive(ToSchema)]
pub(crate) struct OwnerBody {
    team: Option<String>,
    slack: Option<String>,
    email: Option<String>,
}

/// The release a deployment event is about.
#[derive(ToSchema)]
pub(crate) struct ReleaseAnswer {
    id: String,
    service: String,
    environment: String,
    version: String,
    accepted_at: String,
    /// Why the event changed nothing.
    ignored: Option<String>,
    /// What is dangerous about the versions named: one of them is marked bad.
    warnings: Option<Vec<String>>,
}

/// What a person adds to a verb; may be left out.
#[derive(ToSchema)]
pub(crate) struct VerbBody {
    comment: Option<String>,
    /// For `rollback` and `approve` only.
    to_version: Option<String>,
    /// For `rollback` and `approve` only: also to a version that was never seen out. Never to a bad one.
    force: Option<bool>,
}

/// What came of a command.
#[derive(ToSchema)]
pub(crate) struct OutcomeBody {
    /// `accepted`, `succeeded`, `failed`, `refused`.
    status: String,
    detail: Option<String>,
    target: Option<String>,
}

/// What to stop, for how long, and why.
#[derive(ToSchema)]
pub(crate) struct HaltBody {
    service: Option<String>,
    environment: Option<String>,
    all: Option<bool>,
    /// `1s` to `31d`.
    r#for: String,
    reason: String,
}

/// The halt that was made.
#[derive(ToSchema)]
pub(crate) struct HaltAnswer {
    /// `true`: in force; `null`: on the log and not answered yet.
    accepted: Option<bool>,
    result: Option<String>,
    detail: Option<String>,
    id: String,
    until: String,
    event_id: String,
    accepted_at: String,
}

/// A version that is not bad any more.
#[derive(ToSchema)]
pub(crate) struct ClearBody {
    service: String,
    environment: String,
    version: String,
    comment: Option<String>,
}

/// What became of a verb.
#[derive(ToSchema)]
pub(crate) struct Accepted {
    /// `true`: done; `null`: on the log and not answered yet, the audit will say.
    accepted: Option<bool>,
    /// What was done.
    result: Option<String>,
    /// Where to look, while there is no answer.
    detail: Option<String>,
    event_id: String,
    accepted_at: String,
}
