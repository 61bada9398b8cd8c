//! Opens a topic's files: puts names right, heals the torn end, finds what is missing.
//!
//! Only the end of the newest file is ever cut, and only where nothing readable follows. What is damaged
//! elsewhere stays as it is, for a person or a backup; readers skip it and say so.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use crate::embedded::{
    OpenError, SEGMENT_BYTES,
    frame::{FrameFormat, HEADER_BYTES},
    frame_reader::{FrameReader, Scanned},
    segment::{self, Segment},
    storage::{Storage, StoredFile},
    watermark::{self, Watermark},
};

/// What was found, and where writing goes on.
pub(crate) struct Recovered {
    pub(crate) segments: BTreeMap<u64, Segment>,
    pub(crate) next: u64,
    /// The file to go on with; `None`: the next record begins a new one.
    pub(crate) active: Option<Active>,
    /// Segments that do not hold what they should, with the offset from which on.
    pub(crate) damaged: Vec<(u64, u64)>,
    pub(crate) torn_bytes: u64,
    /// Newest segments that are not there.
    pub(crate) missing_segments: u64,
}

/// The segment being written.
pub(crate) struct Active {
    pub(crate) base: u64,
    pub(crate) file: Box<dyn StoredFile>,
    pub(crate) bytes: u64,
}

/// Opens the topic's directory; makes it if it is not there.
pub(crate) fn recover(
    storage: &dyn Storage,
    dir: &Path,
    format: &FrameFormat,
) -> Result<Recovered, OpenError> {
    create(storage, dir).map_err(OpenError::io("create", dir))?;
    let bases = settle_names(storage, dir, format)?;
    let mut recovered = Recovered {
        segments: BTreeMap::new(),
        next: 0,
        active: None,
        damaged: Vec::new(),
        torn_bytes: 0,
        missing_segments: 0,
    };
    let newest = bases.last().copied();
    for base in bases {
        let path = segment::path(dir, base);
        let found = if Some(base) == newest {
            recovered.heal_newest(storage, &path, base, format)
        } else {
            recovered.note_sealed(storage, &path, base, format)
        };
        found.map_err(OpenError::io("read", path))?;
    }
    recovered.check_watermark(storage, dir, newest).map_err(OpenError::io("read", dir))?;
    Ok(recovered)
}

fn create(storage: &dyn Storage, dir: &Path) -> io::Result<()> {
    storage.create_directory(dir)?;
    match dir.parent() {
        Some(parent) => storage.sync_directory(parent),
        None => Ok(()),
    }
}

// === names ===

/// Gives every file the name of its first position, as its content says: a file renamed, or two swapped, lose
/// nothing. Returns the first positions.
fn settle_names(storage: &dyn Storage, dir: &Path, format: &FrameFormat) -> Result<BTreeSet<u64>, OpenError> {
    let listed = storage.list(dir).map_err(OpenError::io("list", dir))?;
    let mut names: BTreeSet<String> =
        listed.into_iter().filter(|name| segment::parse_name(name).is_some()).collect();
    let mut moved = BTreeMap::new();
    for name in names.clone() {
        let path = dir.join(&name);
        let base = base_of(storage, &path, &name, format).map_err(OpenError::io("read", path))?;
        if name == segment::file_name(base) {
            continue;
        }
        let between = segment::moved_file_name(base);
        if name != between {
            tracing::warn!(dir = %dir.display(), name, base, "segment under a wrong name is renamed");
            let free = if names.contains(&between) { set_aside_name(&names, base) } else { between };
            rename(storage, dir, &mut names, &name, &free)?;
            moved.insert(free, base);
        } else {
            moved.insert(between, base);
        }
    }
    for (between, base) in moved {
        let own = segment::file_name(base);
        let free = if names.contains(&own) { set_aside_name(&names, base) } else { own };
        rename(storage, dir, &mut names, &between, &free)?;
    }
    storage.sync_directory(dir).map_err(OpenError::io("sync", dir))?;
    Ok(names.iter().filter_map(|name| segment::parse_name(name)).collect())
}

fn rename(
    storage: &dyn Storage,
    dir: &Path,
    names: &mut BTreeSet<String>,
    from: &str,
    to: &str,
) -> Result<(), OpenError> {
    storage.rename(&dir.join(from), &dir.join(to)).map_err(OpenError::io("rename", dir.join(from)))?;
    names.remove(from);
    names.insert(to.to_owned());
    Ok(())
}

