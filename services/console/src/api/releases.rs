//! Releases, verdicts, commands.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use model::{ReleaseId, ReleaseState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Console, Parameters, Problem, scope::Seen};
use crate::{
    json::{Page, ReasonJson, ReleaseDetailJson, ReleaseJson, VerdictJson},
    projection::Verdict,
};

/// Entries of a page unless the request names fewer; the largest page that can be asked for.
const MAX_PAGE: usize = 500;
const DEFAULT_PAGE: usize = 100;

/// Longest poll: well under the minute after which most proxies give up on a silent connection.
const MAX_WAIT: Duration = Duration::from_secs(55);

/// Which releases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    service: Option<String>,
    environment: Option<String>,
    state: Option<String>,
    /// At most 500.
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Releases, newest first.
#[utoipa::path(get, path = "/api/v1/releases", operation_id = "listReleases", params(ListQuery), responses((status = 200, description = "What was asked for", body = Page<ReleaseJson>), (status = 400, description = "A parameter is wrong; the detail says which", body = Problem)))]
pub(super) async fn list(
    State(console): State<Console>,
    seen: Seen,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<ReleaseJson>>, Problem> {
    query.state.as_deref().map_or(Ok(()), expect_state)?;
    let projection = console.projection.read();
    let wanted = |have: &str, want: &Option<String>| want.as_deref().is_none_or(|want| want == have);
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let mut matching = projection
        .releases()
        .filter(|view| seen.shows(&view.release.key))
        .filter(|view| wanted(&view.release.key.service, &query.service))
        .filter(|view| wanted(&view.release.key.environment, &query.environment))
        .filter(|view| wanted(projection.state_of(view).as_str(), &query.state))
        .skip_while(|view| query.after.as_deref().is_some_and(|after| view.release.id.as_str() != after))
        .skip(usize::from(query.after.is_some()));
    let items: Vec<_> =
        matching.by_ref().take(limit).map(|view| ReleaseJson::of(&projection, view)).collect();
    let next = matching.next().and_then(|_| items.last().map(|last| last.id.clone()));
    Ok(Json(Page { items, next }))
}

fn expect_state(text: &str) -> Result<(), Problem> {
    let known = ReleaseState::ALL.map(ReleaseState::as_str);
    if known.contains(&text) {
        return Ok(());
    }
    Err(Problem::bad_request(format!("{text:?} is not a state; states are {}", known.join(", "))))
}

/// One release with timeline, evidence, commands and deliveries. The bare id means the newest of its name.
#[utoipa::path(get, path = "/api/v1/releases/{id}", params(("id" = String, Path, description = "rel_…")), operation_id = "getRelease", responses((status = 200, description = "What was asked for", body = ReleaseDetailJson), (status = 404, description = "Nothing is known by that name", body = Problem)))]
pub(super) async fn one(
    State(console): State<Console>,
    seen: Seen,
    Path(id): Path<String>,
) -> Result<Json<ReleaseDetailJson>, Problem> {
    let projection = console.projection.read();
    let view = projection.release(&ReleaseId::from_text(&id)).filter(|view| seen.shows(&view.release.key));
    let view = view.ok_or_else(|| unknown(&id))?;
    Ok(Json(ReleaseDetailJson::of(&projection, view)))
}

/// How long to wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// `30s`; at most 55s. Without it the answer comes at once.
    wait: Option<String>,
}

/// What a pipeline should do; waits while it is pending.
#[utoipa::path(get, path = "/api/v1/releases/{id}/verdict", operation_id = "getVerdict", params(("id" = String, Path, description = "rel_…"), WaitQuery), responses((status = 200, description = "What was asked for", body = VerdictJson), (status = 404, description = "Nothing is known by that name", body = Problem)))]
pub(super) async fn verdict(
    State(console): State<Console>,
    seen: Seen,
    Path(id): Path<String>,
    Parameters(query): Parameters<WaitQuery>,
) -> Result<Json<VerdictJson>, Problem> {
    let wait = parse_wait(query.wait.as_deref())?;
    let id = ReleaseId::from_text(id);
    let mut changes = console.projection.changes();
    let decided = async {
        loop {
            changes.borrow_and_update();
            match current(&console, &seen, &id) {
                Some((Verdict::Pending, _)) => {}
                other => return other,
            }
            if changes.changed().await.is_err() {
                return current(&console, &seen, &id);
            }
        }
    };
    let answer = match tokio::time::timeout(wait, decided).await {
        Ok(answer) => answer,
        Err(_) => current(&console, &seen, &id),
    };
    answer.map(|(_, json)| Json(json)).ok_or_else(|| unknown(id.as_str()))
}

fn current(console: &Console, seen: &Seen, id: &ReleaseId) -> Option<(Verdict, VerdictJson)> {
    let projection = console.projection.read();
    let view = projection.release(id).filter(|view| seen.shows(&view.release.key))?;
    let verdict = projection.verdict_of(view);
    let reasons = view.reasons.iter().map(ReasonJson::of).collect();
    Some((verdict, VerdictJson { status: verdict.as_str(), reasons }))
}

fn parse_wait(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    let bad = || Problem::bad_request(format!("wait {text:?} is not a duration; write it like 30s"));
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| bad())?;
    let wait = match unit {
        "ms" => Duration::from_millis(number),
        "s" | "" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(bad()),
    };
    Ok(wait.min(MAX_WAIT))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no release {id}; GET /api/v1/releases lists those that are known"))
}
