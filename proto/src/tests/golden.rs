//! Bytes written by each version of the format. They are on people's disks: they are never written anew,
//! only added to.

use super::samples;
use crate::{decode_decision, decode_event, encode_decision, encode_event};

/// A line a record: name and bytes in hexadecimal digits.
const RECORDS: &str = include_str!("golden.txt");

fn bytes_of(name: &str) -> Vec<u8> {
    let line = RECORDS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let digits = line.unwrap_or_else(|| panic!("golden.txt has no line for {name}"));
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn old_bytes_are_still_read_as_what_was_written() {
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
