//! Making the topics, and looking whether they are what the log needs.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
    },
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
    metadata::Metadata,
    types::RDKafkaErrorCode,
};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    KafkaConfig, OpenError,
    kafka::{
        cluster::{Cluster, Refusal},
        context::Context,
        layout::TopicKind,
        probe,
    },
};

/// How long the brokers may take to answer at all.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long the making of topics may take, at all brokers.
const CREATE_MAX: Duration = Duration::from_secs(30);

/// The default number of copies; fewer where there are fewer brokers.
const REPLICAS: usize = 3;

/// One topic, compared with what the log needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicReport {
    pub topic: String,
    /// Made by this call.
    pub is_created: bool,
    /// Empty: all is well.
    pub findings: Vec<Finding>,
}

impl TopicReport {
    /// Whether the log can be opened on the topic.
    pub fn is_usable(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }
}

/// `ripcord.events.v1: ok`, or a line for each finding.
impl fmt::Display for TopicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let created = if self.is_created { " (created)" } else { "" };
        if self.findings.is_empty() {
            return write!(f, "{}: ok{created}", self.topic);
        }
        for (n, finding) in self.findings.iter().enumerate() {
            let line_end = if n == 0 { "" } else { "\n" };
            let severity = match finding.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            write!(f, "{line_end}{}: {severity}: {}{created}", self.topic, finding.text)?;
        }
        Ok(())
    }
}

/// Something that is not as it should be, in a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub kind: FindingKind,
    pub text: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The log works, and keeps less than it should.
    Warning,
    /// The log must not be opened like this.
    Error,
}

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    Missing,
    /// A partition has no leader at the moment.
    NoLeader,
    Partitions,
    Setting,
    Replication,
    /// The settings may not be read.
    Unreadable,
}

/// What was found out about a topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) partitions: usize,
    pub(crate) replicas: usize,
    pub(crate) without_leader: usize,
    /// `None`: they may not be read.
    pub(crate) settings: Option<BTreeMap<String, String>>,
}

impl Found {
    /// The broker's limit of a batch.
    pub(crate) fn batch_bytes_max(&self) -> Option<usize> {
        self.settings.as_ref()?.get("max.message.bytes")?.parse().ok()
    }
}

/// Everything found out about the topics, and the client that asked.
pub(crate) struct Survey {
    pub(crate) client: probe::Client,
    pub(crate) topics: Vec<(TopicKind, Option<Found>)>,
    pub(crate) brokers: usize,
}

/// Asks the brokers for all topics; blocks.
pub(crate) fn survey(cluster: &Arc<Cluster>, runtime: &Handle) -> Result<Survey, OpenError> {
    let client = probe::new_client(cluster).map_err(|error| config_error(&cluster.config, &error))?;
    let deadline = Instant::now() + ANSWER_MAX;
    let mut topics = Vec::new();
    let mut brokers = 0;
    for kind in TopicKind::ALL {
        let metadata = metadata(cluster, &client, &kind.name(&cluster.config), deadline)?;
        brokers = metadata.brokers().len();
        topics.push((kind, found(&metadata)?));
    }
    read_settings(cluster, runtime, &mut topics)?;
    Ok(Survey { client, topics, brokers })
}

/// The client is polled in between, because that is how it tells of a refused password.
fn metadata(
    cluster: &Cluster,
    client: &BaseConsumer<Context>,
    topic: &str,
    deadline: Instant,
) -> Result<Metadata, OpenError> {
    loop {
        drop(client.poll(Duration::ZERO));
        let answer = client.fetch_metadata(Some(topic), Duration::from_millis(500));
        drop(client.poll(Duration::ZERO));
        match answer {
            Ok(metadata) => return Ok(metadata),
            Err(_) => {
                if let Some(refusal) = cluster.refusal() {
                    return Err(refused(&cluster.config, refusal));
                }
            }
        }
        if Instant::now() >= deadline {
            let reason = cluster.last_error().unwrap_or_else(|| "no answer".to_owned());
            return Err(OpenError::Unreachable { brokers: cluster.config.brokers.join(","), reason });
        }
    }
}

