//! `metrics`: named signals and the series they are computed from.
//!
//! A definition at the top level stands before the built-in ones, which go on counting the services that it has no
//! series of. One under a policy replaces both for the services that it matches.

use std::collections::BTreeMap;

use crate::{
    HistogramSource, MetricDefinition, MetricSource, RatioKind, Selector, Shape,
    default::{ERROR_RATE, RESPONSE_TIME, THROUGHPUT, built_in_sources, request_source},
    diagnostic::Diagnostics,
    expression::is_name,
    yaml::{Entry, Node, Reader},
};

type Metrics = BTreeMap<String, MetricDefinition>;

/// The most definitions of one metric: each is tried for every series that comes in.
const DEFINITIONS_MAX: usize = 16;

/// The metrics that hold for all services: `known` ones, and those of the file.
pub(super) fn read(root: &mut Reader<'_, '_>, known: &Metrics) -> Metrics {
    let mut metrics = known.clone();
    metrics.extend(definitions(root, built_in_sources));
    metrics
}

/// The metrics of a policy, for the services that it matches. `shapes` has what each name means elsewhere, and takes in
/// what is new: a name means one kind of number, whichever service it is asked of.
pub(super) fn read_of_policy(root: &mut Reader<'_, '_>, shapes: &mut BTreeMap<String, Shape>) -> Metrics {
    let metrics = definitions(root, |name| request_source(name).into_iter().collect());
    let nodes = root.get("metrics").and_then(Node::entries).unwrap_or_default();
    for Entry { key, .. } in nodes {
        let Some(shape) = metrics.get(&key.name).and_then(|it| Some(it.sources.first()?.shape())) else {
            continue;
        };
        let known = *shapes.entry(key.name.clone()).or_insert(shape);
        if known != shape {
            let message = format!("`{}` is {} elsewhere, and {} here", key.name, said(known), said(shape));
            root.diagnostics().error_hint(key, message, "give one of them another name");
        }
    }
    metrics
}

fn definitions(root: &mut Reader<'_, '_>, behind: impl Fn(&str) -> Vec<MetricSource>) -> Metrics {
    let mut metrics = Metrics::new();
    let Some(reader) = root.mapping("metrics") else { return metrics };
    for entry in reader.entries() {
        let name = entry.key.name.clone();
        let mut sources = own_sources(entry, reader.diagnostics());
        if !sources.is_empty() {
            // Whoever says how a family is counted has said it for all services that have it.
            let is_other = |it: &MetricSource| !sources.iter().any(|own| own.shares_family_with(it));
            let behind: Vec<_> = behind(&name).into_iter().filter(is_other).collect();
            sources.extend(behind);
            metrics.insert(name.clone(), MetricDefinition { name, sources });
        }
    }
    metrics
}

