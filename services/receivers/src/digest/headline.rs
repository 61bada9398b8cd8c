//! Which notice a message is about, and that in one line.

use model::{Notice, NoticeKind, NoticeStatus, Send};

use super::values;
use crate::text::one_line;

/// Longest name (service, version, environment) inside a line, in characters.
const MAX_NAME_CHARS: usize = 80;

/// The notice that a message leads with: of those that are new the latest, since it says where things stand; at
/// one moment the one with the gravest consequence.
pub(super) fn lead(send: &Send) -> Option<&Notice> {
    let fresh: Vec<&Notice> = send.fresh.iter().filter_map(|&at| send.notices.get(at)).collect();
    let candidates = if fresh.is_empty() { send.notices.iter().collect() } else { fresh };
    candidates.into_iter().max_by_key(|notice| (moment(notice), gravity(notice.kind)))
}

/// When the notice's status began.
pub(super) fn moment(notice: &Notice) -> model::Timestamp {
    match notice.status {
        NoticeStatus::Firing => notice.starts_at,
        NoticeStatus::Resolved => notice.ends_at.unwrap_or(notice.starts_at),
    }
}

fn gravity(kind: NoticeKind) -> u8 {
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

/// `checkout 2.4.1 in production`; where the group has no service, its labels.
pub(super) fn subject(send: &Send, lead: Option<&Notice>) -> String {
    let label = |name: &str| {
        let of_lead = || lead.filter(|_| send.notices.len() == 1).and_then(|notice| notice.labels.get(name));
        send.common_labels.get(name).or_else(of_lead).map(|value| one_line(value, MAX_NAME_CHARS))
    };
    let (service, environment, version) = match &send.release {
        Some(release) => {
            let name = |text: &str| Some(one_line(text, MAX_NAME_CHARS)).filter(|text| !text.is_empty());
            (name(&release.key.service), name(&release.key.environment), name(&release.version))
        }
        None => (label("service"), label("environment"), label("version")),
    };
    let Some(service) = service else {
        let group = if send.group_labels.is_empty() { &send.common_labels } else { &send.group_labels };
        return one_line(&group.to_string(), 2 * MAX_NAME_CHARS);
    };
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    let environment = environment.map_or(String::new(), |environment| format!(" in {environment}"));
    format!("{service}{version}{environment}")
}

/// What happened: `rolling back to 2.4.0`.
pub(super) fn action(notice: &Notice) -> String {
    let to = notice
        .command
        .as_ref()
        .and_then(|command| command.to_version.as_deref())
        .map_or(String::new(), |version| format!(" to {}", one_line(version, MAX_NAME_CHARS)));
    let is_over = notice.status == NoticeStatus::Resolved;
    let said = |name: &str| notice.annotations.get(name).map(|text| one_line(text, 2 * MAX_NAME_CHARS));
    let alert = || notice.labels.get("alertname").map(|name| one_line(name, MAX_NAME_CHARS));
    match notice.kind {
        NoticeKind::RollbackStarted => format!("rolling back{to}"),
        NoticeKind::RolledBack => format!("rolled back{to}"),
        NoticeKind::RollbackFailed => format!("the rollback{to} failed"),
        NoticeKind::RollbackPrepared if is_over => format!("the rollback{to} does not wait any more"),
        NoticeKind::RollbackPrepared => format!("a rollback{to} waits for approval"),
        NoticeKind::Recovered => "recovered".to_owned(),
        NoticeKind::Breach if is_over => "within its limits again".to_owned(),
        NoticeKind::Breach => "a limit is broken".to_owned(),
        NoticeKind::ReleaseProgress => match &notice.release {
            Some(release) => release.state.as_str().replace('_', " "),
            None => said("summary").unwrap_or_else(|| "release progress".to_owned()),
        },
        NoticeKind::Alert => alert().or_else(|| said("summary")).unwrap_or_else(|| "alert".to_owned()),
        NoticeKind::Finding | NoticeKind::Safety => {
            said("summary").or_else(alert).unwrap_or_else(|| notice.kind.as_str().to_owned())
        }
    }
}

/// The comparison that tipped it: `error_rate 8.3 % > 1 %`.
pub(super) fn numbers(notice: &Notice) -> Option<String> {
    let reasons = notice.command.as_ref().map_or(&notice.reasons, |command| &command.reasons);
    let reason = reasons.first().or(notice.reasons.first())?;
    reason
        .evidence
        .first()
        .map(|evidence| one_line(&values::comparison(reason, evidence), 2 * MAX_NAME_CHARS))
}
