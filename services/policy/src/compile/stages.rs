//! `stages`, `quality_gates`, and the gates of pipeline stages.

use crate::{
    Expression, Level, Stage,
    diagnostic::Located,
    yaml::{Node, Reader, ValueError},
};

use super::{
    Scope,
    condition::{self, Condition, Role},
    inert::not_acting,
    sections::is_pipeline_stage,
};

type Named = (String, Expression);

/// The keys of the handbook's pipeline stages; what they list is the pipeline's business.
const PIPELINE_KEYS: [&str; 8] = [
    "triggers",
    "actions",
    "artifacts",
    "parallel_execution",
    "scans",
    "strategy",
    "environments",
    "monitoring",
];

pub(super) fn read(root: &mut Reader<'_, '_>, scope: Scope<'_>) -> Option<Vec<Stage>> {
    let section = root.entry("stages")?;
    let nodes = root.list("stages");
    not_acting(scope, &section.key, "a stage's criteria are not judged and nothing promotes by them");
    let stages = nodes.iter().enumerate();
    Some(stages.filter_map(|(at, node)| stage(node, at + 1 == nodes.len(), scope)).collect())
}

fn stage(node: &Node, is_last: bool, scope: Scope<'_>) -> Option<Stage> {
    let mut reader = Reader::open(node, "a stage", scope.diagnostics)?;
    let name = reader.required_text("name").map(str::to_owned);
    reader.required("traffic_percentage");
    let traffic = reader.parsed("traffic_percentage", percentage);
    let duration = reader.duration("duration");
    if !is_last && reader.get("duration").is_none() {
        let hint = "only the last stage may go without: it lasts as long as the watch";
        scope.diagnostics.error_hint(node, "`duration` is missing", hint);
    }
    let criteria = conditions(reader.list("success_criteria"), scope, Role::Criterion);
    reader.finish();
    Some(Stage { name: name?, traffic_percentage: traffic?, duration, criteria })
}

/// `5%` and `5` are both five percent.
fn percentage(text: &str) -> Result<f64, ValueError> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err(ValueError::new(format!("`{text}` is not a share of traffic"), "from 0% to 100%")),
    }
}

fn conditions(nodes: &[Node], scope: Scope<'_>, role: Role) -> Vec<Named> {
    nodes
        .iter()
        .filter_map(|node| condition::read(scope, node, role, scope.defaults.min_requests))
        .map(|Condition { expression, text }| (text, expression))
        .collect()
}

pub(super) fn read_gates(root: &mut Reader<'_, '_>, scope: Scope<'_>) -> Option<Vec<Named>> {
    let section = root.entry("quality_gates")?;
    not_acting(scope, &section.key, "no gate is evaluated");
    Some(conditions(root.list("quality_gates"), scope, Role::Gate))
}

/// Adds the gates that stand under pipeline stages (`code_integration: { quality_gates: [...] }`).
pub(super) fn read_pipeline(root: &mut Reader<'_, '_>, scope: Scope<'_>, gates: &mut Option<Vec<Named>>) {
    let stages: Vec<_> = root.entries().iter().filter(|entry| is_pipeline_stage(entry)).collect();
    for entry in stages {
        let Some(mut stage) = root.mapping(&entry.key.name) else { continue };
        if let Some(found) = read_gates(&mut stage, scope) {
            gates.get_or_insert_default().extend(found);
        }
        for key in PIPELINE_KEYS {
            if let Some(node) = stage.get(key) {
                texts_only(node, key, scope);
            }
        }
        stage.finish();
    }
}

fn texts_only(node: &Node, key: &str, scope: Scope<'_>) {
    for item in node.items().unwrap_or(std::slice::from_ref(node)) {
        if item.text().is_none() {
            let message = format!("`{key}` must be a text or a list of texts, found {}", item.kind());
            scope.diagnostics.push(Level::Error, &item.place(), message, None);
        }
    }
}
