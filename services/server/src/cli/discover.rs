//! `ripcord discover`: what comes in, and what could not be placed.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Client, ServerArgs,
    output::{self, text},
};

pub(super) async fn run(server: ServerArgs) -> anyhow::Result<ExitCode> {
    let answer = Client::new(&server)?.get("/api/v1/discovery").await?;
    if server.output.print_whole(&answer) {
        return Ok(ExitCode::SUCCESS);
    }
    let service = |it: &Value| {
        let versions = it["versions"].as_array().into_iter().flatten();
        let versions: Vec<_> = versions.map(|version| version.as_str().unwrap_or("(no version)")).collect();
        let versions = versions.join(", ");
        vec![
            text(it, "service"),
            text(it, "environment"),
            versions,
            text(it, "series"),
            text(it, "last_sample_at"),
        ]
    };
    let rows: Vec<_> = answer["services"].as_array().into_iter().flatten().map(service).collect();
    output::table(&["SERVICE", "ENVIRONMENT", "VERSIONS", "SERIES", "LAST SAMPLE"], &rows);
    let unplaced = |it: &Value| vec![text(it, "missing"), text(it, "series"), text(it, "example")];
    let rows: Vec<_> = answer["unplaced"].as_array().into_iter().flatten().map(unplaced).collect();
    if !rows.is_empty() {
        output::line("");
        output::line("Not placed, so not judged (add `identity` rules to ripcord.yml):");
        output::table(&["MISSING", "SERIES", "EXAMPLE"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}
