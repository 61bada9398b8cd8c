//! How a digest looks in a mail: plain text and HTML, in one thread per release.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use email_encoding::headers::{rfc2047, writer::EmailWriter};
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, MultiPartKind, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use model::{Send, Timestamp, id::stable_hash};

use crate::{
    digest::{Digest, Tone},
    text::one_line,
};

/// Longest subject, in characters; nobody shows more.
const MAX_SUBJECT_CHARS: usize = 250;

/// The latest moment that a mail's date can have: its year has four digits.
const LAST_DATE_MILLIS: i64 = 253_402_300_799_000;

/// A mail without recipients in its envelope.
pub(super) struct Mail {
    pub(super) raw: Vec<u8>,
    /// The `Message-ID` under which the thread hangs.
    pub(super) root: String,
}

/// The mail that tells `send`. The same message gives the same bytes, so that a retry is the same mail.
pub(super) fn render(
    send: &Send,
    external_url: &str,
    (from, to): (&Mailbox, &[Mailbox]),
    now: Timestamp,
) -> Result<Mail, String> {
    let digest = Digest::of(send, external_url);
    let root = root(send);
    let mut builder = Message::builder()
        .from(from.clone())
        .raw_header(subject_header(&subject(&digest))?)
        .date(date(now))
        .message_id(Some(message_id(send.public_id().as_str())))
        .in_reply_to(root.clone())
        .references(root.clone())
        // RFC 3834: no vacation notes in answer.
        .raw_header(header("Auto-Submitted", "auto-generated"));
    for to in to {
        builder = builder.to(to.clone());
    }
    let body = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("ripcord-{}", stable_hash(&[send.id.as_str()])))
        .singlepart(SinglePart::plain(plain(&digest)))
        .singlepart(SinglePart::html(html(&digest)));
    let message =
        builder.multipart(body).map_err(|error| format!("the mail cannot be put together: {error}"))?;
    Ok(Mail { raw: message.formatted(), root })
}

/// `[FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (error_rate 8.3 % > 1 %)`.
fn subject(digest: &Digest) -> String {
    one_line(&format!("[{}] {}", digest.tag, digest.headline()), MAX_SUBJECT_CHARS)
}

/// A subject that looks as if it were encoded already (RFC 2047) is encoded as a whole: else clients would show
/// what it decodes to.
fn subject_header(subject: &str) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii_str("Subject");
    if !subject.contains("=?") {
        return Ok(HeaderValue::new(name, subject.to_owned()));
    }
    let mut encoded = String::new();
    rfc2047::encode(subject, &mut EmailWriter::new(&mut encoded, "Subject: ".len(), 0, false))
        .map_err(|error| format!("the subject cannot be encoded: {error}"))?;
    Ok(HeaderValue::dangerous_new_pre_encoded(name, subject.to_owned(), encoded))
}

/// Subject and plain text, for tests to read.
#[cfg(test)]
pub(crate) fn as_text(send: &Send, external_url: &str) -> String {
    let digest = Digest::of(send, external_url);
    format!("Subject: {}\n\n{}", subject(&digest), plain(&digest))
}

/// The root of the thread: the release, or else the group. No mail has it; clients thread by common references.
fn root(send: &Send) -> String {
    match &send.release {
        Some(release) => message_id(release.id.as_str()),
        None => message_id(&format!("grp_{}", stable_hash(&[&send.receiver, &send.group_key]))),
    }
}

/// `<id@ripcord>`; an id with other characters than ours is hashed.
fn message_id(id: &str) -> String {
    let is_plain = !id.is_empty()
        && id.len() <= 100
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_plain { format!("<{id}@ripcord>") } else { format!("<{}@ripcord>", stable_hash(&[id])) }
}

fn date(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(now.as_millis().clamp(0, LAST_DATE_MILLIS).unsigned_abs())
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn plain(digest: &Digest) -> String {
    let mut text = format!("[{}] {}: {}\n", digest.tag, digest.subject, digest.action);
    if !digest.description.is_empty() {
        text.push_str(&format!("\n{}\n", digest.description));
    }
    if !digest.steps.is_empty() {
        text.push('\n');
    }
    for (what, command) in &digest.steps {
        text.push_str(&format!("  {what}:\n    {command}\n"));
    }
    text.push('\n');
    let width = digest.facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0).min(24);
    for (label, value) in &digest.facts {
        text.push_str(&format!("  {label:<width$}  {value}\n"));
    }
    text.push_str("\nWhat happened (UTC)\n");
    if digest.omitted > 0 {
        text.push_str(&format!("  {} more left out\n", digest.omitted));
    }
    for event in &digest.events {
        text.push_str(&format!("  {}  {}\n", event.clock(), event.text));
    }
    text.push('\n');
    for (name, url) in &digest.links {
        text.push_str(&format!("{name}: {url}\n"));
    }
    for (what, id) in &digest.ids {
        text.push_str(&format!("{what} {id}\n"));
    }
    text
}

