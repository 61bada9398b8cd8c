//! Block Kit: how a digest looks in Slack.
//!
//! Slack's limits: 50 blocks a message, 150 characters a header, 3000 a section, 2000 a field and ten fields a
//! section, about 13,000 characters in all. The digest is bounded so that the whole stays below them; what one
//! block could exceed is cut here.

use slack_morphism::prelude::{
    SlackBlock, SlackBlockMarkDownText, SlackBlockPlainText, SlackBlockText, SlackContextBlock,
    SlackContextBlockElement, SlackHeaderBlock, SlackSectionBlock,
};

use crate::{
    digest::{Digest, Event, Tone, Urgency},
    text::clip,
};

/// Slack's limits, with room for the entities that escaping puts in place of one character.
const MAX_HEADER_CHARS: usize = 150;
const MAX_SECTION_CHARS: usize = 3000;
const MAX_FIELD_CHARS: usize = 500;
const MAX_FIELDS: usize = 10;
const MAX_CONTEXT_CHARS: usize = 1800;

/// Most replies for one message; more news than that comes as one list, so that nobody's thread scrolls away.
const MAX_REPLIES: usize = 5;

/// A message: blocks, and the text for notifications and for clients without blocks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) blocks: Vec<SlackBlock>,
    /// What the thread gets when the message itself stands already.
    pub(super) replies: Vec<String>,
    /// A message of its own, even where an older one stands.
    pub(super) is_loud: bool,
    /// Somebody is mentioned.
    pub(super) is_page: bool,
    /// What it is about, escaped: for the older message that it continues.
    subject: String,
}

impl Message {
    /// The message as it calls `mention`, if it calls anybody.
    pub(super) fn mentioning(&self, mention: &str) -> Self {
        let mut message = self.clone();
        if self.is_page && !mention.is_empty() {
            message.text = format!("{mention} {}", self.text);
            // Slack mentions by blocks where there are any; below the header, which takes plain text only.
            let at = message.blocks.len().min(1);
            message.blocks.splice(at..at, section(mention));
        }
        message
    }

    /// What an older message says once this one stands.
    pub(super) fn continued(&self) -> Self {
        let text = format!("↓ {}: the story goes on in a newer message", self.subject);
        let blocks = section(&text).into_iter().collect();
        Self {
            text,
            blocks,
            replies: Vec::new(),
            is_loud: false,
            is_page: false,
            subject: self.subject.clone(),
        }
    }
}

pub(super) fn render(digest: &Digest) -> Message {
    let sign = sign(digest.tone);
    let title = format!("{sign} {}: {}: {}", digest.tag, digest.subject, digest.action);
    let mut blocks: Vec<SlackBlock> = vec![header(&title).into()];
    let description = Some(escape(&digest.description)).filter(|text| !text.is_empty());
    let steps = digest.steps.iter().map(|(what, command)| format!("{what}: {}", code(command)));
    let says: Vec<String> = description.into_iter().chain(steps).collect();
    blocks.extend(section(&says.join("\n")));
    blocks.extend(fields(&digest.facts));
    blocks.extend(section(&timeline(digest)));
    blocks.extend(context(digest));
    Message {
        text: clip_escaped(&format!("{sign} [{}] {}", digest.tag, digest.headline()), MAX_SECTION_CHARS),
        blocks,
        replies: replies(digest),
        is_loud: digest.urgency >= Urgency::Loud,
        is_page: digest.urgency >= Urgency::Page,
        subject: clip_escaped(&digest.subject, MAX_SECTION_CHARS / 2),
    }
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Alarm => "🚨",
        Tone::Warning => "⚠️",
        Tone::Info => "ℹ️",
    }
}

/// Slack's three control characters; without them nobody can plant a link or call `<!channel>`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes, and cuts between characters, never inside an entity.
fn clip_escaped(text: &str, max: usize) -> String {
    let escaped = escape(text);
    if escaped.chars().count() <= max {
        return escaped;
    }
    let mut room = max.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        let piece = escape(c.encode_utf8(&mut [0; 4]));
        let length = piece.chars().count();
        if length > room {
            break;
        }
        room -= length;
        kept.push_str(&piece);
    }
    kept + "…"
}

/// A span of code: back-quotes would end it.
fn code(text: &str) -> String {
    format!("`{}`", escape(&text.replace('`', "'")))
}

