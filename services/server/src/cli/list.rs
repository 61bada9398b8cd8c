//! `ripcord list halts|bad-versions|commands|releases`: what is in force and what waits.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Client, ServerArgs,
    client::segment,
    output::{self, text},
};

#[derive(Debug, Subcommand)]
pub(super) enum ListVerb {
    /// Halts in force: what is stopped, by whom, until when.
    Halts(ServerArgs),
    /// Versions that no rollback leads to; `POST /api/v1/versions/clear` clears one.
    BadVersions(ServerArgs),
    /// Commands, newest first: with `--state prepared` those that wait for approval.
    Commands(FilterArgs),
    /// Releases, newest first.
    Releases(FilterArgs),
}

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Of this service only.
    #[arg(long)]
    service: Option<String>,
    /// In this environment only.
    #[arg(long)]
    environment: Option<String>,
    /// In this state only, e.g. `prepared` (commands), `open` (commands), `watching` (releases).
    #[arg(long)]
    state: Option<String>,
    /// How many at most: up to 500.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    server: ServerArgs,
}

type Columns = &'static [(&'static str, &'static str)];

const HALTS: Columns = &[
    ("ID", "id"),
    ("SCOPE", "scope"),
    ("SERVICE", "service"),
    ("ENVIRONMENT", "environment"),
    ("UNTIL", "until"),
    ("BY", "by"),
    ("REASON", "reason"),
];

const BAD_VERSIONS: Columns = &[
    ("SERVICE", "service"),
    ("ENVIRONMENT", "environment"),
    ("VERSION", "version"),
    ("CLUSTER", "cluster"),
    ("SINCE", "at"),
    ("WHY", "why"),
];

const COMMANDS: Columns = &[
    ("ID", "id"),
    ("SERVICE", "service"),
    ("ENVIRONMENT", "environment"),
    ("VERSION", "version"),
    ("TO", "to_version"),
    ("STATE", "state"),
    ("ATTEMPT", "attempt"),
    ("DEADLINE", "deadline"),
    ("WHY", "state_reason"),
];

const RELEASES: Columns = &[
    ("ID", "id"),
    ("SERVICE", "service"),
    ("ENVIRONMENT", "environment"),
    ("VERSION", "version"),
    ("STATE", "state"),
    ("VERDICT", "verdict.status"),
    ("STARTED", "started_at"),
];

pub(super) async fn run(verb: ListVerb) -> anyhow::Result<ExitCode> {
    match verb {
        ListVerb::Halts(server) => list(&server, "/api/v1/halts".to_owned(), HALTS).await,
        ListVerb::BadVersions(server) => list(&server, "/api/v1/versions/bad".to_owned(), BAD_VERSIONS).await,
        ListVerb::Commands(args) => filtered(args, "/api/v1/commands", COMMANDS).await,
        ListVerb::Releases(args) => filtered(args, "/api/v1/releases", RELEASES).await,
    }
}

async fn filtered(args: FilterArgs, path: &str, columns: Columns) -> anyhow::Result<ExitCode> {
    let given = [("service", args.service), ("environment", args.environment), ("state", args.state)];
    let given = given.into_iter().filter_map(|(key, value)| Some(format!("&{key}={}", segment(&value?))));
    let path = format!("{path}?limit={}{}", args.limit, given.collect::<String>());
    list(&args.server, path, columns).await
}

async fn list(server: &ServerArgs, path: String, columns: Columns) -> anyhow::Result<ExitCode> {
    let answer = Client::new(server)?.get(&path).await?;
    if !server.output.print_whole(&answer) {
        let head: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
        let row = |item: &Value| columns.iter().map(|(_, field)| cell(item, field)).collect();
        let rows: Vec<Vec<String>> = answer["items"].as_array().into_iter().flatten().map(row).collect();
        output::table(&head, &rows);
        if !answer["next"].is_null() {
            output::error("there are more: ask with a larger --limit");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A field; `a.b` is field `b` of the object `a`.
fn cell(item: &Value, field: &str) -> String {
    match field.split_once('.') {
        Some((outer, inner)) => text(&item[outer], inner),
        None => text(item, field),
    }
}
