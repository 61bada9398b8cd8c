//! Which notice a message leads with, and that in one line.

use model::{CommandState, Evidence, Notice, NoticeKind, NoticeStatus, Reason, ReleaseState, Send, Severity};

use super::{Tone, standing, values};
use crate::text::one_line;

/// Longest name (service, version, environment) inside a line, in characters.
const MAX_NAME_CHARS: usize = 80;

/// The notice that a message leads with. About a release it says where the release stands: a rollback that waits,
/// is under way, failed or was done comes before everything else. Else it is the latest of what is new; at one
/// moment what begins before what ends, and the one with the gravest consequence.
pub(super) fn lead(send: &Send) -> Option<&Notice> {
    let stands = |notice: &&Notice| notice.status == NoticeStatus::Firing && is_standing(notice.kind);
    let standing = send.notices.iter().filter(|_| send.release.is_some()).filter(stands);
    if let Some(standing) = standing.max_by_key(|notice| (notice.starts_at, gravity(notice.kind))) {
        return Some(standing);
    }
    let fresh: Vec<&Notice> = send.fresh.iter().filter_map(|&at| send.notices.get(at)).collect();
    let candidates = if fresh.is_empty() { send.notices.iter().collect() } else { fresh };
    candidates.into_iter().max_by_key(|notice| (moment(notice), !is_end(notice), gravity(notice.kind)))
}

fn is_standing(kind: NoticeKind) -> bool {
    use NoticeKind as K;
    matches!(kind, K::RollbackPrepared | K::RollbackStarted | K::RollbackFailed | K::RolledBack)
}

/// When the notice's status began.
pub(super) fn moment(notice: &Notice) -> model::Timestamp {
    match notice.status {
        NoticeStatus::Firing => notice.starts_at,
        NoticeStatus::Resolved => notice.ends_at.unwrap_or(notice.starts_at),
    }
}

/// Whether it only says that something is over; a recovery and the end of a watch are news themselves.
pub(super) fn is_end(notice: &Notice) -> bool {
    let is_news = matches!(notice.kind, NoticeKind::Recovered | NoticeKind::ReleaseProgress);
    notice.status == NoticeStatus::Resolved && !is_news
}

pub(super) fn gravity(kind: NoticeKind) -> u8 {
    match kind {
        NoticeKind::RollbackFailed => 9,
        NoticeKind::RolledBack => 8,
        NoticeKind::Recovered => 7,
        NoticeKind::RollbackStarted => 6,
        NoticeKind::RollbackPrepared => 5,
        NoticeKind::Breach => 4,
        NoticeKind::Safety => 3,
        NoticeKind::Alert => 2,
        NoticeKind::Finding => 1,
        NoticeKind::ReleaseProgress => 0,
    }
}

/// What the message begins with: alarms fire and are resolved, everything else says what it is.
pub(super) fn tag(send: &Send, lead: &Notice) -> (String, Tone) {
    let is_over = lead.status == NoticeStatus::Resolved;
    let state = lead.command.as_ref().map(|command| command.state);
    let (tag, tone) = match lead.kind {
        NoticeKind::ReleaseProgress => {
            let is_good =
                lead.release.as_ref().is_some_and(|release| release.state == ReleaseState::Succeeded);
            ("RELEASE", if is_good { Tone::Good } else { Tone::Info })
        }
        NoticeKind::RolledBack => ("ROLLED BACK", if is_over { Tone::Good } else { Tone::Warning }),
        NoticeKind::Recovered => ("RECOVERED", Tone::Good),
        NoticeKind::RollbackPrepared if !is_over => ("APPROVAL NEEDED", Tone::Alarm),
        NoticeKind::RollbackPrepared | NoticeKind::RollbackStarted if is_over => match state {
            Some(CommandState::Rejected) => ("REJECTED", Tone::Warning),
            Some(CommandState::Expired) => ("EXPIRED", Tone::Alarm),
            Some(CommandState::Cancelled) => ("CANCELLED", Tone::Warning),
            _ => ("RESOLVED", Tone::Good),
        },
        NoticeKind::Safety if is_halt(lead) && is_over => ("HALT OVER", Tone::Good),
        NoticeKind::Safety if is_halt(lead) => ("HALTED", Tone::Warning),
        _ => return alarm(send, lead),
    };
    (tag.to_owned(), tone)
}

