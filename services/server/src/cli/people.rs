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
pub(super) struct CommandArgs {
    /// The command: `cmd_…`; `ripcord list commands` shows them.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The release: `rel_…`; `ripcord list releases` shows them. A bare id means the newest of its name.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct UnhaltArgs {
    /// The halt: `hlt_…`; `ripcord list halts` shows them.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The command: `cmd_…`; `ripcord list commands --state prepared` shows those that wait.
    id: String,
    /// Needed where the prepared command names no version.
    #[arg(long)]
    to_version: Option<String>,
    /// Also to a version that was never seen out; never to a bad one. The audit shows it.
    #[arg(long, requires = "to_version")]
    force: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The release: `rel_…`; `ripcord list releases` shows them.
    id: String,
    /// Where to; otherwise where Ripcord would go.
    #[arg(long)]
    to_version: Option<String>,
    /// Also to a version that was never seen out; never to a bad one. The audit shows it.
    #[arg(long, requires = "to_version")]
    force: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Why; kept in the audit.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// The verb is on the log and nothing answered: nobody knows yet whether it will be done.
const EXIT_UNANSWERED: u8 = 4;

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
    let answer = Client::new(&args.server)?.post("/api/v1/halt", &body).await?;
    Ok(print(&args.server, &answer, "id"))
}

pub(super) async fn unhalt(args: UnhaltArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/halt/{}", segment(&args.id));
    let Common { reason, server } = args.common;
    let answer = Client::new(&server)?.delete(&path, &said(reason, None, false)).await?;
    Ok(print(&server, &answer, "result"))
}

pub(super) async fn approve(args: ApproveArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/commands/{}/approve", segment(&args.id));
    post(args.common, &path, args.to_version, args.force).await
}

pub(super) async fn rollback(args: RollbackArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/releases/{}/rollback", segment(&args.id));
    post(args.common, &path, args.to_version, args.force).await
}

pub(super) async fn reject(args: CommandArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/commands/{}/reject", segment(&args.id));
    post(args.common, &path, None, false).await
}

pub(super) async fn release(args: ReleaseArgs, verb: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/releases/{}/{verb}", segment(&args.id));
    post(args.common, &path, None, false).await
}

fn said(reason: Option<String>, to_version: Option<String>, force: bool) -> Value {
    let given = [
        ("reason", reason.map(Value::from)),
        ("to_version", to_version.map(Value::from)),
        ("force", force.then_some(Value::from(true))),
    ];
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Refusals are errors of the client: exit 1, with the arbiter's reason.
async fn post(
    common: Common,
    path: &str,
    to_version: Option<String>,
    force: bool,
) -> anyhow::Result<ExitCode> {
    let Common { reason, server } = common;
    let answer = Client::new(&server)?.post(path, &said(reason, to_version, force)).await?;
    Ok(print(&server, &answer, "result"))
}

/// Prints what was done, or that nothing is known of it yet.
fn print(server: &ServerArgs, answer: &Value, show: &str) -> ExitCode {
    let is_answered = answer["accepted"] == true;
    if !is_answered {
        output::error(&format!("not answered yet: {}", text(answer, "detail")));
    }
    if !server.output.print_whole(answer) {
        let shown = text(answer, show);
        if !shown.is_empty() {
            output::line(&shown);
        }
    }
    if is_answered { ExitCode::SUCCESS } else { ExitCode::from(EXIT_UNANSWERED) }
}
