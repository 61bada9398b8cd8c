//! The one thread that writes a topic.
//!
//! Group commit without a timer: whatever was queued while the last sync ran is written by one write and made
//! durable by one sync. A file on which a write or a sync failed is never trusted again: the kernel may have
//! dropped the pages and marked them clean, so that a second sync would succeed without them. It is opened
//! anew, its durable part verified, the rest cut off, and writing goes on in a new file; until all that works,
//! nothing is acknowledged.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use model::Position;

use crate::embedded::{
    AppendError,
    frame::HEADER_BYTES,
    frame_reader::{Frame, FrameReader},
    queue::Pending,
    recovery::{self, Active},
    segment,
    shared::{Durable, Shared},
    watermark,
};

/// The group's buffer is given back above this size, so that one burst does not hold memory for ever.
const BUFFER_BYTES_KEPT: usize = 4 * 1024 * 1024;

/// Where the next record goes.
enum File {
    /// At the end of this one; everything in it is durable.
    Open(Active),
    /// Into a new one.
    None,
    /// Nowhere, until this one's end is what it is known to be.
    Distrusted { base: u64, durable_bytes: u64 },
}

/// Starts the thread. `keep_alive` is dropped when nothing more will be written.
pub(crate) fn spawn<K: Send + 'static>(
    shared: Arc<Shared>,
    active: Option<Active>,
    keep_alive: K,
) -> io::Result<()> {
    let file = active.map_or(File::None, File::Open);
    let mut writer = Writer { shared, file, buffer: Vec::new(), first: 0, is_failing: false };
    let name = format!("log-{}", writer.shared.name);
    // Detached: it ends when the queue is closed, and `Durable::is_closed` says when it has.
    let _handle = thread::Builder::new().name(name).spawn(move || {
        let _closing = Closing { shared: writer.shared.clone(), keep_alive: Some(keep_alive) };
        while let Some(group) = writer.shared.queue.take() {
            writer.commit(group);
        }
    })?;
    Ok(())
}

/// Says that nothing more comes, also when the thread panics.
struct Closing<K> {
    shared: Arc<Shared>,
    keep_alive: Option<K>,
}

impl<K> Drop for Closing<K> {
    fn drop(&mut self) {
        self.shared.queue.abandon();
        // Before anybody is told: whoever was told may open the log again at once.
        self.keep_alive = None;
        let next = self.shared.state().log.next();
        self.shared.durable.send_replace(Durable { next, is_closed: true });
    }
}

struct Writer {
    shared: Arc<Shared>,
    file: File,
    /// The frames of one write.
    buffer: Vec<u8>,
    /// The position of the first record that comes.
    first: u64,
    /// So that a failing disk is told once and not with every group.
    is_failing: bool,
}

impl Writer {
    fn commit(&mut self, group: Vec<Pending>) {
        let mut waiting = VecDeque::from(group);
        while let Some(first) = waiting.front() {
            let room = match self.prepare_file(frame_bytes(first)) {
                Ok(room) => room,
                Err(error) => return self.refuse(waiting, error),
            };
            let part = self.fill(room, &mut waiting);
            if let Err(error) = self.write() {
                return self.refuse(part.into_iter().chain(waiting), error);
            }
            self.acknowledge(part);
        }
    }

    /// Sees to it that a file is open that takes a frame of this size; returns how many bytes it takes.
    fn prepare_file(&mut self, frame_bytes: u64) -> io::Result<u64> {
        let segment_bytes = self.shared.config.segment_bytes;
        let is_seal_wanted = {
            let state = self.shared.state();
            self.first = state.log.next();
            self.shared.is_seal_wanted.swap(false, Ordering::Relaxed)
        };
        let fits = |active: &Active| active.bytes == 0 || active.bytes + frame_bytes <= segment_bytes;
        let active = match std::mem::replace(&mut self.file, File::None) {
            File::Open(active) if fits(&active) && !is_seal_wanted => active,
            File::Open(_) | File::None => self.begin_segment()?,
            File::Distrusted { base, durable_bytes } => {
                if let Err(error) = self.mend(base, durable_bytes) {
                    self.file = File::Distrusted { base, durable_bytes };
                    return Err(error);
                }
                self.begin_segment()?
            }
        };
        let room = segment_bytes.saturating_sub(active.bytes).max(frame_bytes);
        self.file = File::Open(active);
        Ok(room)
    }

