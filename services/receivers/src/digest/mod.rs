//! What a message says, before any channel renders it: one reading of a [`Send`] for Slack and email alike.
//!
//! Every text is bounded and on one line here; escaping is each channel's own business. The limits keep the
//! largest mail under 100 KB (where clients cut) and the largest Slack message within Slack's limits.

mod headline;
mod values;

#[cfg(test)]
mod tests;

use model::{Notice, NoticeKind, NoticeStatus, Reason, Send, Severity, Timestamp};

use crate::text::{clip, one_line};

/// Most lines of the timeline; older ones are counted.
const MAX_EVENTS: usize = 30;
/// Longest line of the timeline, and longest value of a fact, in characters.
const MAX_LINE_CHARS: usize = 200;
/// Longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1500;
/// Most facts: rows of numbers beside their labels.
const MAX_FACTS: usize = 16;
/// Most comparisons among the facts.
const MAX_COMPARISONS: usize = 6;
/// Most links, and the longest one.
const MAX_LINKS: usize = 8;
const MAX_URL_CHARS: usize = 400;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) status: NoticeStatus,
    pub(crate) severity: Severity,
    /// How many notices fire (or, resolved, are over); told where it is not one thing's story.
    pub(crate) count: usize,
    /// `checkout 2.4.1 in production`.
    pub(crate) subject: String,
    /// `rolling back to 2.4.0`.
    pub(crate) action: String,
    /// `error_rate 8.3 % > 1 %`.
    pub(crate) numbers: Option<String>,
    /// Sentences for a person; may be empty.
    pub(crate) description: String,
    /// Label and value.
    pub(crate) facts: Vec<(String, String)>,
    /// The timeline, oldest first.
    pub(crate) events: Vec<Event>,
    /// Events left out, and alerts that the router left out.
    pub(crate) omitted: u64,
    /// Name and URL; `http` and `https` only.
    pub(crate) links: Vec<(String, String)>,
    /// `release rel_…`, `command cmd_…`.
    pub(crate) ids: Vec<(&'static str, String)>,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) status: NoticeStatus,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    /// Not in the last message of the thread.
    pub(crate) is_fresh: bool,
}

impl Event {
    /// `10:00:03`, UTC.
    pub(crate) fn clock(&self) -> String {
        self.at.to_string().get(11..19).unwrap_or_default().to_owned()
    }
}

impl Digest {
    /// Reads `send`; `external_url` is where people reach Ripcord, or empty.
    pub(crate) fn of(send: &Send, external_url: &str) -> Self {
        let lead = headline::lead(send);
        let (events, left_out) = events(send);
        let has_status = |notice: &&Notice| notice.status == send.status;
        Self {
            status: send.status,
            severity: send
                .notices
                .iter()
                .filter(has_status)
                .map(|notice| notice.severity)
                .max()
                .unwrap_or_default(),
            count: if send.release.is_some() { 1 } else { send.notices.iter().filter(has_status).count() },
            subject: headline::subject(send, lead),
            action: lead.map_or_else(|| "nothing to tell".to_owned(), headline::action),
            numbers: lead.and_then(headline::numbers),
            description: lead.map_or_else(String::new, description),
            facts: lead.map_or_else(Vec::new, facts),
            events,
            omitted: send.truncated.saturating_add(left_out),
            links: links(send, lead, external_url),
            ids: ids(send, lead),
        }
    }

    /// `FIRING`, or `FIRING:3` where the message is about several things.
    pub(crate) fn status_word(&self) -> String {
        let word = match self.status {
            NoticeStatus::Firing => "FIRING",
            NoticeStatus::Resolved => "RESOLVED",
        };
        if self.count > 1 { format!("{word}:{}", self.count) } else { word.to_owned() }
    }

    /// `checkout 2.4.1 in production: rolling back to 2.4.0 (error_rate 8.3 % > 1 %)`.
    pub(crate) fn headline(&self) -> String {
        let numbers = self.numbers.as_ref().map_or(String::new(), |numbers| format!(" ({numbers})"));
        format!("{}: {}{numbers}", self.subject, self.action)
    }
}

fn description(notice: &Notice) -> String {
    let text = notice.annotations.get("description").or(notice.annotations.get("summary"));
    text.map_or_else(String::new, |text| one_line(text, MAX_DESCRIPTION_CHARS))
}

