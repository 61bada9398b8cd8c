//! What Ripcord did or wants, and what a person may type about it.

use model::{CommandMode, Notice, NoticeKind, NoticeStatus, Send, Severity};

use super::{MAX_DESCRIPTION_CHARS, MAX_LINE_CHARS, headline};
use crate::text::one_line;

/// A few sentences: how bad it is, and what Ripcord did or wants. May be empty.
pub(super) fn sentences(send: &Send, lead: &Notice) -> String {
    let measured = headline::measured(lead).unwrap_or_default();
    let text = format!("{measured} {}", did(send, lead));
    one_line(text.trim(), MAX_DESCRIPTION_CHARS)
}

fn did(send: &Send, lead: &Notice) -> String {
    match (lead.kind, lead.status) {
        (NoticeKind::RollbackStarted, NoticeStatus::Firing) => started(lead),
        (NoticeKind::RollbackPrepared, NoticeStatus::Firing) => prepared(lead),
        (NoticeKind::RollbackFailed, NoticeStatus::Firing) => failed(lead),
        (NoticeKind::RolledBack, NoticeStatus::Firing) => rolled_back(lead),
        (NoticeKind::RollbackPrepared, NoticeStatus::Resolved) if headline::has_expired(lead) => {
            expired(lead)
        }
        (NoticeKind::Breach, NoticeStatus::Firing) => broken(lead),
        (NoticeKind::Alert, _) => said(lead, &["description", "summary", "message"]),
        // The headline says it in its own words, and our own notices put into their summary what stands in it.
        (NoticeKind::Finding | NoticeKind::Safety, _) => {
            let own = about_itself(send, lead, &said(lead, &["description"]));
            if headline::action(send, lead) == own { String::new() } else { own }
        }
        _ => about_itself(send, lead, &said(lead, &["summary", "description"])),
    }
}

fn said(notice: &Notice, names: &[&str]) -> String {
    let said = names.iter().find_map(|name| notice.annotations.get(name).filter(|text| !text.is_empty()));
    said.map(str::to_owned).unwrap_or_default()
}

/// A sentence without the name that stands above it already: of `checkout 2.4.1 in production` the version stays
/// where the sentence needs it.
pub(super) fn about_itself(send: &Send, notice: &Notice, text: &str) -> String {
    let subject = headline::subject(send, Some(notice));
    let Some(rest) = text.strip_prefix(subject.as_str()).filter(|_| notice.kind != NoticeKind::Alert) else {
        return text.to_owned();
    };
    match (rest.strip_prefix(": "), &send.release) {
        (Some(rest), _) => rest.to_owned(),
        (None, Some(release)) => format!("{}{rest}", release.version),
        (None, None) => text.to_owned(),
    }
}

/// The word by which programs know a doubtful cause, said for people: once, however many reasons there are.
pub(super) fn in_words(text: &str) -> String {
    const WORD: &str = "not_attributable: ";
    text.replacen(WORD, "the release may not be the cause: ", 1).replace(WORD, "")
}

fn started(notice: &Notice) -> String {
    let Some(command) = &notice.command else { return said(notice, &["summary"]) };
    let whose = match command.mode {
        CommandMode::Immediate => "Ripcord acts by itself".to_owned(),
        CommandMode::Approved => format!("Approved by {}", command.approved_by.join(", ")),
    };
    format!(
        "{whose}: the rollback is being requested, and {} counts as bad from now on. You will be told when it is done, or if it fails.",
        command.release.version
    )
}

fn prepared(notice: &Notice) -> String {
    let Some(command) = &notice.command else { return said(notice, &["summary"]) };
    let why = match command.state_reason.as_str() {
        "" => String::new(),
        why => format!("Ripcord does not act by itself: {why}. "),
    };
    let whereto = if command.to_version.is_none() {
        "It is not known which version to go back to: name one. "
    } else {
        ""
    };
    let missing = (command.approvals_needed as usize).saturating_sub(command.approved_by.len());
    let approvals = match command.approved_by.len() {
        0 if missing > 1 => format!(" {missing} people have to approve."),
        0 => String::new(),
        _ => format!(" Approved by {}, {missing} more needed.", command.approved_by.join(", ")),
    };
    let until = super::time(command.deadline);
    format!("{why}{whereto}It expires at {until} if nobody approves.{approvals}")
}

