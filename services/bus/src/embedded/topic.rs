//! One ordered log of records, on disk.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use model::{Position, Timestamp};
use tokio::sync::oneshot;

use crate::embedded::{
    AppendError, Bounds, NewRecord, RECORD_BYTES_MAX, ReadError, Statistics, queue::Pending, reader::Reader,
    shared::Shared, stored,
};

/// A handle to one topic; clones are the same topic. When the last one goes, what was appended is still
/// written, without anybody waiting for it; [`Topic::close`] waits.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Topic {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { handle: Arc::new(Handle { shared }) }
    }

    /// Appends `record`; resolves to its position once it is durable.
    ///
    /// The place in the order is taken by the call, not by the first poll: two calls after one another stand
    /// on the log in that order. Dropping the future does not take the record back.
    pub(crate) fn append(&self, record: &NewRecord) -> Append {
        match self.enqueue(record) {
            Ok(answer) => Append(Waiting::ForAnswer(answer)),
            Err(error) => Append(Waiting::Refused(Some(error))),
        }
    }

    fn enqueue(&self, record: &NewRecord) -> Result<AnswerReceiver, AppendError> {
        let shared = &self.handle.shared;
        let payload = stored::encode(record);
        if payload.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes: payload.len(), limit: RECORD_BYTES_MAX });
        }
        let at = record.at;
        let (answer, receiver) = oneshot::channel();
        let pushed = shared.queue.push(Pending { at, payload, answer });
        if matches!(pushed, Err(AppendError::Overloaded { .. })) {
            shared.overloaded.fetch_add(1, Ordering::Relaxed);
        }
        pushed.map(|()| receiver)
    }

    /// A reader that begins at `from`, or at the oldest record that is left if `from` is gone (the first
    /// record's `missing_before` says how far that is), or waits for `from` if it is not there yet.
    pub(crate) fn reader(&self, from: Position) -> Reader {
        Reader::new(self.handle.shared.clone(), from)
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let state = self.handle.shared.state();
        Bounds { first: Position(state.log.first()), next: Position(state.log.next()) }
    }

    /// Keeps what stands at `position` and behind from retention.
    pub(crate) fn keep_from(&self, position: Position) {
        self.handle.shared.state().log.keep_from(position.0);
    }

    /// Gives no position before `position` from here on: somebody remembers having seen records there.
    pub(crate) fn skip_to(&self, position: Position) {
        self.handle.shared.skip_to(position.0);
    }

    /// The position of the first record stamped `at` or later; `next` of the bounds if there is none.
    pub(crate) async fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        let base = self.handle.shared.state().log.first_segment_reaching(at);
        let mut reader = self.reader(Position(base));
        while let Some(record) = reader.next_durable().await? {
            if record.at >= at {
                return Ok(record.position);
            }
        }
        Ok(reader.position())
    }

    /// Says that the topic was there and is not any more.
    pub(crate) fn report_lost(&self) {
        self.handle.shared.report_lost();
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.handle.shared.statistics()
    }

    /// Takes no more records, and resolves when every record already taken is durable or its append has
    /// failed. Readers get what is left, then [`ReadError::Closed`].
    pub(crate) async fn close(&self) {
        self.handle.shared.queue.close();
        let mut durable = self.handle.shared.durable.subscribe();
        // Fails only if the sender is gone, and this handle holds it.
        drop(durable.wait_for(|durable| durable.is_closed).await);
    }
}

type AnswerReceiver = oneshot::Receiver<Result<Position, AppendError>>;

/// An append under way; see [`Topic::append`].
#[derive(Debug)]
#[must_use = "a record is durable only once this has resolved to `Ok`"]
pub(crate) struct Append(Waiting);

#[derive(Debug)]
enum Waiting {
    ForAnswer(AnswerReceiver),
    Refused(Option<AppendError>),
}

impl Future for Append {
    type Output = Result<Position, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Waiting::ForAnswer(answer) => Pin::new(answer)
                .poll(context)
                // The writer is gone without an answer.
                .map(|answer| answer.unwrap_or(Err(AppendError::Closed))),
            Waiting::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(AppendError::Closed))),
        }
    }
}
