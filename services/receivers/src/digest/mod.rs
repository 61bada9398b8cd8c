//! What a message says, before any channel renders it: one reading of a [`Send`] for Slack and email alike.
//!
//! Every text is bounded and on one line here; escaping is each channel's own business. The limits keep the
//! largest mail under 100 KB (where clients cut) and the largest Slack message within Slack's limits.

mod headline;
mod history;
mod standing;
mod urgency;
mod values;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod tests;

use model::{Notice, NoticeKind, Reason, Send, Timestamp};

pub(crate) use self::urgency::Urgency;
use crate::{
    links,
    text::{clip, one_line},
};

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
/// Longest name of a link of a release's.
const MAX_LINK_NAME_CHARS: usize = 24;
/// Longest text of a link: a name and a host.
const MAX_LABEL_CHARS: usize = 80;
/// Most links, and the longest one.
const MAX_LINKS: usize = 8;
const MAX_URL_CHARS: usize = 400;

/// How a message sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Alarm,
    Warning,
    Info,
    Good,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    /// `FIRING`, `FIRING:3`, `RELEASE`, `ROLLED BACK`.
    pub(crate) tag: String,
    pub(crate) tone: Tone,
    /// How loudly it comes.
    pub(crate) urgency: Urgency,
    /// `checkout 2.4.1 in production`.
    pub(crate) subject: String,
    /// `rolling back to 2.4.0`.
    pub(crate) action: String,
    /// `8.3 % of requests fail, limit 1 %`; the body says it in full.
    pub(crate) numbers: Option<String>,
    /// Sentences for a person; may be empty.
    pub(crate) description: String,
    /// What to type, and what for.
    pub(crate) steps: Vec<(&'static str, String)>,
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
    pub(crate) tone: Tone,
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
        let (mut events, left_out) = history::of(send, lead);
        events.iter_mut().for_each(|event| event.text = standing::in_words(&event.text));
        let (tag, tone) =
            lead.map_or_else(|| ("RESOLVED".to_owned(), Tone::Info), |lead| headline::tag(send, lead));
        let description =
            lead.map_or_else(String::new, |lead| standing::in_words(&standing::sentences(send, lead)));
        let is_among_events = events.iter().any(|event| event.text == description);
        let description = if is_among_events { String::new() } else { description };
        let action = lead.map_or_else(|| "nothing to tell".to_owned(), |lead| headline::action(send, lead));
        Self {
            tag,
            tone,
            urgency: urgency::of(send),
            subject: headline::subject(send, lead),
            action,
            numbers: lead.and_then(headline::numbers),
            description,
            steps: lead.map_or_else(Vec::new, standing::steps),
            facts: lead.map_or_else(Vec::new, |lead| facts(send, lead)),
            events,
            omitted: send.truncated.saturating_add(left_out),
            links: links(send, lead, external_url),
            ids: ids(send, lead),
        }
    }

    /// `checkout 2.4.1 in production: rolling back to 2.4.0 (8.3 % of requests fail, limit 1 %)`.
    pub(crate) fn headline(&self) -> String {
        let numbers = self.numbers.as_ref().map_or(String::new(), |numbers| format!(" ({numbers})"));
        format!("{}: {}{numbers}", self.subject, self.action)
    }
}

/// Those of the command, to which later breaches were added, else the notice's own.
fn reasons(notice: &Notice) -> &[Reason] {
    let of_command = notice.command.as_ref().map(|command| command.reasons.as_slice());
    of_command.filter(|reasons| !reasons.is_empty()).unwrap_or(&notice.reasons)
}

/// `2026-11-23 10:00:03 UTC`.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => text,
    }
}