/// `FIRING`, or `FIRING:3` where the message is about several things.
fn alarm(send: &Send, lead: &Notice) -> (String, Tone) {
    if send.release.is_some() {
        let word = word(lead.status);
        return (word.to_owned(), tone(lead.status, lead.severity));
    }
    let told = || send.notices.iter().filter(|notice| notice.status == send.status);
    let severity = told().map(|notice| notice.severity).max().unwrap_or_default();
    let word = word(send.status);
    let count = told().count();
    let text = if count > 1 { format!("{word}:{count}") } else { word.to_owned() };
    (text, tone(send.status, severity))
}

fn word(status: NoticeStatus) -> &'static str {
    match status {
        NoticeStatus::Firing => "FIRING",
        NoticeStatus::Resolved => "RESOLVED",
    }
}

/// How a notice of this severity sounds.
pub(super) fn tone(status: NoticeStatus, severity: Severity) -> Tone {
    match (status, severity) {
        (NoticeStatus::Resolved, _) => Tone::Good,
        (NoticeStatus::Firing, Severity::Critical) => Tone::Alarm,
        (NoticeStatus::Firing, Severity::Warning) => Tone::Warning,
        (NoticeStatus::Firing, Severity::Info) => Tone::Info,
    }
}

pub(super) fn is_halt(notice: &Notice) -> bool {
    notice.kind == NoticeKind::Safety && notice.labels.get("halt").is_some()
}

/// `checkout 2.4.1 in production`; where the group has no service, its labels.
pub(super) fn subject(send: &Send, lead: Option<&Notice>) -> String {
    let label = |name: &str| {
        let of_lead = || lead.filter(|_| send.notices.len() == 1).and_then(|notice| notice.labels.get(name));
        send.common_labels.get(name).or_else(of_lead).map(|value| one_line(value, MAX_NAME_CHARS))
    };
    let name = |text: &str| Some(one_line(text, MAX_NAME_CHARS)).filter(|text| !text.is_empty());
    let (service, environment, version, cluster) = match &send.release {
        Some(release) => (
            name(&release.key.service),
            name(&release.key.environment),
            name(&release.version),
            release.cluster.as_deref().and_then(name),
        ),
        None => (label("service"), label("environment"), label("version"), label("cluster")),
    };
    let environment = environment.map_or(String::new(), |environment| format!(" in {environment}"));
    let Some(service) = service else {
        if lead.is_some_and(is_halt) {
            return format!("everything{environment}");
        }
        let group = if send.group_labels.is_empty() { &send.common_labels } else { &send.group_labels };
        return one_line(&group.to_string(), 2 * MAX_NAME_CHARS);
    };
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    let cluster = cluster.map_or(String::new(), |cluster| format!(" ({cluster})"));
    format!("{service}{version}{environment}{cluster}")
}

