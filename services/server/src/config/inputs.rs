//! Other people's topics: `bus.inputs`, and the brokers of those and of `kafka` targets, which are the log's own
//! where it is on Kafka, and named for this purpose alone where it is not.

use bus::{BusConfig, KafkaConfig};
use model::Scope;
use policy::{
    Diagnostics, Policy, Target,
    yaml::{Node, Reader, parse_topic},
};

use super::{ServerConfig, bus::read_kafka, files::Files, secrets::find_text};

/// What is read from and written to topics that are not the log's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// Where; `None`: nowhere.
    pub(crate) kafka: Option<KafkaConfig>,
    pub(crate) inputs: Vec<Input>,
}

/// One of `bus.inputs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) topic: String,
    pub(crate) format: InputFormat,
    pub(crate) start: InputStart,
    /// What its messages may speak of: whoever may write to the topic speaks for all of it.
    pub(crate) scope: Scope,
}

/// What the messages of a topic are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputFormat {
    /// A CloudEvent each, as `POST /api/v1/events` takes them.
    CloudEvents,
    /// Request events, as `POST /api/v1/requests` takes them, or one JSON object each.
    Requests,
}

/// Where to begin on a topic that was never read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InputStart {
    /// With what is sent from now on: last week's requests say nothing about today's release.
    #[default]
    Latest,
    Earliest,
}

pub(super) fn read(
    bus: &mut Reader<'_, '_>,
    log: &BusConfig,
    server: &ServerConfig,
    files: &mut Files,
) -> Outside {
    let is_named = bus.get("brokers").is_some() && bus.get("kind").and_then(Node::text) != Some("kafka");
    let kafka = match log {
        BusConfig::Kafka(kafka) => Some(kafka.clone()),
        BusConfig::Embedded(_) if is_named => read_kafka(bus, server, files),
        BusConfig::Embedded(_) => None,
    };
    let mut inputs: Vec<Input> = Vec::new();
    for node in bus.list("inputs") {
        let Some(input) = read_input(node, bus.diagnostics()) else { continue };
        let fault = match log {
            _ if inputs.iter().any(|other| other.topic == input.topic) => Some("is read already"),
            BusConfig::Kafka(own) if input.topic.starts_with(&format!("{}.", own.topic_prefix)) => {
                Some("is one of the log's own topics: what is read from it would be written to it again")
            }
            _ => None,
        };
        match fault {
            Some(fault) => bus.diagnostics().error(node, format!("`{}` {fault}", input.topic)),
            None => inputs.push(input),
        }
    }
    if let Some(node) = bus.get("inputs").filter(|_| !inputs.is_empty() && bus.get("brokers").is_none()) {
        bus.diagnostics().error_hint(node, "`inputs` need brokers", "brokers: [kafka-1.example.org:9092]");
    }
    Outside { kafka, inputs }
}

fn read_input(node: &Node, diagnostics: &Diagnostics) -> Option<Input> {
    let mut reader = Reader::open(node, "an input", diagnostics)?;
    reader.required("topic");
    let topic = reader.parsed("topic", parse_topic);
    reader.required("format");
    let formats = [("cloudevents", InputFormat::CloudEvents), ("requests", InputFormat::Requests)];
    let format = reader.choice("format", &formats);
    let starts = [("latest", InputStart::Latest), ("earliest", InputStart::Earliest)];
    let start = reader.choice("start", &starts).unwrap_or_default();
    let services = reader.texts("services").unwrap_or_default();
    let environments = reader.texts("environments").unwrap_or_default();
    reader.finish();
    Some(Input { topic: topic?, format: format?, start, scope: Scope { services, environments } })
}

/// A command for a topic of no broker would fail when it counts. A fault of a target that only a team's policies name
/// is a warning: their commands fail then, and the others' do not.
pub(super) fn expect_brokers_for_targets(
    policy: &Policy,
    outside: &Outside,
    node: &Node,
    diagnostics: &Diagnostics,
) {
    if outside.kafka.is_some() || node.get("bus").and_then(|bus| bus.get("brokers")).is_some() {
        return;
    }
    let rules = std::iter::once(&policy.base).chain(&policy.policies);
    for target in rules.filter_map(|rules| rules.targets.as_ref()).flatten() {
        let Target::Kafka { topic } = target else { continue };
        let hint =
            "bus: { brokers: [kafka-1.example.org:9092] } names them, whatever the log's own `kind` is";
        match find_text(node, topic) {
            Some(at) => {
                diagnostics.error_hint(at, format!("no brokers for the kafka target `{topic}`"), hint);
            }
            None => {
                let message =
                    format!("no brokers for a policy file's kafka target `{topic}`: nothing is sent there");
                diagnostics.warning(node, message, hint);
            }
        }
    }
}
