//! Remembers the newest segment beside the segments, so that its loss is noticed: without this, deleting the
//! newest file would give its positions to other records, and whoever remembers a position would read those
//! as already seen.

use std::{io, path::Path};

use crate::embedded::storage::Storage;

const FILE: &str = "newest";
const FILE_NEW: &str = "newest.new";
/// Longer than any watermark; a longer file is not one.
const BYTES_MAX: usize = 64;

/// What the watermark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watermark {
    /// The first position of the newest segment.
    Newest(u64),
    /// There is none.
    Absent,
    /// There is one and it does not verify.
    Damaged,
}

/// Written after the segment exists and before anything in it is acknowledged.
pub(crate) fn write(storage: &dyn Storage, dir: &Path, base: u64) -> io::Result<()> {
    let mut file = storage.create(&dir.join(FILE_NEW))?;
    file.write_at(0, text(base).as_bytes())?;
    file.sync()?;
    storage.rename(&dir.join(FILE_NEW), &dir.join(FILE))?;
    storage.sync_directory(dir)
}

pub(crate) fn read(storage: &dyn Storage, dir: &Path) -> io::Result<Watermark> {
    let mut file = match storage.open(&dir.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Watermark::Absent),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; BYTES_MAX];
    let read = file.read_at(0, &mut bytes)?;
    Ok(parse(&bytes[..read]).map_or(Watermark::Damaged, Watermark::Newest))
}

fn text(base: u64) -> String {
    let base = base.to_string();
    format!("{base} {:08x}\n", crc32fast::hash(base.as_bytes()))
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let read = std::str::from_utf8(bytes).ok()?;
    let base = read.split_once(' ')?.0.parse().ok().filter(|&base| base <= i64::MAX as u64)?;
    (text(base) == read).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_reads_back_and_a_damaged_one_does_not_count() {
        assert_eq!(parse(text(4711).as_bytes()), Some(4711));
        for damaged in ["", "4711", "4711 00000000\n", "4712 4f1a2b3c\n", "-1 00000000\n", "\u{0}\u{0}"] {
            assert_eq!(parse(damaged.as_bytes()), None, "{damaged:?}");
        }
    }
}
