//! `ripcord event`: publish CloudEvents.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::{
    Client, ServerArgs,
    output::{self, text},
};

/// Larger than any event that ingest accepts.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct EventArgs {
    /// A file with one CloudEvent as JSON, or an array of them; `-` for standard input.
    file: PathBuf,
    /// Exit 1 when an event was ignored; what can be read is taken all the same.
    #[arg(long)]
    strict: bool,
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
    let ignored = lines(&answer, "ignored");
    if !args.server.output.print_whole(&answer) {
        for release in lines(&answer, "releases") {
            output::line(&format!("release {}", release.as_str().unwrap_or_default()));
        }
        for event in ignored {
            output::line(&format!("ignored {}: {}", text(event, "type"), text(event, "why")));
        }
    }
    for warning in lines(&answer, "warnings") {
        output::error(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    Ok(if args.strict && !ignored.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn lines<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer[list].as_array().map_or(&[], Vec::as_slice)
}
