//! The newest records, in memory.

use std::collections::VecDeque;

use crate::embedded::frame_reader::Frame;

/// What a record costs beside its payload, about: the entry itself and the payload's own bookkeeping.
const OVERHEAD_BYTES: usize = 128;

/// A run of the newest durable records with consecutive positions, bounded by bytes.
#[derive(Debug)]
pub(crate) struct Tail {
    frames: VecDeque<Frame>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds the next record; the oldest ones go where there is no room, and all where it does not follow them.
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.frames.back().is_some_and(|newest| newest.position.saturating_add(1) != frame.position) {
            self.frames.clear();
            self.bytes = 0;
        }
        self.bytes += cost(&frame);
        self.frames.push_back(frame);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= cost(&oldest);
        }
    }

    /// The record at `position`, if it is still here.
    pub(crate) fn get(&self, position: u64) -> Option<&Frame> {
        let at = position.checked_sub(self.first_position()?)?;
        self.frames.get(usize::try_from(at).ok()?)
    }

    /// The position of the oldest record here.
    pub(crate) fn first_position(&self) -> Option<u64> {
        self.frames.front().map(|frame| frame.position)
    }
}

fn cost(frame: &Frame) -> usize {
    frame.payload.len() + OVERHEAD_BYTES
}
