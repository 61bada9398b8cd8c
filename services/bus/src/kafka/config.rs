//! Where the brokers are, and what is asked of them.

use std::{collections::BTreeMap, fmt, time::Duration};

use model::Timestamp;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaConfRes};

use crate::{Keys, QUEUE_BYTES_MAX, RECORD_BYTES_MAX, Retention};

/// Partitions of the events topic. Never changes once there are events, and no more analyzers than this can
/// share the work: 24 divides evenly among 2, 3, 4, 6, 8 and 12.
pub const PARTITIONS: u32 = 24;

/// After how long a member of a group that fell silent is given up: the time that a crash takes to hand over.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a record may wait for the brokers before its append fails. Longer than the election of a leader,
/// shorter than the patience of those who wait for ingest's answer (Prometheus: 30 s).
const APPEND_TIMEOUT: Duration = Duration::from_secs(25);

const GIB: u64 = 1024 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// librdkafka's keys that are set here and by nobody else, each with what it would break.
const REFUSED: [(&str, &str); 37] = [
    ("acks", ALL_REPLICAS),
    ("allow.auto.create.topics", "topics are made by `ripcord topics create`, with the settings they need"),
    ("auto.commit.enable", OWN_POSITIONS),
    ("auto.commit.interval.ms", OWN_POSITIONS),
    ("auto.offset.reset", OWN_POSITIONS),
    ("bootstrap.servers", "the brokers stand in `brokers`"),
    ("client.id", "it is made of `topic_prefix` and `instance`"),
    ("delivery.report.only.error", ALL_REPLICAS),
    ("delivery.timeout.ms", APPENDS_END),
    ("enable.auto.commit", OWN_POSITIONS),
    ("enable.auto.offset.store", OWN_POSITIONS),
    ("enable.gapless.guarantee", ONE_ORDER),
    ("enable.idempotence", ONE_ORDER),
    ("enable.partition.eof", OWN_POSITIONS),
    ("group.id", GROUPS),
    ("group.instance.id", GROUPS),
    ("group.protocol", GROUPS),
    ("group.remote.assignor", GROUPS),
    ("isolation.level", "readers see only what stands"),
    ("log.queue", "logs go to ripcord's own log"),
    ("max.in.flight", ONE_ORDER),
    ("max.in.flight.requests.per.connection", ONE_ORDER),
    ("message.send.max.retries", APPENDS_END),
    ("message.timeout.ms", APPENDS_END),
    ("metadata.broker.list", "the brokers stand in `brokers`"),
    ("partition.assignment.strategy", GROUPS),
    ("partitioner", "a service's partition is the same in every process and for ever"),
    ("plugin.library.paths", "no code is loaded at run time"),
    ("queue.buffering.max.kbytes", BOUNDED),
    ("queue.buffering.max.messages", BOUNDED),
    ("queuing.strategy", ONE_ORDER),
    ("request.required.acks", ALL_REPLICAS),
    ("retries", APPENDS_END),
    ("session.timeout.ms", "it stands in `session_timeout`"),
    ("statistics.interval.ms", "the metrics are made of the statistics"),
    ("test.mock.num.brokers", "the log is kept by real brokers"),
    ("transactional.id", ONE_ORDER),
];

const ALL_REPLICAS: &str = "a record is acknowledged only when all replicas that are in sync have it";
const OWN_POSITIONS: &str = "ripcord keeps its positions itself";
const APPENDS_END: &str = "an append ends in time, and retries keep the order";
const ONE_ORDER: &str = "a retry must neither double a record nor change the order";
const GROUPS: &str = "members of one group must all speak the same protocol";
const BOUNDED: &str = "the queue is bounded by bytes, a topic";

/// The log on Kafka. Its `Debug` shows no value of `properties`, as they may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, some of the cluster's brokers.
    pub brokers: Vec<String>,
    /// The topics are `{topic_prefix}.events.v1` and so on, the groups `{topic_prefix}-…`.
    pub topic_prefix: String,
    /// Of the events topic, see [`PARTITIONS`].
    pub partitions: u32,
    /// What records are authenticated with; `None`: whoever may write to the topics is believed.
    pub keys: Option<Keys>,
    /// Records without a code that were written before this moment are believed: from when there were no keys.
    pub unsigned_before: Option<Timestamp>,
    /// The name of those who share the topics; records of others are not believed.
    pub installation: Option<String>,
    /// Ids of clusters that this one has the records of under the same offsets, as Cluster Linking makes it.
    pub linked_from: Vec<String>,
    /// librdkafka's own keys, given to every client: TLS, SASL and the like.
    pub properties: BTreeMap<String, String>,
    /// This process's name in its groups: the same after a restart, another one in every process.
    pub instance: String,
    /// After how long a member that fell silent is given up.
    pub session_timeout: Duration,
    /// Of topics that are created here. `None`: three, or as many as there are brokers.
    pub replication_factor: Option<i16>,
    /// The largest record that topics are created for.
    pub record_bytes_max: usize,
    /// Bytes of records accepted and not yet acknowledged, a topic: more are refused at once.
    pub queue_bytes_max: usize,
    /// How long a record may wait for the brokers before its append fails.
    pub append_timeout: Duration,
    /// Of each partition of the events.
    pub events: Retention,
    pub decisions: Retention,
    pub dead_letters: Retention,
}

