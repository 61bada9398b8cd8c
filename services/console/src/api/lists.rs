//! The ledgers: deliveries, audit, halts, bad versions.

use axum::{Json, extract::State};
use model::ServiceKey;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Console, Parameters, scope::Seen};
use crate::json::{AuditJson, BadVersionJson, DeliveryJson, HaltJson, Page};

/// Lines of a page.
const DEFAULT_LINES: usize = 100;
const MAX_LINES: usize = 1000;

/// How many, and of which release.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LinesQuery {
    /// At most 1000.
    limit: Option<usize>,
    /// How many of the newest to skip: `next` of the page before.
    after: Option<usize>,
    /// Deliveries only.
    release: Option<String>,
}

impl LinesQuery {
    fn page<T>(&self, lines: impl Iterator<Item = T>) -> Page<T> {
        let limit = self.limit.unwrap_or(DEFAULT_LINES).clamp(1, MAX_LINES);
        let after = self.after.unwrap_or(0);
        let mut lines = lines.skip(after);
        let items: Vec<T> = lines.by_ref().take(limit).collect();
        let next = lines.next().map(|_| (after + items.len()).to_string());
        Page { items, next }
    }
}

/// What was sent to whom with what result, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "listDeliveries", params(LinesQuery), responses((status = 200, description = "What was asked for", body = Page<DeliveryJson>)))]
pub(super) async fn deliveries(
    State(console): State<Console>,
    seen: Seen,
    Parameters(query): Parameters<LinesQuery>,
) -> Json<Page<DeliveryJson>> {
    let projection = console.projection.read();
    let lines = projection
        .deliveries()
        .filter(|line| {
            let about = line.delivery.release.as_ref().map(|release| &release.key);
            seen.shows_about(about.unwrap_or(&ServiceKey::default()))
        })
        .filter(|line| {
            let of = line.delivery.release.as_ref().map(|release| release.id.as_str());
            query.release.as_deref().is_none_or(|wanted| of == Some(wanted))
        })
        .map(|line| DeliveryJson::of(line.at, &line.delivery));
    Json(query.page(lines))
}

/// Who did what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "listAudit", params(LinesQuery), responses((status = 200, description = "What was asked for", body = Page<AuditJson>)))]
pub(super) async fn audit(
    State(console): State<Console>,
    seen: Seen,
    Parameters(query): Parameters<LinesQuery>,
) -> Json<Page<AuditJson>> {
    let projection = console.projection.read();
    let lines = projection.audit().filter(|line| seen.shows_about(&line.about));
    Json(query.page(lines.map(AuditJson::of)))
}

/// Halts in force.
#[utoipa::path(get, path = "/api/v1/halts", operation_id = "listHalts", responses((status = 200, description = "What was asked for", body = Page<HaltJson>)))]
pub(super) async fn halts(State(console): State<Console>, seen: Seen) -> Json<Page<HaltJson>> {
    let projection = console.projection.read();
    let halts = projection.halts().filter(|halt| seen.shows_halt(&halt.scope));
    Json(Page { items: halts.map(HaltJson::of).collect(), next: None })
}

/// Versions that no rollback may lead to.
#[utoipa::path(get, path = "/api/v1/versions/bad", operation_id = "listBadVersions", responses((status = 200, description = "What was asked for", body = Page<BadVersionJson>)))]
pub(super) async fn bad_versions(State(console): State<Console>, seen: Seen) -> Json<Page<BadVersionJson>> {
    let projection = console.projection.read();
    let bad = projection.bad_versions().filter(|line| seen.shows(&line.key));
    Json(Page { items: bad.map(BadVersionJson::of).collect(), next: None })
}