/// A name that is no segment's, for a second file with the same first position.
fn set_aside_name(names: &BTreeSet<String>, base: u64) -> String {
    let name = free_name(names, base, "duplicate");
    tracing::warn!(base, name, "two files hold the same positions: one is set aside");
    name
}

fn free_name(names: &BTreeSet<String>, base: u64, why: &str) -> String {
    let name = |n: u32| format!("{}.{why}-{n}", segment::file_name(base));
    (1..u32::MAX).map(name).find(|name| !names.contains(name)).unwrap_or_else(|| name(0))
}

fn base_of(storage: &dyn Storage, path: &Path, name: &str, format: &FrameFormat) -> io::Result<u64> {
    let mut frames = FrameReader::new(storage.open(path)?, format.clone());
    let readable = frames.file_length()?;
    let claimed = segment::parse_name(name).unwrap_or_default();
    Ok(match frames.next(readable)? {
        Scanned::Frame(frame) => frame.position,
        Scanned::End | Scanned::Invalid => claimed,
    })
}

// === content ===

impl Recovered {
    /// A segment that will not be written any more is looked into only at its start; readers verify the rest.
    fn note_sealed(
        &mut self,
        storage: &dyn Storage,
        path: &Path,
        base: u64,
        format: &FrameFormat,
    ) -> io::Result<()> {
        let mut frames = FrameReader::new(storage.open(path)?, format.clone());
        let bytes = frames.file_length()?;
        let first_at = match frames.next(bytes)? {
            Scanned::Frame(frame) => Some(frame.at),
            Scanned::End | Scanned::Invalid => None,
        };
        if first_at.is_none() {
            self.damaged.push((base, 0));
        }
        self.segments.insert(base, Segment { bytes, first_at });
        Ok(())
    }

    /// Verifies every record of the newest segment, cuts off a write that a crash cut short, and writes what is
    /// left once more.
    ///
    /// What can be read here need not be on the disk: the process before this one may have died before its
    /// sync, or after a sync that failed and left the pages marked clean, so that a sync of ours would succeed
    /// without them. Only what was written and synced here is known to be durable.
    fn heal_newest(
        &mut self,
        storage: &dyn Storage,
        path: &Path,
        base: u64,
        format: &FrameFormat,
    ) -> io::Result<()> {
        let mut frames = FrameReader::new(storage.open(path)?, format.clone());
        let readable = frames.file_length()?;
        let prefix = valid_prefix(&mut frames, base, readable)?;
        let highest = if prefix.bytes < readable {
            // A crash may also leave later pages of the last write without earlier ones; that is reported as
            // damage too, which is a false alarm and not a loss.
            highest_behind(&mut frames, prefix.next, readable)?
        } else {
            None
        };
        if prefix.bytes == 0 && highest.is_none() && readable > 0 && !is_all_zeros(&mut frames, readable)? {
            // Not one record of this topic: it may be another's, under a wrong name.
            return self.set_aside(storage, path, base, readable);
        }
        // A damaged file is kept whole, for a person.
        let kept = if highest.is_some() { readable } else { prefix.bytes };
        let mut file = frames.into_file();
        if kept < readable {
            file.truncate(kept)?;
        }
        write_again(file.as_mut(), kept)?;
        self.segments.insert(base, Segment { bytes: kept, first_at: prefix.first_at });
        match highest {
            Some(highest) => {
                self.next = highest + 1;
                self.damaged.push((base, prefix.bytes));
            }
            None => {
                self.next = prefix.next;
                self.torn_bytes = readable - prefix.bytes;
                self.active = Some(Active { base, file, bytes: kept });
            }
        }
        Ok(())
    }

    /// Keeps a file of which nothing can be read beside the log; writing goes on in an empty one in its place. That
    /// one is there under another name first: at no moment is the newest segment missing.
    fn set_aside(&mut self, storage: &dyn Storage, path: &Path, base: u64, bytes: u64) -> io::Result<()> {
        let dir = path.parent().unwrap_or(path);
        let names = storage.list(dir)?.into_iter().collect();
        let aside = dir.join(free_name(&names, base, "unreadable"));
        let empty = dir.join(segment::moved_file_name(base));
        storage.create(&empty)?.sync()?;
        storage.rename(path, &aside)?;
        storage.rename(&empty, path)?;
        storage.sync_directory(dir)?;
        tracing::error!(file = %aside.display(), bytes, "a segment without one readable record is set aside");
        self.segments.insert(base, Segment::default());
        self.active = Some(Active { base, file: storage.open(path)?, bytes: 0 });
        self.next = base;
        self.torn_bytes = bytes;
        Ok(())
    }

