//! Rolling values and what was seen.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use model::values::ValuesQuery;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Console, Parameters, Problem, scope::Seen};
use crate::json::{DiscoveryJson, Page, ServiceJson, ServiceValuesJson};

/// The longest window that a policy may have, as `watch.max` of the defaults.
const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Which values.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsQuery {
    environment: Option<String>,
    version: Option<String>,
    /// How far back to look, `5m`: at most 24h, and no further than the policy's own windows keep values.
    window: Option<String>,
    /// `version` (what is done anyway) or `route`; values per route are not kept, so `route` stays null.
    by: Option<String>,
    /// Refused: values per route are not kept.
    route: Option<String>,
}

/// Rolling values of one service: of the environment asked for, or of the only one it was seen in.
#[utoipa::path(get, path = "/api/v1/services/{service}/metrics", operation_id = "getServiceMetrics", params(("service" = String, Path, description = "Its name"), MetricsQuery), responses(
    (status = 200, description = "What was asked for", body = ServiceValuesJson),
    (status = 400, body = Problem, description = "A parameter is wrong, or the service runs in several environments and none was named"),
    (status = 404, description = "Nothing is known by that name", body = Problem),
))]
pub(super) async fn metrics(
    State(console): State<Console>,
    seen: Seen,
    Path(service): Path<String>,
    Parameters(query): Parameters<MetricsQuery>,
) -> Result<Json<ServiceValuesJson>, Problem> {
    expect_no_route(&query)?;
    let window = query.window.as_deref().map(parse_window).transpose()?;
    let environment = query.environment.clone();
    let asked = ValuesQuery {
        service: service.clone(),
        environment: query.environment,
        version: query.version,
        window,
    };
    let mut found = console.values.values(asked).await.ok_or_else(starting)?;
    found.retain(|it| seen.shows(&it.key));
    if found.len() > 1 {
        let names: Vec<_> = found.iter().map(|it| it.key.environment.as_str()).collect();
        let detail = format!("{service} runs in {}; say which with ?environment=", names.join(", "));
        return Err(Problem::bad_request(detail));
    }
    let place = environment.map(|name| format!(" in {name}")).unwrap_or_default();
    let unseen = || {
        let detail = format!("nothing was seen of {service}{place}; GET /api/v1/discovery lists what was");
        Problem::not_found(detail)
    };
    found.pop().map(ServiceValuesJson::of).map(Json).ok_or_else(unseen)
}

/// An answer over all routes must not pass for one route's.
fn expect_no_route(query: &MetricsQuery) -> Result<(), Problem> {
    if query.route.is_some() {
        return Err(Problem::bad_request("values per route are not kept; ask without `route`"));
    }
    match query.by.as_deref() {
        None | Some("version" | "route") => Ok(()),
        Some(other) => Err(Problem::bad_request(format!("by {other:?} is neither version nor route"))),
    }
}

fn parse_window(text: &str) -> Result<Duration, Problem> {
    let bad =
        || Problem::bad_request(format!("window {text:?} is not a duration up to 24h; write it like 5m"));
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| bad())?;
    let seconds = match unit {
        "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        _ => return Err(bad()),
    };
    let window = Duration::from_secs(seconds);
    if window.is_zero() || window > MAX_WINDOW { Err(bad()) } else { Ok(window) }
}

/// Services that sent something.
#[utoipa::path(get, path = "/api/v1/services", operation_id = "listServices", responses((status = 200, description = "What was asked for", body = Page<ServiceJson>)))]
pub(super) async fn services(
    State(console): State<Console>,
    seen: Seen,
) -> Result<Json<Page<ServiceJson>>, Problem> {
    let discovery = seen.of(console.values.discovery().await.ok_or_else(starting)?);
    Ok(Json(Page { items: DiscoveryJson::of(discovery).services, next: None }))
}

/// Services, versions and environments seen, and the series that could not be placed.
#[utoipa::path(get, path = "/api/v1/discovery", operation_id = "getDiscovery", responses((status = 200, description = "What was asked for", body = DiscoveryJson)))]
pub(super) async fn discovery(
    State(console): State<Console>,
    seen: Seen,
) -> Result<Json<DiscoveryJson>, Problem> {
    let discovery = seen.of(console.values.discovery().await.ok_or_else(starting)?);
    Ok(Json(DiscoveryJson::of(discovery)))
}

fn starting() -> Problem {
    Problem::unavailable("the analyzer is starting or stopping; try again in a moment")
}
