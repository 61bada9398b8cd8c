//! The labels of a point: its attributes and those of its resource that say whose it is.

use std::{borrow::Cow, collections::BTreeMap};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

use super::name::label_name;

/// Resource attributes that become labels of every series; the rest (process ids, host names, SDK versions) would
/// only make series many. Of several for one label the first present wins.
const PROMOTED: [(&str, &[&str]); 7] = [
    ("service_name", &["service.name"]),
    ("service_namespace", &["service.namespace"]),
    ("service_version", &["service.version"]),
    ("service_instance_id", &["service.instance.id"]),
    ("deployment_environment_name", &["deployment.environment.name", "deployment.environment"]),
    ("k8s_cluster_name", &["k8s.cluster.name"]),
    ("cloud_region", &["cloud.region"]),
];

/// The labels that a resource gives to all its series.
pub(super) struct ResourceLabels(BTreeMap<&'static str, String>);

impl ResourceLabels {
    pub(super) fn of(attributes: &[KeyValue]) -> Self {
        let find = |key: &str| {
            let it = attributes.iter().find(|it| it.key == key)?;
            Some(text_of(it.value.as_ref()?).into_owned()).filter(|text| !text.is_empty())
        };
        let mut labels: BTreeMap<&'static str, String> = PROMOTED
            .iter()
            .filter_map(|(label, keys)| Some((*label, keys.iter().find_map(|key| find(key))?)))
            .collect();
        // As Prometheus' OTLP receiver does, so that joins on `job` and `instance` work for both.
        if let Some(name) = labels.get("service_name") {
            let job = match labels.get("service_namespace") {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name.clone(),
            };
            labels.insert("job", job);
        }
        if let Some(instance) = labels.get("service_instance_id").cloned() {
            labels.insert("instance", instance);
        }
        Self(labels)
    }

    /// The resource's service; empty if it names none.
    pub(super) fn service(&self) -> &str {
        self.0.get("service_name").map_or("", String::as_str)
    }

    /// These and a point's own, sorted. Where both name the same thing, the resource knows better: it is what the
    /// process says of itself. Two attributes that become one label are joined by `;`.
    pub(super) fn with<'a>(&'a self, attributes: &'a [KeyValue]) -> BTreeMap<Cow<'a, str>, Cow<'a, str>> {
        let mut labels: BTreeMap<Cow<'a, str>, Cow<'a, str>> = BTreeMap::new();
        let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        for attribute in sorted {
            let Some(value) = attribute.value.as_ref().map(text_of) else { continue };
            if value.is_empty() || attribute.key.is_empty() {
                continue;
            }
            let joined = match labels.remove(label_name(&attribute.key).as_str()) {
                Some(before) => Cow::Owned(format!("{before};{value}")),
                None => value,
            };
            labels.insert(Cow::Owned(label_name(&attribute.key)), joined);
        }
        labels
            .extend(self.0.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(value.as_str()))));
        labels
    }
}

/// A value as a label's text; lists and maps as JSON, as the specification says.
fn text_of(value: &AnyValue) -> Cow<'_, str> {
    match &value.value {
        None => Cow::Borrowed(""),
        Some(Value::StringValue(text)) => Cow::Borrowed(text),
        Some(Value::BoolValue(it)) => Cow::Borrowed(if *it { "true" } else { "false" }),
        Some(Value::IntValue(it)) => Cow::Owned(it.to_string()),
        Some(Value::DoubleValue(it)) => Cow::Owned(it.to_string()),
        Some(_) => Cow::Owned(json_of(value).to_string()),
    }
}

fn json_of(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        None => serde_json::Value::Null,
        Some(Value::StringValue(text)) => text.as_str().into(),
        Some(Value::BoolValue(it)) => (*it).into(),
        Some(Value::IntValue(it)) => (*it).into(),
        Some(Value::DoubleValue(it)) => (*it).into(),
        Some(Value::BytesValue(bytes)) => hexadecimal(bytes).into(),
        Some(Value::ArrayValue(list)) => list.values.iter().map(json_of).collect(),
        Some(Value::KvlistValue(list)) => serde_json::Value::Object(
            list.values
                .iter()
                .map(|it| (it.key.clone(), it.value.as_ref().map_or(serde_json::Value::Null, json_of)))
                .collect(),
        ),
        #[allow(unreachable_patterns, reason = "the crate adds kinds of values as the protocol does")]
        Some(_) => serde_json::Value::Null,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
