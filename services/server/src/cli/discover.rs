//! `ripcord discover`: what comes in, and what of it cannot be judged.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Client, ServerArgs,
    output::{self, text},
};

/// Names or targets in one cell of a table; `-o json` has them all.
const SHOWN_MAX: usize = 3;

pub(super) async fn run(server: ServerArgs) -> anyhow::Result<ExitCode> {
    let answer = Client::new(&server)?.get("/api/v1/discovery").await?;
    if server.output.print_whole(&answer) {
        return Ok(ExitCode::SUCCESS);
    }
    services(&answer);
    uncounted(&answer);
    unplaced(&answer);
    refused(&answer);
    Ok(ExitCode::SUCCESS)
}

fn services(answer: &Value) {
    let service = |it: &Value| {
        let versions = items(&it["versions"]);
        let versions: Vec<_> = versions.map(|version| version.as_str().unwrap_or("(no version)")).collect();
        let versions = versions.join(", ");
        vec![
            text(it, "service"),
            text(it, "environment"),
            versions,
            text(it, "series"),
            text(it, "counted_series"),
            text(it, "last_sample_at"),
        ]
    };
    let rows: Vec<_> = items(&answer["services"]).map(service).collect();
    output::table(&["SERVICE", "ENVIRONMENT", "VERSIONS", "SERIES", "COUNTED", "LAST SAMPLE"], &rows);
}

fn uncounted(answer: &Value) {
    let services = items(&answer["services"]).filter(|it| items(&it["uncounted"]).next().is_some());
    let row = |it: &Value| vec![text(it, "service"), text(it, "environment"), some_of(&it["uncounted"])];
    let title =
        "Not judged, for no metric of the policy counts any of their series (`metrics` in ripcord.yml):";
    section(title, &["SERVICE", "ENVIRONMENT", "SENDS"], &services.map(row).collect::<Vec<_>>());
}

fn unplaced(answer: &Value) {
    let row = |it: &Value| {
        vec![
            text(it, "job"),
            some_of(&it["instances"]),
            text(it, "missing"),
            text(it, "series"),
            text(it, "wanted_series"),
            text(it, "example"),
        ]
    };
    let rows: Vec<_> = items(&answer["unplaced"]).map(row).collect();
    let title = format!(
        "Not placed, so not judged: {} series (add `identity` rules to ripcord.yml). WANTED: how many of them the \
         policy's metrics would count.",
        text(answer, "unplaced_series")
    );
    section(&title, &["JOB", "INSTANCES", "MISSING", "SERIES", "WANTED", "EXAMPLE"], &rows);
    if let Some(more) = answer["unplaced_more"].as_u64().filter(|more| *more > 0) {
        output::line(&format!("and {more} more jobs"));
    }
}

fn refused(answer: &Value) {
    let row =
        |it: &Value| vec![text(it, "service"), text(it, "reason"), text(it, "parts"), text(it, "example")];
    let rows: Vec<_> = items(&answer["refused"]).map(row).collect();
    section("Refused since the start, so not judged:", &["SERVICE", "REASON", "PARTS", "EXAMPLE"], &rows);
}

fn section(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    if !rows.is_empty() {
        output::line("");
        output::line(title);
        output::table(columns, rows);
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The first few of a list of texts, and how many there are besides.
fn some_of(list: &Value) -> String {
    let shown: Vec<&str> = items(list).take(SHOWN_MAX).filter_map(Value::as_str).collect();
    let more = items(list).count().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
