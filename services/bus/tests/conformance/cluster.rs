//! What only a cluster shows: members that come and go, brokers that die or refuse.

use std::{collections::BTreeSet, time::Duration};

use bus::{AppendError, Bus, BusConfig, Change, FindingKind, KafkaConfig, OpenError, Share};
use model::{Partition, Position};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{FutureProducer, FutureRecord},
};

use crate::{
    backend::{Backend, P0, append, is_waiting, kafka_config, read_all, record},
    broker,
};

/// Longer than any hand-over, shorter than a session that has to run out.
const SOON: Duration = Duration::from_secs(20);

/// Nobody is let in without a password or a certificate, nor with a session below Kafka's own default.
const GUARDED: [&str; 4] = ["--sasl", "--tls", "--set", "group.min.session.timeout.ms=6000"];

async fn shared(story: &str) -> Option<(Backend, KafkaConfig)> {
    let backend = Backend::kafka(story).await?;
    let Backend::Kafka(config) = &backend else { return None };
    let config = config.clone();
    Some((backend, config))
}

/// With a session that does not run out within a test.
fn patient(backend: Backend) -> Backend {
    let Backend::Kafka(config) = backend else { return backend };
    Backend::Kafka(KafkaConfig { session_timeout: Duration::from_secs(300), ..config })
}

async fn assigned(member: &mut bus::Membership) -> BTreeSet<Partition> {
    match tokio::time::timeout(SOON, member.next()).await.expect("nothing changes") {
        Some(Change::Assigned(partitions)) => partitions.into_iter().collect(),
        other => panic!("not assigned: {other:?}"),
    }
}

async fn revoked(member: &mut bus::Membership) -> bus::Revoked {
    match tokio::time::timeout(SOON, member.next()).await.expect("nothing changes") {
        Some(Change::Revoked(revoked)) => revoked,
        other => panic!("not revoked: {other:?}"),
    }
}