/// What happened: `rolling back to 2.4.0`.
pub(super) fn action(send: &Send, notice: &Notice) -> String {
    let version = notice.command.as_ref().and_then(|command| command.to_version.as_deref());
    let version = version.map(|version| one_line(version, MAX_NAME_CHARS));
    let to = version.as_ref().map_or(String::new(), |version| format!(" to {version}"));
    let is_over = notice.status == NoticeStatus::Resolved;
    let said = |name: &str| notice.annotations.get(name).map(|text| one_line(text, 2 * MAX_NAME_CHARS));
    let alert = || notice.labels.get("alertname").map(|name| one_line(name, MAX_NAME_CHARS));
    match notice.kind {
        NoticeKind::RollbackPrepared | NoticeKind::RollbackStarted if is_over => {
            let end = match notice.command.as_ref().map(|command| command.state) {
                Some(CommandState::Rejected) => "was rejected",
                Some(CommandState::Expired) => "expired: nobody approved it",
                Some(CommandState::Cancelled) => "was cancelled",
                Some(CommandState::Failed) => "failed",
                Some(CommandState::Succeeded) => "is done",
                _ => "is on its way",
            };
            format!("the rollback{to} {end}")
        }
        NoticeKind::RollbackPrepared => format!("a rollback{to} waits for approval"),
        NoticeKind::RollbackStarted => format!("rolling back{to}"),
        NoticeKind::RolledBack => format!("rolled back{to}"),
        NoticeKind::RollbackFailed if is_over => format!("the failed rollback{to} is settled"),
        NoticeKind::RollbackFailed => format!("the rollback{to} failed"),
        NoticeKind::Recovered => {
            version.map_or_else(|| "recovered".to_owned(), |version| format!("recovered on {version}"))
        }
        NoticeKind::Breach if is_over => {
            format!("{} again", limit(notice, "within the limit", "within its limits"))
        }
        NoticeKind::Breach => limit(notice, "over the limit", "a limit is broken"),
        NoticeKind::ReleaseProgress => match &notice.release {
            Some(release) => progress(release.state),
            None => said("summary").unwrap_or_else(|| "release progress".to_owned()),
        },
        NoticeKind::Safety if is_halt(notice) && is_over => "automatic action goes on".to_owned(),
        NoticeKind::Safety if is_halt(notice) => "no automatic action".to_owned(),
        NoticeKind::Alert => alert().or_else(|| said("summary")).unwrap_or_else(|| "alert".to_owned()),
        NoticeKind::Finding | NoticeKind::Safety => {
            let own = said("summary").map(|summary| standing::about_itself(send, notice, &summary));
            own.or_else(alert).unwrap_or_else(|| notice.kind.as_str().to_owned())
        }
    }
}

/// What is broken, by the name that the policy gives it: `"High Error Rate" is over the limit`.
fn limit(notice: &Notice, of_one: &str, of_any: &str) -> String {
    match notice.reasons.first().map(|reason| one_line(&reason.trigger, MAX_NAME_CHARS)) {
        Some(trigger) if !trigger.is_empty() => format!("{trigger} is {of_one}"),
        _ => of_any.to_owned(),
    }
}

fn progress(state: ReleaseState) -> String {
    match state {
        ReleaseState::Pending => "about to go out".to_owned(),
        ReleaseState::Progressing => "going out".to_owned(),
        ReleaseState::Watching => "out and under watch".to_owned(),
        ReleaseState::Unproven => "the watch ended, too little was seen".to_owned(),
        other => other.as_str().replace('_', " "),
    }
}

/// How bad it is, in a few words: `8.3 % of requests fail, limit 1 %`; nothing where the news is that it is over.
pub(super) fn numbers(notice: &Notice) -> Option<String> {
    let (reason, evidence) = tipping(notice)?;
    Some(one_line(&values::short(reason, evidence), 2 * MAX_NAME_CHARS))
}

/// A rollback that nobody approved in time: it is over, and what it was for is not.
pub(super) fn has_expired(notice: &Notice) -> bool {
    let state = notice.command.as_ref().map(|command| command.state);
    let is_over = notice.kind == NoticeKind::RollbackPrepared && notice.status == NoticeStatus::Resolved;
    is_over && state == Some(CommandState::Expired)
}

/// How bad it is, in sentences.
pub(super) fn measured(notice: &Notice) -> Option<String> {
    let (reason, evidence) = tipping(notice)?;
    Some(values::sentences(reason, evidence))
}

/// The comparison that tipped it, while it holds.
fn tipping(notice: &Notice) -> Option<(&Reason, &Evidence)> {
    use NoticeKind as K;
    let is_news_of_it = match notice.kind {
        K::Recovered | K::ReleaseProgress | K::RolledBack | K::Alert => false,
        _ => notice.status == NoticeStatus::Firing || has_expired(notice),
    };
    let reason = super::reasons(notice).first().filter(|_| is_news_of_it)?;
    Some((reason, reason.evidence.first()?))
}