/// HTML's five; safe in text and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Dark enough for white text on it, and for it on white.
fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#1a7f37",
        Tone::Alarm => "#c62828",
        Tone::Warning => "#9a5b00",
        Tone::Info => "#1f5fa8",
    }
}

/// Styles stand in the elements: mail clients drop style sheets.
fn html(digest: &Digest) -> String {
    let description = match digest.description.as_str() {
        "" => String::new(),
        text => format!("<p style=\"margin:12px 0;line-height:1.5\">{}</p>\n", escape(text)),
    };
    format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"margin:0;font-family:Helvetica,Arial,sans-serif;font-size:14px;color:#222;background:#fff\">\n\
         <div style=\"max-width:640px;padding:16px\">\n\
         <div style=\"background:{};color:#fff;padding:12px 16px;border-radius:4px\">\n\
         <div style=\"font-size:12px;letter-spacing:1px\"><b>{}</b></div>\n\
         <div style=\"font-size:18px;padding-top:4px\">{}: {}</div></div>\n\
         {description}{}{}{}{}</div></body></html>\n",
        colour(digest.tone),
        escape(&digest.tag),
        escape(&digest.subject),
        escape(&digest.action),
        steps(digest),
        facts(digest),
        events(digest),
        footer(digest),
    )
}

fn steps(digest: &Digest) -> String {
    let row = |(what, command): &(&str, String)| {
        format!(
            "<div style=\"margin:8px 0\">{}<br><code style=\"display:inline-block;margin-top:4px;font-size:12px;padding:6px 10px;background:#f3f3f3;border:1px solid #ddd;border-radius:4px\">{}</code></div>\n",
            escape(what),
            escape(command)
        )
    };
    digest.steps.iter().map(row).collect()
}

fn facts(digest: &Digest) -> String {
    if digest.facts.is_empty() {
        return String::new();
    }
    let row = |(label, value): &(String, String)| {
        format!(
            "<tr><td style=\"padding:3px 16px 3px 0;color:#666;white-space:nowrap;vertical-align:top\">{}</td>\
             <td style=\"padding:3px 0\">{}</td></tr>\n",
            escape(label),
            escape(value)
        )
    };
    let rows: String = digest.facts.iter().map(row).collect();
    format!("<table style=\"border-collapse:collapse;font-size:14px;margin-top:12px\">\n{rows}</table>\n")
}

fn events(digest: &Digest) -> String {
    let mut rows = String::new();
    if digest.omitted > 0 {
        rows.push_str(&format!(
            "<tr><td></td><td style=\"color:#666\">{} more left out</td></tr>\n",
            digest.omitted
        ));
    }
    for event in &digest.events {
        let weight = if event.is_fresh { ";font-weight:bold" } else { "" };
        rows.push_str(&format!(
            "<tr><td style=\"padding:3px 16px 3px 0;color:#666;vertical-align:top\">{}</td>\
             <td style=\"padding:3px 0 3px 10px;border-left:3px solid {}{weight}\">{}</td></tr>\n",
            event.clock(),
            colour(event.tone),
            escape(&event.text)
        ));
    }
    format!(
        "<div style=\"margin:20px 0 6px;color:#666\">What happened (UTC)</div>\n\
         <table style=\"border-collapse:collapse;font-size:14px\">\n{rows}</table>\n"
    )
}

