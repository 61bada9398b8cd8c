//! A publisher for tests: keeps what it is given, and answers as it is told to, badly too.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Message, PublishError, Published, Publisher};

/// How the double answers a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Published,
    /// Not now.
    Busy(&'static str),
    /// Not ever.
    Refused(&'static str),
    /// Never.
    Hang,
}

#[derive(Debug, Default)]
struct Inner {
    next: VecDeque<Answer>,
    always: Option<Answer>,
    published: Vec<Message>,
}

/// The double; everything is published unless it is told otherwise.
#[derive(Debug, Default)]
pub struct PublisherDouble(Mutex<Inner>);

impl PublisherDouble {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the next messages like this, in order; afterwards as before.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner().next.extend(answers);
    }

    /// Answers like this from now on.
    pub fn answer_always(&self, answer: Answer) {
        self.inner().always = Some(answer);
    }

    /// Every message that came in, in order, whatever it was answered.
    pub fn messages(&self) -> Vec<Message> {
        self.inner().published.clone()
    }
}

impl Publisher for PublisherDouble {
    fn publish<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Published, PublishError>> + Send + 'a>> {
        Box::pin(async move {
            let (answer, offset) = {
                let mut inner = self.inner();
                inner.published.push(message.clone());
                let always = inner.always.clone();
                (inner.next.pop_front().or(always).unwrap_or(Answer::Published), inner.published.len() - 1)
            };
            let refused =
                |reason: &str, is_retryable| Err(PublishError { reason: reason.to_owned(), is_retryable });
            match answer {
                Answer::Published => Ok(Published { partition: 0, offset: offset as u64 }),
                Answer::Busy(reason) => refused(reason, true),
                Answer::Refused(reason) => refused(reason, false),
                Answer::Hang => std::future::pending().await,
            }
        })
    }
}
