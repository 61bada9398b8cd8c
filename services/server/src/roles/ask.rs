//! Questions of readers to whoever holds the windows.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use analyzer::Keeper;
use ingest::Refusals;
use model::{
    Partition, ServiceKey,
    values::{Discovery, ServiceValues, ValuesQuery},
};
use tokio::sync::{mpsc, oneshot};

use super::shadow::Shadows;

/// Questions that wait for one judge; more than this at once and the asker is told to come back.
pub(crate) const MAX_QUESTIONS: usize = 64;

/// Longest wait for an answer: a partition that nobody asked about lately is read from its last snapshot on first.
const PATIENCE: Duration = Duration::from_secs(20);

/// What readers ask of the holder of a partition's windows.
#[derive(Debug)]
pub(crate) enum Question {
    Values(ValuesQuery, oneshot::Sender<Vec<ServiceValues>>),
    Discovery(oneshot::Sender<Discovery>),
}

/// Answers from the windows as they are.
pub(crate) fn answer(keeper: &Keeper, question: Question) {
    let analyzer = keeper.analyzer();
    // A reader that went away is not told.
    match question {
        Question::Values(query, reply) => drop(reply.send(analyzer.values(keeper.now(), &query))),
        Question::Discovery(reply) => drop(reply.send(analyzer.discovery())),
    }
}

/// The judges of this process; clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judges(Arc<RwLock<BTreeMap<Partition, mpsc::Sender<Question>>>>);

impl Judges {
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

    fn of(&self, partition: Partition) -> Option<mpsc::Sender<Question>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&partition).cloned()
    }
}

/// Asks the judges of this process and the shadows of the others'.
#[derive(Clone)]
pub(crate) struct Asker {
    judges: Judges,
    /// How many partitions there are.
    partitions: u32,
    /// `None`: no other process can have what this one has not.
    shadows: Option<Shadows>,
    /// What this process did not take in.
    refusals: Refusals,
}

impl Asker {
    pub(crate) fn new(judges: Judges, partitions: u32, shadows: Option<Shadows>, refusals: Refusals) -> Self {
        Self { judges, partitions, shadows, refusals }
    }

    /// The answers for these partitions; `None` if one of them does not answer now.
    async fn ask<T>(
        &self,
        partitions: Vec<Partition>,
        question: impl Fn(oneshot::Sender<T>) -> Question,
    ) -> Option<Vec<T>> {
        let mut waiting = Vec::new();
        for partition in partitions {
            let shadow = || self.shadows.as_ref().map(|shadows| shadows.of(partition));
            let holder = self.judges.of(partition).or_else(shadow)?;
            let (sender, receiver) = oneshot::channel();
            holder.try_send(question(sender)).ok()?;
            waiting.push(receiver);
        }
        let all = async {
            let mut answers = Vec::new();
            for receiver in waiting {
                answers.push(receiver.await.ok()?);
            }
            Some(answers)
        };
        tokio::time::timeout(PATIENCE, all).await.ok().flatten()
    }

    /// Where a service is judged; without an environment it may be anywhere.
    fn partitions_of(&self, query: &ValuesQuery) -> Vec<Partition> {
        match &query.environment {
            Some(environment) => {
                let key = ServiceKey::new(query.service.clone(), environment.clone());
                vec![Partition::of(&key, self.partitions)]
            }
            None => self.all(),
        }
    }

    fn all(&self) -> Vec<Partition> {
        (0..self.partitions).map(Partition).collect()
    }
}

impl console::Values for Asker {
    fn values(&self, query: ValuesQuery) -> console::api::Answer<Vec<ServiceValues>> {
        let asker = self.clone();
        Box::pin(async move {
            let partitions = asker.partitions_of(&query);
            let answers = asker.ask(partitions, |reply| Question::Values(query.clone(), reply)).await?;
            let mut values = answers.concat();
            values.sort_by(|a, b| a.key.cmp(&b.key));
            Some(values)
        })
    }

    fn discovery(&self) -> console::api::Answer<Discovery> {
        let asker = self.clone();
        Box::pin(async move {
            let mut all = Discovery::default();
            for seen in asker.ask(asker.all(), Question::Discovery).await? {
                all.add(seen);
            }
            all.refused = asker.refusals.all();
            Some(all)
        })
    }
}
