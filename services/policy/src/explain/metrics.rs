//! From which series each metric is computed.

use crate::{
    HistogramSource, MetricSource, Place, Policy, RatioKind,
    compile::source_of,
    default::is_otel,
    yaml::{Entry, Node},
};

use super::{
    Rows,
    layers::{Layers, entry},
};

impl Rows {
    pub(super) fn metrics(&mut self, policy: &Policy, layers: &Layers<'_>, service: &str, environment: &str) {
        for name in policy.metric_names() {
            let Some(definition) = policy.metric(service, environment, name) else { continue };
            let written = written(layers, name);
            let mut rest: Vec<&MetricSource> = Vec::new();
            for source in &definition.sources {
                match written.and_then(|entry| place_of(source, entry)) {
                    Some(place) => self.add(format!("metrics.{name}"), text(source), Some(place)),
                    None => rest.push(source),
                }
            }
            if !rest.is_empty() {
                let mut texts: Vec<String> = Vec::new();
                for family in rest.into_iter().map(family) {
                    if !texts.contains(&family) {
                        texts.push(family);
                    }
                }
                self.add(format!("metrics.{name}"), format!("built in: {}", texts.join(", ")), None);
            }
        }
    }
}

/// The most specific policy's definition, else the one for all services.
fn written<'a>(layers: &'a Layers<'_>, name: &str) -> Option<&'a Entry> {
    let of = |node: &'a Node| entry(node.get("metrics")?, name);
    let mut own = layers.policies().filter_map(|layer| of(layer.node?));
    own.next().or_else(|| layers.files.iter().find_map(of))
}

/// Where the definition stands that gave a source.
fn place_of(source: &MetricSource, entry: &Entry) -> Option<Place> {
    let nodes = entry.value.items().unwrap_or(std::slice::from_ref(&entry.value));
    let node = nodes.iter().find(|node| source_of(entry, node).as_ref() == Some(source))?;
    Some(if entry.value.items().is_some() { node.place.clone() } else { entry.key.place.clone() })
}

fn text(source: &MetricSource) -> String {
    match source {
        MetricSource::Ratio { kind: RatioKind::Bad, part, total } => {
            format!("bad {} of {}", part.text, total.text)
        }
        MetricSource::Ratio { kind: RatioKind::Good, part, total } => {
            format!("good {} of {}", part.text, total.text)
        }
        MetricSource::Histogram(HistogramSource { family }) => format!("histogram {}", family.text),
        MetricSource::Gauge(selector) => format!("gauge {}", selector.text),
        MetricSource::Throughput(selector) => format!("throughput {}", selector.text),
        MetricSource::RequestErrors | MetricSource::RequestDurations | MetricSource::RequestThroughput => {
            "request events".to_owned()
        }
    }
}

/// What the series of a source are called; OpenTelemetry's many names as one.
fn family(source: &MetricSource) -> String {
    let named = match source {
        MetricSource::Ratio { total: selector, .. }
        | MetricSource::Gauge(selector)
        | MetricSource::Throughput(selector)
        | MetricSource::Histogram(HistogramSource { family: selector }) => selector.name.clone(),
        MetricSource::RequestErrors | MetricSource::RequestDurations | MetricSource::RequestThroughput => {
            None
        }
    };
    match named {
        Some(name) if is_otel(&name) => "OpenTelemetry".to_owned(),
        Some(name) => name,
        None => text(source),
    }
}