fn facts(send: &Send, notice: &Notice) -> Vec<(String, String)> {
    let mut facts = match notice.kind {
        NoticeKind::Alert => labels(send, notice),
        _ => evidence(notice),
    };
    if let Some(release) = &notice.release {
        let to = notice.command.as_ref().and_then(|command| command.to_version.clone());
        match to {
            Some(to) => facts.push(("Back to".to_owned(), to)),
            None => {
                facts.extend(release.previous_version.clone().map(|it| ("Previous version".to_owned(), it)))
            }
        }
        facts.extend(release.stage.clone().map(|stage| ("Stage".to_owned(), stage)));
    }
    let team = notice.owner.as_ref().and_then(|owner| owner.team.clone());
    facts.extend(team.map(|team| ("Team".to_owned(), team)));
    facts.retain(|(_, value)| !value.is_empty());
    for (label, value) in &mut facts {
        *label = one_line(label, MAX_LINE_CHARS);
        *value = one_line(value, MAX_LINE_CHARS);
    }
    facts.truncate(MAX_FACTS);
    facts
}

/// What an alert from elsewhere says about itself, beyond what stands in the headline; what all alerts of the
/// message say where there are several.
fn labels(send: &Send, notice: &Notice) -> Vec<(String, String)> {
    const SHOWN: [&str; 5] = ["alertname", "service", "environment", "version", "release"];
    let is_one = send.notices.len() == 1;
    let labels = if is_one { &notice.labels } else { &send.common_labels };
    let annotations = if is_one { &notice.annotations } else { &send.common_annotations };
    let of_labels = labels.iter().filter(|(name, _)| !SHOWN.contains(name));
    let of_annotations = annotations.iter().filter(|(name, value)| {
        !["summary", "description", "message"].contains(name) && !is_link(value) && !name.ends_with("_url")
    });
    of_labels.chain(of_annotations).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The numbers, complete enough to be believed or refuted.
fn evidence(notice: &Notice) -> Vec<(String, String)> {
    let reasons = reasons(notice);
    let Some((reason, first)) = comparisons(reasons).next() else {
        // A rollback that a person asked for.
        let asked = reasons.first().map(|reason| ("Reason".to_owned(), reason.condition.clone()));
        return asked.into_iter().collect();
    };
    let since = notice.command.as_ref().map_or(notice.starts_at, |command| command.decided_at);
    let is_over = headline::measured(notice).is_none();
    let mut facts = vec![("Rule".to_owned(), values::rule(reason))];
    match is_over {
        true => {
            facts.insert(0, ("Was".to_owned(), values::short(reason, first)));
            facts.splice(0..0, now(notice).map(|values| ("Now".to_owned(), values)));
        }
        false => facts.insert(0, ("Since".to_owned(), time(since))),
    }
    for (reason, evidence) in comparisons(reasons).skip(1).take(MAX_COMPARISONS) {
        facts.push((format!("Also {}", reason.trigger), values::short(reason, evidence)));
    }
    facts
}

/// Of a recovery: what was measured since, as the release's state says it.
fn now(notice: &Notice) -> Option<String> {
    let release = notice.release.as_ref().filter(|_| notice.kind == NoticeKind::Recovered)?;
    release.state_reason.split_once(": ").map(|(_, values)| values.to_owned())
}

fn comparisons(reasons: &[Reason]) -> impl Iterator<Item = (&Reason, &model::Evidence)> {
    reasons.iter().flat_map(|reason| reason.evidence.iter().map(move |evidence| (reason, evidence)))
}

fn links(send: &Send, lead: Option<&Notice>, external_url: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut put = |name: &str, url: &str| {
        if is_link(url) && !links.iter().any(|(_, known): &(String, String)| known == url) {
            links.push((one_line(&name.replace('_', " "), MAX_LABEL_CHARS), url.to_owned()));
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
        put("source", &links::absolute(external_url, &notice.generator_url));
        for (name, url) in notice.release.iter().flat_map(|release| &release.links) {
            put(&with_host(name, url), url);
        }
    }
    links.truncate(MAX_LINKS);
    links
}

/// The name of a link that a release brings along, and where the link leads: whoever may deploy names both, and only
/// one of them is sure. Of the name, what could mention somebody or pass for markup is left out.
fn with_host(name: &str, url: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    let name: String = name.chars().filter(is_plain).take(MAX_LINK_NAME_CHARS).collect();
    let host =
        url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let name = name.trim();
    format!("{} ({host})", if name.is_empty() { "link" } else { name })
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
