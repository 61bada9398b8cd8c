//! `bus`: where the log is.

use std::collections::BTreeMap;

use bus::{BusConfig, EmbeddedConfig, KafkaConfig, Keys};
use model::Timestamp;
use policy::{
    Diagnostics,
    yaml::{Entry, Node, Reader, ValueError},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    ServerConfig,
    files::Files,
    inputs::{self, Outside},
};

/// More than any cluster needs; each partition costs every broker and every analyzer something.
const PARTITIONS_MAX: u64 = 1024;

/// Kafka's own bound of a replication factor is the number of brokers; nobody keeps more copies than this.
const REPLICATION_MAX: u64 = 15;

/// A member that falls silent is given up no sooner than a long pause of a busy machine, and no later than a
/// failover may take.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<std::time::Duration> =
    std::time::Duration::from_secs(1)..=std::time::Duration::from_secs(300);

/// An append waits out at least a request that is sent again, and no longer than any sender waits for an answer.
const APPEND_TIMEOUTS: std::ops::RangeInclusive<std::time::Duration> =
    std::time::Duration::from_secs(1)..=std::time::Duration::from_secs(120);

/// Below a megabyte a topic is a handful of records, above 16 TiB no file system of one machine holds it.
const RETENTION_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=16 << 40;

/// Segments that a full topic has at least: what goes at once is a part of it, not all.
const SEGMENTS_MIN: u64 = 8;

/// The longest window that a policy may have is read back from the log.
const RETENTION_AGES: std::ops::RangeInclusive<std::time::Duration> =
    std::time::Duration::from_secs(24 * 60 * 60)..=std::time::Duration::from_secs(3660 * 24 * 60 * 60);

const KAFKA_KEYS: [&str; 12] = [
    "linked_from",
    "installation",
    "key_file",
    "unsigned_before",
    "brokers",
    "topic_prefix",
    "partitions",
    "properties",
    "instance",
    "session_timeout",
    "append_timeout",
    "replication_factor",
];

/// What says nothing about other people's topics, on which brokers may be named beside the embedded log.
const OF_THE_LOG_ALONE: [&str; 7] = [
    "partitions",
    "append_timeout",
    "replication_factor",
    "installation",
    "key_file",
    "unsigned_before",
    "linked_from",
];

pub(super) fn read(
    top: &mut Reader<'_, '_>,
    server: &ServerConfig,
    files: &mut Files,
) -> (BusConfig, Outside) {
    let embedded = EmbeddedConfig::new(&server.data_dir);
    let Some(mut bus) = top.mapping("bus") else {
        return (BusConfig::Embedded(embedded), Outside::default());
    };
    let embedded = BusConfig::Embedded(read_retention(&mut bus, embedded));
    let is_kafka = bus.choice("kind", &[("embedded", false), ("kafka", true)]).unwrap_or(false);
    let config = if is_kafka {
        match read_kafka(&mut bus, server, files) {
            Some(mut kafka) => {
                read_trust(&mut bus, &mut kafka, files);
                BusConfig::Kafka(kafka)
            }
            None => embedded,
        }
    } else {
        let has_brokers = bus.get("brokers").is_some();
        for key in KAFKA_KEYS.into_iter().filter(|key| !has_brokers || OF_THE_LOG_ALONE.contains(key)) {
            if let Some(node) = bus.get(key) {
                let hint = "write kind: kafka to keep the log there";
                bus.diagnostics().warning(node, format!("`{key}` says nothing without `kind: kafka`"), hint);
            }
        }
        embedded
    };
    let outside = inputs::read(&mut bus, &config, server, files);
    bus.finish();
    (config, outside)
}

/// `retention` of the log on this machine's disk; a topic on Kafka has its own.
fn read_retention(bus: &mut Reader<'_, '_>, mut config: EmbeddedConfig) -> EmbeddedConfig {
    let Some(mut reader) = bus.mapping("retention") else { return config };
    for (key, topic) in [
        ("events_bytes_max", &mut config.events),
        ("decisions_bytes_max", &mut config.decisions),
        ("dead_letters_bytes_max", &mut config.dead_letters),
    ] {
        if let Some(bytes_max) = reader.integer_within(key, RETENTION_BYTES) {
            topic.retention.bytes_max = Some(bytes_max);
            topic.segment_bytes = (bytes_max / SEGMENTS_MIN).min(topic.segment_bytes);
        }
    }
    if let Some(age_max) = reader.duration_within("events_age_max", RETENTION_AGES) {
        config.events.retention.age_max = Some(age_max);
    }
    reader.finish();
    config
}

/// Whose records are believed.
fn read_trust(bus: &mut Reader<'_, '_>, config: &mut KafkaConfig, files: &mut Files) {
    config.installation = bus.parsed("installation", installation);
    config.unsigned_before = bus.parsed("unsigned_before", moment);
    config.linked_from = bus.texts("linked_from").unwrap_or_default();
    let diagnostics = bus.diagnostics();
    let Some(entry) = bus.entry("key_file") else {
        let message =
            "without `key_file`, whoever may write to the log's topics can have anything rolled back";
        let hint =
            "make a key for all roles, openssl rand -base64 32 > cluster.key, and see `ripcord topics acl`";
        diagnostics.warning(bus, message, hint);
        return;
    };
    let Some(file) = entry.value.text() else {
        return diagnostics.error(&entry.value, "`key_file` must be a single value");
    };
    let Some(text) = files.secret(file, &entry.value, diagnostics) else { return };
    match Keys::parse(&text) {
        Ok(keys) => config.keys = Some(keys),
        Err(fault) => {
            let hint = "make one: openssl rand -base64 32";
            diagnostics.error_hint(&entry.value, format!("{file} {fault}"), hint);
        }
    }
}

