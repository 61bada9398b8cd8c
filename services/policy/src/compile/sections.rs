//! Which top-level keys are the policy's, and cutting them out of a whole `ripcord.yml`.

use crate::{
    Diagnostic,
    diagnostic::{Diagnostics, Place},
    yaml::{Entry, Value, parse},
};

/// The top-level keys that make up the policy.
pub const POLICY_SECTIONS: [&str; 16] = [
    "identity",
    "metrics",
    "defaults",
    "policies",
    "rollback_triggers",
    "alerts",
    "stages",
    "quality_gates",
    "failover_strategy",
    "circuit_breaker",
    "dashboard",
    "storm",
    "freezes",
    "time_intervals",
    "mute_time_intervals",
    "policy_files",
];

/// The handbook's pipeline stages: top-level mappings whose `quality_gates` count.
pub const PIPELINE_STAGES: [&str; 5] =
    ["code_integration", "build_package", "automated_testing", "security_compliance", "deployment"];

/// The top-level keys that only the server reads; they may hold secrets and never get onto the log.
pub const SERVER_SECTIONS: [&str; 10] = [
    "server",
    "hooks",
    "bus",
    "global",
    "route",
    "receivers",
    "inhibit_rules",
    "templates",
    "alertmanager_config",
    "audiences",
];

/// Keys of a policy that people look for at the top level.
const BELONGS_UNDER_POLICIES: [&str; 9] =
    ["match", "owner", "mode", "target", "targets", "safety", "regression", "slo", "watch"];

/// What a file beside the main one may hold.
const TEAM_SECTIONS: [&str; 5] = ["policies", "metrics", "freezes", "time_intervals", "mute_time_intervals"];

/// Whether a top-level entry belongs to the policy: by its name, or as a pipeline stage of whatever name that
/// has `quality_gates`.
pub fn is_policy_section(entry: &Entry) -> bool {
    let name = entry.key.name.as_str();
    POLICY_SECTIONS.contains(&name) || is_pipeline_stage(entry)
}

pub(super) fn is_pipeline_stage(entry: &Entry) -> bool {
    let name = entry.key.name.as_str();
    let is_another = POLICY_SECTIONS.contains(&name) || SERVER_SECTIONS.contains(&name);
    PIPELINE_STAGES.contains(&name) || (!is_another && entry.value.get("quality_gates").is_some())
}

pub(super) fn misplaced(key: &str) -> Option<String> {
    if SERVER_SECTIONS.contains(&key) {
        return Some(format!("`{key}` is the server's, not the policy's: it belongs into ripcord.yml"));
    }
    BELONGS_UNDER_POLICIES
        .contains(&key)
        .then(|| format!("write it under `policies:`, as `- {{match: {{}}, {key}: …}}` for every service"))
}

pub(super) fn misplaced_in_team_file(key: &str) -> Option<String> {
    if POLICY_SECTIONS.contains(&key) || PIPELINE_STAGES.contains(&key) {
        let hint =
            format!("`{key}` holds for all services: it belongs into the main file, or under `policies`");
        return Some(hint);
    }
    misplaced(key).or_else(|| Some(crate::diagnostic::suggest(key, &TEAM_SECTIONS)))
}

/// Cuts the policy's sections out of a whole `ripcord.yml`: all other lines come back blank, so that secrets of
/// the server's sections never get onto the log while line numbers stay what they are.
pub fn policy_sections(file: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let root = parse(file, text)?;
    let Value::Mapping(entries) = &root.value else {
        return if root.is_null() {
            Ok(String::new())
        } else {
            Err(fault(&root.place, "the file must be a mapping"))
        };
    };
    let lines = lines(text);
    if let Some(entry) = not_on_its_own_line(entries) {
        let message = format!("`{}` must begin a line of its own at the top level", entry.key.name);
        return Err(fault(&entry.key.place, &message));
    }
    let mut kept = vec![""; lines.len()];
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| is_policy_section(entry)) {
        let from = entry.key.place.line - 1;
        let to = entries.get(at + 1).map_or(lines.len(), |next| next.key.place.line - 1);
        let to = from + content_length(&lines[from..to]);
        kept[from..to].copy_from_slice(&lines[from..to]);
    }
    let kept = kept.join("\n");
    match parse(file, &kept) {
        Ok(_) => Ok(kept.trim_end().to_owned() + "\n"),
        Err(faults) => Err(faults.into_iter().map(with_anchor_hint).collect()),
    }
}

/// Comments after a section are not the section's: they may hold a secret that was commented out.
fn content_length(lines: &[&str]) -> usize {
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    lines.iter().rposition(is_content).map_or(0, |last| last + 1)
}

/// Sections are told apart by lines, which a flow mapping or a merge at the top level would defeat.
fn not_on_its_own_line(entries: &[Entry]) -> Option<&Entry> {
    let pairs = entries.iter().zip(entries.iter().skip(1));
    let same_line = pairs.into_iter().find(|(a, b)| b.key.place.line <= a.key.place.line).map(|(_, b)| b);
    let column = entries.first()?.key.place.column;
    same_line.or_else(|| entries.iter().find(|entry| entry.key.place.column != column))
}

/// Lines as YAML breaks them.
fn lines(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        lines.push(&rest[..at]);
        let is_pair = rest[at..].starts_with("\r\n");
        rest = &rest[at + 1 + usize::from(is_pair)..];
    }
    lines.push(rest);
    lines
}

fn with_anchor_hint(fault: Diagnostic) -> Diagnostic {
    let hint = "the policy is kept apart from the server's sections: define the anchors it uses inside of it";
    Diagnostic { hint: Some(hint.to_owned()), ..fault }
}

fn fault(at: &Place, message: &str) -> Vec<Diagnostic> {
    let diagnostics = Diagnostics::default();
    diagnostics.error(at, message);
    diagnostics.into_vec()
}
