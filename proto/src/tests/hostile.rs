//! Bytes that no writer of this version wrote: cut short, turned, random, or from a newer version.

use bytes::Bytes;
use model::{DecisionRecord, EventBody};
use proptest::prelude::*;
use prost::Message as _;

use super::{samples, strategies};
use crate::{
    DecodeError,
    conversion::Noun as _,
    decode_decision, decode_event, encode_decision, encode_event,
    v1::{self, event_record::Body},
};

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop((decode_event(&bytes), decode_decision(&bytes)));
    }

    #[test]
    fn a_turned_byte_is_read_or_refused(
        event in strategies::envelope(),
        decision in strategies::decision_record(),
        at in any::<prop::sample::Index>(),
        turned in 1..=255_u8,
    ) {
        let mut bytes = encode_event(&event);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= turned;
        }
        drop(decode_event(&bytes));
        let mut bytes = encode_decision(&decision);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= turned;
        }
        drop(decode_decision(&bytes));
    }
}

#[test]
fn a_record_cut_short_anywhere_is_never_read_as_the_whole() {
    for (name, event) in samples::events() {
        let bytes = encode_event(&event);
        for length in 0..bytes.len() {
            let read = decode_event(&bytes[..length]);
            assert!(read.as_ref() != Ok(&event), "{name} cut to {length}");
        }
        // The body is the last field: without all of it there is no event.
        assert!(decode_event(&bytes[..bytes.len() - 1]).is_err(), "{name}");
    }
    for (name, record) in samples::decisions() {
        let bytes = encode_decision(&record);
        assert!(decode_decision(&bytes[..bytes.len() - 1]).is_err(), "{name}");
    }
}

#[test]
fn fields_of_a_newer_version_are_skipped() {
    // Field 1000, a string.
    let newer = [0xc2, 0x3e, 3, b'n', b'e', b'w'];
    for (name, event) in samples::events() {
        let bytes = [encode_event(&event), newer.to_vec()].concat();
        assert_eq!(format!("{:?}", decode_event(&bytes).unwrap()), format!("{event:?}"), "{name}");
    }
    for (name, record) in samples::decisions() {
        let bytes = [encode_decision(&record), newer.to_vec()].concat();
        assert_eq!(decode_decision(&bytes).unwrap(), record, "{name}");
    }
}

/// The error for the sample event `name` after `change`.
fn event_error(name: &str, change: impl FnOnce(&mut Body)) -> String {
    let (_, event) = samples::events().into_iter().find(|(known, _)| *known == name).unwrap();
    let mut record = v1::EventRecord::decode(Bytes::from(encode_event(&event))).unwrap();
    change(record.body.as_mut().unwrap());
    decode_event(&record.encode_to_vec()).unwrap_err().to_string()
}

/// The error for the sample decision `name` after `change`.
fn decision_error(name: &str, change: impl FnOnce(&mut v1::decision::Decision)) -> String {
    let (_, record) = samples::decisions().into_iter().find(|(known, _)| *known == name).unwrap();
    let mut record = record.to_wire();
    change(record.decisions[0].decision.as_mut().unwrap());
    decode_decision(&record.encode_to_vec()).unwrap_err().to_string()
}

macro_rules! changed {
    ($read:ident($name:literal), $arm:pat => $change:expr) => {
        $read($name, |body| {
            let $arm = body else { panic!("another kind") };
            $change
        })
    };
}