fn installation(text: &str) -> Result<String, ValueError> {
    if is_name(text) && text.len() <= 100 {
        return Ok(text.to_owned());
    }
    let hint = "letters, digits, `.`, `_` and `-`; the same for all processes that share the topics";
    Err(ValueError::new("not a name of an installation", hint))
}

fn moment(text: &str) -> Result<Timestamp, ValueError> {
    let hint = "write it as 2026-12-01T12:00:00Z";
    proto::wire::moment::parse_rfc3339(text).ok_or_else(|| ValueError::new("not a point in time", hint))
}

pub(super) fn read_kafka(
    bus: &mut Reader<'_, '_>,
    server: &ServerConfig,
    files: &mut Files,
) -> Option<KafkaConfig> {
    bus.required("brokers");
    let brokers = bus.texts("brokers")?;
    let nodes = bus.list("brokers");
    let prefix = bus.parsed("topic_prefix", topic_prefix).unwrap_or_else(|| "ripcord".to_owned());
    let instance = bus.parsed("instance", instance).unwrap_or_else(|| default_instance(server));
    let mut config = KafkaConfig::new(brokers.clone(), prefix, instance);
    if let Some(partitions) = bus.integer_within("partitions", 1..=PARTITIONS_MAX) {
        config.partitions = partitions as u32;
    }
    if let Some(replication) = bus.integer_within("replication_factor", 1..=REPLICATION_MAX) {
        config.replication_factor = Some(replication as i16);
    }
    config.session_timeout =
        bus.duration_within("session_timeout", SESSION_TIMEOUTS).unwrap_or(config.session_timeout);
    config.append_timeout =
        bus.duration_within("append_timeout", APPEND_TIMEOUTS).unwrap_or(config.append_timeout);
    config.properties = read_properties(bus, files);
    let mut is_good = !brokers.is_empty();
    for (broker, node) in brokers.iter().zip(nodes) {
        if !is_host_and_port(broker) {
            let message = format!("{broker:?} is not a host and a port");
            bus.diagnostics().error_hint(node, message, "write each broker like kafka-1.example.org:9092");
            is_good = false;
        }
    }
    if brokers.is_empty()
        && let Some(node) = bus.get("brokers")
    {
        bus.diagnostics().error_hint(node, "no broker is named", "brokers: [kafka-1.example.org:9092]");
    }
    if let Err(reason) = KafkaConfig::check_properties(&config.properties)
        && let Some(node) = bus.get("properties")
    {
        bus.diagnostics().error(node, reason);
        is_good = false;
    }
    is_good.then_some(config)
}

/// librdkafka's own keys; `KEY_file` names a file that holds the value, as secrets do.
fn read_properties(bus: &mut Reader<'_, '_>, files: &mut Files) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for (Entry { key, value: node }, value) in bus.text_mapping("properties") {
        let (name, value) = match key.name.strip_suffix("_file") {
            Some(name) => match secret(files, value, node, bus.diagnostics()) {
                Some(secret) => (name, secret),
                None => continue,
            },
            None => (key.name.as_str(), value.to_owned()),
        };
        if properties.insert(name.to_owned(), value).is_some() {
            bus.diagnostics().error(key, format!("`{name}` is given twice"));
        }
    }
    properties
}

fn secret(files: &mut Files, file: &str, at: &Node, diagnostics: &Diagnostics) -> Option<String> {
    files.secret(file, at, diagnostics).map(|secret: SecretString| secret.expose_secret().to_owned())
}

fn is_host_and_port(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let is_text = |c: char| !c.is_whitespace() && !c.is_control() && c != ',' && c != '/';
    !host.is_empty() && host.chars().all(is_text) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Part of topics' names, whose characters and length Kafka bounds (249 in all).
fn topic_prefix(text: &str) -> Result<String, ValueError> {
    if is_name(text) && text.len() <= 200 {
        return Ok(text.to_owned());
    }
    Err(ValueError::new("not a prefix of a topic's name", "letters, digits, `.`, `_` and `-`, like ripcord"))
}

fn instance(text: &str) -> Result<String, ValueError> {
    if is_name(text) && text.len() <= 100 {
        return Ok(text.to_owned());
    }
    let hint = "letters, digits, `.`, `_` and `-`; another one in each process, the same after a restart";
    Err(ValueError::new("not a name of a process", hint))
}

fn is_name(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_legal)
}

/// The machine and the port: the same after a restart, another one in each process.
pub(super) fn default_instance(server: &ServerConfig) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let legal: String = host.trim().chars().filter(|c| is_name(&c.to_string())).take(64).collect();
    let host = if legal.is_empty() { "ripcord".to_owned() } else { legal };
    format!("{host}-{}", server.listen.port())
}
