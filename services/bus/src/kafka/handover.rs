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

    /// Hands a failure over, unless the one before it was not taken yet.
    pub(crate) fn push_failure(&self, error: ReadError) {
        if !matches!(lock(&self.state).steps.back(), Some(Step::Failed(_))) {
            self.push([Step::Failed(error)]);
        }
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread, time::Duration};

    use super::*;

    fn record(bytes: usize) -> Step {
        let payload = vec![0; bytes].into();
        let new = Record {
            position: Position(0),
            key: Default::default(),
            at: Default::default(),
            headers: Vec::new(),
            payload,
            missing_before: 0,
            doubt: None,
        };
        Step::Record(new)
    }

    fn next(handover: &Handover) -> Poll<Step> {
        handover.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_fetches_waits_while_much_is_not_read_and_goes_on_at_half() {
        let handover = Arc::new(Handover::default());
        assert!(handover.push([record(BYTES_MAX / 4)]));
        let fetching = handover.clone();
        let fetching = thread::spawn(move || fetching.push([record(BYTES_MAX), record(BYTES_MAX / 4)]));
        while lock(&handover.state).steps.len() < 3 {
            thread::yield_now();
        }
        assert!(next(&handover).is_ready());
        thread::sleep(Duration::from_millis(20));
        assert!(!fetching.is_finished(), "still over half");
        assert!(next(&handover).is_ready());
        assert!(fetching.join().unwrap());
        assert!(next(&handover).is_ready());
        assert!(next(&handover).is_pending());
    }

    #[test]
    fn who_fetches_learns_that_nobody_reads_any_more() {
        let handover = Arc::new(Handover::default());
        let fetching = handover.clone();
        let fetching = thread::spawn(move || fetching.push([record(BYTES_MAX + 1)]));
        while lock(&handover.state).steps.is_empty() && !handover.is_abandoned() {
            thread::yield_now();
        }
        handover.abandon();
        assert!(!fetching.join().unwrap());
        assert!(!handover.push([]));
    }

    #[test]
    fn a_failure_that_is_not_taken_is_told_once() {
        let handover = Handover::default();
        for _ in 0..3 {
            handover.push_failure(ReadError::Closed);
        }
        assert!(matches!(next(&handover), Poll::Ready(Step::Failed(_))));
        assert!(next(&handover).is_pending());
    }
}
