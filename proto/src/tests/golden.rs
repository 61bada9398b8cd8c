//! The bytes of today's records. They are on people's disks: they are never written anew, only added to, and what
//! earlier versions wrote is kept apart (`previous`).

use super::samples;
use crate::{decode_decision, decode_event, encode_decision, encode_event};

/// A line a record: name and bytes in hexadecimal digits.
const RECORDS: &str = include_str!("golden.txt");

/// The names and bytes that `text` lists.
pub(super) fn records(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    text.lines().map(|line| {
        let (name, digits) = line.split_once(' ').unwrap();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (name, (0..digits.len()).step_by(2).map(byte).collect())
    })
}

fn bytes_of(name: &str) -> Vec<u8> {
    let found = records(RECORDS).find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("golden.txt has no line for {name}")).1
}

#[test]
fn golden_bytes_are_read_as_what_was_written() {
    for (name, written) in samples::events() {
        let read = decode_event(&bytes_of(name)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"), "{name}");
    }
    for (name, written) in samples::decisions() {
        assert_eq!(decode_decision(&bytes_of(name)).unwrap(), written, "{name}");
    }
}

#[test]
fn the_same_record_still_gives_the_same_bytes() {
    for (name, written) in samples::events() {
        assert_eq!(encode_event(&written), bytes_of(name), "{name}");
    }
    for (name, written) in samples::decisions() {
        assert_eq!(encode_decision(&written), bytes_of(name), "{name}");
    }
}
