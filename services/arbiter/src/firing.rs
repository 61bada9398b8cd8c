//! Notices that fire: each gets its resolved one, with the labels under which it was told.

use std::collections::BTreeMap;

use model::{Notice, NoticeKind, ReleaseId, checkpoint::FiringRecord};

use crate::bounds::MAX_FIRING;

pub(crate) use model::checkpoint::NoticeScope as Scope;

/// What tells one firing notice from another; two of one subject have equal labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) scope: Scope,
    pub(crate) kind: NoticeKind,
    /// The trigger's or finding's name, where a scope may have several notices of one kind.
    pub(crate) about: String,
}

impl Subject {
    pub(crate) fn of(scope: Scope, kind: NoticeKind) -> Self {
        Self { scope, kind, about: String::new() }
    }

    pub(crate) fn about(self, about: &str) -> Self {
        Self { about: about.to_owned(), ..self }
    }

    /// A release's own notice of `kind`.
    pub(crate) fn of_release(id: &ReleaseId, kind: NoticeKind) -> Self {
        Self::of(Scope::Release(id.clone()), kind)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Firing {
    notices: BTreeMap<Subject, Notice>,
}

impl Firing {
    pub(crate) fn state(&self) -> Vec<FiringRecord> {
        let record = |(subject, notice): (&Subject, &Notice)| FiringRecord {
            scope: subject.scope.clone(),
            kind: subject.kind,
            about: subject.about.clone(),
            notice: notice.clone(),
        };
        self.notices.iter().map(record).collect()
    }

    pub(crate) fn from_state(state: Vec<FiringRecord>) -> Self {
        let entry =
            |it: FiringRecord| (Subject { scope: it.scope, kind: it.kind, about: it.about }, it.notice);
        Self { notices: state.into_iter().map(entry).collect() }
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<&Notice> {
        self.notices.get(subject)
    }

    /// Remembers what fires; which one has to be resolved to make room.
    pub(crate) fn insert(&mut self, subject: Subject, notice: Notice) -> Option<Subject> {
        let oldest = if self.notices.contains_key(&subject) || self.notices.len() < MAX_FIRING {
            None
        } else {
            self.notices.iter().min_by_key(|(_, notice)| notice.starts_at).map(|(oldest, _)| oldest.clone())
        };
        self.notices.insert(subject, notice);
        oldest
    }

    pub(crate) fn remove(&mut self, subject: &Subject) -> Option<Notice> {
        self.notices.remove(subject)
    }

    /// Everything that fires about a release.
    pub(crate) fn of_release(&self, id: &ReleaseId) -> Vec<Subject> {
        let scope = Scope::Release(id.clone());
        let first = Subject::of(scope.clone(), NoticeKind::ReleaseProgress);
        let from = self.notices.range(first..).map(|(subject, _)| subject);
        from.take_while(|subject| subject.scope == scope).cloned().collect()
    }
}
