//! A reader's place in a segment's file.

use std::{io, sync::Arc};

use bytes::Bytes;

use crate::embedded::{
    frame_reader::{Frame, FrameReader, Scanned},
    shared::Shared,
};

/// Bytes of payload read ahead of a consumer that is behind: one hand-over between threads then carries
/// enough records to be cheap.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// An open segment and the position at its offset.
pub(crate) struct Cursor {
    base: u64,
    next: u64,
    frames: FrameReader,
}

/// What reading on gave.
pub(crate) struct Batch {
    /// Consecutive records from the asked position on; empty if the file does not hold it.
    pub(crate) frames: Vec<Frame>,
    /// For reading on.
    pub(crate) cursor: Option<Cursor>,
}

/// Reads records from `position` on out of segment `base`, of which `readable` bytes count. Does disk reads.
pub(crate) fn read(
    shared: &Arc<Shared>,
    cursor: Option<Cursor>,
    base: u64,
    readable: u64,
    position: u64,
) -> io::Result<Batch> {
    let cursor = cursor.filter(|cursor| cursor.base == base && cursor.next <= position);
    let mut cursor = match cursor {
        Some(cursor) => cursor,
        None => match shared.open_segment(base) {
            Ok(file) => Cursor { base, next: base, frames: FrameReader::new(file, shared.format.clone()) },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                shared.report_damage(base, 0, position);
                return Ok(Batch { frames: Vec::new(), cursor: None });
            }
            Err(error) => return Err(error),
        },
    };
    let mut frames = Vec::new();
    let mut bytes = 0;
    while bytes < READ_AHEAD_BYTES {
        match cursor.frames.next(readable)? {
            Scanned::Frame(frame) if frame.position == cursor.next => {
                cursor.next += 1;
                if frame.position >= position {
                    bytes += Bytes::len(&frame.payload);
                    frames.push(frame);
                }
            }
            Scanned::Frame(_) | Scanned::Invalid => {
                shared.report_damage(base, cursor.frames.offset(), cursor.next);
                return Ok(Batch { frames, cursor: None });
            }
            Scanned::End if frames.is_empty() => {
                shared.report_damage(base, cursor.frames.offset(), cursor.next);
                return Ok(Batch { frames, cursor: None });
            }
            Scanned::End => break,
        }
    }
    Ok(Batch { frames, cursor: Some(cursor) })
}