fn header(title: &str) -> SlackHeaderBlock {
    // Codes like `:skull:` in a service's name stay text.
    let text = SlackBlockPlainText::new(clip_escaped(title, MAX_HEADER_CHARS)).with_emoji(false);
    SlackHeaderBlock::new(text.into())
}

/// Text in Slack's markup; `verbatim` keeps Slack from making links and mentions of what looks like one.
fn markup(text: String) -> SlackBlockMarkDownText {
    SlackBlockMarkDownText::new(text).with_verbatim(true)
}

fn section(text: &str) -> Option<SlackBlock> {
    if text.is_empty() {
        return None;
    }
    let text: SlackBlockText = markup(clip_lines(text, MAX_SECTION_CHARS)).into();
    Some(SlackSectionBlock::new().with_text(text).into())
}

/// Cuts whole lines off the front: of a timeline the end matters, and a cut inside a line could split an entity.
/// A single line that is too long is cut as plain text.
fn clip_lines(text: &str, max: usize) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    while lines.len() > 1 && lines.iter().map(|line| line.chars().count() + 1).sum::<usize>() > max {
        lines.remove(0);
    }
    clip(&lines.join("\n"), max)
}

fn fields(facts: &[(String, String)]) -> Option<SlackBlock> {
    let fields: Vec<SlackBlockText> = facts
        .iter()
        .take(MAX_FIELDS)
        .map(|(label, value)| {
            let half = MAX_FIELD_CHARS / 2;
            markup(format!("*{}*\n{}", clip_escaped(label, half), clip_escaped(value, half))).into()
        })
        .collect();
    (!fields.is_empty()).then(|| SlackSectionBlock::new().with_fields(fields).into())
}

fn timeline(digest: &Digest) -> String {
    let mut lines = Vec::new();
    if digest.omitted > 0 {
        lines.push(format!("_{} more left out_", digest.omitted));
    }
    lines.extend(digest.events.iter().map(line));
    lines.join("\n")
}

fn line(event: &Event) -> String {
    format!("{} `{}` {}", sign(event.tone), event.clock(), escape(&event.text))
}

fn context(digest: &Digest) -> Option<SlackBlock> {
    let ids = digest.ids.iter().map(|(what, id)| format!("{what} {}", code(id)));
    let links = digest.links.iter().filter_map(|(name, url)| link(name, url));
    let mut text = String::new();
    for piece in ids.chain(links) {
        let separator = if text.is_empty() { "" } else { "  ·  " };
        if text.chars().count() + separator.chars().count() + piece.chars().count() <= MAX_CONTEXT_CHARS {
            text.push_str(separator);
            text.push_str(&piece);
        }
    }
    let element = SlackContextBlockElement::MarkDown(markup(text.clone()));
    (!text.is_empty()).then(|| SlackContextBlock::new(vec![element]).into())
}

/// `<url|name>`; a URL with one of the characters that end it is percent-encoded there.
fn link(name: &str, url: &str) -> Option<String> {
    let url = url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    let name = escape(name).replace('|', "/");
    (!name.is_empty()).then(|| format!("<{url}|{name}>"))
}

