//! `ripcord check`: is this configuration good, and if not, where and why.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use policy::Level;

use super::{output, serve::EXIT_CONFIG};
use crate::config;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[arg(default_value = "ripcord.yml")]
    file: PathBuf,
    /// Exit 1 when there are warnings.
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(args: &CheckArgs) -> ExitCode {
    let report = config::check(&args.file);
    for diagnostic in &report.diagnostics {
        output::line(&diagnostic.to_string());
    }
    let count = |level| report.diagnostics.iter().filter(|it| it.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let file = args.file.display();
    if errors > 0 {
        output::line(&format!("{file}: {errors} errors, {warnings} warnings"));
        return ExitCode::from(EXIT_CONFIG);
    }
    output::line(&format!("{file}: ok, {warnings} warnings"));
    if args.deny_warnings && warnings > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