impl KafkaConfig {
    /// The log on `brokers` with its default limits: those of the embedded log, for each partition.
    pub fn new(brokers: Vec<String>, topic_prefix: impl Into<String>, instance: impl Into<String>) -> Self {
        let limited = |gib, age_max| Retention { bytes_max: Some(gib * GIB), age_max };
        Self {
            brokers,
            topic_prefix: topic_prefix.into(),
            partitions: PARTITIONS,
            keys: None,
            unsigned_before: None,
            installation: None,
            linked_from: Vec::new(),
            properties: BTreeMap::new(),
            instance: instance.into(),
            session_timeout: SESSION_TIMEOUT,
            replication_factor: None,
            record_bytes_max: RECORD_BYTES_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
            append_timeout: APPEND_TIMEOUT,
            events: limited(8, Some(7 * DAY)),
            decisions: limited(4, None),
            dead_letters: limited(1, Some(30 * DAY)),
        }
    }

    /// Whether `properties` may be given to the clients; the error is a sentence without any of the values.
    /// Reads no file and asks no broker.
    pub fn check_properties(properties: &BTreeMap<String, String>) -> Result<(), String> {
        for (key, why) in REFUSED {
            if properties.contains_key(key) {
                return Err(format!("the Kafka property `{key}` cannot be set: {why}"));
            }
        }
        if let Some(key) = properties.keys().find(|key| key.ends_with("_cb") || key.as_str() == "opaque") {
            return Err(format!("the Kafka property `{key}` cannot be set: it names code, not a value"));
        }
        check_sasl(properties)?;
        for (key, value) in properties {
            let checked = ClientConfig::new().set(key, value).create_native_config();
            let Err(error) = checked else { continue };
            let is_unknown =
                matches!(&error, KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..));
            return Err(if is_unknown {
                format!("the Kafka property `{key}` is not one that librdkafka knows")
            } else {
                format!("the value of the Kafka property `{key}` is not one that librdkafka takes")
            });
        }
        Ok(())
    }

    /// What every client is told.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in [
            // Each failed attempt would be told; who is down is told once, see `cluster`.
            ("log.connection.close", "false"),
            // Half a minute would pass between two attempts of a client that lost its brokers for a while.
            ("reconnect.backoff.max.ms", "2000"),
            ("socket.keepalive.enable", "true"),
            // A topic that was denied for a while is denied here until the next look at it; five minutes otherwise.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ] {
            config.set(key, value);
        }
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", format!("{}-{}", self.topic_prefix, self.instance))
            .set("statistics.interval.ms", "5000")
            .set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// `text` without any of the properties' values that may be secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let is_secret = |key: &str| {
            ["password", "secret", "pem", "token", "jaas", "sasl.oauthbearer.config"]
                .iter()
                .any(|part| key.contains(part))
        };
        let secrets = self.properties.iter().filter(|(key, value)| is_secret(key) && !value.is_empty());
        secrets.fold(text.to_owned(), |text, (_, value)| text.replace(value, "***"))
    }
}

/// What this build of librdkafka can log in by: it is built without libcurl, libsasl2 and callbacks for tokens.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Mechanisms that clusters offer besides.
const NOT_BUILT_IN: [&str; 3] = ["OAUTHBEARER", "AWS_MSK_IAM", "GSSAPI"];

const POSSIBLE: &str = "possible are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, and a TLS client certificate \
                        (`security.protocol: SSL` with `ssl.certificate.location` and `ssl.key.location`)";

/// librdkafka takes names of mechanisms that it was built without, and fails only when it connects.
fn check_sasl(properties: &BTreeMap<String, String>) -> Result<(), String> {
    let given = ["sasl.mechanism", "sasl.mechanisms"]
        .iter()
        .find_map(|key| properties.get_key_value(*key))
        .map(|(key, value)| (key.as_str(), value.trim()));
    if let Some((key, mechanism)) = given
        && !MECHANISMS.contains(&mechanism)
    {
        // No other value is repeated: a password may stand in the wrong line.
        let named = NOT_BUILT_IN.iter().find(|known| known.eq_ignore_ascii_case(mechanism));
        return Err(match named {
            Some(named) => format!("`{key}`: the SASL mechanism {named} is not built in; {POSSIBLE}"),
            None => format!("`{key}`: there is no such SASL mechanism; {POSSIBLE}"),
        });
    }
    let is_of_others = |key: &&String| {
        ["sasl.oauthbearer.", "sasl.kerberos.", "enable.sasl.oauthbearer."]
            .iter()
            .any(|it| key.starts_with(it))
    };
    if let Some(key) = properties.keys().find(is_of_others) {
        return Err(format!("`{key}`: OAuth and Kerberos are not built in; {POSSIBLE}"));
    }
    let is_sasl = |protocol: &String| protocol.to_ascii_lowercase().starts_with("sasl");
    if given.is_none() && properties.get("security.protocol").is_some_and(is_sasl) {
        return Err(format!("`sasl.mechanism` is required with this `security.protocol`; {POSSIBLE}"));
    }
    Ok(())
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("topic_prefix", &self.topic_prefix)
            .field("partitions", &self.partitions)
            .field("properties", &self.properties.keys())
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}
