//! People's verbs: halt, approve, reject, rollback, promote, hold, cancel.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::{
    Client, ServerArgs,
    client::segment,
    output::{self, text},
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true).multiple(true).args(["service", "environment", "all"]))]
pub(super) struct HaltArgs {
    /// Halt one service (in one environment with --environment).
    #[arg(long)]
    service: Option<String>,
    /// Halt one environment.
    #[arg(long)]
    environment: Option<String>,
    /// Halt everything.
    #[arg(long, conflicts_with_all = ["service", "environment"])]
    all: bool,
    /// For how long: `2h`.
    #[arg(long = "for", value_name = "DURATION")]
    duration: String,
    /// Why; everybody sees it.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct IdArgs {
    id: String,
    /// Why; kept in the audit.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The command: `cmd_…`.
    id: String,
    /// Needed where the prepared command names no version.
    #[arg(long)]
    to_version: Option<String>,
    /// Why; kept in the audit.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The release: `rel_…`.
    id: String,
    /// Where to; otherwise where Ripcord would go.
    #[arg(long)]
    to_version: Option<String>,
    /// Why; kept in the audit.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn halt(args: HaltArgs) -> anyhow::Result<ExitCode> {
    let mut body = json!({"for": args.duration, "reason": args.reason});
    if args.all {
        body["all"] = Value::from(true);
    }
    for (key, value) in [("service", args.service), ("environment", args.environment)] {
        if let Some(value) = value {
            body[key] = Value::from(value);
        }
    }
    post(&args.server, "/api/v1/halt".to_owned(), body, "id").await
}

pub(super) async fn unhalt(args: IdArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/halt/{}", segment(&args.id));
    let answer = Client::new(&args.server)?.delete(&path, &said(args.reason, None)).await?;
    print(&args.server, &answer, "id");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn approve(args: ApproveArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/commands/{}/approve", segment(&args.id));
    post(&args.server, path, said(args.reason, args.to_version), "status").await
}

pub(super) async fn rollback(args: RollbackArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/releases/{}/rollback", segment(&args.id));
    post(&args.server, path, said(args.reason, args.to_version), "status").await
}

pub(super) async fn command(args: IdArgs, verb: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/commands/{}/{verb}", segment(&args.id));
    post(&args.server, path, said(args.reason, None), "status").await
}

pub(super) async fn release(args: IdArgs, verb: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/releases/{}/{verb}", segment(&args.id));
    post(&args.server, path, said(args.reason, None), "status").await
}

fn said(reason: Option<String>, to_version: Option<String>) -> Value {
    let given = [("reason", reason), ("to_version", to_version)];
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?)))).collect()
}

async fn post(server: &ServerArgs, path: String, body: Value, show: &str) -> anyhow::Result<ExitCode> {
    let answer = Client::new(server)?.post(&path, &body).await?;
    print(server, &answer, show);
    Ok(ExitCode::SUCCESS)
}

fn print(server: &ServerArgs, answer: &Value, show: &str) {
    if server.output.print_whole(answer) {
        return;
    }
    let shown = text(answer, show);
    output::line(if shown.is_empty() { "accepted" } else { &shown });
}
