//! `ripcord routes show|test`: where notices go, without sending any.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use model::Labels;

use super::{output, serve::EXIT_CONFIG};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum RoutesVerb {
    /// Print the route tree.
    Show(ShowArgs),
    /// Print the receivers that a notice with these labels goes to, as amtool does.
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[arg(long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[arg(long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml")]
    config: PathBuf,
    /// Also print the path of each match through the tree.
    #[arg(long)]
    tree: bool,
    /// Exit 1 unless exactly these receivers, in this order, come out: `a,b`.
    #[arg(long, value_delimiter = ',')]
    verify_receivers: Vec<String>,
    /// `service=checkout severity=critical`
    #[arg(value_parser = label)]
    labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write a label as name=value")?;
    Ok((name.to_owned(), value.trim_matches('"').to_owned()))
}

pub(super) fn run(verb: &RoutesVerb) -> ExitCode {
    let path = match verb {
        RoutesVerb::Show(args) => &args.config,
        RoutesVerb::Test(args) => &args.config,
    };
    let config = match config::load(Some(path)) {
        Ok(config) => config,
        Err(errors) => {
            output::error(&errors.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match verb {
        RoutesVerb::Show(_) => show(&config.routing.route, 0),
        RoutesVerb::Test(args) => return test(&config.routing, args),
    }
    ExitCode::SUCCESS
}

fn show(route: &router::Route, depth: usize) {
    let matchers: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
    let matchers =
        if matchers.is_empty() { "default-route".to_owned() } else { format!("{{{}}}", matchers.join(",")) };
    let receiver = route.receiver.as_ref().map(|name| format!("  receiver: {name}")).unwrap_or_default();
    let onward = if route.continue_matching { "  continue: true" } else { "" };
    output::line(&format!("{}{matchers}{onward}{receiver}", "  ".repeat(depth)));
    for child in &route.routes {
        show(child, depth + 1);
    }
}

fn test(routing: &router::Config, args: &TestArgs) -> ExitCode {
    let labels = Labels::from_pairs(args.labels.iter().cloned());
    let matches = router::route_for(routing, &labels);
    let receivers: Vec<&str> = matches.iter().map(|it| it.receiver.as_str()).collect();
    if args.tree {
        for found in &matches {
            output::line(&format!("{}  receiver: {}", found.path, found.receiver));
        }
    }
    output::line(&receivers.join(","));
    if !args.verify_receivers.is_empty() && args.verify_receivers != receivers {
        output::error(&format!("expected {}, got {}", args.verify_receivers.join(","), receivers.join(",")));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