    /// Notices that the newest segments are not there, and keeps their positions from being given again.
    fn check_watermark(&mut self, storage: &dyn Storage, dir: &Path, newest: Option<u64>) -> io::Result<()> {
        let watermark = watermark::read(storage, dir)?;
        match watermark {
            Watermark::Newest(base) if newest.is_none_or(|newest| newest < base) => {
                tracing::warn!(dir = %dir.display(), base, "the newest segment of the log is missing");
                self.missing_segments += 1;
                self.active = None;
                self.next = self.next.max(base.saturating_add(POSITIONS_PER_SEGMENT_MAX));
            }
            Watermark::Newest(_) => {}
            Watermark::Absent | Watermark::Damaged => {
                if let Some(newest) = newest {
                    tracing::warn!(dir = %dir.display(), "the log's watermark is missing or damaged");
                    watermark::write(storage, dir, newest)?;
                }
            }
        }
        Ok(())
    }
}

/// Bytes written again at once.
const REWRITE_BYTES: u64 = 1024 * 1024;

/// Makes the first `bytes` of a file durable whatever happened to it before: writes them over themselves, so
/// that every page is dirty again, and syncs. In place, because that needs no room on a full disk, and because
/// a crash in the middle leaves the same bytes.
fn write_again(file: &mut dyn StoredFile, bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; REWRITE_BYTES.min(bytes) as usize];
    let mut offset = 0;
    while offset < bytes {
        let wanted = REWRITE_BYTES.min(bytes - offset) as usize;
        if file.read_at(offset, &mut buffer[..wanted])? < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(offset, &buffer[..wanted])?;
        offset += wanted as u64;
    }
    file.sync()
}

/// What a file system leaves of a file whose bytes never reached the disk.
fn is_all_zeros(frames: &mut FrameReader, bytes: u64) -> io::Result<bool> {
    let file = frames.file();
    let mut buffer = vec![0; REWRITE_BYTES.min(bytes) as usize];
    let mut offset = 0;
    while offset < bytes {
        let read = file.read_at(offset, &mut buffer)?;
        if buffer[..read].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        if read == 0 {
            break;
        }
        offset += read as u64;
    }
    Ok(true)
}

/// No segment holds more records: each has a header.
const POSITIONS_PER_SEGMENT_MAX: u64 = SEGMENT_BYTES / HEADER_BYTES as u64;

/// The part of a segment that is as it was written.
pub(crate) struct Prefix {
    pub(crate) bytes: u64,
    pub(crate) next: u64,
    first_at: Option<model::Timestamp>,
}

/// The records from the start on, up to the first that does not verify or is out of order.
pub(crate) fn valid_prefix(frames: &mut FrameReader, base: u64, readable: u64) -> io::Result<Prefix> {
    let mut prefix = Prefix { bytes: 0, next: base, first_at: None };
    loop {
        match frames.next(readable)? {
            Scanned::Frame(frame) if frame.position == prefix.next => {
                prefix.first_at = prefix.first_at.or(Some(frame.at));
                prefix.next += 1;
                prefix.bytes = frames.offset();
            }
            Scanned::Frame(_) | Scanned::End | Scanned::Invalid => return Ok(prefix),
        }
    }
}

/// The highest position of a record that stands behind the valid prefix; `None` if nothing there is one.
fn highest_behind(frames: &mut FrameReader, next: u64, readable: u64) -> io::Result<Option<u64>> {
    let plausible = next..=next.saturating_add(readable / HEADER_BYTES as u64);
    let mut highest = None;
    loop {
        match frames.next(readable)? {
            Scanned::Frame(frame) if plausible.contains(&frame.position) => {
                highest = highest.max(Some(frame.position));
            }
            Scanned::Frame(_) => {}
            Scanned::End => return Ok(highest),
            Scanned::Invalid => {
                if !frames.find_next(readable, &plausible)? {
                    return Ok(highest);
                }
            }
        }
    }
}