fn all(bus: &Bus) -> BTreeSet<Partition> {
    (0..bus.events.partitions()).map(Partition).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_share_and_who_leaves_hands_over_at_once() {
    let Some((backend, _)) = shared("two_members").await else { return };
    let backend = patient(backend);
    let (one, two) = (backend.open().await, backend.instance("two").open().await);
    let mut first = one.join("analyzers", Share::Events);
    assert_eq!(assigned(&mut first).await, all(&one));

    let mut second = two.join("analyzers", Share::Events);
    let given_back = revoked(&mut first).await;
    assert!(given_back.partitions.len() < 3, "what stays is not taken away: {given_back:?}");
    assert!(is_waiting(second.next()).await, "nobody has what was not let go of");
    let expected: BTreeSet<_> = given_back.partitions.iter().copied().collect();
    drop(given_back);
    assert_eq!(assigned(&mut second).await, expected);
    assert!(is_waiting(first.next()).await, "what stays is not assigned again");

    first.leave().await;
    let rest = all(&one).difference(&expected).copied().collect();
    assert_eq!(assigned(&mut second).await, rest);
    assert!(one.events.statistics().kafka.unwrap().rebalances >= 2);
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_decisions_pass_to_the_member_that_stands_by() {
    let Some((backend, _)) = shared("stands_by").await else { return };
    let backend = patient(backend);
    let (one, two) = (backend.open().await, backend.instance("two").open().await);
    let mut active = one.join("arbiters", Share::Decisions);
    assert_eq!(assigned(&mut active).await, BTreeSet::from([P0]));
    let mut standby = two.join("arbiters", Share::Decisions);
    assert!(is_waiting(standby.next()).await);
    assert!(is_waiting(active.next()).await, "who has it keeps it");
    active.leave().await;
    assert_eq!(assigned(&mut standby).await, BTreeSet::from([P0]));
    standby.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_and_comes_back_in_time_has_what_it_had() {
    let Some((backend, _)) = shared("comes_back").await else { return };
    let backend = patient(backend);
    let bus = backend.open().await;
    let mut member = bus.join("analyzers", Share::Events);
    assert_eq!(assigned(&mut member).await, all(&bus));
    drop(member);
    let mut again = bus.join("analyzers", Share::Events);
    assert_eq!(assigned(&mut again).await, all(&bus));
    again.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_member_had_passes_on_when_its_session_is_over() {
    let Some((backend, _)) = shared("dead_member").await else { return };
    let (one, two) = (backend.open().await, backend.instance("two").open().await);
    let mut first = one.join("analyzers", Share::Events);
    assert_eq!(assigned(&mut first).await, all(&one));
    drop(first);
    let mut second = two.join("analyzers", Share::Events);
    let mut has = BTreeSet::new();
    while has != all(&two) {
        has.extend(assigned(&mut second).await);
    }
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_with_the_same_name_the_older_one_is_out_until_the_newer_one_is_gone() {
    let Some((backend, _)) = shared("same_name").await else { return };
    let (bus, twin) = (backend.open().await, backend.open().await);
    let mut older = bus.join("analyzers", Share::Events);
    assert_eq!(assigned(&mut older).await, all(&bus));
    let mut newer = twin.join("analyzers", Share::Events);
    let lost = revoked(&mut older).await;
    assert_eq!(BTreeSet::from_iter(lost.partitions.clone()), all(&bus));
    drop(lost);
    assert!(older.refusal().unwrap().contains("another one runs as"));
    assert_eq!(assigned(&mut newer).await, all(&bus));
    assert!(is_waiting(older.next()).await, "the name is taken");
    newer.leave().await;
    assert_eq!(assigned(&mut older).await, all(&bus));
    assert_eq!(older.refusal(), None);
    older.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_care_of_is_told_to_the_group() {
    let Some((backend, config)) = shared("told").await else { return };
    let bus = backend.open().await;
    for n in 0..5 {
        append(&bus.events, n, "x").await;
    }
    let mut member = bus.join("analyzers", Share::Events);
    assigned(&mut member).await;
    member.commit(P0, Position(2));
    member.commit(P0, Position(4));
    member.leave().await;
    let committed = move || {
        let group: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", config.brokers.join(","))
            .set("group.id", format!("{}-analyzers", config.topic_prefix))
            .create()
            .unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&format!("{}.events.v1", config.topic_prefix), 0);
        group.committed_offsets(asked, SOON).unwrap().elements()[0].offset()
    };
    assert_eq!(tokio::task::spawn_blocking(committed).await.unwrap(), Offset::Offset(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_tell_how_they_are() {
    let Some((backend, _)) = shared("statistics").await else { return };
    let bus = backend.open().await;
    for n in 0..10 {
        append(&bus.events, n, "x").await;
    }
    let mut reader = bus.events.reader(P0, Position(0));
    for _ in 0..3 {
        reader.next().await.unwrap();
    }
    let kafka = || bus.events.statistics().kafka.unwrap();
    let told = async {
        while kafka().brokers_up == 0 || kafka().lag_records == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, told).await.expect("nothing is told");
    let told = kafka();
    assert!(told.is_reachable && told.request_seconds_p99 > 0.0, "{told:?}");
    assert_eq!((told.readers, told.lag_records, told.lag_records_max), (1, 7, 7), "{told:?}");
    assert_eq!((told.outages, told.producer_restarts, told.brokers_down), (0, 0, 0), "{told:?}");
    drop(reader);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kill_nine_of_the_broker_and_everybody_goes_on() {
    let Some(broker) = broker::own("killed", &[]).await else { return };
    let backend = Backend::on(broker.get("bootstrap"), "killed").await;
    let bus = backend.open().await;
    let mut reader = bus.events.reader(P0, Position(0));
    let mut expected = Vec::new();
    for n in 0..500 {
        expected.push(n.to_string());
    }
    let taken: Vec<_> = (0..500).map(|n| bus.events.append(P0, record(n, &n.to_string()))).collect();
    for append in taken {
        append.await.unwrap();
    }
    broker.kill(1).await;
    let mut under_way = Vec::new();
    for n in 500..600 {
        under_way.push(bus.events.append(P0, record(n, &n.to_string())));
        expected.push(n.to_string());
    }
    assert!(is_waiting(&mut under_way[0]).await, "nobody can have acknowledged it");
    broker.restart(1).await;
    for append in under_way {
        append.await.unwrap();
    }
    for text in &expected {
        assert_eq!(&reader.next().await.unwrap().payload, text);
    }
    assert_eq!(read_all(&bus.events, 0).await, expected, "each once, in order");
    bus.snapshots.save(P0, "after".into()).await.unwrap();
    assert_eq!(bus.snapshots.load(P0).await.unwrap().unwrap(), "after");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_to_brokers_that_stay_away_ends() {
    let Some(broker) = broker::own("away", &[]).await else { return };
    let config = kafka_config(broker.get("bootstrap"), "away");
    bus::create_topics(&config).await.unwrap();
    let config = KafkaConfig { append_timeout: Duration::from_secs(2), ..config };
    let bus = bus::open(BusConfig::Kafka(config)).await.unwrap();
    append(&bus.events, 0, "before").await;
    broker.kill(1).await;
    let failed = bus.events.append(P0, record(0, "lost")).await.unwrap_err();
    assert!(matches!(failed, AppendError::Unavailable(_)) && failed.is_retryable(), "{failed}");
    assert_eq!(bus.events.statistics().write_failures, 1);
    broker.restart(1).await;
    let again = tokio::time::timeout(SOON, async {
        while bus.events.append(P0, record(0, "again")).await.is_err() {}
    });
    again.await.expect("it does not come back");
    let records = read_all(&bus.events, 0).await;
    assert_eq!((&*records[0], &**records.last().unwrap()), ("before", "again"));
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "three brokers take a minute and a gigabyte: cargo test -p bus --test conformance -- --ignored"]
async fn of_three_brokers_one_may_die_and_with_two_dead_nothing_is_acknowledged() {
    let options = &[
        "--nodes",
        "3",
        "--set",
        "broker.session.timeout.ms=3000",
        "--set",
        "broker.heartbeat.interval.ms=500",
    ];
    let Some(brokers) = broker::own("three", options).await else { return };
    let config = kafka_config(brokers.get("bootstrap"), "three");
    let reports = bus::create_topics(&config).await.unwrap();
    assert!(reports.iter().all(|report| report.findings.is_empty()), "{reports:?}");
    // A coordinator that dies must be replaced before the session is over.
    let config = KafkaConfig {
        append_timeout: Duration::from_secs(20),
        session_timeout: Duration::from_secs(20),
        ..config
    };
    let bus = bus::open(BusConfig::Kafka(config)).await.unwrap();
    let mut member = bus.join("analyzers", Share::Events);
    assigned(&mut member).await;
    let mut expected = Vec::new();
    let mut readers: Vec<_> = (0..bus.events.partitions())
        .map(|partition| bus.events.reader(Partition(partition), Position(0)))
        .collect();
    for node in 1..=3 {
        let mut under_way = Vec::new();
        for n in 0..200 {
            let text = format!("{node} {n}");
            if n == 100 {
                brokers.kill(node).await;
            }
            for partition in 0..3 {
                under_way.push(bus.events.append(Partition(partition), record(n, &text)));
            }
            expected.push(text);
        }
        for append in under_way {
            append.await.unwrap();
        }
        brokers.restart(node).await;
    }
    for (partition, reader) in (0..).zip(&mut readers) {
        for text in &expected {
            assert_eq!(&reader.next().await.unwrap().payload, text, "partition {partition}");
        }
    }
    assert!(is_waiting(member.next()).await, "nobody loses a partition because brokers die");

    brokers.kill(1).await;
    brokers.kill(2).await;
    let refused = bus.events.append(P0, record(0, "by one alone")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(_)), "{refused}");
    brokers.restart(1).await;
    brokers.restart(2).await;
    append(&bus.events, 0, "by all").await;
    brokers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_let_in_is_told_why_without_any_secret() {
    let Some(broker) = broker::own("guarded", &GUARDED).await else { return };
    let with = |address: &str, properties: &[(&str, &str)]| {
        // Below what the brokers allow.
        let session_timeout = Duration::from_secs(3);
        let mut config = KafkaConfig { session_timeout, ..kafka_config(address, "guarded") };
        config.properties = properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        config
    };
    let login = |password| {
        let sasl = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", broker.get("user")),
            ("sasl.password", password),
        ];
        with(broker.get("sasl"), &sasl)
    };
    let refused = bus::check_topics(&login("hunter2-hunter2")).await.unwrap_err();
    let told = format!("{refused} {refused:?}");
    assert!(matches!(refused, OpenError::Authentication { .. }) && !refused.is_retryable(), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let right = login(broker.get("password"));
    assert!(!format!("{right:?}").contains(broker.get("password")));
    bus::create_topics(&right).await.unwrap();
    let bus = bus::open(BusConfig::Kafka(right)).await.unwrap();
    append(&bus.events, 0, "by password").await;
    let member = bus.join("analyzers", Share::Events);
    let refused = async {
        loop {
            if let Some(refusal) = member.refusal() {
                return refusal;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let refused =
        tokio::time::timeout(SOON, refused).await.expect("nobody says that the session is too short");
    assert!(refused.contains("set `session_timeout`"), "{refused}");

    let tls = [("security.protocol", "SSL")];
    let mut refused = bus::check_topics(&with(broker.get("tls"), &tls)).await.unwrap_err();
    // The first handshake of a broker on a busy machine can take longer than an answer is waited for.
    for _ in 0..5 {
        if refused.is_retryable() {
            refused = bus::check_topics(&with(broker.get("tls"), &tls)).await.unwrap_err();
        }
    }
    assert!(matches!(refused, OpenError::Tls { .. }) && !refused.is_retryable(), "{refused}");
    let tls = [("security.protocol", "SSL"), ("ssl.ca.location", broker.get("ca"))];
    let bus = bus::open(BusConfig::Kafka(with(broker.get("tls"), &tls))).await.unwrap();
    assert_eq!(read_all(&bus.events, 0).await, ["by password"]);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_would_lose_or_disorder_records_are_refused_with_what_to_do() {
    let Some(bootstrap) = broker::shared().await else { return };
    let config = kafka_config(&bootstrap, "topics");
    let open = |config: &KafkaConfig| bus::open(BusConfig::Kafka(config.clone()));
    let missing = open(&config).await.unwrap_err();
    assert!(matches!(missing, OpenError::MissingTopics { .. }) && !missing.is_retryable(), "{missing}");
    assert!(missing.to_string().contains("run `ripcord topics create`"), "{missing}");
    let reports = bus::check_topics(&config).await.unwrap();
    assert!(reports.iter().all(|report| report.findings[0].kind == FindingKind::Missing), "{reports:?}");

    let created = bus::create_topics(&config).await.unwrap();
    assert!(created.iter().all(|report| report.is_created && report.is_usable()), "{created:?}");
    let again = bus::create_topics(&config).await.unwrap();
    assert!(again.iter().all(|report| !report.is_created && report.is_usable()), "{again:?}");

    let more = KafkaConfig { partitions: 4, ..config.clone() };
    let refused = open(&more).await.unwrap_err();
    assert!(matches!(refused, OpenError::Partitions { .. }), "{refused}");
    assert!(refused.to_string().contains("set `partitions: 3`"), "{refused}");

    let other = KafkaConfig { topic_prefix: format!("{}-other", config.topic_prefix), ..config };
    let name = format!("{}.decisions.v1", other.topic_prefix);
    create(&other, NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("retention.ms", "1000")).await;
    let reports = bus::create_topics(&other).await.unwrap();
    assert!(!reports[1].is_usable() && !reports[1].is_created, "{reports:?}");
    let refused = open(&other).await.unwrap_err();
    assert!(matches!(refused, OpenError::TopicSetting { .. }), "{refused}");
    assert!(refused.to_string().contains("set it to -1"), "{refused}");
}

async fn create(config: &KafkaConfig, topic: NewTopic<'_>) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", config.brokers.join(",")).create().unwrap();
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

#[tokio::test]
async fn brokers_that_are_not_there_are_worth_another_try() {
    let config = kafka_config("127.0.0.1:1", "nobody");
    let refused = bus::check_topics(&config).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unreachable { .. }) && refused.is_retryable(), "{refused}");
    assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_none_and_one_cut_short_leaves_the_one_before() {
    let Some((backend, config)) = shared("damaged_snapshot").await else { return };
    let bus = backend.open().await;
    bus.snapshots.save(P0, "whole".into()).await.unwrap();
    let raw: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", config.brokers.join(",")).create().unwrap();
    let topic = format!("{}.state.v1", config.topic_prefix);
    let put = async |key: &str, payload: &[u8]| {
        raw.send(FutureRecord::to(&topic).partition(0).key(key).payload(payload), SOON).await.unwrap();
    };
    // What a save leaves that dies before its manifest, in many chunks.
    for chunk in 0..200 {
        put(&format!("b/{chunk}"), b"cut short").await;
    }
    put("manifest", b"not a manifest").await;
    let bus_after = backend.open().await;
    assert_eq!(bus_after.snapshots.load(P0).await.unwrap().unwrap(), "whole");
    bus_after.snapshots.save(P0, "next".into()).await.unwrap();
    assert_eq!(bus_after.snapshots.load(P0).await.unwrap().unwrap(), "next");
    // Another process took the same slot in the middle of a save: `next` stands in `b` from here.
    bus.snapshots.save(P0, "of the other".into()).await.unwrap();
    let mut manifest = vec![b'a'];
    manifest.extend_from_slice(&1_u32.to_le_bytes());
    manifest.extend_from_slice(&5_u64.to_le_bytes());
    manifest.extend_from_slice(&7_u32.to_le_bytes());
    manifest.extend_from_slice(&0_u64.to_le_bytes());
    put("manifest", &manifest).await;
    assert_eq!(bus_after.snapshots.load(P0).await.unwrap(), None);
    bus_after.snapshots.save(P0, "whole again".into()).await.unwrap();
    assert_eq!(bus_after.snapshots.load(P0).await.unwrap().unwrap(), "whole again");
    tokio::task::spawn_blocking(move || drop(raw)).await.unwrap();
}