    fn begin_segment(&mut self) -> io::Result<Active> {
        let (shared, base) = (&self.shared, self.first);
        let file = shared.storage.create(&segment::path(&shared.dir, base))?;
        shared.storage.sync_directory(&shared.dir)?;
        watermark::write(shared.storage.as_ref(), &shared.dir, base)?;
        let expired = {
            let mut state = shared.state();
            state.log.begin_segment(base);
            state.log.expire(&shared.config.retention)
        };
        for expired in expired {
            let path = segment::path(&shared.dir, expired);
            if let Err(error) = shared.storage.remove(&path) {
                tracing::warn!(file = %path.display(), %error, "expired segment cannot be removed");
            }
        }
        Ok(Active { base, file, bytes: 0 })
    }

    /// Opens a distrusted file anew, verifies what was acknowledged and cuts off the rest.
    fn mend(&self, base: u64, durable_bytes: u64) -> io::Result<()> {
        if durable_bytes == 0 {
            // Nothing in it was acknowledged; the new segment has the same name and replaces it.
            return Ok(());
        }
        let shared = &self.shared;
        let next = shared.state().log.next();
        let mut frames = FrameReader::new(shared.open_segment(base)?, shared.format.clone());
        let length = frames.file_length()?;
        let prefix = recovery::valid_prefix(&mut frames, base, durable_bytes.min(length))?;
        if prefix.next != next {
            shared.report_damage(base, prefix.bytes, prefix.next);
        }
        let mut file = frames.into_file();
        if length > durable_bytes {
            file.truncate(durable_bytes)?;
        }
        file.sync()
    }

    /// Moves what fits `room` from `waiting` into the buffer.
    fn fill(&mut self, room: u64, waiting: &mut VecDeque<Pending>) -> Vec<Pending> {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        let mut position = self.first;
        let mut part = Vec::new();
        while let Some(pending) =
            waiting.pop_front_if(|next| self.buffer.len() as u64 + frame_bytes(next) <= room)
        {
            self.shared.format.write(position, pending.at, &pending.payload, &mut self.buffer);
            position += 1;
            part.push(pending);
        }
        part
    }

    /// One write, one sync.
    fn write(&mut self) -> io::Result<()> {
        let File::Open(active) = &mut self.file else {
            return Err(io::Error::other("no file is open for writing"));
        };
        let written = active.file.write_at(active.bytes, &self.buffer).and_then(|()| timed_sync(active));
        match written {
            Ok(took) => {
                active.bytes += self.buffer.len() as u64;
                let counters = &mut self.shared.state().counters;
                counters.fsyncs += 1;
                counters.bytes += self.buffer.len() as u64;
                counters.last_fsync_seconds = took.as_secs_f64();
                Ok(())
            }
            Err(error) => {
                self.file = File::Distrusted { base: active.base, durable_bytes: active.bytes };
                Err(error)
            }
        }
    }

    /// Shows the records to readers, then tells those who wait.
    fn acknowledge(&mut self, part: Vec<Pending>) {
        let File::Open(active) = &self.file else { return };
        let first = self.first;
        let next = {
            let mut state = self.shared.state();
            let frames = (first..).zip(&part).map(|(position, pending)| Frame {
                position,
                at: pending.at,
                payload: pending.payload.clone(),
            });
            state.log.commit(active.base, active.bytes, frames.collect());
            state.counters.records += part.len() as u64;
            state.log.next()
        };
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(topic = self.shared.name, "the log writes again");
        }
        self.shared.durable.send_replace(Durable { next, is_closed: false });
        self.shared.queue.release(part.iter().map(Pending::cost).sum());
        for (position, pending) in (first..).zip(part) {
            pending.answer(Ok(Position(position)));
        }
    }

    fn refuse(&mut self, refused: impl IntoIterator<Item = Pending>, error: io::Error) {
        self.shared.state().counters.write_failures += 1;
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(topic = self.shared.name, %error, "the log cannot write: records are refused");
        }
        let error = AppendError::Unavailable(Arc::new(error));
        for pending in refused {
            self.shared.queue.release(pending.cost());
            pending.answer(Err(error.clone()));
        }
    }
}

fn frame_bytes(pending: &Pending) -> u64 {
    (HEADER_BYTES + pending.payload.len()) as u64
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures our own disk; the stopwatch's crate lies above this one"
)]
fn timed_sync(active: &mut Active) -> io::Result<Duration> {
    let began = Instant::now();
    active.file.sync()?;
    Ok(began.elapsed())
}