#[test]
fn an_enum_value_of_a_newer_version_is_refused_by_the_fields_name() {
    use v1::{decision::Decision as D, proposal::Proposal as P};
    let errors = [
        changed!(event_error("event_telemetry"), Body::Telemetry(it) => it.encoding = 99),
        changed!(event_error("event_batch"), Body::Batch(it) => it.series[0].kind = 99),
        changed!(event_error("event_deployment"), Body::Deployment(it) => it.status = 99),
        changed!(event_error("event_deployment"), Body::Deployment(it) => it.kind = 0),
        changed!(event_error("event_outcome"), Body::Outcome(it) => it.status = -1),
        changed!(event_error("event_delivery"), Body::Delivery(it) => it.result = 99),
        changed!(decision_error("decision_command"), D::Command(it) => it.verb = 99),
        changed!(decision_error("decision_command"), D::Command(it) => it.mode = 99),
        changed!(decision_error("decision_command"), D::Command(it) => it.state = 99),
        changed!(decision_error("decision_notice"), D::Notice(it) => it.kind = 99),
        changed!(decision_error("decision_notice"), D::Notice(it) => it.severity = 99),
        changed!(decision_error("decision_notice"), D::Notice(it) => it.status = 99),
        changed!(decision_error("decision_release"), D::Proposal(v1::Proposal { proposal: Some(P::Release(it)) }) => it.state = 99),
        changed!(decision_error("decision_breach"), D::Proposal(v1::Proposal { proposal: Some(P::Breach(it)) }) => it.action = 99),
        changed!(decision_error("decision_finding"), D::Proposal(v1::Proposal { proposal: Some(P::Finding(it)) }) => it.kind = 99),
        changed!(decision_error("decision_command"), D::Command(it) => it.reasons[0].evidence[0].error_bound = 99),
    ];
    let expected = [
        "Telemetry.encoding has the value 99",
        "Series.kind has the value 99",
        "DeploymentEvent.status has the value 99",
        "DeploymentEvent.kind has the value 0",
        "Outcome.status has the value -1",
        "Delivery.result has the value 99",
        "Command.verb has the value 99",
        "Command.mode has the value 99",
        "Command.state has the value 99",
        "Notice.kind has the value 99",
        "Notice.severity has the value 99",
        "Notice.status has the value 99",
        "Release.state has the value 99",
        "Breach.action has the value 99",
        "Finding.kind has the value 99",
        "Evidence.error_bound has the value 99",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert_eq!(*error, format!("{expected}, which this version does not know"));
    }
}

#[test]
fn a_missing_part_or_one_of_an_unknown_kind_is_refused_by_its_name() {
    use v1::decision::Decision as D;
    let errors = [
        decode_event(&[]).unwrap_err().to_string(),
        // An event whose body is field 1000.
        decode_event(&[0xc2, 0x3e, 0]).unwrap_err().to_string(),
        changed!(event_error("event_deployment"), Body::Deployment(it) => it.key = None),
        changed!(event_error("event_verb"), Body::Verb(it) => it.kind = None),
        changed!(event_error("event_batch"), Body::Batch(it) => it.samples[0].value = None),
        changed!(decision_error("decision_release"), D::Proposal(it) => it.proposal = None),
        changed!(decision_error("decision_command"), D::Command(it) => it.target_references[0].timeout = None),
        changed!(decision_error("decision_halt"), D::Halt(it) => it.halt.as_mut().unwrap().scope = None),
    ];
    let expected = [
        "EventRecord.body",
        "EventRecord.body",
        "DeploymentEvent.key",
        "Verb.kind",
        "Sample.value",
        "Proposal.proposal",
        "TargetReference.timeout",
        "Halt.scope",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert_eq!(*error, format!("{expected} is missing or of a kind that this version does not know"));
    }
}

#[test]
fn what_would_make_a_noun_panic_later_is_refused() {
    use v1::decision::Decision as D;
    let errors = [
        changed!(event_error("event_batch"), Body::Batch(it) => it.series[0].labels_to = u32::MAX),
        changed!(event_error("event_batch"), Body::Batch(it) => it.series[0].labels_from = u32::MAX),
        changed!(event_error("event_batch"), Body::Batch(it) => it.series[0].samples_to = 3),
        changed!(decision_error("decision_command"), D::Command(it) => {
            it.reasons[0].window = Some(v1::Duration { seconds: u64::MAX, nanos: 1_000_000_000 });
        }),
    ];
    let expected = ["Series.labels", "Series.labels", "Series.samples", "Duration.nanos"];
    for (error, expected) in errors.iter().zip(expected) {
        assert_eq!(*error, format!("{expected} is out of range"));
    }
    let sent = Body::Telemetry(v1::Telemetry::default());
    assert!(matches!(EventBody::from_wire(sent), Err(DecodeError::OutOfRange { field: "EventRecord.body" })));
    assert!(DecisionRecord::from_wire(v1::DecisionRecord::default()).is_ok(), "an event may lead to nothing");
}

/// A tenth of what a thread of the program has.
const SMALL_STACK_BYTES: usize = 200 * 1024;

#[test]
fn no_record_needs_much_stack() {
    let decisions = samples::decisions().into_iter().map(|(_, record)| encode_decision(&record));
    // Groups within groups: the deepest nesting that bytes can ask for.
    let hostile = std::iter::once(vec![0x0b; 100_000]);
    let records: Vec<Vec<u8>> = decisions.chain(hostile).collect();
    let decode = move || records.iter().filter(|record| decode_decision(record).is_ok()).count();
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK_BYTES).spawn(decode).unwrap();
    assert_eq!(thread.join().unwrap(), samples::decisions().len());
}