/// Of a limit that led to no command: why not, where that is said.
fn broken(notice: &Notice) -> String {
    let told = said(notice, &["description"]);
    let why =
        told.lines().last().filter(|line| told.lines().count() > notice.reasons.len() && !line.is_empty());
    match (why, notice.severity) {
        (Some(why), _) => format!("Ripcord does not act: {why}."),
        (None, Severity::Critical) => "Ripcord does not roll it back by itself.".to_owned(),
        (None, _) => String::new(),
    }
}

fn expired(notice: &Notice) -> String {
    let version = notice.release.as_ref().map_or("the version", |release| release.version.as_str());
    format!("Ripcord does nothing more about it, and {version} is still out: somebody has to decide.")
}

fn failed(notice: &Notice) -> String {
    let Some(command) = &notice.command else { return said(notice, &["summary"]) };
    let version = &command.release.version;
    let why = if command.state_reason.is_empty() { "" } else { ": " };
    format!("{version} is still out, and somebody has to act{why}{}", command.state_reason)
}

fn rolled_back(notice: &Notice) -> String {
    let Some(release) = &notice.release else { return said(notice, &["summary"]) };
    format!(
        "{} counts as bad: no rollback leads to it. You will be told when {} is within its limits again.",
        release.version, release.key.service
    )
}

/// What to type, and what for.
pub(super) fn steps(lead: &Notice) -> Vec<(&'static str, String)> {
    let release = lead.release.as_ref();
    let roll_back = || release.map(|release| format!("ripcord rollback {}", word(release.id.as_str())));
    let steps = match lead.kind {
        _ if headline::has_expired(lead) => {
            roll_back().map(|command| ("Roll back", command)).into_iter().collect()
        }
        _ if lead.status == NoticeStatus::Resolved => Vec::new(),
        NoticeKind::RollbackPrepared => lead.command.as_ref().map_or_else(Vec::new, |command| {
            let id = word(command.id.as_str());
            let to = if command.to_version.is_none() { " --to-version VERSION" } else { "" };
            vec![("Approve", format!("ripcord approve {id}{to}")), ("Reject", format!("ripcord reject {id}"))]
        }),
        NoticeKind::RollbackStarted => release.map_or_else(Vec::new, |release| {
            let (service, environment) = (word(&release.key.service), word(&release.key.environment));
            let halt =
                format!("ripcord halt --service {service} --environment {environment} --for 1h --reason WHY");
            vec![("Stop automatic action", halt)]
        }),
        NoticeKind::RollbackFailed => roll_back().map(|command| ("Try again", command)).into_iter().collect(),
        NoticeKind::Breach if lead.severity == Severity::Critical => {
            roll_back().map(|command| ("Roll back", command)).into_iter().collect()
        }
        NoticeKind::Safety => {
            let halt = lead.labels.get("halt");
            halt.map(|id| ("End it", format!("ripcord unhalt {}", word(id)))).into_iter().collect()
        }
        _ => Vec::new(),
    };
    steps.into_iter().map(|(label, command)| (label, one_line(&command, MAX_LINE_CHARS))).collect()
}

/// One word of a shell: a service is named by others, and what it is named must not run when it is pasted.
fn word(text: &str) -> String {
    let text = one_line(text, 80);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    let is_word = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    if is_word { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn what_is_pasted_into_a_shell_stays_one_word() {
        for (name, pasted) in [
            ("checkout", "checkout"),
            ("a b", "'a b'"),
            ("x; rm -rf ~", "'x; rm -rf ~'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(word(name), pasted);
        }
    }
}
