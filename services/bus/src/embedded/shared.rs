//! What a topic's handles, its writer and its readers share.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use model::Position;
use tokio::sync::watch;

use crate::embedded::{
    Statistics, TopicConfig,
    frame::FrameFormat,
    log::Log,
    queue::Queue,
    segment,
    storage::{Storage, StoredFile},
};

/// What readers wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durable {
    /// Everything before this position is durable.
    pub(crate) next: u64,
    /// Nothing more will become durable.
    pub(crate) is_closed: bool,
}

/// Counters that only the writer and the readers' findings move.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) fsyncs: u64,
    pub(crate) last_fsync_seconds: f64,
    pub(crate) write_failures: u64,
    pub(crate) corrupt_records: u64,
    pub(crate) torn_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) counters: Counters,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) format: FrameFormat,
    pub(crate) config: TopicConfig,
    pub(crate) queue: Queue,
    pub(crate) durable: watch::Sender<Durable>,
    pub(crate) overloaded: AtomicU64,
    /// The file being written was found damaged: what comes next belongs into another one.
    pub(crate) is_seal_wanted: AtomicBool,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        dir: PathBuf,
        storage: Arc<dyn Storage>,
        config: TopicConfig,
        state: State,
    ) -> Self {
        let next = state.log.next();
        Self {
            name: name.to_owned(),
            dir,
            storage,
            format: FrameFormat::of_topic(name),
            config,
            queue: Queue::new(config.queue_bytes_max),
            durable: watch::Sender::new(Durable { next, is_closed: false }),
            overloaded: AtomicU64::new(0),
            is_seal_wanted: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Held for memory operations only, never across a disk operation.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open_segment(&self, base: u64) -> io::Result<Box<dyn StoredFile>> {
        self.storage.open(&segment::path(&self.dir, base))
    }

    /// Counts and tells, once a segment, that it does not hold what it should.
    pub(crate) fn report_damage(&self, base: u64, offset: u64, position: u64) {
        let mut state = self.state();
        if !state.log.holds_segment(base) || !state.log.mark_damaged(base) {
            return;
        }
        state.counters.corrupt_records += 1;
        if state.log.newest_segment() == Some(base) {
            self.is_seal_wanted.store(true, Ordering::Relaxed);
        }
        drop(state);
        tracing::warn!(
            topic = self.name,
            file = %segment::path(&self.dir, base).display(),
            offset,
            position,
            "damaged segment: the records behind this place are skipped"
        );
    }

    pub(crate) fn report_lost(&self) {
        self.state().counters.corrupt_records += 1;
        tracing::error!(
            topic = self.name,
            dir = %self.dir.display(),
            "the whole topic is gone and begins anew: what it held is not known any more; put it back from a backup"
        );
    }

    /// Lets the next record stand at `position` or behind it, in a segment of its own.
    pub(crate) fn skip_to(&self, position: u64) {
        let mut state = self.state();
        let next = state.log.next();
        if !state.log.skip_to(position) {
            return;
        }
        state.counters.corrupt_records += 1;
        self.is_seal_wanted.store(true, Ordering::Relaxed);
        self.durable.send_modify(|durable| durable.next = durable.next.max(position));
        drop(state);
        tracing::error!(
            topic = self.name,
            records = position - next,
            from = next,
            "the end of the log is lost: records that were read before are not there any more"
        );
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let queue_bytes = self.queue.bytes_in_flight();
        let state = self.state();
        let counters = state.counters;
        Statistics {
            records: counters.records,
            bytes: counters.bytes,
            fsyncs: counters.fsyncs,
            last_fsync_seconds: counters.last_fsync_seconds,
            write_failures: counters.write_failures,
            overloaded: self.overloaded.load(Ordering::Relaxed),
            queue_bytes,
            corrupt_records: counters.corrupt_records,
            torn_bytes: counters.torn_bytes,
            segments: state.log.segment_count(),
            size_bytes: state.log.size_bytes(),
            first_position: Position(state.log.first()),
            next_position: Position(state.log.next()),
            kafka: None,
        }
    }
}
