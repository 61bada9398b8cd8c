//! All topics of a cluster, opened together.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    thread,
    time::Duration,
};

use rdkafka::consumer::Consumer as _;
use tokio::{runtime::Handle, time::Instant};

use crate::{
    KafkaConfig, OpenError, Share,
    kafka::{
        Membership, Snapshots, Topic,
        admin::{self, FindingKind, Severity, Survey, TopicReport},
        cluster::Cluster,
        layout::TopicKind,
        probe::Probe,
        producer::{Pace, Producer, StartError},
        seal::Seal,
    },
};

/// Many senders at once: a wait far below a sender's own, for fewer and larger requests. A lone append takes 0.2, 2.6
/// and 5.8 ms with 0, 2 and 5; what it gains in throughput was less than the noise on one broker.
const EVENTS: Pace = Pace { name: "events", linger: Duration::from_millis(2) };

/// Few records, each waited for.
const DECISIONS: Pace = Pace { name: "decisions", linger: Duration::ZERO };

/// Snapshots and dead letters, which must not stand before either of the others.
const STATE: Pace = Pace { name: "state", linger: Duration::from_millis(2) };

/// How long a topic that was just made may take to have its leaders.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// How long the brokers may take to give the cluster's id, which comes with their first answer.
const CLUSTER_ID_MAX: Duration = Duration::from_secs(5);

/// The topics of one cluster.
pub(crate) struct Opened {
    pub(crate) events: Topic,
    pub(crate) decisions: Topic,
    pub(crate) dead_letters: Topic,
    pub(crate) snapshots: Snapshots,
    pub(crate) checkpoints: Snapshots,
    pub(crate) groups: Groups,
}

/// What is needed to join a group.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    cluster: Arc<Cluster>,
    rebalances: Arc<AtomicU64>,
}

impl Groups {
    pub(crate) fn join(&self, name: &str, share: Share) -> Membership {
        let kind = match share {
            Share::Events => TopicKind::Events,
            Share::Decisions => TopicKind::Decisions,
        };
        let topic = kind.name(&self.cluster.config);
        Membership::start(self.cluster.clone(), topic, name, self.rebalances.clone())
    }
}

/// Makes the topics that are missing, with the settings they need, then reports on all.
pub async fn create_topics(config: &KafkaConfig) -> Result<Vec<TopicReport>, OpenError> {
    let cluster = Cluster::checked(config)?;
    blocking(move |runtime| {
        let survey = admin::survey(&cluster, runtime)?;
        let created = admin::create(&cluster, runtime, &survey)?;
        let survey = if created.is_empty() { survey } else { settled(&cluster, runtime)? };
        Ok(reports(&cluster.config, &survey, &created))
    })
    .await
}

