//! How notices of each kind are told.
//!
//! Alerts follow Alertmanager's timing exactly. Notices about releases differ in three ways: what a sleeping
//! person needs now does not wait for the group's tick, an end that nobody saw begin is still told, and what
//! is over once it is said is not repeated.

use model::{Notice, NoticeKind, NoticeStatus, Severity, Timestamp};

/// Whether a change of this notice is told at once, without `group_wait` and `group_interval`: it is about a
/// release, and critical or a step of a rollback.
pub(crate) fn is_urgent(notice: &Notice) -> bool {
    use NoticeKind as K;
    match notice.kind {
        K::Alert => false,
        K::RollbackPrepared | K::RollbackStarted | K::RolledBack | K::RollbackFailed | K::Recovered => true,
        K::ReleaseProgress | K::Breach | K::Finding | K::Safety => notice.severity == Severity::Critical,
    }
}

/// Whether it is told even if it came resolved and nobody heard of it firing.
pub(crate) fn is_news(kind: NoticeKind) -> bool {
    use NoticeKind as K;
    matches!(kind, K::ReleaseProgress | K::RolledBack | K::RollbackFailed | K::Recovered)
}

/// Whether it asks for something, so that it is told again while it fires.
pub(crate) fn repeats(kind: NoticeKind) -> bool {
    use NoticeKind as K;
    !matches!(kind, K::ReleaseProgress | K::RollbackStarted | K::RolledBack | K::Recovered)
}

/// Whether the same notice with other content is worth a message. Of alerts it is not: senders repeat them
/// every minute, and annotations with a value in them differ each time.
pub(crate) fn tells_updates(kind: NoticeKind) -> bool {
    kind != NoticeKind::Alert
}

/// Whether it fires at `at`: senders may say in advance when an alert ends.
pub(crate) fn status_at(notice: &Notice, at: Timestamp) -> NoticeStatus {
    let is_ended = notice.ends_at.is_some_and(|end| end <= at);
    if is_ended { NoticeStatus::Resolved } else { notice.status }
}