fn replies(digest: &Digest) -> Vec<String> {
    let fresh: Vec<String> = digest.events.iter().filter(|event| event.is_fresh).map(line).collect();
    if fresh.len() <= MAX_REPLIES { fresh } else { vec![clip_lines(&fresh.join("\n"), MAX_SECTION_CHARS)] }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::NoticeKind;
    use serde_json::Value;

    use super::*;
    use crate::fixture;

    fn render_send(send: &model::Send) -> (Message, Value) {
        let message = render(&Digest::of(send, "https://ripcord.example.org"));
        let blocks = serde_json::to_value(&message.blocks).unwrap();
        (message, blocks)
    }

    /// Every text of some JSON, deep.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
            Value::Object(values) => values.values().for_each(|value| texts(value, found)),
            _ => {}
        }
    }

    #[test]
    fn a_rollback_in_slack() {
        let (message, blocks) = render_send(&fixture::send("slack"));
        expect![[r#"
            [
              {
                "text": {
                  "emoji": false,
                  "text": "🚨 FIRING: checkout 2.4.1 in production: rolling back to 2.4.0",
                  "type": "plain_text"
                },
                "type": "header"
              },
              {
                "text": {
                  "text": "8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord acts by itself: the rollback is being requested, and 2.4.1 counts as bad from now on. You will be told when it is done, or if it fails.\nStop automatic action: `ripcord halt --service checkout --environment production --for 1h --reason WHY`",
                  "type": "mrkdwn",
                  "verbatim": true
                },
                "type": "section"
              },
              {
                "fields": [
                  {
                    "text": "*Since*\n2026-11-23 10:00:00 UTC",
                    "type": "mrkdwn",
                    "verbatim": true
                  },
                  {
                    "text": "*Rule*\nerror_rate &gt; 1% over 5m",
                    "type": "mrkdwn",
                    "verbatim": true
                  },
                  {
                    "text": "*Back to*\n2.4.0",
                    "type": "mrkdwn",
                    "verbatim": true
                  },
                  {
                    "text": "*Team*\npayments",
                    "type": "mrkdwn",
                    "verbatim": true
                  }
                ],
                "type": "section"
              },
              {
                "text": {
                  "text": "ℹ️ `09:59:00` 2.4.1 went out instead of 2.4.0\n🚨 `10:00:00` error_rate is over the limit\n🚨 `10:00:03` rolling back to 2.4.0",
                  "type": "mrkdwn",
                  "verbatim": true
                },
                "type": "section"
              },
              {
                "elements": [
                  {
                    "text": "release `rel_1`  ·  command `cmd_1`  ·  <https://ripcord.example.org/api/v1/releases/rel_1|evidence>  ·  <https://runbooks.example.org/checkout?a=1&amp;b=2|runbook>  ·  <https://ci.example.org/42|pipeline (ci.example.org)>",
                    "type": "mrkdwn",
                    "verbatim": true
                  }
                ],
                "type": "context"
              }
            ]"#]].assert_eq(&serde_json::to_string_pretty(&blocks).unwrap());
        expect![
            "🚨 [FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (8.3 % of requests fail, limit 1 %)"
        ]
        .assert_eq(&message.text);
    }

    #[test]
    fn the_thread_gets_what_is_new_and_a_flood_as_one_list() {
        let (message, _) = render_send(&fixture::resolved(fixture::send("slack"), "C1|1.0"));
        expect!["✅ `10:00:25` rolled back to 2.4.0"].assert_eq(&message.replies.join("\n"));
        let flood = (0..20).map(|n| fixture::notice(NoticeKind::Finding, n, &format!("event {n}"))).collect();
        let (message, _) = render_send(&fixture::send_of("slack", flood));
        assert_eq!((message.replies.len(), message.replies[0].lines().count()), (1, 20));
    }

    #[test]
    fn nobody_plants_links_mentions_or_markup_with_a_name() {
        let (message, blocks) = render_send(&fixture::evil_send("slack"));
        let mut found = vec![message.text];
        found.extend(message.replies);
        texts(&blocks, &mut found);
        for text in &found {
            assert!(
                !text.contains("<!channel>") && !text.contains("<script") && !text.contains("|click>"),
                "{text}"
            );
            let foreign = text.split('<').skip(1).filter(|rest| !rest.starts_with("https://"));
            assert_eq!(foreign.count(), 0, "{text}");
        }
    }

    #[test]
    fn the_largest_message_keeps_slacks_limits() {
        let long = "<&>".repeat(5000);
        let notices = (0..100)
            .map(|n| {
                let mut notice = fixture::notice(NoticeKind::Breach, n, &long);
                notice.annotations.set("description", long.clone());
                let reason = notice.reasons[0].clone();
                notice.reasons = vec![reason; 50];
                notice.reasons.iter_mut().for_each(|reason| reason.trigger = long.clone());
                notice
            })
            .collect();
        let mut send = fixture::send_of("slack", notices);
        send.release.iter_mut().for_each(|release| release.key.service = long.clone());
        let (message, blocks) = render_send(&send);
        let length = |value: &Value| value["text"].as_str().map_or(0, |text| text.chars().count());
        let mut total = 0;
        for block in blocks.as_array().unwrap() {
            assert!(length(&block["text"]) <= if block["type"] == "header" { 150 } else { 3000 });
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            assert!(fields.len() <= 10 && fields.iter().all(|field| length(field) <= 2000));
            total += length(&block["text"]) + fields.iter().map(length).sum::<usize>();
        }
        assert!(blocks.as_array().unwrap().len() <= 50 && total <= 13_000, "{total} characters");
        assert!(
            message.text.chars().count() <= 3000
                && message.replies.iter().all(|reply| reply.chars().count() <= 3000)
        );
    }
}
