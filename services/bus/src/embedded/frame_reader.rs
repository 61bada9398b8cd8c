//! Reads the frames of one file one after the other, in large reads.

use std::{io, ops::RangeInclusive};

use bytes::Bytes;
use model::Timestamp;

use crate::embedded::{
    frame::{FrameFormat, HEADER_BYTES, Header},
    storage::StoredFile,
};

/// Bytes asked of the disk at once. Payloads share a chunk's memory, so that a held record holds at most this
/// much (or its own size, if it is larger).
const CHUNK_BYTES: u64 = 1024 * 1024;

/// One verified frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    pub(crate) payload: Bytes,
}

/// What stands at the reader's offset.
#[derive(Debug)]
pub(crate) enum Scanned {
    Frame(Frame),
    /// The readable part of the file ends here.
    End,
    /// Bytes that are no frame of this topic.
    Invalid,
}

/// A place in a file.
pub(crate) struct FrameReader {
    file: Box<dyn StoredFile>,
    format: FrameFormat,
    offset: u64,
    chunk: Bytes,
    chunk_offset: u64,
}

impl FrameReader {
    pub(crate) fn new(file: Box<dyn StoredFile>, format: FrameFormat) -> Self {
        Self { file, format, offset: 0, chunk: Bytes::new(), chunk_offset: 0 }
    }

    /// Where the next frame begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn file_length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    /// The file, for looking into it beside the frames.
    pub(crate) fn file(&mut self) -> &mut dyn StoredFile {
        self.file.as_mut()
    }

    /// Gives the file back, for cutting it.
    pub(crate) fn into_file(self) -> Box<dyn StoredFile> {
        self.file
    }

    /// The frame at the offset, of a file of which `readable` bytes count; moves on only if there is one.
    pub(crate) fn next(&mut self, readable: u64) -> io::Result<Scanned> {
        if self.offset >= readable {
            return Ok(Scanned::End);
        }
        let Some(header) = self.header_at(self.offset, readable)? else { return Ok(Scanned::Invalid) };
        let Some(frame) = self.frame_at(self.offset, &header, readable)? else { return Ok(Scanned::Invalid) };
        self.offset += header.frame_bytes() as u64;
        Ok(Scanned::Frame(frame))
    }

    /// Moves past bytes that are no frame, to the next frame whose position is in `plausible`; `false` if
    /// there is none. `plausible` keeps this fast and bounds what a payload that looks like a frame can do.
    pub(crate) fn find_next(&mut self, readable: u64, plausible: &RangeInclusive<u64>) -> io::Result<bool> {
        for offset in self.offset.saturating_add(1)..readable {
            let Some(header) = self.header_at(offset, readable)? else { continue };
            if plausible.contains(&header.position) && self.frame_at(offset, &header, readable)?.is_some() {
                self.offset = offset;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn header_at(&mut self, offset: u64, readable: u64) -> io::Result<Option<Header>> {
        let from = self.load(offset, HEADER_BYTES, readable)?;
        Ok(from.and_then(|from| FrameFormat::read_header(&self.chunk[from..])))
    }

    fn frame_at(&mut self, offset: u64, header: &Header, readable: u64) -> io::Result<Option<Frame>> {
        let Some(from) = self.load(offset, header.frame_bytes(), readable)? else { return Ok(None) };
        let payload = self.chunk.slice(from + HEADER_BYTES..from + header.frame_bytes());
        let frame = Frame { position: header.position, at: header.at, payload };
        Ok(self.format.verify(header, &frame.payload).then_some(frame))
    }

    /// Where in the chunk the `length` bytes at `offset` stand; `None` if the readable part ends before.
    fn load(&mut self, offset: u64, length: usize, readable: u64) -> io::Result<Option<usize>> {
        if offset.saturating_add(length as u64) > readable {
            return Ok(None);
        }
        if !self.chunk_holds(offset, length) {
            self.read_chunk(offset, length, readable)?;
        }
        // The file may be shorter than what is said to be readable: somebody cut it.
        let from = (offset - self.chunk_offset) as usize;
        Ok((from + length <= self.chunk.len()).then_some(from))
    }

    fn chunk_holds(&self, offset: u64, length: usize) -> bool {
        let end = self.chunk_offset + self.chunk.len() as u64;
        self.chunk_offset <= offset && offset + length as u64 <= end
    }

    fn read_chunk(&mut self, offset: u64, length: usize, readable: u64) -> io::Result<()> {
        let wanted = CHUNK_BYTES.max(length as u64).min(readable - offset);
        let mut chunk = vec![0; wanted as usize];
        let read = self.file.read_at(offset, &mut chunk)?;
        chunk.truncate(read);
        self.chunk = Bytes::from(chunk);
        self.chunk_offset = offset;
        Ok(())
    }
}
