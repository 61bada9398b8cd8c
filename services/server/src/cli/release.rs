//! `ripcord release start|status|wait`: what a deployment pipeline needs.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    Client, ServerArgs,
    client::{ClientError, segment},
    output::{self, text},
};
use crate::duration::parse_duration;

#[derive(Debug, Subcommand)]
pub(super) enum ReleaseVerb {
    /// Tell Ripcord that a version goes out; prints the release id.
    Start(Box<StartArgs>),
    /// Print a release: state, verdict, timeline. Without an id, list the newest ones.
    Status(StatusArgs),
    /// Wait for the verdict: exit 0 pass, 1 fail, 2 inconclusive, 3 timed out, 4 unreachable.
    Wait(WaitArgs),
}

/// How far the deployment is.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Status {
    /// It begins to go out.
    Started,
    /// It is out.
    Deployed,
    /// It gets all the traffic.
    Promoted,
    /// Its deployment failed.
    Failed,
    /// It was rolled back.
    RolledBack,
}

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// What is released, by the name that its telemetry carries (`service`, `service.name`).
    #[arg(long)]
    service: String,
    /// Where: `production`. Releases of different environments have nothing to do with each other.
    #[arg(long)]
    environment: String,
    /// The version that goes out, spelt as its telemetry spells it.
    #[arg(long)]
    version: String,
    /// The cluster, where a service goes out in several of them one after the other.
    #[arg(long)]
    cluster: Option<String>,
    /// Where a rollback would go; otherwise the newest version that succeeded.
    #[arg(long)]
    previous_version: Option<String>,
    /// How far the deployment is.
    #[arg(long, value_enum, default_value_t = Status::Deployed)]
    status: Status,
    /// What is deployed: `pkg:oci/shop@sha256%3A…`.
    #[arg(long)]
    artifact: Option<String>,
    /// The commit that was built; shown on the release.
    #[arg(long)]
    commit: Option<String>,
    /// Tells this release from another one of the same version: a pipeline's run, a ticket.
    #[arg(long)]
    change_id: Option<String>,
    /// The stage that it is at, by the name that the policy gives it.
    #[arg(long)]
    stage: Option<String>,
    /// Share of traffic, 0 to 100.
    #[arg(long)]
    traffic_percentage: Option<f64>,
    /// This release cannot be rolled back (a migration, say): people are asked instead.
    #[arg(long)]
    not_revertible: bool,
    /// `name=value`, shown on the release; may be given several times.
    #[arg(long = "link", value_parser = key_value)]
    links: Vec<(String, String)>,
    #[command(flatten)]
    server: ServerArgs,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The release: `rel_…`.
    id: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The release: `rel_…`, as `release start` prints it.
    id: String,
    /// Give up after this long (exit 3).
    #[arg(long, default_value = "70m", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(verb: ReleaseVerb) -> anyhow::Result<ExitCode> {
    match verb {
        ReleaseVerb::Start(args) => start(*args).await,
        ReleaseVerb::Status(args) => status(args).await,
        ReleaseVerb::Wait(args) => wait(args).await,
    }
}

