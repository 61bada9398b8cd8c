//! Which message continues which: what the channel left behind for the last delivered one.

use std::collections::BTreeMap;

use model::ReleaseId;

use crate::{entry::Channel, limits::MAX_THREADS};

/// What a thread is about: a release wherever it is told of, else a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Release(ReleaseId),
    Group(String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Threads {
    by_subject: BTreeMap<(Channel, Subject), (String, u64)>,
    /// By last use, oldest first.
    by_use: BTreeMap<u64, (Channel, Subject)>,
    uses: u64,
}

impl Threads {
    pub(crate) fn get(&self, channel: &Channel, subject: &Subject) -> Option<&str> {
        let (thread, _) = self.by_subject.get(&(channel.clone(), subject.clone()))?;
        Some(thread)
    }

    pub(crate) fn remember(&mut self, channel: Channel, subject: Subject, thread: String) {
        let key = (channel, subject);
        self.uses += 1;
        if let Some((_, used)) = self.by_subject.insert(key.clone(), (thread, self.uses)) {
            self.by_use.remove(&used);
        }
        self.by_use.insert(self.uses, key);
        if self.by_use.len() > MAX_THREADS
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_subject.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, channel: Channel, subject: Subject) {
        if let Some((_, used)) = self.by_subject.remove(&(channel, subject)) {
            self.by_use.remove(&used);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_subject.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_limit_the_longest_unused_thread_is_forgotten() {
        let channel = Channel { receiver: "sre".into(), kind: "slack".into(), index: 0 };
        let subject = |at: usize| Subject::Group(at.to_string());
        let mut threads = Threads::default();
        for at in 0..MAX_THREADS {
            threads.remember(channel.clone(), subject(at), "a".into());
        }
        threads.remember(channel.clone(), subject(0), "b".into());
        threads.remember(channel.clone(), subject(MAX_THREADS), "c".into());
        assert_eq!(threads.len(), MAX_THREADS);
        assert_eq!(threads.get(&channel, &subject(0)), Some("b"));
        assert_eq!(threads.get(&channel, &subject(1)), None);
    }
}
