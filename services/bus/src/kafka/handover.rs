//! From the thread that fetches to the task that reads, bounded by bytes.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use model::Position;

use crate::{ReadError, Record, kafka::cluster::lock};

/// Bytes of records fetched and not yet read, beside what librdkafka has ready. Enough to read on while the
/// thread wakes up.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// What comes over.
#[derive(Debug)]
pub(crate) enum Step {
    Record(Record),
    /// Nothing before this can be read any more.
    SkipTo(Position),
    /// Something an operator has to see to.
    Failed(ReadError),
    /// There will be nothing more.
    End,
}

#[derive(Debug, Default)]
pub(crate) struct Handover {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    bytes: usize,
    waker: Option<Waker>,
    is_abandoned: bool,
}

impl Handover {
    /// Hands `steps` over, then waits for room; `false`: nobody reads any more.
    pub(crate) fn push(&self, steps: impl IntoIterator<Item = Step>) -> bool {
        let mut state = lock(&self.state);
        for step in steps {
            state.bytes += bytes(&step);
            state.steps.push_back(step);
        }
        let waker = if state.steps.is_empty() { None } else { state.waker.take() };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        let state = lock(&self.state);
        let full = |state: &mut State| state.bytes > BYTES_MAX && !state.is_abandoned;
        let state = self.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        !state.is_abandoned
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        lock(&self.state).is_abandoned
    }

    /// Nobody will read any more.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.is_abandoned = true;
        state.steps.clear();
        self.room.notify_all();
    }

    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Step> {
        let mut state = lock(&self.state);
        let Some(step) = state.steps.pop_front() else {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let before = state.bytes;
        state.bytes -= bytes(&step);
        // Only at half, so that the thread is woken for many records and not for each.
        if before > BYTES_MAX / 2 && state.bytes <= BYTES_MAX / 2 {
            self.room.notify_all();
        }
        Poll::Ready(step)
    }
}

fn bytes(step: &Step) -> usize {
    let Step::Record(record) = step else { return 0 };
    let headers = record.headers.iter().map(|(name, value)| name.len() + value.len());
    size_of::<Record>() + record.key.len() + record.payload.len() + headers.sum::<usize>()
}
