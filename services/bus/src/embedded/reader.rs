//! Reading: every durable record in order, then waiting for more.

use std::{collections::VecDeque, io, sync::Arc};

use model::Position;
use tokio::sync::watch;

use crate::embedded::{
    ReadError, Record,
    cursor::{self, Batch, Cursor},
    frame_reader::Frame,
    log::Place,
    shared::{Durable, Shared},
    stored::{self, Stored},
};

/// Reads one topic in order. Sees durable records only; as many readers as wanted, each on its own.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    durable: watch::Receiver<Durable>,
    position: u64,
    /// Positions stepped over since the last record handed out.
    missing: u64,
    /// Read from a file and not yet handed out; the first is the one at `position`.
    ahead: VecDeque<Frame>,
    /// Only a shortcut: without it the segment is read from its start.
    cursor: Option<Cursor>,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursor")
    }
}

/// What to do for the next record.
enum Step {
    Take(Frame),
    ReadFile { base: u64, readable: u64 },
    Wait,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, from: Position) -> Self {
        let durable = shared.durable.subscribe();
        Self { shared, durable, position: from.0, missing: 0, ahead: VecDeque::new(), cursor: None }
    }

    /// The position of the next record to be handed out, if it can be read.
    pub(crate) fn position(&self) -> Position {
        Position(self.position)
    }

    /// The next record; waits until there is one. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Record, ReadError> {
        loop {
            let durable = *self.durable.borrow_and_update();
            if let Some(record) = self.next_durable().await? {
                return Ok(record);
            }
            if durable.is_closed {
                return Err(ReadError::Closed);
            }
            // The sender lives in `shared`, which this reader holds: it cannot be gone.
            self.durable.changed().await.map_err(|_| ReadError::Closed)?;
        }
    }

    /// The next record, if there is one now; the disk is read on a thread that may block.
    pub(crate) async fn next_durable(&mut self) -> Result<Option<Record>, ReadError> {
        self.next_before(Position(u64::MAX)).await
    }

    /// The next record before `end`, or `None` once there is none: what stood there may be gone, and is not
    /// waited for.
    pub(crate) async fn next_before(&mut self, end: Position) -> Result<Option<Record>, ReadError> {
        loop {
            match self.step(end.0) {
                Step::Take(frame) => return Ok(Some(self.hand_out(frame))),
                Step::ReadFile { base, readable } => {
                    let (shared, cursor, position) = (self.shared.clone(), self.cursor.take(), self.position);
                    let read = move || cursor::read(&shared, cursor, base, readable, position);
                    let read = tokio::task::spawn_blocking(read).await;
                    self.accept(read.map_err(io::Error::other)??);
                }
                Step::Wait => return Ok(None),
            }
        }
    }

    /// The next record, if there is one now.
    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            match self.step(u64::MAX) {
                Step::Take(frame) => return Ok(Some(self.hand_out(frame))),
                Step::ReadFile { base, readable } => {
                    let cursor = self.cursor.take();
                    let batch = cursor::read(&self.shared, cursor, base, readable, self.position)?;
                    self.accept(batch);
                }
                Step::Wait => return Ok(None),
            }
        }
    }

    fn step(&mut self, end: u64) -> Step {
        loop {
            if self.position >= end {
                return Step::Wait;
            }
            if let Some(frame) = self.ahead.pop_front() {
                return Step::Take(frame);
            }
            let place = self.shared.state().log.locate(self.position);
            match place {
                Place::Here(frame) => return Step::Take(frame),
                Place::InFile { base, readable } => return Step::ReadFile { base, readable },
                Place::Gone { resume_at } => self.skip_to(resume_at),
                Place::NotYet => return Step::Wait,
            }
        }
    }

    fn accept(&mut self, batch: Batch) {
        if batch.frames.is_empty() {
            let resume_at = self.shared.state().log.resume_after(self.position);
            self.skip_to(resume_at);
        }
        self.ahead = batch.frames.into();
        self.cursor = batch.cursor;
    }

    fn skip_to(&mut self, position: u64) {
        self.missing = self.missing.saturating_add(position.saturating_sub(self.position));
        self.position = position;
    }

    fn hand_out(&mut self, frame: Frame) -> Record {
        self.position = frame.position + 1;
        // The frame's checksum holds: bytes of another form are somebody's own, and are handed out as they are.
        let stored = stored::decode(frame.payload.clone())
            .unwrap_or_else(|| Stored { payload: frame.payload, ..Stored::default() });
        Record {
            position: Position(frame.position),
            key: stored.key,
            at: frame.at,
            headers: stored.headers,
            payload: stored.payload,
            missing_before: std::mem::take(&mut self.missing),
            doubt: None,
        }
    }
}
