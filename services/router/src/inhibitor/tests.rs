use model::{EventId, NoticeId, NoticeKind, Severity};

use super::*;
use crate::parse_matchers;

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split_whitespace().filter_map(|pair| pair.split_once('=')))
}

fn notice(text: &str) -> Notice {
    Notice {
        id: NoticeId::default(),
        kind: NoticeKind::Alert,
        severity: Severity::Info,
        status: NoticeStatus::Firing,
        labels: labels(text),
        annotations: Labels::default(),
        starts_at: Timestamp::default(),
        ends_at: None,
        generator_url: String::new(),
        release: None,
        command: None,
        reasons: Vec::new(),
        owner: None,
        cause: EventId::default(),
    }
}

fn inhibitor(source: &str, target: &str, equal: &[&str], firing: &[&str]) -> Inhibitor {
    let mut inhibitor = Inhibitor::default();
    inhibitor.set_rules(vec![InhibitRule {
        name: None,
        source: parse_matchers(source).unwrap(),
        target: parse_matchers(target).unwrap(),
        equal: equal.iter().map(ToString::to_string).collect(),
    }]);
    for text in firing {
        inhibitor.observe(labels(text).fingerprint(), &notice(text), Timestamp::default());
    }
    inhibitor
}

#[test]
fn a_target_is_muted_while_a_source_with_equal_labels_fires() {
    for (source, target, equal, firing, text, expected, why) in [
        ("s=1", "t=1", &["dc"][..], &["s=1 dc=a"][..], "t=1 dc=a", true, "equal values"),
        ("s=1", "t=1", &["dc"], &["s=1 dc=a"], "t=1 dc=b", false, "other values"),
        ("s=1", "t=1", &["dc"], &["s=1"], "t=1", true, "a label missing on both sides is equal"),
        ("s=1", "t=1", &["dc"], &["s=1 dc=a"], "t=1", false, "one missing on one side is not"),
        ("s=1", "t=1", &[], &["s=1 dc=a"], "t=1 dc=b", true, "without equal labels one source mutes all"),
        ("", "t=1", &[], &["x=1"], "t=1", true, "without source matchers everything is a source"),
        ("s=1", "t=1", &[], &["s=1 t=1"], "s=1 t=1", false, "two that are both do not mute each other"),
        ("s=1", "t=1", &[], &["s=1 t=1", "s=1"], "s=1 t=1", true, "one that is a source only mutes it"),
        ("s=1", "t=1", &[], &["s=1 t=1"], "t=1", true, "one that is both mutes a mere target"),
        ("s=1", "t=1", &[], &["s=1"], "s=1", false, "what is no target is never muted"),
        ("s=1", "t=1", &["dc"], &["s=1 t=1 dc=a", "s=1 n=2 dc=a"], "s=1 t=1 dc=a", true, "all sources count"),
    ] {
        let inhibitor = inhibitor(source, target, equal, firing);
        assert_eq!(inhibitor.is_inhibited(&labels(text), Timestamp::default()), expected, "{why}");
    }
}

#[test]
fn a_source_counts_until_the_last_of_its_kind_ends() {
    let mut inhibitor = inhibitor("s=1", "t=1", &["dc"], &["s=1 n=1 dc=a", "s=1 n=2 dc=a"]);
    let target = labels("t=1 dc=a");
    let at = Timestamp::from_millis;
    let mut ended = notice("s=1 n=1 dc=a");
    ended.status = NoticeStatus::Resolved;
    inhibitor.observe(ended.labels.fingerprint(), &ended, at(1));
    assert!(inhibitor.is_inhibited(&target, at(1)), "the other one still fires");
    let mut ending = notice("s=1 n=2 dc=a");
    ending.ends_at = Some(at(5));
    inhibitor.observe(ending.labels.fingerprint(), &ending, at(2));
    assert_eq!(inhibitor.next_end(at(2)), Some(at(5)));
    assert!(inhibitor.is_inhibited(&target, at(4)) && !inhibitor.is_inhibited(&target, at(5)));
}

#[test]
fn rules_loaded_later_know_what_fires_already() {
    let mut inhibitor = inhibitor("none=1", "none=1", &[], &["s=1"]);
    inhibitor
        .set_rules(vec![InhibitRule { source: parse_matchers("s=1").unwrap(), ..InhibitRule::default() }]);
    assert!(inhibitor.is_inhibited(&labels("t=1"), Timestamp::default()));
}

#[test]
fn at_the_limit_new_sources_inhibit_nothing_and_ended_ones_make_room() {
    let mut inhibitor = inhibitor("s=1", "t=1", &[], &[]);
    let at = Timestamp::from_millis;
    let mut filler = notice("x=1");
    filler.ends_at = Some(at(10));
    for fingerprint in 0..MAX_INHIBITION_SOURCES as u64 {
        inhibitor.observe(fingerprint, &filler, at(0));
    }
    let source = notice("s=1");
    inhibitor.observe(source.labels.fingerprint(), &source, at(9));
    assert_eq!((inhibitor.refused, inhibitor.is_inhibited(&labels("t=1"), at(9))), (1, false));
    inhibitor.observe(source.labels.fingerprint(), &source, at(10));
    assert!(inhibitor.is_inhibited(&labels("t=1"), at(10)));
}
