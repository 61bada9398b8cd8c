//! What happened, oldest first: each thing once, whichever of its notices tell of it.

use model::{Notice, NoticeKind, NoticeStatus, Send};

use super::{Event, MAX_EVENTS, MAX_LINE_CHARS, headline, standing};
use crate::text::one_line;

/// The lines and how many of the oldest were left out.
pub(super) fn of(send: &Send, lead: Option<&Notice>) -> (Vec<Event>, u64) {
    let mut events = Vec::new();
    if let Some(lead) = lead.filter(|_| send.release.is_some()) {
        events.extend(milestones(send, lead));
    }
    for (at, notice) in send.notices.iter().enumerate() {
        let is_fresh = send.fresh.contains(&at);
        if is_told_by_another(send, at, notice) {
            events.extend(beginning(send, notice));
        } else {
            events.push(event(send, notice, is_fresh));
        }
    }
    events.sort_by_key(|event| event.at);
    without_repetitions(&mut events);
    let left_out = events.len().saturating_sub(MAX_EVENTS);
    events.drain(..left_out);
    (events, left_out as u64)
}

/// Whether a notice of a release ended because of something that is told anyway at the same moment.
fn is_told_by_another(send: &Send, at: usize, notice: &Notice) -> bool {
    let is_one_story = send.release.is_some() && notice.status == NoticeStatus::Resolved;
    let rank = |at: usize, notice: &Notice| {
        (!headline::is_end(notice), headline::gravity(notice.kind), std::cmp::Reverse(at))
    };
    let is_covered = |(other_at, other): (usize, &Notice)| {
        other_at != at
            && headline::moment(other) == headline::moment(notice)
            && rank(other_at, other) > rank(at, notice)
            && (other.status == NoticeStatus::Firing || summary(other) == summary(notice))
    };
    is_one_story && send.notices.iter().enumerate().any(is_covered)
}

fn summary(notice: &Notice) -> Option<&str> {
    notice.annotations.get("summary")
}

/// What the release and its command remember, though the notices that told it are gone.
fn milestones(send: &Send, lead: &Notice) -> Vec<Event> {
    let plain = |at, text: String| Event {
        at,
        tone: super::Tone::Info,
        text: one_line(&text, MAX_LINE_CHARS),
        is_fresh: false,
    };
    let mut events = Vec::new();
    // While it goes out its progress says so itself.
    let is_going_out =
        |it: &Notice| it.kind == NoticeKind::ReleaseProgress && it.status == NoticeStatus::Firing;
    if let Some(release) = lead.release.as_ref().filter(|_| !send.notices.iter().any(is_going_out)) {
        let instead = release.previous_version.as_ref().map(|version| format!(" instead of {version}"));
        let text = format!("{} went out{}", release.version, instead.unwrap_or_default());
        events.push(plain(release.started_at, text));
    }
    if let Some(command) =
        lead.command.as_ref().filter(|_| matches!(lead.kind, NoticeKind::RolledBack | NoticeKind::Recovered))
    {
        let to = command.to_version.as_ref().map_or(String::new(), |version| format!(" to {version}"));
        let text = format!("rollback{to} decided");
        events.push(Event { tone: super::Tone::Alarm, ..plain(command.decided_at, text) });
    }
    events
}

/// How a thing began whose end another line tells.
fn beginning(send: &Send, notice: &Notice) -> Option<Event> {
    let firing = Notice { status: NoticeStatus::Firing, ..notice.clone() };
    let text = match notice.kind {
        NoticeKind::RolledBack | NoticeKind::Breach => headline::action(send, &firing),
        _ => return None,
    };
    Some(Event {
        at: notice.starts_at,
        tone: headline::tone(NoticeStatus::Firing, notice.severity),
        text: one_line(&text, MAX_LINE_CHARS),
        is_fresh: false,
    })
}

fn event(send: &Send, notice: &Notice, is_fresh: bool) -> Event {
    let tone = match notice.kind {
        NoticeKind::Alert | NoticeKind::Breach | NoticeKind::Finding => {
            headline::tone(notice.status, notice.severity)
        }
        _ => headline::tag(send, notice).1,
    };
    Event { at: headline::moment(notice), tone, text: text(send, notice), is_fresh }
}

/// The notice's summary, or what happened where the summary would only repeat values that stand above; with the
/// service where the message is about several.
fn text(send: &Send, notice: &Notice) -> String {
    let text = match summary(notice).filter(|text| !text.is_empty()) {
        Some(_) if speaks_by_its_kind(notice.kind) => headline::action(send, notice),
        // The summaries of our own notices say how it ended; those of alerts from elsewhere stay as they were.
        Some(summary) if notice.status == NoticeStatus::Resolved && notice.kind == NoticeKind::Alert => {
            format!("resolved: {summary}")
        }
        Some(summary) => standing::about_itself(send, notice, summary),
        None if notice.kind == NoticeKind::Alert => bare_alert(send, notice),
        None => match headline::numbers(notice) {
            Some(numbers) => format!("{} ({numbers})", headline::action(send, notice)),
            None => headline::action(send, notice),
        },
    };
    let service = notice.labels.get("service").filter(|_| send.common_labels.get("service").is_none());
    match service {
        Some(service) if !text.contains(service) => one_line(&format!("{service}: {text}"), MAX_LINE_CHARS),
        _ => one_line(&text, MAX_LINE_CHARS),
    }
}

/// Whether a line says all there is to say by its kind alone.
fn speaks_by_its_kind(kind: NoticeKind) -> bool {
    use NoticeKind as K;
    matches!(kind, K::Breach | K::RollbackPrepared | K::RollbackStarted | K::RolledBack | K::RollbackFailed)
}

/// An alert without a summary: its name, and the labels that tell it from the others of the message.
fn bare_alert(send: &Send, notice: &Notice) -> String {
    let is_over = if notice.status == NoticeStatus::Resolved { "resolved: " } else { "" };
    let own = notice.labels.iter().filter(|(name, value)| {
        *name != "alertname" && (send.notices.len() == 1 || send.common_labels.get(name) != Some(*value))
    });
    let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{is_over}{} {}", headline::action(send, notice), own.join(" ")).trim_end().to_owned()
}

/// The same sentence is told once, when it was first true, as news if one of them is.
fn without_repetitions(events: &mut Vec<Event>) {
    let mut kept: Vec<Event> = Vec::new();
    for event in events.drain(..) {
        match kept.iter_mut().find(|known| known.text == event.text) {
            Some(known) => known.is_fresh |= event.is_fresh,
            None => kept.push(event),
        }
    }
    *events = kept;
}