fn facts(notice: &Notice) -> Vec<(String, String)> {
    let reasons = notice.command.as_ref().map_or(&notice.reasons, |command| &command.reasons);
    let reasons = if reasons.is_empty() { &notice.reasons } else { reasons };
    let mut facts = Vec::new();
    let mut put = |label: &str, value: String| {
        if !value.is_empty() {
            facts.push((one_line(label, MAX_LINE_CHARS), one_line(&value, MAX_LINE_CHARS)));
        }
    };
    // The first comparison is the headline's.
    for (reason, evidence) in comparisons(reasons).skip(1).take(MAX_COMPARISONS) {
        put(&reason.trigger, values::comparison(reason, evidence));
    }
    if let Some((reason, evidence)) = comparisons(reasons).next() {
        put("Condition", reason.condition.clone());
        put("Window", values::duration(reason.window));
        put("Requests", values::grouped(evidence.requests));
        put("Errors", values::grouped(evidence.errors));
        put("Baseline", values::baseline(reason, evidence).unwrap_or_default());
    }
    if let Some(release) = &notice.release {
        put("State", release.state.as_str().replace('_', " "));
        put("Stage", release.stage.clone().unwrap_or_default());
        put("Previous version", release.previous_version.clone().unwrap_or_default());
    }
    put("Severity", notice.severity.as_str().to_owned());
    put("Team", notice.owner.as_ref().and_then(|owner| owner.team.clone()).unwrap_or_default());
    facts.truncate(MAX_FACTS);
    facts
}

fn comparisons(reasons: &[Reason]) -> impl Iterator<Item = (&Reason, &model::Evidence)> {
    reasons.iter().flat_map(|reason| reason.evidence.iter().map(move |evidence| (reason, evidence)))
}

/// The timeline and how many of its oldest lines were left out.
fn events(send: &Send) -> (Vec<Event>, u64) {
    let mut events: Vec<Event> = send
        .notices
        .iter()
        .enumerate()
        .map(|(at, notice)| Event {
            at: headline::moment(notice),
            status: notice.status,
            severity: notice.severity,
            text: event_text(send, notice),
            is_fresh: send.fresh.contains(&at),
        })
        .collect();
    events.sort_by_key(|event| event.at);
    let left_out = events.len().saturating_sub(MAX_EVENTS);
    events.drain(..left_out);
    (events, left_out as u64)
}

/// The notice's summary, or else what happened; with the service where the message is about several.
fn event_text(send: &Send, notice: &Notice) -> String {
    let text = match notice.annotations.get("summary") {
        // The summaries of our own notices say how it ended; those of alerts from elsewhere stay as they were.
        Some(summary) if notice.status == NoticeStatus::Resolved && notice.kind == NoticeKind::Alert => {
            format!("resolved: {summary}")
        }
        Some(summary) => summary.to_owned(),
        None => match headline::numbers(notice) {
            Some(numbers) => format!("{} ({numbers})", headline::action(notice)),
            None => headline::action(notice),
        },
    };
    let service = notice.labels.get("service").filter(|_| send.common_labels.get("service").is_none());
    match service {
        Some(service) if !text.contains(service) => one_line(&format!("{service}: {text}"), MAX_LINE_CHARS),
        _ => one_line(&text, MAX_LINE_CHARS),
    }
}

fn links(send: &Send, lead: Option<&Notice>, external_url: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut put = |name: &str, url: &str| {
        if is_link(url) && !links.iter().any(|(_, known): &(String, String)| known == url) {
            links.push((one_line(&name.replace('_', " "), 40), url.to_owned()));
        }
    };
    if let (Some(release), false) = (&send.release, external_url.is_empty()) {
        let base = external_url.trim_end_matches('/');
        put("evidence", &format!("{base}/api/v1/releases/{}", release.id));
    }
    if let Some(notice) = lead {
        for (name, value) in notice.annotations.iter() {
            put(name.strip_suffix("_url").unwrap_or(name), value);
        }
        put("source", &notice.generator_url);
        for (name, url) in notice.release.iter().flat_map(|release| &release.links) {
            put(name, url);
        }
    }
    links.truncate(MAX_LINKS);
    links
}

/// Nothing but plain `http` and `https` becomes a link; whoever names a service must not plant `javascript:`.
fn is_link(text: &str) -> bool {
    let is_plain = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let is_web =
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_plain && is_web && text.chars().count() <= MAX_URL_CHARS
}

fn ids(send: &Send, lead: Option<&Notice>) -> Vec<(&'static str, String)> {
    let mut ids = Vec::new();
    if let Some(release) = &send.release {
        ids.push(("release", clip(release.id.as_str(), MAX_LINE_CHARS)));
    }
    if let Some(command) = lead.and_then(|notice| notice.command.as_ref()) {
        ids.push(("command", clip(command.id.as_str(), MAX_LINE_CHARS)));
    }
    ids
}
