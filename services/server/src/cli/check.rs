//! `ripcord check`: is this configuration good, and if not, where and why.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use policy::Level;

use super::{output, serve::EXIT_CONFIG};
use crate::config;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The configuration; ripcord.yml where none is named.
    file: Option<PathBuf>,
    /// The same, as the other verbs take it.
    #[arg(long, env = "RIPCORD_CONFIG", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Exit 1 when there are warnings.
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(args: &CheckArgs) -> ExitCode {
    let file = args.file.as_ref().or(args.config.as_ref());
    let file = file.map_or(Path::new("ripcord.yml"), PathBuf::as_path);
    let report = config::check(file);
    for diagnostic in &report.diagnostics {
        output::line(&diagnostic.to_string());
    }
    report.owners.iter().chain(&report.notes).for_each(|line| output::line(line));
    let count = |level| report.diagnostics.iter().filter(|it| it.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let file = file.display();
    if errors > 0 {
        let errors = counted(errors, "error");
        output::line(&format!("{file}: {errors}, {}", counted(warnings, "warning")));
        return ExitCode::from(EXIT_CONFIG);
    }
    output::line(&format!("{file}: ok, {}", counted(warnings, "warning")));
    if args.deny_warnings && warnings > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
