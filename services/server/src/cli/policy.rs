//! `ripcord policy explain`: what holds for one service, and which line of which file says so.

use std::{path::PathBuf, process::ExitCode};

use ::policy::{Explanation, Place, Setting};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    output::{self, Output},
    serve::EXIT_CONFIG,
};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyVerb {
    /// Print what holds for a service: triggers, target, mode, owner, watch, metrics, each value with its file and
    /// line. Reads files only, no server; exit 78 when they are not accepted.
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The service, by the name that its telemetry carries; the same as --service.
    #[arg(value_name = "SERVICE", required_unless_present = "service", conflicts_with = "service")]
    name: Option<String>,
    /// The service, by the name that its telemetry carries.
    #[arg(long)]
    service: Option<String>,
    /// Where it runs: `production`.
    #[arg(long)]
    environment: String,
    /// The configuration.
    #[arg(short = 'f', long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml", value_name = "FILE")]
    config: PathBuf,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl ExplainArgs {
    fn service(&self) -> &str {
        self.name.as_ref().or(self.service.as_ref()).map_or("", String::as_str)
    }
}

pub(super) fn run(verb: &PolicyVerb) -> ExitCode {
    let PolicyVerb::Explain(args) = verb;
    let policy = match config::policy(&args.config) {
        Ok(policy) => policy,
        Err(errors) => {
            output::error(&errors.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    for file in &policy.faulty_policy_files {
        output::error(&format!("{file} has a fault and is left out: `ripcord check` shows it"));
    }
    let explained = ::policy::explain(&policy.load, args.service(), &args.environment);
    let Some(explained) = explained else { return ExitCode::from(EXIT_CONFIG) };
    if !args.output.print_whole(&whole(args, &explained)) {
        table(args, &explained);
    }
    ExitCode::SUCCESS
}

fn whole(args: &ExplainArgs, explained: &Explanation) -> Value {
    let place = |place: Option<&Place>| {
        let file = place.map(|it| it.file.to_string());
        (Value::from(file), Value::from(place.map(|it| it.line)))
    };
    let policies = explained.policies.iter().map(|(matching, at)| {
        let (file, line) = place(at.as_ref());
        json!({"match": matching, "file": file, "line": line})
    });
    let settings = explained.settings.iter().map(|it| {
        let (file, line) = place(it.from.as_ref());
        json!({"key": it.key, "value": it.value, "default": it.from.is_none(), "file": file, "line": line})
    });
    json!({
        "service": args.service(),
        "environment": args.environment,
        "policies": policies.collect::<Vec<_>>(),
        "settings": settings.collect::<Vec<_>>(),
    })
}

fn table(args: &ExplainArgs, explained: &Explanation) {
    let place = |place: &Place| format!("{}:{}", place.file, place.line);
    let (service, environment) = (args.service(), &args.environment);
    if explained.policies.is_empty() {
        output::line(&format!(
            "no policy matches {service} in {environment}: what holds for all services holds"
        ));
    } else {
        output::line(&format!("policies that match {service} in {environment}, the most specific first:"));
    }
    for (matching, at) in &explained.policies {
        output::line(&format!("  {matching}  {}", at.as_ref().map(place).unwrap_or_default()));
    }
    output::line("");
    let row = |it: &Setting| {
        vec![it.key.clone(), it.value.clone(), it.from.as_ref().map_or_else(|| "default".to_owned(), place)]
    };
    output::table(&["SETTING", "VALUE", "FROM"], &explained.settings.iter().map(row).collect::<Vec<_>>());
}
