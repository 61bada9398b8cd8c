//! Rolling values and what was seen.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use model::values::ValuesQuery;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Console, Problem};
use crate::json::{DiscoveryJson, Page, ServiceJson, ServiceValuesJson};

/// Which values.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(super) struct MetricsQuery {
    environment: Option<String>,
    version: Option<String>,
    /// A window that the policy uses, e.g. `5m`.
    window: Option<String>,
}

/// Rolling values of a service, an entry for each environment.
#[utoipa::path(get, path = "/api/v1/services/{service}/metrics", params(MetricsQuery), responses((status = 200, body = Page<ServiceValuesJson>), (status = 404, body = Problem)))]
pub(super) async fn metrics(
    State(console): State<Console>,
    Path(service): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<Page<ServiceValuesJson>>, Problem> {
    let window = query.window.as_deref().map(parse_window).transpose()?;
    let asked = ValuesQuery {
        service: service.clone(),
        environment: query.environment,
        version: query.version,
        window,
    };
    let found = console.values.values(asked).await.ok_or_else(starting)?;
    if found.is_empty() {
        let detail = format!("nothing was seen of service {service}; GET /api/v1/discovery lists what was");
        return Err(Problem::not_found(detail));
    }
    Ok(Json(Page { items: found.into_iter().map(ServiceValuesJson::of).collect(), next: None }))
}

fn parse_window(text: &str) -> Result<Duration, Problem> {
    let bad = || Problem::bad_request(format!("window {text:?} is not a duration; write it like 5m"));
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| bad())?;
    let seconds = match unit {
        "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        _ => return Err(bad()),
    };
    Ok(Duration::from_secs(seconds))
}

/// Services that sent something.
#[utoipa::path(get, path = "/api/v1/services", responses((status = 200, body = Page<ServiceJson>)))]
pub(super) async fn services(State(console): State<Console>) -> Result<Json<Page<ServiceJson>>, Problem> {
    let seen = DiscoveryJson::of(console.values.discovery().await.ok_or_else(starting)?);
    Ok(Json(Page { items: seen.services, next: None }))
}

/// Services, versions and environments seen, and the series that could not be placed.
#[utoipa::path(get, path = "/api/v1/discovery", responses((status = 200, body = DiscoveryJson)))]
pub(super) async fn discovery(State(console): State<Console>) -> Result<Json<DiscoveryJson>, Problem> {
    Ok(Json(DiscoveryJson::of(console.values.discovery().await.ok_or_else(starting)?)))
}

fn starting() -> Problem {
    Problem::unavailable("the analyzer is starting or stopping; try again in a moment")
}