fn footer(digest: &Digest) -> String {
    let links: Vec<String> = digest
        .links
        .iter()
        .map(|(name, url)| {
            format!("<a href=\"{}\" style=\"color:#1f5fa8\">{}</a>", escape(url), escape(name))
        })
        .collect();
    let ids: Vec<String> = digest.ids.iter().map(|(what, id)| format!("{what} {}", escape(id))).collect();
    let line = |style: &str, parts: Vec<String>| match parts.is_empty() {
        true => String::new(),
        false => format!("<p style=\"{style}\">{}</p>\n", parts.join(" &middot; ")),
    };
    line("margin:20px 0 0", links) + &line("margin:12px 0 0;color:#666;font-size:12px", ids)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::NoticeKind;

    use super::*;
    use crate::fixture::{self, T0};

    fn mail(send: &Send) -> String {
        let from: Mailbox = "Ripcord <ripcord@example.org>".parse().unwrap();
        let to: Mailbox = "sre@example.org".parse().unwrap();
        let mail = render(send, "https://ripcord.example.org", (&from, &[to]), T0).unwrap();
        String::from_utf8(mail.raw).unwrap().replace("\r\n", "\n")
    }

    fn header_of(mail: &str, name: &str) -> String {
        let head = mail.split("\n\n").next().unwrap().replace("\n ", " ");
        let line =
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
        line.unwrap_or_default()
    }

    #[test]
    fn a_rollback_as_plain_text() {
        let digest = Digest::of(&fixture::send("email"), "https://ripcord.example.org");
        expect![[r#"
            [FIRING] checkout 2.4.1 in production: rolling back to 2.4.0

            8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord acts by itself: the rollback is being requested, and 2.4.1 counts as bad from now on. You will be told when it is done, or if it fails.

              Stop automatic action:
                ripcord halt --service checkout --environment production --for 1h --reason WHY

              Since    2026-11-23 10:00:00 UTC
              Rule     error_rate > 1% over 5m
              Back to  2.4.0
              Team     payments

            What happened (UTC)
              09:59:00  2.4.1 went out instead of 2.4.0
              10:00:00  error_rate is over the limit
              10:00:03  rolling back to 2.4.0

            evidence: https://ripcord.example.org/api/v1/releases/rel_1
            runbook: https://runbooks.example.org/checkout?a=1&b=2
            pipeline (ci.example.org): https://ci.example.org/42
            release rel_1
            command cmd_1
        "#]]
        .assert_eq(&plain(&digest));
    }

    #[test]
    fn a_rollback_as_html() {
        let digest = Digest::of(&fixture::send("email"), "https://ripcord.example.org");
        expect![[r#"
            <!DOCTYPE html>
            <html><head><meta charset="utf-8"></head>
            <body style="margin:0;font-family:Helvetica,Arial,sans-serif;font-size:14px;color:#222;background:#fff">
            <div style="max-width:640px;padding:16px">
            <div style="background:#c62828;color:#fff;padding:12px 16px;border-radius:4px">
            <div style="font-size:12px;letter-spacing:1px"><b>FIRING</b></div>
            <div style="font-size:18px;padding-top:4px">checkout 2.4.1 in production: rolling back to 2.4.0</div></div>
            <p style="margin:12px 0;line-height:1.5">8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord acts by itself: the rollback is being requested, and 2.4.1 counts as bad from now on. You will be told when it is done, or if it fails.</p>
            <div style="margin:8px 0">Stop automatic action<br><code style="display:inline-block;margin-top:4px;font-size:12px;padding:6px 10px;background:#f3f3f3;border:1px solid #ddd;border-radius:4px">ripcord halt --service checkout --environment production --for 1h --reason WHY</code></div>
            <table style="border-collapse:collapse;font-size:14px;margin-top:12px">
            <tr><td style="padding:3px 16px 3px 0;color:#666;white-space:nowrap;vertical-align:top">Since</td><td style="padding:3px 0">2026-11-23 10:00:00 UTC</td></tr>
            <tr><td style="padding:3px 16px 3px 0;color:#666;white-space:nowrap;vertical-align:top">Rule</td><td style="padding:3px 0">error_rate &gt; 1% over 5m</td></tr>
            <tr><td style="padding:3px 16px 3px 0;color:#666;white-space:nowrap;vertical-align:top">Back to</td><td style="padding:3px 0">2.4.0</td></tr>
            <tr><td style="padding:3px 16px 3px 0;color:#666;white-space:nowrap;vertical-align:top">Team</td><td style="padding:3px 0">payments</td></tr>
            </table>
            <div style="margin:20px 0 6px;color:#666">What happened (UTC)</div>
            <table style="border-collapse:collapse;font-size:14px">
            <tr><td style="padding:3px 16px 3px 0;color:#666;vertical-align:top">09:59:00</td><td style="padding:3px 0 3px 10px;border-left:3px solid #1f5fa8">2.4.1 went out instead of 2.4.0</td></tr>
            <tr><td style="padding:3px 16px 3px 0;color:#666;vertical-align:top">10:00:00</td><td style="padding:3px 0 3px 10px;border-left:3px solid #c62828;font-weight:bold">error_rate is over the limit</td></tr>
            <tr><td style="padding:3px 16px 3px 0;color:#666;vertical-align:top">10:00:03</td><td style="padding:3px 0 3px 10px;border-left:3px solid #c62828;font-weight:bold">rolling back to 2.4.0</td></tr>
            </table>
            <p style="margin:20px 0 0"><a href="https://ripcord.example.org/api/v1/releases/rel_1" style="color:#1f5fa8">evidence</a> &middot; <a href="https://runbooks.example.org/checkout?a=1&amp;b=2" style="color:#1f5fa8">runbook</a> &middot; <a href="https://ci.example.org/42" style="color:#1f5fa8">pipeline (ci.example.org)</a></p>
            <p style="margin:12px 0 0;color:#666;font-size:12px">release rel_1 &middot; command cmd_1</p>
            </div></body></html>
        "#]].assert_eq(&html(&digest));
    }

    #[test]
    fn the_head_of_a_mail() {
        let mail = mail(&fixture::send("email"));
        expect![[r#"
            From: Ripcord <ripcord@example.org>
            Subject: [FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (8.3 %
             of requests fail, limit 1 %)
            Date: Mon, 23 Nov 2026 10:00:00 +0000
            Message-ID: <snd_1@ripcord>
            In-Reply-To: <rel_1@ripcord>
            References: <rel_1@ripcord>
            Auto-Submitted: auto-generated
            To: sre@example.org
            MIME-Version: 1.0
            Content-Type: multipart/alternative; boundary="ripcord-61c438c7df2502fc5e5e""#]]
        .assert_eq(mail.split("\n\n").next().unwrap());
    }

    #[test]
    fn a_subject_that_looks_encoded_already_is_encoded() {
        let mut send = fixture::send_of("email", vec![fixture::notice(NoticeKind::Alert, 0, "")]);
        send.notices[0].labels.set("alertname", "=?utf-8?B?SGFsbG8=?= plain");
        let mail = mail(&send);
        let head = mail.split("\n\n").next().unwrap();
        assert!(!head.contains("SGFsbG8="), "{head}");
        let subject = header_of(&mail, "Subject").replace("?= =?utf-8?b?", "");
        assert!(subject.starts_with("=?utf-8?b?") && subject.ends_with("?="), "{subject}");
    }

    #[test]
    fn mails_of_one_release_hang_under_one_root_and_a_retry_is_the_same_mail() {
        let (first, again) = (mail(&fixture::send("email")), mail(&fixture::send("email")));
        assert_eq!(first, again);
        let second = mail(&fixture::resolved(fixture::send("email"), "<rel_1@ripcord>"));
        assert_ne!(header_of(&first, "Message-ID"), header_of(&second, "Message-ID"));
        for name in ["References", "In-Reply-To"] {
            assert_eq!(
                (header_of(&first, name), header_of(&second, name)),
                ("<rel_1@ripcord>".into(), "<rel_1@ripcord>".into())
            );
        }
        let mut alert = fixture::send("email");
        alert.release = None;
        let root = header_of(&mail(&alert), "References");
        assert!(root.starts_with("<grp_") && root == header_of(&mail(&alert), "References"), "{root}");
    }

    #[test]
    fn nobody_adds_headers_or_markup_with_a_name() {
        let mail = mail(&fixture::evil_send("email"));
        let head = mail.split("\n\n").next().unwrap();
        assert!(!head.to_lowercase().contains("\nbcc"), "{head}");
        let page = html(&Digest::of(&fixture::evil_send("email"), ""));
        for forbidden in ["<script", "javascript:", "\"onmouseover", "</td><"] {
            let own = page.matches("</td><td").count() + page.matches("</td></tr>").count();
            let found = page.matches(forbidden).count();
            assert!(found == 0 || (forbidden == "</td><" && found == own), "{forbidden} in {page}");
        }
    }

    #[test]
    fn an_id_that_is_not_ours_does_not_reach_a_header_as_it_is() {
        for id in ["a b", "x>\r\nBcc: y", "", "ü"] {
            let message_id = message_id(id);
            assert!(message_id.len() == 30 && message_id.ends_with("@ripcord>"), "{message_id}");
        }
    }

    #[test]
    fn the_largest_mail_stays_below_what_clients_cut() {
        let long = "\"".repeat(5000);
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
        let digest = Digest::of(&fixture::send_of("email", notices), "https://ripcord.example.org");
        assert!(html(&digest).len() < 100_000, "{} bytes", html(&digest).len());
    }
}
