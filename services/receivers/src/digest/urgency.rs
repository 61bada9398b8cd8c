//! How loudly a message comes: as a change of what stands already, as a new message, or with a mention.

use model::{Notice, NoticeKind, NoticeStatus, Send, SendReason, Severity};

use super::headline;

/// Louder is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Progress: the message that stands is changed, its thread gets a line.
    Quiet,
    /// News that people should see: a message of its own.
    Loud,
    /// Production is in danger or a person has to act: a message of its own that mentions somebody.
    Page,
}

/// The loudest of what is new in the message; a reminder is as loud as what it reminds of.
pub(super) fn of(send: &Send) -> Urgency {
    let fresh = send.fresh.iter().filter_map(|&at| send.notices.get(at));
    let is_firing = |notice: &&Notice| notice.status == NoticeStatus::Firing;
    let loudest = match send.reason {
        SendReason::RepeatIntervalElapsed => send.notices.iter().filter(is_firing).map(level).max(),
        // More about what people heard of already.
        SendReason::Updated => fresh.filter(|notice| !is_firing(notice)).map(level).max(),
        _ => fresh.map(level).max(),
    };
    loudest.unwrap_or(Urgency::Quiet)
}

fn level(notice: &Notice) -> Urgency {
    use NoticeKind as K;
    match (notice.kind, notice.status) {
        (K::ReleaseProgress, _) => Urgency::Quiet,
        (K::Recovered, _) | (K::RolledBack | K::RollbackFailed, NoticeStatus::Resolved) => Urgency::Loud,
        // Nobody approved it, and the version is still out.
        (K::RollbackPrepared, NoticeStatus::Resolved) if headline::has_expired(notice) => Urgency::Page,
        (_, NoticeStatus::Resolved) => Urgency::Quiet,
        (K::Breach | K::RollbackPrepared | K::RollbackStarted | K::RollbackFailed | K::RolledBack, _) => {
            Urgency::Page
        }
        (K::Safety | K::Alert | K::Finding, _) if notice.severity == Severity::Critical => Urgency::Page,
        (K::Finding, _) if notice.severity == Severity::Info => Urgency::Quiet,
        (K::Safety | K::Alert | K::Finding, _) => Urgency::Loud,
    }
}

#[cfg(test)]
mod tests {
    use model::CommandState;

    use super::*;
    use crate::fixture;

    #[test]
    fn alarms_page_news_are_messages_and_progress_is_neither() {
        use NoticeKind as K;
        use NoticeStatus as S;
        for (kind, severity, status, urgency) in [
            (K::Breach, Severity::Warning, S::Firing, Urgency::Page),
            (K::Breach, Severity::Critical, S::Resolved, Urgency::Quiet),
            (K::RollbackPrepared, Severity::Critical, S::Firing, Urgency::Page),
            (K::RollbackPrepared, Severity::Critical, S::Resolved, Urgency::Quiet),
            (K::RollbackStarted, Severity::Critical, S::Firing, Urgency::Page),
            (K::RolledBack, Severity::Critical, S::Firing, Urgency::Page),
            (K::RollbackFailed, Severity::Critical, S::Firing, Urgency::Page),
            (K::Recovered, Severity::Info, S::Resolved, Urgency::Loud),
            (K::ReleaseProgress, Severity::Info, S::Firing, Urgency::Quiet),
            (K::ReleaseProgress, Severity::Critical, S::Resolved, Urgency::Quiet),
            (K::Finding, Severity::Critical, S::Firing, Urgency::Page),
            (K::Finding, Severity::Warning, S::Firing, Urgency::Loud),
            (K::Finding, Severity::Info, S::Firing, Urgency::Quiet),
            (K::Safety, Severity::Critical, S::Firing, Urgency::Page),
            (K::Safety, Severity::Warning, S::Firing, Urgency::Loud),
            (K::Alert, Severity::Critical, S::Firing, Urgency::Page),
            (K::Alert, Severity::Info, S::Firing, Urgency::Loud),
            (K::Alert, Severity::Critical, S::Resolved, Urgency::Quiet),
        ] {
            let mut notice = fixture::notice(kind, 0, "");
            (notice.severity, notice.status) = (severity, status);
            let send = fixture::send_of("slack", vec![notice]);
            assert_eq!(of(&send), urgency, "{} {severity:?} {status:?}", kind.as_str());
        }
    }

    #[test]
    fn an_approval_that_nobody_gave_pages_a_reminder_too_and_an_update_does_not() {
        let mut expired = fixture::notice(NoticeKind::RollbackPrepared, 0, "");
        expired.status = NoticeStatus::Resolved;
        expired.command.as_mut().unwrap().state = CommandState::Expired;
        assert_eq!(of(&fixture::send_of("slack", vec![expired])), Urgency::Page);
        let mut send = fixture::send_of("slack", vec![fixture::notice(NoticeKind::RollbackPrepared, 0, "")]);
        send.fresh.clear();
        send.reason = SendReason::RepeatIntervalElapsed;
        assert_eq!(of(&send), Urgency::Page);
        (send.fresh, send.reason) = (vec![0], SendReason::Updated);
        assert_eq!(of(&send), Urgency::Quiet);
    }
}