fn refused(config: &KafkaConfig, refusal: Refusal) -> OpenError {
    let brokers = config.brokers.join(",");
    match refusal {
        Refusal::Authentication(reason) => OpenError::Authentication { brokers, reason },
        Refusal::Tls(reason) => OpenError::Tls { brokers, reason },
    }
}

/// A client that cannot even be made.
pub(crate) fn config_error(config: &KafkaConfig, error: &KafkaError) -> OpenError {
    match error {
        // Its own text shows the value.
        KafkaError::ClientConfig(_, _, key, _) => {
            OpenError::Properties { reason: format!("the Kafka property `{key}` or its value is not known") }
        }
        error => {
            let reason = config.redact(&error.to_string());
            OpenError::Properties { reason: format!("look at `bus.properties`: {reason}") }
        }
    }
}

/// `None`: there is no such topic.
fn found(metadata: &Metadata) -> Result<Option<Found>, OpenError> {
    let Some(topic) = metadata.topics().first() else { return Ok(None) };
    match topic.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => return Ok(None),
        Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
        Some(
            code
            @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed),
        ) => {
            return Err(OpenError::Unauthorized {
                what: format!("topic {}", topic.name()),
                reason: code.to_string(),
            });
        }
        Some(RDKafkaErrorCode::InvalidTopic) => {
            let reason = "Kafka takes no such name: look at `topic_prefix`".to_owned();
            return Err(OpenError::TopicSetting { topic: topic.name().to_owned(), reason });
        }
        Some(code) => {
            return Err(OpenError::NoLeader { topic: topic.name().to_owned(), reason: code.to_string() });
        }
    }
    let partitions = topic.partitions();
    Ok(Some(Found {
        partitions: partitions.len(),
        replicas: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or_default(),
        without_leader: partitions.iter().filter(|partition| partition.leader() < 0).count(),
        settings: None,
    }))
}

fn read_settings(
    cluster: &Arc<Cluster>,
    runtime: &Handle,
    topics: &mut [(TopicKind, Option<Found>)],
) -> Result<(), OpenError> {
    let names: Vec<_> = topics
        .iter()
        .filter(|(_, found)| found.is_some())
        .map(|(kind, _)| kind.name(&cluster.config))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let admin = new_admin(cluster)?;
    let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(ANSWER_MAX));
    let described = runtime.block_on(admin.describe_configs(&resources, &options));
    let described = described.map_err(|error| unreachable(cluster, &error))?;
    for described in described.into_iter().flatten() {
        let OwnedResourceSpecifier::Topic(name) = &described.specifier else { continue };
        let found = topics.iter_mut().find(|(kind, _)| kind.name(&cluster.config) == *name);
        if let Some((_, Some(found))) = found {
            let entries = described.entries.into_iter();
            found.settings = Some(entries.filter_map(|entry| Some((entry.name, entry.value?))).collect());
        }
    }
    Ok(())
}

fn new_admin(cluster: &Arc<Cluster>) -> Result<AdminClient<Context>, OpenError> {
    let config = &cluster.config;
    let admin = config.client().create_with_context(Context::new(cluster.clone()));
    admin.map_err(|error| config_error(config, &error))
}

fn unreachable(cluster: &Cluster, error: &KafkaError) -> OpenError {
    OpenError::Unreachable {
        brokers: cluster.config.brokers.join(","),
        reason: cluster.config.redact(&error.to_string()),
    }
}