async fn start(args: StartArgs) -> anyhow::Result<ExitCode> {
    let status = args.status.to_possible_value().map(|value| value.get_name().to_owned());
    let mut body = json!({
        "service": args.service, "environment": args.environment, "version": args.version, "status": status,
    });
    let optional = [
        ("cluster", args.cluster.map(Value::from)),
        ("previous_version", args.previous_version.map(Value::from)),
        ("artifact", args.artifact.map(Value::from)),
        ("commit", args.commit.map(Value::from)),
        ("change_id", args.change_id.map(Value::from)),
        ("stage", args.stage.map(Value::from)),
        ("traffic_percentage", args.traffic_percentage.map(Value::from)),
        ("revertible", args.not_revertible.then_some(Value::from(false))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    if !args.links.is_empty() {
        body["links"] = json!(args.links.into_iter().collect::<BTreeMap<_, _>>());
    }
    let answer = Client::new(&args.server)?.post("/api/v1/releases", &body).await?;
    if !args.server.output.print_whole(&answer) {
        output::line(&text(&answer, "id"));
    }
    // On stderr: a pipeline reads the id from stdout.
    if let Some(why) = answer["ignored"].as_str() {
        output::error(&format!("ignored: {why}"));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        output::error(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let path = args
        .id
        .as_deref()
        .map_or("/api/v1/releases".to_owned(), |id| format!("/api/v1/releases/{}", segment(id)));
    let answer = client.get(&path).await?;
    if args.server.output.print_whole(&answer) {
        return Ok(ExitCode::SUCCESS);
    }
    if args.id.is_none() {
        print_list(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    let path = format!(
        "/api/v1/services/{}/metrics?environment={}",
        segment(&text(&answer, "service")),
        segment(&text(&answer, "environment"))
    );
    // What the release is must be shown even where its values cannot be had.
    let values = client.get(&path).await.unwrap_or(Value::Null);
    print_one(&answer, &values);
    Ok(ExitCode::SUCCESS)
}

fn print_list(answer: &Value) {
    let row = |release: &Value| {
        let verdict = text(&release["verdict"], "status");
        let mut row: Vec<String> =
            ["id", "service", "environment", "version", "state"].iter().map(|it| text(release, it)).collect();
        row.push(verdict);
        row.push(text(release, "started_at"));
        row
    };
    let rows: Vec<_> = answer["items"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ID", "SERVICE", "ENVIRONMENT", "VERSION", "STATE", "VERDICT", "STARTED"], &rows);
}

/// Versions that are shown where telemetry does not show the release's own.
const OTHERS_MAX: usize = 3;

/// The values of now: requests, error rate and latency of the release's version, beside the limits that it broke. Where
/// telemetry does not show the version, what it shows of the service instead.
fn print_values(release: &Value, values: &Value) {
    let own = text(release, "version");
    let all: Vec<&Value> = values["versions"].as_array().into_iter().flatten().collect();
    let is_own =
        |it: &Value| it["version"].as_str().is_some_and(|version| model::is_same_version(version, &own));
    let has_own = all.iter().any(|it| is_own(it));
    for version in all.into_iter().filter(|it| !has_own || is_own(it)).take(OTHERS_MAX) {
        let whose = match version["version"].as_str() {
            _ if has_own => String::new(),
            Some(name) => format!(" of {name}"),
            None => " without a version".to_owned(),
        };
        let number = |value: &Value, unit: f64| {
            value.as_f64().map_or("none".to_owned(), |it| format!("{:.2}", it * unit))
        };
        output::line(&format!(
            "  now, over {}{whose}: {} requests, {} errors ({} %), p95 {} ms, {} % of the window covered",
            text(values, "window"),
            text(version, "requests"),
            text(version, "errors"),
            number(&version["error_rate"], 100.0),
            number(&version["latency_seconds"]["p95"], 1000.0),
            number(&version["coverage"], 100.0)
        ));
    }
}

/// What the values are held against, but for what is broken.
fn print_limits(release: &Value, values: &Value) {
    let broken: Vec<&Value> = release["broken_triggers"].as_array().into_iter().flatten().collect();
    let limits = values["limits"].as_array().into_iter().flatten();
    for limit in limits.filter(|limit| is_watched(release) && !broken.contains(&&limit["trigger"])) {
        output::line(&format!("  limit:  {} over {}", text(limit, "condition"), text(limit, "window")));
    }
}

fn is_watched(release: &Value) -> bool {
    ["progressing", "watching", "rollback_prepared"].contains(&text(release, "state").as_str())
}

/// Each limit that is broken right now, with the numbers that broke it last.
fn print_broken(release: &Value) {
    for trigger in release["broken_triggers"].as_array().into_iter().flatten() {
        let mut reasons = release["verdict"]["reasons"].as_array().into_iter().flatten();
        let Some(reason) = reasons.rfind(|reason| reason["trigger"] == *trigger) else {
            continue;
        };
        output::line(&format!("  broken: {}", reason_line(reason)));
    }
}

/// How long the watch goes on.
fn time_left(release: &Value) -> String {
    let until = release["watch_until"].as_str().and_then(proto::wire::moment::parse_rfc3339);
    match until.filter(|_| is_watched(release)) {
        Some(until) => {
            let minutes = until.since(telemetry::clock::now()).as_secs().div_ceil(60);
            format!(", watched for {minutes} more minutes")
        }
        None => String::new(),
    }
}

fn print_one(release: &Value, values: &Value) {
    output::line(&format!(
        "{} {} in {}: {} ({}){}",
        text(release, "service"),
        text(release, "version"),
        text(release, "environment"),
        text(release, "state"),
        text(&release["verdict"], "status"),
        time_left(release)
    ));
    print_values(release, values);
    print_broken(release);
    print_limits(release, values);
    for entry in release["timeline"].as_array().into_iter().flatten() {
        output::line(&format!("  {}  {:13} {}", text(entry, "at"), text(entry, "what"), text(entry, "text")));
    }
    for command in release["commands"].as_array().into_iter().flatten() {
        let (id, state) = (text(command, "id"), text(command, "state"));
        let to = text(command, "to_version");
        let (to, named) = if to.is_empty() {
            ("a version that you name", " --to-version VERSION")
        } else {
            (to.as_str(), "")
        };
        let why = text(command, "state_reason");
        let hint = if state == "prepared" {
            let deadline = text(command, "deadline");
            format!(": `ripcord approve {id}{named}` or `ripcord reject {id}` before {deadline} ({why})")
        } else if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        output::line(&format!("  {id} {} to {to} {state}{hint}", text(command, "verb")));
    }
}

/// No verdict was to be had. Every other failure of `wait` would be read as one.
const EXIT_NO_ANSWER: u8 = 4;

/// The server has too many that wait: it is asked again after this, until the timeout.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

async fn wait(args: WaitArgs) -> anyhow::Result<ExitCode> {
    Ok(verdict(args).await.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        ExitCode::from(EXIT_NO_ANSWER)
    }))
}

async fn verdict(args: WaitArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let path = format!("/api/v1/releases/{}/verdict", segment(&args.id));
    let decided = async {
        loop {
            match client.get(&format!("{path}?wait=30s")).await {
                Ok(answer) if text(&answer, "status") == "pending" => {}
                Err(ClientError::Refused { status: 503, .. }) => tokio::time::sleep(BUSY_PAUSE).await,
                answer => return answer,
            }
        }
    };
    let Ok(answer) = tokio::time::timeout(args.timeout, decided).await else {
        output::error("timed out: the verdict is still pending");
        return Ok(ExitCode::from(3));
    };
    let answer = answer?;
    if !args.server.output.print_whole(&answer) {
        print_verdict(&answer);
    }
    match text(&answer, "status").as_str() {
        "pass" => Ok(ExitCode::SUCCESS),
        "fail" => Ok(ExitCode::from(1)),
        "inconclusive" => Ok(ExitCode::from(2)),
        other => bail!("the server answered a verdict this version does not know: {other:?}"),
    }
}

fn print_verdict(answer: &Value) {
    output::line(&text(answer, "status"));
    for reason in answer["reasons"].as_array().into_iter().flatten() {
        output::line(&format!("  {}", reason_line(reason)));
    }
}

fn reason_line(reason: &Value) -> String {
    let first = &reason["evidence"][0];
    format!(
        "{}: {} against {} over {}, {} of {} requests",
        text(reason, "condition"),
        text(first, "value"),
        text(first, "limit"),
        text(reason, "window"),
        text(first, "errors"),
        text(first, "requests")
    )
}