/// A topic that was just made is known to one broker after the other, and has its leaders a moment later.
fn settled(cluster: &Arc<Cluster>, runtime: &Handle) -> Result<Survey, OpenError> {
    let deadline = Instant::now() + SETTLE_MAX;
    loop {
        let survey = admin::survey(cluster, runtime)?;
        let is_settled = survey.topics.iter().all(|(kind, found)| {
            let findings = admin::judge(*kind, &cluster.config, found.as_ref());
            !findings
                .iter()
                .any(|finding| matches!(finding.kind, FindingKind::Missing | FindingKind::NoLeader))
        });
        if is_settled || Instant::now() >= deadline {
            return Ok(survey);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Reports on the topics, and changes nothing.
pub async fn check_topics(config: &KafkaConfig) -> Result<Vec<TopicReport>, OpenError> {
    let cluster = Cluster::checked(config)?;
    blocking(move |runtime| Ok(reports(&cluster.config, &admin::survey(&cluster, runtime)?, &[]))).await
}

/// Opens the log; refuses topics that would lose or disorder records.
pub(crate) async fn open(config: &KafkaConfig) -> Result<Opened, OpenError> {
    let cluster = Cluster::checked(config)?;
    blocking(move |runtime| {
        let survey = admin::survey(&cluster, runtime)?;
        refuse_unusable(&cluster.config, &survey)?;
        start(cluster, survey)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Handle) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(&runtime)).await;
    done.map_err(|error| OpenError::Start { source: std::io::Error::other(error) })?
}

fn reports(config: &KafkaConfig, survey: &Survey, created: &[TopicKind]) -> Vec<TopicReport> {
    let report = |(kind, found): &(TopicKind, Option<admin::Found>)| TopicReport {
        topic: kind.name(config),
        is_created: created.contains(kind),
        findings: admin::judge(*kind, config, found.as_ref()),
    };
    survey.topics.iter().map(report).collect()
}

fn refuse_unusable(config: &KafkaConfig, survey: &Survey) -> Result<(), OpenError> {
    let reports = reports(config, survey, &[]);
    let is = |kind| move |report: &&TopicReport| report.findings.iter().any(|finding| finding.kind == kind);
    // Snapshots only save time: without them the log is read instead.
    let state = TopicKind::State.name(config);
    let missing: Vec<_> =
        reports.iter().filter(is(FindingKind::Missing)).map(|report| &*report.topic).collect();
    let needed: Vec<_> = missing.iter().copied().filter(|topic| *topic != state).collect();
    if !needed.is_empty() {
        return Err(OpenError::MissingTopics { topics: missing.join(", ") });
    }
    if !missing.is_empty() {
        tracing::warn!(
            topic = state,
            "there is no topic for snapshots, so that restarts take longer: run `ripcord topics create`"
        );
    }
    let mut warnings = BTreeMap::<&str, Vec<&str>>::new();
    for report in reports.iter().filter(|report| report.topic != state || missing.is_empty()) {
        for finding in &report.findings {
            let (topic, reason) = (report.topic.clone(), finding.text.clone());
            match (finding.severity, finding.kind) {
                (Severity::Warning, _) => warnings.entry(&finding.text).or_default().push(&report.topic),
                (Severity::Error, FindingKind::NoLeader) => {
                    return Err(OpenError::NoLeader { topic, reason });
                }
                (Severity::Error, FindingKind::Partitions) => {
                    return Err(OpenError::Partitions { topic, reason });
                }
                (Severity::Error, _) => return Err(OpenError::TopicSetting { topic, reason }),
            }
        }
    }
    for (finding, topics) in warnings {
        tracing::warn!(topics = topics.join(", "), finding, "topics are not as they should be");
    }
    Ok(())
}

fn start(cluster: Arc<Cluster>, survey: Survey) -> Result<Opened, OpenError> {
    let limit = |kind: TopicKind| {
        let found = survey.topics.iter().find(|(of, _)| *of == kind).and_then(|(_, found)| found.as_ref());
        found.and_then(admin::Found::batch_bytes_max).unwrap_or_else(|| kind.batch_bytes_max(&cluster.config))
    };
    let producer = |pace, kinds: &[TopicKind]| {
        let batch_bytes_max = kinds.iter().map(|kind| limit(*kind)).min().unwrap_or(usize::MAX);
        Producer::start(cluster.clone(), pace, batch_bytes_max).map_err(|error| match error {
            StartError::Client(error) => admin::config_error(&cluster.config, &error),
            StartError::Thread(source) => OpenError::Start { source },
        })
    };
    let events = producer(EVENTS, &[TopicKind::Events])?;
    let decisions = producer(DECISIONS, &[TopicKind::Decisions])?;
    let state = producer(STATE, &[TopicKind::State, TopicKind::DeadLetters])?;
    let limits = TopicKind::ALL.map(|kind| TopicKind::record_bytes_max(limit(kind)));
    let cluster_id = survey.client.client().fetch_cluster_id(CLUSTER_ID_MAX);
    let rebalances = Arc::<AtomicU64>::default();
    let probe = Probe::start(survey.client).map_err(|source| OpenError::Start { source })?;
    let topic = |kind: TopicKind, producer: &Producer, record_bytes_max| {
        let name = kind.name(&cluster.config);
        let partitions = kind.partitions(&cluster.config);
        let seal = Seal::new(kind, &cluster.config, cluster_id.as_deref());
        Topic::new(
            cluster.clone(),
            (&name, seal),
            partitions,
            record_bytes_max,
            producer.clone(),
            probe.clone(),
            rebalances.clone(),
        )
    };
    let [of_events, of_decisions, of_dead_letters, of_state] = limits;
    let of_snapshots = topic(TopicKind::State, &state, of_state);
    Ok(Opened {
        events: topic(TopicKind::Events, &events, of_events),
        decisions: topic(TopicKind::Decisions, &decisions, of_decisions),
        dead_letters: topic(TopicKind::DeadLetters, &state, of_dead_letters),
        snapshots: Snapshots::new(of_snapshots.clone()),
        checkpoints: Snapshots::checkpoints(of_snapshots),
        groups: Groups { cluster: cluster.clone(), rebalances: rebalances.clone() },
    })
}
