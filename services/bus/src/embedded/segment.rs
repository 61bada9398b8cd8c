//! A segment: one file of frames with consecutive positions, named by the first of them.

use std::path::{Path, PathBuf};

use model::Timestamp;

/// What is known of a segment without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Bytes that are durable and may be read.
    pub(crate) bytes: u64,
    /// Stamp of the first record; `None` while there is none or it cannot be read.
    pub(crate) first_at: Option<Timestamp>,
}

/// A file's name for its first position; sorts as the positions do.
pub(crate) fn file_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// What a file on its way from a wrong name to its own is called in between.
pub(crate) fn moved_file_name(base: u64) -> String {
    format!("{base:020}.log.moved")
}

/// The path of the segment that begins at `base`.
pub(crate) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(file_name(base))
}

/// The largest first position a file may claim: whatever it holds, positions after it do not overflow.
const BASE_MAX: u64 = i64::MAX as u64;

/// The first position that a file name claims; `None` if it is not a segment's.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".moved").unwrap_or(name).strip_suffix(".log")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|&base| base <= BASE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_segments_name_is_read_as_one() {
        for (name, base, why) in [
            ("00000000000000000042.log", Some(42), "as written"),
            ("00000000000000000042.log.moved", Some(42), "left by a crash while names were put right"),
            ("42.log", None, "not padded"),
            ("+0000000000000000042.log", None, "a sign is no digit"),
            ("18446744073709551615.log", None, "positions after it would overflow"),
            ("newest", None, "another file"),
        ] {
            assert_eq!(parse_name(name), base, "{why}");
        }
        assert_eq!(parse_name(&file_name(7)), Some(7));
    }
}