/// One definition, or a list of them in order of preference.
fn own_sources(entry: &Entry, diagnostics: &Diagnostics) -> Vec<MetricSource> {
    let name = entry.key.name.as_str();
    if !is_name(name) {
        let hint =
            "letters, digits, `_`, `.` and `:`, beginning with a letter, and not and, or, baseline, alert";
        diagnostics.error_hint(&entry.key, format!("`{name}` cannot be a metric's name"), hint);
    }
    let nodes = entry.value.items().unwrap_or(std::slice::from_ref(&entry.value));
    if nodes.len() > DEFINITIONS_MAX || nodes.is_empty() {
        let message = format!("`{name}` has {} definitions: from 1 to {DEFINITIONS_MAX}", nodes.len());
        diagnostics.error(&entry.value, message);
        return Vec::new();
    }
    let mut sources: Vec<MetricSource> = Vec::new();
    for node in nodes {
        let Some(source) = definition(entry, node, diagnostics) else { continue };
        let first = sources.first().map(MetricSource::shape);
        if first.is_some_and(|first| first != source.shape()) {
            let message = format!("the definitions of `{name}` are of different kinds");
            diagnostics.error_hint(
                node,
                message,
                "they are alternatives: each has to give the same kind of number",
            );
            continue;
        }
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// The source that one definition of a metric gives.
pub(crate) fn source_of(entry: &Entry, node: &Node) -> Option<MetricSource> {
    definition(entry, node, &Diagnostics::default())
}

fn said(shape: Shape) -> &'static str {
    match shape {
        Shape::Ratio(RatioKind::Bad) => "a ratio of what is bad",
        Shape::Ratio(RatioKind::Good) => "a ratio of what is good",
        Shape::Histogram => "a histogram",
        Shape::Gauge => "a gauge",
        Shape::Throughput => "a throughput",
    }
}

/// Reports metrics of a team's file that another file defines: they would change under other teams' triggers.
pub(super) fn refuse_redefined(root: &mut Reader<'_, '_>, known: &Metrics) {
    let Some(node) = root.get("metrics") else { return };
    for Entry { key, .. } in node.entries().unwrap_or_default() {
        if known.contains_key(&key.name) {
            let hint = "define it under `metrics` of one of this file's policies, or give it another name";
            let message = format!("the metric `{}` is defined elsewhere", key.name);
            root.diagnostics().error_hint(key, message, hint);
        }
    }
}

fn definition(entry: &Entry, node: &Node, diagnostics: &Diagnostics) -> Option<MetricSource> {
    let name = entry.key.name.as_str();
    let mut reader = Reader::open(node, &format!("`{name}`"), diagnostics)?;
    let kind = reader.one_of(&["ratio", "histogram", "gauge", "throughput"]);
    let source = match kind {
        None => {
            let hint = "one of ratio: {bad, total}, histogram: FAMILY, gauge: SELECTOR, throughput: SELECTOR";
            diagnostics.error_hint(&entry.key, format!("`{name}` says not what it is computed from"), hint);
            None
        }
        Some(("ratio", given)) => ratio(&given.value, diagnostics),
        Some(("histogram", given)) => histogram(&given.value, diagnostics),
        Some(("gauge", given)) => selector(&given.value, "gauge", diagnostics).map(MetricSource::Gauge),
        Some((_, given)) => selector(&given.value, "throughput", diagnostics).map(MetricSource::Throughput),
    };
    reader.finish();
    source.filter(|source| is_what_its_name_says(entry, source, diagnostics))
}

/// The built-in names have a meaning that the API, the reports and the defaults rely on.
fn is_what_its_name_says(entry: &Entry, source: &MetricSource, diagnostics: &Diagnostics) -> bool {
    let (is_right, must) = match (entry.key.name.as_str(), source) {
        (ERROR_RATE, source) => {
            let is_bad = matches!(source, MetricSource::Ratio { kind: RatioKind::Bad, .. });
            (is_bad, "a ratio of what is bad: ratio: {bad: …, total: …}")
        }
        (RESPONSE_TIME, source) => (matches!(source, MetricSource::Histogram(_)), "a histogram"),
        (THROUGHPUT, source) => (matches!(source, MetricSource::Throughput(_)), "a throughput"),
        _ => return true,
    };
    if !is_right {
        let message = format!("`{}` must be {must}", entry.key.name);
        diagnostics.error_hint(&entry.key, message, "give another kind of metric a name of its own");
    }
    is_right
}

fn ratio(node: &Node, diagnostics: &Diagnostics) -> Option<MetricSource> {
    let mut reader = Reader::open(node, "`ratio`", diagnostics)?;
    let part = reader.one_of(&["bad", "good"]);
    if part.is_none() {
        let hint = "`bad` counts failures (more is worse), `good` counts successes (less is worse)";
        diagnostics.error_hint(node, "`bad` or `good` is missing", hint);
    }
    let total = reader.required("total").and_then(|node| selector(node, "total", diagnostics));
    reader.finish();
    let (key, given) = part?;
    let kind = if key == "bad" { RatioKind::Bad } else { RatioKind::Good };
    let (part, total) = (selector(&given.value, key, diagnostics)?, total?);
    if let Some(label) = part.excludes(&total) {
        let message = format!(
            "`{key}` can never be part of `total`: no value of `{label}` satisfies both {} and {}",
            part.text, total.text
        );
        let hint = format!("`total` has to count what `{key}` counts as well: leave `{label}` out of it");
        diagnostics.warning(&given.value, message, hint);
    }
    Some(MetricSource::Ratio { kind, part, total })
}

fn histogram(node: &Node, diagnostics: &Diagnostics) -> Option<MetricSource> {
    let mut family = selector(node, "histogram", diagnostics)?;
    let name = family.name.clone().unwrap_or_default();
    for suffix in ["_bucket", "_count", "_sum"] {
        if let Some(stem) = name.strip_suffix(suffix) {
            let message = format!("`{name}` is one series of a histogram, its family is meant");
            diagnostics.warning(node, message, format!("write `{stem}`"));
            family.name = Some(stem.to_owned());
        }
    }
    if name.contains("_milliseconds") || name.ends_with("_ms") {
        let message = format!("`{name}` seems to count milliseconds; limits compare with seconds");
        diagnostics.warning(
            node,
            message,
            "write limits without a unit: `> 300` for 300 ms of this histogram",
        );
    }
    Some(MetricSource::Histogram(HistogramSource { family }))
}

fn selector(node: &Node, key: &str, diagnostics: &Diagnostics) -> Option<Selector> {
    let Some(text) = node.text() else {
        diagnostics.error(node, format!("`{key}` must be a series selector, found {}", node.kind()));
        return None;
    };
    Selector::parse(text)
        .map_err(|error| {
            let hint = "selectors are Prometheus': http_requests_total{code=~\"5..\"}; no rate(), no range";
            diagnostics.error_hint(node, format!("`{key}`: {error}"), hint);
        })
        .ok()
}
