//! Questions of readers to whoever holds the windows.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use model::{
    Partition,
    values::{Discovery, ServiceValues, ValuesQuery},
};
use tokio::sync::{mpsc, oneshot};

/// Questions that wait for one judge; more than this at once and the asker is told to come back.
const MAX_QUESTIONS: usize = 64;

/// What readers ask of the holder of a partition's windows.
#[derive(Debug)]
pub(crate) enum Question {
    Values(ValuesQuery, oneshot::Sender<Vec<ServiceValues>>),
    Discovery(oneshot::Sender<Discovery>),
}

/// Asks the judges of this process; clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker(Arc<RwLock<BTreeMap<Partition, mpsc::Sender<Question>>>>);

impl Asker {
    /// The judge of `partition` answers from here on, until the receiver is gone.
    pub(crate) fn answer_for(&self, partition: Partition) -> mpsc::Receiver<Question> {
        let (sender, receiver) = mpsc::channel(MAX_QUESTIONS);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(partition, sender);
        receiver
    }

    /// Nobody here answers for `partition` any more.
    pub(crate) fn forget(&self, partition: Partition) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    /// Every judge's answer; `None` if there is no judge here, or one of them does not answer now.
    async fn ask<T>(&self, question: impl Fn(oneshot::Sender<T>) -> Question) -> Option<Vec<T>> {
        let judges: Vec<_> =
            self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut waiting = Vec::new();
        for judge in judges {
            let (sender, receiver) = oneshot::channel();
            judge.try_send(question(sender)).ok()?;
            waiting.push(receiver);
        }
        let mut answers = Vec::new();
        for receiver in waiting {
            answers.push(receiver.await.ok()?);
        }
        (!answers.is_empty()).then_some(answers)
    }
}

impl console::Values for Asker {
    fn values(&self, query: ValuesQuery) -> console::api::Answer<Vec<ServiceValues>> {
        let asker = self.clone();
        Box::pin(async move {
            let mut values = asker.ask(|reply| Question::Values(query.clone(), reply)).await?.concat();
            values.sort_by(|a, b| a.key.cmp(&b.key));
            Some(values)
        })
    }

    fn discovery(&self) -> console::api::Answer<Discovery> {
        let asker = self.clone();
        Box::pin(async move {
            let mut all = Discovery::default();
            for seen in asker.ask(Question::Discovery).await? {
                all.services.extend(seen.services);
                all.unplaced.extend(seen.unplaced);
            }
            all.services.sort_by(|a, b| a.key.cmp(&b.key));
            Some(all)
        })
    }
}
