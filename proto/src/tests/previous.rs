//! Between versions of the schema: what earlier ones wrote, and what a later one may write.
//!
//! `previous/<n>.txt` holds the samples as the n-th schema encoded them and never changes. A change of the schema
//! adds a file: copy `golden.txt` as it was before the change to the next number, name it in [`VERSIONS`], then add
//! samples with the new fields to `samples` and their bytes to `golden.txt`. Samples are not changed, so that each
//! old line still has the value that it was written for.

use std::collections::BTreeMap;

use model::{Origin, Partition};
use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use super::{golden::records, samples};
use crate::{decode_decision, decode_event, encode_decision, encode_event};

/// The first: events without `is_copy`, decision records without `partition` and `origin`. The second: targets
/// without topics. The third: telemetry without columns, and nobody but the arbiter brings time. The
/// fourth: no breach that continues, no ignored event, no retryable failure, no forced rollback. The fifth: no
/// comparisons and rises. The sixth: nothing about the versions that telemetry names instead of a release's own. The
/// seventh: commands describe their targets instead of naming them.
const VERSIONS: [&str; 7] = [
    include_str!("previous/1.txt"),
    include_str!("previous/2.txt"),
    include_str!("previous/3.txt"),
    include_str!("previous/4.txt"),
    include_str!("previous/5.txt"),
    include_str!("previous/6.txt"),
    include_str!("previous/7.txt"),
];

#[test]
fn what_earlier_schemas_wrote_is_read_as_what_was_meant() {
    let events: BTreeMap<_, _> = samples::events().into_iter().collect();
    let decisions: BTreeMap<_, _> = samples::decisions().into_iter().collect();
    for (name, bytes) in VERSIONS.into_iter().flat_map(records) {
        if let Some(written) = events.get(name) {
            assert_eq!(format!("{:?}", decode_event(&bytes).unwrap()), format!("{written:?}"), "{name}");
        } else {
            assert_eq!(decode_decision(&bytes).unwrap(), decisions[name], "{name}");
        }
    }
}

#[test]
fn what_the_first_schema_did_not_say_has_the_value_that_was_true_then() {
    for (name, bytes) in records(VERSIONS[0]) {
        if name.starts_with("event_") {
            assert!(!decode_event(&bytes).unwrap().is_copy, "{name}");
        } else {
            let read = decode_decision(&bytes).unwrap();
            assert_eq!((read.partition, read.origin), (Partition::HOME, Origin::Analyzer), "{name}");
        }
    }
}

/// A field of each wire type under numbers that no schema of ours will reach.
const UNKNOWN: [u8; 24] = [
    0xc0, 0x3e, 0x96, 0x01, // 1000: a varint
    0xc9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8, // 1001: eight bytes
    0xd2, 0x3e, 1, b'n', // 1002: a text or a message
    0xdd, 0x3e, 1, 2, 3, 4, // 1003: four bytes
];

#[test]
fn fields_of_a_later_schema_are_ignored_in_every_message() {
    let pool = schema();
    let event = pool.get_message_by_name("ripcord.v1.EventRecord").unwrap();
    let decision = pool.get_message_by_name("ripcord.v1.DecisionRecord").unwrap();
    for (name, written) in samples::events() {
        let later = of_a_later_schema(&event, &encode_event(&written));
        assert_eq!(format!("{:?}", decode_event(&later).unwrap()), format!("{written:?}"), "{name}");
    }
    for (name, written) in samples::decisions() {
        let later = of_a_later_schema(&decision, &encode_decision(&written));
        assert_eq!(decode_decision(&later).unwrap(), written, "{name}");
    }
}

fn schema() -> DescriptorPool {
    let names = std::fs::read_dir("schema/ripcord/v1").unwrap();
    let files: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    let schema = protox::compile(files, ["schema"]).unwrap();
    DescriptorPool::from_file_descriptor_set(schema).unwrap()
}

/// The message with unknown fields before and behind its own, and so every message in it.
fn of_a_later_schema(message: &MessageDescriptor, bytes: &[u8]) -> Vec<u8> {
    let mut later = UNKNOWN.to_vec();
    let mut rest = bytes;
    while !rest.is_empty() {
        let tag = take_varint(&mut rest);
        put_varint(tag, &mut later);
        let size = match tag & 7 {
            0 => {
                put_varint(take_varint(&mut rest), &mut later);
                continue;
            }
            1 => 8,
            2 => take_varint(&mut rest) as usize,
            _ => 4,
        };
        let (content, behind) = rest.split_at(size);
        rest = behind;
        let field = message.get_field((tag >> 3) as u32).unwrap();
        let content = match field.kind() {
            Kind::Message(inner) => of_a_later_schema(&inner, content),
            _ => content.to_vec(),
        };
        if tag & 7 == 2 {
            put_varint(content.len() as u64, &mut later);
        }
        later.extend(content);
    }
    later.extend(UNKNOWN);
    later
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let (varint, rest) = bytes.split_at(length);
    *bytes = rest;
    varint.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
