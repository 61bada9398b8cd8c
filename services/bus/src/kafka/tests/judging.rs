//! Which topics the log can be kept on.

use std::collections::BTreeMap;

use crate::{
    FindingKind, KafkaConfig, Severity,
    kafka::{
        admin::{Found, judge},
        layout::TopicKind,
    },
};

fn config() -> KafkaConfig {
    KafkaConfig::new(vec!["b:9092".to_owned()], "ripcord", "one")
}

/// As `create_topics` makes it on three brokers.
fn made(kind: TopicKind) -> Found {
    let settings = kind.settings(&config(), 3);
    let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let partitions = kind.partitions(&config()) as usize;
    Found { partitions, replicas: 3, without_leader: 0, settings: Some(settings) }
}

#[test]
fn what_is_created_is_well() {
    for kind in TopicKind::ALL {
        assert_eq!(judge(kind, &config(), Some(&made(kind))), [], "{kind:?}");
    }
}

#[test]
fn every_wrong_setting_is_named_with_what_to_do() {
    use FindingKind::{Missing, NoLeader, Partitions, Replication, Setting, Unreadable};
    use Severity::{Error, Warning};
    use TopicKind::{DeadLetters, Decisions, Events, State};
    let with = |key: &'static str, value: &'static str| {
        move |found: &mut Found| {
            let settings = found.settings.get_or_insert_with(BTreeMap::new);
            settings.insert(key.to_owned(), value.to_owned());
        }
    };
    type Change<'a> = Box<dyn Fn(&mut Found) + 'a>;
    let rows: [(TopicKind, Change<'_>, Severity, FindingKind, &str); 15] = [
        (Events, Box::new(|found| found.partitions = 12), Error, Partitions, "set `partitions: 12`"),
        (Events, Box::new(|found| found.partitions = 48), Error, Partitions, "48 partitions instead of 24"),
        (State, Box::new(|found| found.partitions = 12), Error, Partitions, "delete it and run"),
        (Decisions, Box::new(|found| found.partitions = 2), Error, Partitions, "one order of records"),
        (
            Events,
            Box::new(|found| found.without_leader = 2),
            Error,
            NoLeader,
            "2 of its 24 partitions have no leader",
        ),
        (Events, Box::new(|found| found.replicas = 1), Warning, Replication, "it is kept once"),
        (Events, Box::new(|found| found.settings = None), Warning, Unreadable, "DescribeConfigs"),
        (Events, Box::new(with("cleanup.policy", "compact")), Error, Setting, "set it to `delete`"),
        (State, Box::new(with("cleanup.policy", "delete")), Error, Setting, "set it to `compact`"),
        (Events, Box::new(with("message.timestamp.type", "LogAppendTime")), Error, Setting, "`CreateTime`"),
        (Events, Box::new(with("min.insync.replicas", "1")), Warning, Setting, "min.insync.replicas is 1"),
        (Events, Box::new(with("retention.ms", "3600000")), Warning, Setting, "set it to 604800000"),
        (Decisions, Box::new(with("retention.ms", "604800000")), Error, Setting, "set it to -1"),
        (DeadLetters, Box::new(with("retention.bytes", "1000")), Warning, Setting, "set it to 1073741824"),
        (
            Events,
            Box::new(with("max.message.bytes", "1048588")),
            Warning,
            Setting,
            "records above are refused",
        ),
    ];
    for (kind, change, severity, of, told) in rows {
        let mut found = made(kind);
        change(&mut found);
        let findings = judge(kind, &config(), Some(&found));
        let [finding] = &findings[..] else { panic!("{kind:?} {told}: {findings:?}") };
        assert_eq!((finding.severity, finding.kind), (severity, of), "{finding:?}");
        assert!(finding.text.contains(told), "{finding:?}");
    }
    assert_eq!(judge(Events, &config(), None)[0].kind, Missing);
}

#[test]
fn more_than_is_needed_is_well_too() {
    let mut found = made(TopicKind::Events);
    for (key, value) in [("retention.ms", "-1"), ("retention.bytes", "-1"), ("max.message.bytes", "99999999")]
    {
        found.settings.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    }
    assert_eq!(judge(TopicKind::Events, &config(), Some(&found)), []);
}