/// Makes the topics that `survey` did not find; blocks. Answers which.
pub(crate) fn create(
    cluster: &Arc<Cluster>,
    runtime: &Handle,
    survey: &Survey,
) -> Result<Vec<TopicKind>, OpenError> {
    let config = &cluster.config;
    let replicas = config.replication_factor.map_or(survey.brokers.clamp(1, REPLICAS) as i32, i32::from);
    let missing: Vec<_> =
        survey.topics.iter().filter(|(_, found)| found.is_none()).map(|(kind, _)| *kind).collect();
    let admin = if missing.is_empty() { return Ok(missing) } else { new_admin(cluster)? };
    for kind in &missing {
        // Ingest's clock may be ahead of the brokers': they would refuse what is more than an hour ahead.
        // Brokers before 3.6 neither do so nor know the setting.
        let is_known = create_one(cluster, runtime, &admin, *kind, replicas, &[NO_LIMIT_AHEAD]);
        match is_known {
            Err(CreateError::Setting(_)) => create_one(cluster, runtime, &admin, *kind, replicas, &[]),
            done => done,
        }
        .map_err(|error| error.into_open_error(kind.name(config)))?;
    }
    Ok(missing)
}

const NO_LIMIT_AHEAD: (&str, &str) = ("message.timestamp.after.max.ms", "9223372036854775807");

enum CreateError {
    Setting(RDKafkaErrorCode),
    Other(String),
}

impl CreateError {
    fn into_open_error(self, topic: String) -> OpenError {
        let reason = match self {
            Self::Setting(code) => format!("{code}; the brokers do not allow one of its settings"),
            Self::Other(reason) => reason,
        };
        OpenError::Create { topic, reason }
    }
}

fn create_one(
    cluster: &Cluster,
    runtime: &Handle,
    admin: &AdminClient<Context>,
    kind: TopicKind,
    replicas: i32,
    more: &[(&str, &str)],
) -> Result<(), CreateError> {
    let config = &cluster.config;
    let (name, settings) = (kind.name(config), kind.settings(config, replicas));
    let partitions = i32::try_from(kind.partitions(config)).unwrap_or(i32::MAX);
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(replicas));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let topic = more.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().operation_timeout(Some(CREATE_MAX)).request_timeout(Some(CREATE_MAX));
    let created: KafkaResult<_> = runtime.block_on(admin.create_topics([&topic], &options));
    let other = |reason: String| CreateError::Other(config.redact(&reason));
    match created.map_err(|error| other(error.to_string()))?.pop() {
        // Somebody else was quicker.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | None => Ok(()),
        Some(Err((_, code @ (RDKafkaErrorCode::InvalidConfig | RDKafkaErrorCode::PolicyViolation)))) => {
            Err(CreateError::Setting(code))
        }
        Some(Err((_, code))) => Err(other(code.to_string())),
    }
}

