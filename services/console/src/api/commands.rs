//! Commands: all of them, and one.

use axum::{
    Json,
    extract::{Path, State},
};
use model::{Command, CommandId, CommandState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Console, Parameters, Problem, scope::Seen};
use crate::json::{CommandJson, Page};

/// Entries of a page unless the request names fewer; the largest page that can be asked for.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 500;

/// Which commands.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandsQuery {
    service: Option<String>,
    environment: Option<String>,
    /// `prepared` (waits for approval), `ready`, `accepted`, `succeeded`, `failed`, `rejected`, `expired`,
    /// `cancelled`; or `open`: the first three.
    state: Option<String>,
    /// At most 500.
    limit: Option<usize>,
    /// How many of the newest to skip: `next` of the page before.
    after: Option<usize>,
}

/// Commands, newest first.
#[utoipa::path(get, path = "/api/v1/commands", operation_id = "listCommands", params(CommandsQuery), responses((status = 200, description = "What was asked for", body = Page<CommandJson>), (status = 400, description = "A parameter is wrong; the detail says which", body = Problem)))]
pub(super) async fn list(
    State(console): State<Console>,
    seen: Seen,
    Parameters(query): Parameters<CommandsQuery>,
) -> Result<Json<Page<CommandJson>>, Problem> {
    let state = query.state.as_deref().map(is_in_state).transpose()?;
    let wanted = |have: &str, want: &Option<String>| want.as_deref().is_none_or(|want| want == have);
    let (limit, after) = (query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE), query.after.unwrap_or(0));
    let projection = console.projection.read();
    let mut matching = projection
        .commands()
        .filter(|command| seen.shows(&command.release.key))
        .filter(|command| wanted(&command.release.key.service, &query.service))
        .filter(|command| wanted(&command.release.key.environment, &query.environment))
        .filter(|command| state.as_ref().is_none_or(|is_meant| is_meant(command)))
        .skip(after);
    let items: Vec<_> = matching.by_ref().take(limit).map(CommandJson::of).collect();
    let next = matching.next().map(|_| (after + items.len()).to_string());
    Ok(Json(Page { items, next }))
}

fn is_in_state(text: &str) -> Result<impl Fn(&Command) -> bool + use<>, Problem> {
    let state = CommandState::ALL.into_iter().find(|state| state.as_str() == text);
    if state.is_none() && text != "open" {
        let known = CommandState::ALL.map(CommandState::as_str).join(", ");
        return Err(Problem::bad_request(format!("{text:?} is not a state; states are {known}, and open")));
    }
    Ok(move |command: &Command| match state {
        Some(state) => command.state == state,
        None => !command.state.is_final(),
    })
}

/// One command.
#[utoipa::path(get, path = "/api/v1/commands/{id}", params(("id" = String, Path, description = "cmd_…")), operation_id = "getCommand", responses((status = 200, description = "What was asked for", body = CommandJson), (status = 404, description = "Nothing is known by that name", body = Problem)))]
pub(super) async fn one(
    State(console): State<Console>,
    seen: Seen,
    Path(id): Path<String>,
) -> Result<Json<CommandJson>, Problem> {
    let projection = console.projection.read();
    let command = projection.command(&CommandId::from_text(&id));
    let command = command.filter(|command| seen.shows(&command.release.key));
    let missing = || Problem::not_found(format!("there is no command {id}; GET /api/v1/commands lists them"));
    command.map(CommandJson::of).map(Json).ok_or_else(missing)
}
