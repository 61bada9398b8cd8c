//! `ripcord event`: publish CloudEvents.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::{Client, ServerArgs, output};

/// Larger than any event that ingest accepts.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct EventArgs {
    /// A file with one CloudEvent as JSON, or an array of them; `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: EventArgs) -> anyhow::Result<ExitCode> {
    let mut body = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE_BYTES).read_to_end(&mut body)?;
    } else {
        let file = std::fs::File::open(&args.file).with_context(|| format!("{}", args.file.display()))?;
        file.take(MAX_FILE_BYTES).read_to_end(&mut body)?;
    }
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let content_type =
        if is_batch { "application/cloudevents-batch+json" } else { "application/cloudevents+json" };
    let answer = Client::new(&args.server)?.post_raw("/api/v1/events", content_type, body).await?;
    if !args.server.output.print_whole(&answer) {
        output::line("accepted");
    }
    Ok(ExitCode::SUCCESS)
}