/// Compares what there is with what the log needs.
pub(crate) fn judge(kind: TopicKind, config: &KafkaConfig, found: Option<&Found>) -> Vec<Finding> {
    let Some(found) = found else {
        let text = "it is missing: run `ripcord topics create`".to_owned();
        return vec![Finding { severity: Severity::Error, kind: FindingKind::Missing, text }];
    };
    let mut findings = Findings(Vec::new());
    findings.partitions(kind, config, found);
    findings.replication(found);
    match &found.settings {
        Some(settings) => findings.settings(kind, config, settings),
        None => findings.warning(
            FindingKind::Unreadable,
            "its settings may not be read: allow DescribeConfigs on it, so that they can be checked"
                .to_owned(),
        ),
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, kind: FindingKind, text: String) {
        self.0.push(Finding { severity, kind, text });
    }

    fn error(&mut self, kind: FindingKind, text: String) {
        self.add(Severity::Error, kind, text);
    }

    fn warning(&mut self, kind: FindingKind, text: String) {
        self.add(Severity::Warning, kind, text);
    }

    fn partitions(&mut self, kind: TopicKind, config: &KafkaConfig, found: &Found) {
        let (have, wanted) = (found.partitions, kind.partitions(config) as usize);
        if have != wanted {
            let what_to_do = match kind {
                TopicKind::Events => format!(
                    "set `partitions: {have}`, or begin anew under another `topic_prefix`: partitions added \
                     later would tear services from their past"
                ),
                TopicKind::State => {
                    "delete it and run `ripcord topics create`: it only saves time".to_owned()
                }
                TopicKind::Decisions | TopicKind::DeadLetters => {
                    "it holds one order of records: begin anew under another `topic_prefix`".to_owned()
                }
            };
            let text = format!("it has {have} partitions instead of {wanted}: {what_to_do}");
            self.error(FindingKind::Partitions, text);
        }
        if found.without_leader > 0 {
            let text = format!(
                "{} of its {have} partitions have no leader: start the brokers that hold them",
                found.without_leader
            );
            self.error(FindingKind::NoLeader, text);
        }
    }

    fn replication(&mut self, found: &Found) {
        if found.replicas == 1 {
            let text = "it is kept once: what is acknowledged is gone with the broker's disk; three copies need \
                        three brokers and `replication_factor: 3`";
            self.warning(FindingKind::Replication, text.to_owned());
        }
    }

    fn settings(&mut self, kind: TopicKind, config: &KafkaConfig, settings: &BTreeMap<String, String>) {
        let get = |key: &str| settings.get(key).map_or("", String::as_str);
        let policy = get("cleanup.policy");
        if policy != kind.cleanup_policy() {
            let text = format!("its cleanup.policy is `{policy}`: set it to `{}`", kind.cleanup_policy());
            self.error(FindingKind::Setting, text);
        }
        if get("message.timestamp.type") == "LogAppendTime" {
            let text = "its message.timestamp.type is `LogAppendTime`: set it to `CreateTime`, or the stamps that \
                        everything is judged by are lost";
            self.error(FindingKind::Setting, text.to_owned());
        }
        if get("unclean.leader.election.enable") == "true" {
            let text = "its unclean.leader.election.enable is `true`: set it to `false`, or acknowledged records \
                        may be lost";
            self.warning(FindingKind::Setting, text.to_owned());
        }
        self.in_sync(get("min.insync.replicas"));
        self.retention(kind, config, settings);
        let limit = get("max.message.bytes").parse().unwrap_or(usize::MAX);
        if limit < config.record_bytes_max {
            let text = format!(
                "its max.message.bytes is {limit}: records above are refused; set it to {}",
                kind.batch_bytes_max(config)
            );
            self.warning(FindingKind::Setting, text);
        }
    }

    fn in_sync(&mut self, in_sync: &str) {
        // With one copy there is nothing to be in sync with, and `replication` says so.
        let is_kept_once = self.0.iter().any(|finding| finding.kind == FindingKind::Replication);
        if in_sync == "1" && !is_kept_once {
            let text = "its min.insync.replicas is 1: set it to 2, or what one broker alone has acknowledged is \
                        lost with it";
            self.warning(FindingKind::Setting, text.to_owned());
        }
    }

    fn retention(&mut self, kind: TopicKind, config: &KafkaConfig, settings: &BTreeMap<String, String>) {
        let Some(wanted) = kind.retention(config) else { return };
        let wanted_age = wanted.age_max.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let wanted_bytes = wanted.bytes_max.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        for (key, wanted) in [("retention.ms", wanted_age), ("retention.bytes", wanted_bytes)] {
            let Some(have) = settings.get(key).and_then(|value| value.parse::<i64>().ok()) else { continue };
            let is_shorter = have >= 0 && wanted.is_none_or(|wanted| have < wanted);
            if !is_shorter {
                continue;
            }
            let wanted = wanted.map_or("-1".to_owned(), |wanted| wanted.to_string());
            // Halts, bad versions and open commands are rebuilt from the decisions at every start.
            let must_stay = kind == TopicKind::Decisions && key == "retention.ms";
            let why = if must_stay { ", or halts and bad versions are forgotten" } else { "" };
            let severity = if must_stay { Severity::Error } else { Severity::Warning };
            self.add(severity, FindingKind::Setting, format!("its {key} is {have}: set it to {wanted}{why}"));
        }
    }
}
