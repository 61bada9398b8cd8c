//! How notices of each kind are told.
//!
//! Alerts follow Alertmanager's timing exactly. Notices about releases differ in three ways: what a sleeping
//! person needs now does not wait for the group's tick and how it went on follows soon, an end that nobody saw begin is still told, and what
//! is over once it is said is not repeated.

use std::time::Duration;

use model::{Notice, NoticeKind, NoticeStatus, Severity, Timestamp};

/// When a change of a notice is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// At the group's tick.
    None,
    /// Soon, together with what else is news by then: it asks for nothing.
    Soon,
    /// Now, without `group_wait` and `group_interval`: somebody may have to get up.
    Now,
}

/// How long after a message the next one follows that only tells how things went on: the steps of one rollback
/// often come within a second, and are one message then.
pub(crate) const FOLLOW_UP_PAUSE: Duration = Duration::from_secs(2);

/// Alerts keep the group's tick. A limit that breaks, whatever its severity, what is critical and what begins a
/// rollback waits for nothing, least of all for the interval that a message about progress has just begun; how a
/// rollback went, what is over, what was found, and what Ripcord may do comes soon.
pub(crate) fn haste(notice: &Notice) -> Haste {
    use NoticeKind as K;
    let is_over = notice.status == NoticeStatus::Resolved;
    match notice.kind {
        K::Alert => Haste::None,
        K::RolledBack | K::Recovered => Haste::Soon,
        K::RollbackPrepared | K::RollbackStarted | K::RollbackFailed if is_over => Haste::Soon,
        K::RollbackPrepared | K::RollbackStarted | K::RollbackFailed => Haste::Now,
        K::Breach if is_over => Haste::Soon,
        K::Breach => Haste::Now,
        K::Safety | K::Finding | K::ReleaseProgress => match notice.severity {
            Severity::Critical if is_over => Haste::Soon,
            Severity::Critical => Haste::Now,
            _ if notice.kind == K::Safety => Haste::Soon,
            Severity::Warning => Haste::Soon,
            Severity::Info => Haste::None,
        },
    }
}

/// More about what people have heard of: only what is critical is worth a message before the tick.
pub(crate) fn haste_of_update(notice: &Notice) -> Haste {
    if notice.severity == Severity::Critical { haste(notice) } else { Haste::None }
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
