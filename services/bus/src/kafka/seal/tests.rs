//! Who can write what.

use model::Position;

use super::*;

const OLD: &str = "b2xkIGtleSBvZiB0aGUgY2x1c3RlciwgMzIgYnl0ZXM=";
const NEW: &str = "bmV3IGtleSBvZiB0aGUgY2x1c3RlciwgMzIgYnl0ZXM=";

fn keys(lines: &[&str]) -> Keys {
    Keys::parse(&SecretString::from(lines.join("\n"))).unwrap()
}

fn seal(kind: TopicKind, lines: &[&str], installation: Option<&str>) -> Seal {
    on_cluster(kind, lines, installation, "cluster-a", &[])
}

fn on_cluster(
    kind: TopicKind,
    lines: &[&str],
    installation: Option<&str>,
    cluster: &str,
    linked_from: &[&str],
) -> Seal {
    let config = KafkaConfig {
        keys: (!lines.is_empty()).then(|| keys(lines)),
        installation: installation.map(str::to_owned),
        linked_from: linked_from.iter().map(ToString::to_string).collect(),
        ..KafkaConfig::new(Vec::new(), "ripcord", "a")
    };
    Seal::new(kind, &config, Some(cluster))
}

/// As it is read back.
fn written(by: &Seal, partition: u32, key: &str, payload: &str) -> Record {
    let new = NewRecord::new(Timestamp::default(), payload.to_owned()).keyed(key.to_owned());
    let NewRecord { key, at, headers, payload } = by.close(Partition(partition), &new);
    Record { position: Position(7), key, at, headers, payload, missing_before: 0, doubt: None }
}

#[test]
fn only_a_record_of_a_process_with_the_key_is_believed_and_only_where_it_was_written() {
    use TopicKind::{Decisions, Events};
    let own = seal(Decisions, &[NEW, OLD], None);
    let record = written(&own, 0, "3", "a rollback");
    assert_eq!(own.doubt(Partition(0), &record), None);
    let stranger = written(&seal(Decisions, &[], None), 0, "3", "a rollback");
    assert_eq!(own.doubt(Partition(0), &stranger), Some(Doubt::Unsigned));
    for (forged, why) in [
        (Record { payload: "another rollback".into(), ..record.clone() }, "another value under its code"),
        (Record { key: "4".into(), ..record.clone() }, "another key"),
        (
            Record { key: "3a".into(), payload: " rollback".into(), ..record.clone() },
            "moved from field to field",
        ),
        (written(&seal(Events, &[NEW], None), 0, "3", "a rollback"), "copied from another topic"),
        (written(&seal(Decisions, &[NEW], None), 1, "3", "a rollback"), "copied from another partition"),
        (written(&seal(Decisions, &[&"x".repeat(40)], None), 0, "3", "a rollback"), "another key file"),
    ] {
        assert_eq!(own.doubt(Partition(0), &forged), Some(Doubt::WrongCode), "{why}");
    }
    let mut short = record;
    let code = short.headers.iter_mut().find(|(name, _)| name == MAC).unwrap();
    code.1 = code.1.slice(..4);
    assert_eq!(own.doubt(Partition(0), &short), Some(Doubt::WrongCode), "a part of the code");
    let older = written(&seal(Decisions, &[OLD], None), 0, "3", "a rollback");
    assert_eq!(own.doubt(Partition(0), &older), None, "by the key before, while it is accepted");
    assert_eq!(seal(Decisions, &[NEW], None).doubt(Partition(0), &older), Some(Doubt::WrongCode));
}

#[test]
fn a_record_of_another_installation_is_not_believed_and_its_name_cannot_be_changed() {
    use TopicKind::Events;
    let (own, other) = (seal(Events, &[NEW], Some("payments")), seal(Events, &[NEW], Some("search")));
    let record = written(&other, 0, "a", "b");
    assert_eq!(own.doubt(Partition(0), &record), Some(Doubt::ForeignInstallation));
    let mut renamed = record;
    renamed.headers[0].1 = "payments".into();
    assert_eq!(own.doubt(Partition(0), &renamed), Some(Doubt::WrongCode));
    let nameless = seal(Events, &[NEW], None);
    assert_eq!(own.doubt(Partition(0), &written(&nameless, 0, "a", "b")), None, "from before it had a name");
}

#[test]
fn a_copy_from_another_cluster_is_not_believed_where_it_holds_positions_unless_the_offsets_are_the_same() {
    use TopicKind::{Decisions, Events, State};
    for (kind, linked_from, doubt) in [
        (Decisions, &[][..], Some(Doubt::ForeignCluster)),
        (State, &[], Some(Doubt::ForeignCluster)),
        (Events, &[], None),
        (Decisions, &["cluster-b"], None),
    ] {
        let copy = written(&on_cluster(kind, &[NEW], None, "cluster-b", &[]), 0, "a", "b");
        let own = on_cluster(kind, &[NEW], None, "cluster-a", linked_from);
        assert_eq!(own.doubt(Partition(0), &copy), doubt, "{kind:?} {linked_from:?}");
    }
}

#[test]
fn a_key_file_holds_keys_that_cannot_be_guessed_and_shows_none() {
    for (text, fault) in [
        ("", "holds 0 keys: one a line, 4 at most"),
        ("short", "holds a key of fewer than 32 characters"),
        (&format!("{NEW}\nshort"), "holds a key of fewer than 32 characters"),
        (&format!("{NEW}\n").repeat(5), "holds 5 keys: one a line, 4 at most"),
    ] {
        assert_eq!(Keys::parse(&SecretString::from(text)).unwrap_err(), fault);
    }
    assert_eq!(format!("{:?}", keys(&[NEW, OLD])), "2 keys");
    assert_ne!(keys(&[NEW, OLD]), keys(&[OLD, NEW]));
}
