//! Checkpoints: what they hold comes back, those of earlier versions are read, damaged ones are refused.

use std::collections::BTreeMap;

use model::{checkpoint::*, *};

use super::samples::{self, at, key};
use crate::{DecodeError, checkpoint::HEADER_BYTES, decode_checkpoint, encode_checkpoint};

/// The bytes of [`sample`]. A later version adds a file with those of its own, and goes on reading this one.
const VERSION_1: &str = include_str!("checkpoint_1.txt");

fn found<T>(pick: impl FnMut(Decision) -> Option<T>) -> T {
    let all = samples::decisions().into_iter().flat_map(|(_, record)| record.decisions);
    all.filter_map(pick).next().unwrap()
}

fn notice() -> Notice {
    found(|it| if let Decision::Notice(notice) = it { Some(*notice) } else { None })
}

fn breach() -> Breach {
    found(|it| if let Decision::Proposal(Proposal::Breach(breach)) = it { Some(*breach) } else { None })
}

/// With every field filled.
fn sample() -> Checkpoint {
    let command = found(|it| if let Decision::Command(command) = it { Some(*command) } else { None });
    let release =
        found(|it| if let Decision::Proposal(Proposal::Release(it)) = it { Some(*it) } else { None });
    let release_id = release.id.clone();
    let scopes = [
        NoticeScope::Release(release_id.clone()),
        NoticeScope::Service(key()),
        NoticeScope::Environment("production".into()),
        NoticeScope::Halt(HaltId::from_text("hlt_1")),
    ];
    let firing = scopes.map(|scope| {
        let (kind, about) = (NoticeKind::Safety, "halt".to_owned());
        FiringRecord { scope, kind, about, notice: notice() }
    });
    let timers = [
        Timer::Command(command.id.clone()),
        Timer::Halt(HaltId::from_text("hlt_1")),
        Timer::Gather("production".into()),
        Timer::Storm("staging".into()),
    ];
    let record = ReleaseRecord {
        release,
        opened: 7,
        attempts: 3,
        sent: 2,
        retry_at: Some(at(11)),
        expired: 1,
        newest_command: Some(command.id.clone()),
        broken: vec![breach()],
        is_previous_late: true,
        is_rolled_back: true,
    };
    let held =
        HeldBreach { breach: breach(), release: release_id.clone(), cause: EventId::from_text("evt_1") };
    let gather = GatherState { begun: at(12), services: ["cart".into()].into(), held: vec![held] };
    let (before, since) = (Counts { bad: 1, total: 100 }, Counts { bad: 9, total: 90 });
    let rise = Rise { began_at: at(1), until: at(2), before, since };
    let arbiter = ArbiterState {
        policy: Some(samples::policy_load()),
        places: vec![PlaceState {
            releases: vec![record],
            last_automatic: Some((at(13), release_id.clone())),
        }],
        opened: 7,
        commands: vec![CommandRecord {
            number: 4,
            command,
            reports: BTreeMap::from([("hook".into(), OutcomeStatus::Accepted)]),
            is_retryable: true,
            cause: EventId::from_text("evt_2"),
        }],
        made: 4,
        bad_versions: vec![BadVersion {
            key: key(),
            cluster: Some("eu-1".into()),
            version: "2.4.1".into(),
            digest: Some("sha256:aa".into()),
            why: "rolled back".into(),
            since: at(14),
        }],
        halts: vec![samples::halt()],
        exceedances: vec![ExceedanceRecord {
            key: key(),
            trigger: "error_rate".into(),
            since: at(15),
            rise: Some(rise),
            ended_at: Some(at(16)),
        }],
        findings: vec![FindingRecord {
            key: key(),
            kind: FindingKind::Torn,
            release: Some(release_id.clone()),
        }],
        storms: vec![StormState {
            environment: "production".into(),
            is_storm: true,
            demands: vec![(at(17), "cart".into())],
            gather: Some(gather),
        }],
        firing: firing.into(),
        alerts: vec![AlertRecord {
            fingerprint: u64::MAX,
            labels: Labels::from_pairs([("alertname", "CheckoutDown")]),
            release: Some(release_id),
            since: at(18),
            ends_at: Some(at(19)),
            heard: 5,
        }],
        alerts_heard: 5,
        timers: (20..).map(at).zip(timers).map(|(at, timer)| (timer, at)).collect(),
        fencing: 6,
    };
    let decided = [(Partition(0), Position(8)), (Partition(3), Position(9))];
    Checkpoint {
        next: Position(10),
        now: at(21),
        standing: Standing::restored(decided, Some(2), Some(Position(5))),
        arbiter,
        unanswered: samples::decisions().into_iter().map(|(_, record)| record).take(1).collect(),
        audit: vec![AuditEntry {
            at: at(22),
            actor: samples::actor(),
            about: key(),
            what: "halt".into(),
            why: "maintenance".into(),
            result: "halted".into(),
        }],
    }
}

fn bytes_of(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.trim_end().len()).step_by(2).map(byte).collect()
}

#[test]
fn a_checkpoint_of_the_first_version_is_read_as_what_was_written() {
    assert_eq!(decode_checkpoint(&bytes_of(VERSION_1)).unwrap(), sample());
}

#[test]
fn the_same_state_still_gives_the_same_bytes() {
    let bytes = encode_checkpoint(&sample());
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text, VERSION_1.trim_end());
}

#[test]
fn an_empty_state_comes_back_too() {
    let empty = Checkpoint::default();
    assert_eq!(decode_checkpoint(&encode_checkpoint(&empty)).unwrap(), empty);
}

#[test]
fn a_field_of_a_newer_version_is_skipped() {
    let whole = encode_checkpoint(&sample());
    // Field 1000, a string.
    let message = [&whole[HEADER_BYTES..], &[0xc2, 0x3e, 3, b'n', b'e', b'w']].concat();
    let sum = crc32fast::hash(&message).to_le_bytes();
    let newer = [&whole[..HEADER_BYTES - 4], &sum, &message].concat();
    assert_eq!(decode_checkpoint(&newer).unwrap(), sample());
}

#[test]
fn whatever_is_cut_or_changed_is_refused() {
    let whole = encode_checkpoint(&sample());
    let damaged = Err(DecodeError::Damaged { what: "checkpoint" });
    for length in (0..whole.len()).step_by(97) {
        assert_eq!(decode_checkpoint(&whole[..length]), damaged, "cut to {length}");
    }
    for at in (0..whole.len()).step_by(89) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert_eq!(decode_checkpoint(&changed), damaged, "byte {at}");
    }
}
