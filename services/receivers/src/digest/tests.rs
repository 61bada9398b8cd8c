//! What messages say.

use std::time::Duration;

use expect_test::{Expect, expect};
use model::{Labels, NoticeKind, SendReason};

use super::*;
use crate::fixture::{self, T0};

fn text(digest: &Digest) -> String {
    let mut text = format!("[{}] {}\n{}\n", digest.tag, digest.headline(), digest.description);
    for (what, command) in &digest.steps {
        text += &format!("  {what}: {command}\n");
    }
    for (label, value) in &digest.facts {
        text += &format!("  {label}: {value}\n");
    }
    for event in &digest.events {
        let fresh = if event.is_fresh { "*" } else { " " };
        text += &format!(" {fresh}{} {:?} {}\n", event.clock(), event.tone, event.text);
    }
    for (name, url) in &digest.links {
        text += &format!("  {name} -> {url}\n");
    }
    for (what, id) in &digest.ids {
        text += &format!("  {what} {id}\n");
    }
    text
}

fn check(send: &Send, expected: Expect) {
    expected.assert_eq(&text(&Digest::of(send, "https://ripcord.example.org/")));
}

#[test]
fn a_rollback_is_told_with_its_numbers() {
    check(
        &fixture::send("slack"),
        expect![[r#"
            [FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (8.3 % of requests fail, limit 1 %)
            8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord acts by itself: the rollback is being requested, and 2.4.1 counts as bad from now on. You will be told when it is done, or if it fails.
              Stop automatic action: ripcord halt --service checkout --environment production --for 1h --reason WHY
              Since: 2026-11-23 10:00:00 UTC
              Rule: error_rate > 1% over 5m
              Back to: 2.4.0
              Team: payments
              09:59:00 Info 2.4.1 went out instead of 2.4.0
             *10:00:00 Alarm error_rate is over the limit
             *10:00:03 Alarm rolling back to 2.4.0
              evidence -> https://ripcord.example.org/api/v1/releases/rel_1
              runbook -> https://runbooks.example.org/checkout?a=1&b=2
              pipeline (ci.example.org) -> https://ci.example.org/42
              release rel_1
              command cmd_1
        "#]],
    );
}

#[test]
fn the_headline_says_where_the_release_stands_and_else_what_is_new() {
    for (kinds, headline) in [
        (
            vec![(NoticeKind::Breach, 0)],
            "checkout 2.4.1 in production: error_rate is over the limit (8.3 % of requests fail, limit 1 %)",
        ),
        (
            vec![(NoticeKind::RollbackPrepared, 0), (NoticeKind::Breach, 0)],
            "checkout 2.4.1 in production: a rollback to 2.4.0 waits for approval (8.3 % of requests fail, limit 1 %)",
        ),
        (
            vec![(NoticeKind::RollbackFailed, 9), (NoticeKind::RollbackStarted, 3)],
            "checkout 2.4.1 in production: the rollback to 2.4.0 failed (8.3 % of requests fail, limit 1 %)",
        ),
        (
            vec![(NoticeKind::RollbackStarted, 3), (NoticeKind::Breach, 20)],
            "checkout 2.4.1 in production: rolling back to 2.4.0 (8.3 % of requests fail, limit 1 %)",
        ),
        (
            vec![(NoticeKind::Finding, 9)],
            "checkout 2.4.1 in production: what happened (8.3 % of requests fail, limit 1 %)",
        ),
    ] {
        let notices =
            kinds.into_iter().map(|(kind, at)| fixture::notice(kind, at, "what happened")).collect();
        assert_eq!(Digest::of(&fixture::send_of("slack", notices), "").headline(), headline);
    }
}

#[test]
fn alerts_without_a_release_are_counted_and_named_by_their_group() {
    let alert = |name: &str, service: &str, seconds| {
        let mut alert = fixture::notice(NoticeKind::Alert, seconds, "disk is nearly full");
        alert.labels = Labels::from_pairs([("alertname", name), ("service", service)]);
        (alert.reasons, alert.release, alert.owner) = (Vec::new(), None, None);
        alert
    };
    let mut send =
        fixture::send_of("email", vec![alert("DiskFull", "cart", 0), alert("DiskFull", "search", 1)]);
    send.release = None;
    send.group_labels = Labels::from_pairs([("alertname", "DiskFull")]);
    send.common_labels = send.group_labels.clone();
    send.notices[1].status = model::NoticeStatus::Resolved;
    send.notices[1].ends_at = Some(T0 + Duration::from_secs(61));
    send.notices.push(alert("DiskFull", "mail", 2));
    send.reason = SendReason::SomeAlertsResolved;
    send.truncated = 7;
    check(
        &send,
        expect![[r#"
            [FIRING:2] {alertname="DiskFull"}: DiskFull
            1,513 of 18,231 requests failed in 5m; 2.4.0 beside it fails 0.09 %.
             *10:00:00 Alarm cart: disk is nearly full
              10:00:02 Alarm mail: disk is nearly full
             *10:01:01 Good search: resolved: disk is nearly full
              runbook -> https://runbooks.example.org/checkout?a=1&b=2
        "#]],
    );
    assert_eq!(Digest::of(&send, "").omitted, 7);
}

#[test]
fn whatever_a_service_is_called_a_message_stays_on_its_lines_and_links_lead_to_the_web() {
    let digest = Digest::of(&fixture::evil_send("slack"), "");
    assert!(!text(&digest).contains('\r') && !digest.headline().contains('\n'));
    assert!(digest.links.iter().all(|(_, url)| url.starts_with("https://")), "{:?}", digest.links);
}

#[test]
fn a_message_without_notices_is_still_one() {
    let digest = Digest::of(&fixture::send_of("slack", Vec::new()), "");
    assert_eq!(digest.headline(), "checkout 2.4.1 in production: nothing to tell");
}

#[test]
fn a_long_story_keeps_its_end() {
    let notices = (0..100).map(|n| fixture::notice(NoticeKind::Finding, n, &format!("event {n}"))).collect();
    let digest = Digest::of(&fixture::send_of("slack", notices), "");
    assert_eq!((digest.events.len(), digest.omitted), (30, 71));
    assert_eq!(digest.events.last().map(|event| event.text.as_str()), Some("event 99"));
}

/// The notices of a release after a rollback that worked.
fn recovery() -> Send {
    let resolved = |mut notice: model::Notice, at: u64, summary: &str| {
        notice.status = model::NoticeStatus::Resolved;
        notice.ends_at = Some(T0 + Duration::from_secs(at));
        notice.annotations.set("summary", summary);
        notice
    };
    let summary = "checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back";
    let mut recovered = fixture::notice(NoticeKind::Recovered, 30, "");
    recovered.command = fixture::notice(NoticeKind::RolledBack, 20, "").command;
    fixture::send_of(
        "slack",
        vec![
            resolved(fixture::notice(NoticeKind::RolledBack, 20, ""), 30, summary),
            resolved(fixture::notice(NoticeKind::Breach, 2, ""), 30, summary),
            resolved(recovered, 30, summary),
        ],
    )
}

#[test]
fn a_recovery_is_good_news_told_once_with_the_story_before_it() {
    let digest = Digest::of(&recovery(), "");
    assert_eq!(digest.events.iter().filter(|event| event.is_fresh).count(), 1);
    check(
        &recovery(),
        expect![[r#"
            [RECOVERED] checkout 2.4.1 in production: recovered on 2.4.0

              Was: 8.3 % of requests fail, limit 1 %
              Rule: error_rate > 1% over 5m
              Back to: 2.4.0
              Team: payments
              09:59:00 Info 2.4.1 went out instead of 2.4.0
              10:00:00 Alarm rollback to 2.4.0 decided
              10:00:02 Alarm error_rate is over the limit
              10:00:20 Alarm rolled back to 2.4.0
             *10:00:30 Good checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back
              evidence -> https://ripcord.example.org/api/v1/releases/rel_1
              runbook -> https://runbooks.example.org/checkout?a=1&b=2
              pipeline (ci.example.org) -> https://ci.example.org/42
              release rel_1
              command cmd_1
        "#]],
    );
}

#[test]
fn what_waits_for_approval_says_why_until_when_and_what_to_type() {
    let mut prepared =
        fixture::notice(NoticeKind::RollbackPrepared, 0, "checkout 2.4.1 in production: waits");
    let command = prepared.command.as_mut().unwrap();
    command.state_reason = "the mode is approve".into();
    command.state = model::CommandState::Prepared;
    let mut told = |change: &dyn Fn(&mut model::Notice)| {
        change(&mut prepared);
        let digest = Digest::of(&fixture::send_of("slack", vec![prepared.clone()]), "");
        format!("[{}] {}\n{}\n{:?}\n", digest.tag, digest.headline(), digest.description, digest.steps)
    };
    let mut all = told(&|_| {});
    all += &told(&|notice| {
        let command = notice.command.as_mut().unwrap();
        (command.to_version, command.approvals_needed) = (None, 2);
        command.approved_by = vec!["ann".into()];
    });
    all += &told(&|notice| {
        let command = notice.command.as_mut().unwrap();
        (command.to_version, command.state) = (Some("2.4.0".into()), model::CommandState::Rejected);
        (notice.status, notice.ends_at) = (model::NoticeStatus::Resolved, Some(T0));
        notice
            .annotations
            .set("summary", "checkout 2.4.1 in production: the rollback to 2.4.0 was rejected: by ann");
    });
    expect![[r#"
        [APPROVAL NEEDED] checkout 2.4.1 in production: a rollback to 2.4.0 waits for approval (8.3 % of requests fail, limit 1 %)
        8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord does not act by itself: the mode is approve. It expires at 2026-11-23 10:01:00 UTC if nobody approves.
        [("Approve", "ripcord approve cmd_1"), ("Reject", "ripcord reject cmd_1")]
        [APPROVAL NEEDED] checkout 2.4.1 in production: a rollback waits for approval (8.3 % of requests fail, limit 1 %)
        8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. 2.4.0 beside it: 0.09 % of 20,000 requests. Ripcord does not act by itself: the mode is approve. It is not known which version to go back to: name one. It expires at 2026-11-23 10:01:00 UTC if nobody approves. Approved by ann, 1 more needed.
        [("Approve", "ripcord approve cmd_1 --to-version VERSION"), ("Reject", "ripcord reject cmd_1")]
        [REJECTED] checkout 2.4.1 in production: the rollback to 2.4.0 was rejected
        the rollback to 2.4.0 was rejected: by ann
        []
    "#]].assert_eq(&all);
}

#[test]
fn a_doubtful_cause_is_said_in_words_in_the_description_and_in_the_story() {
    let why = "not_attributable: 2.4.0 exceeds the same limit now; not_attributable: so does cart; cooldown";
    let summary = format!("checkout 2.4.1 in production: a rollback to 2.4.0 is advised: {why}");
    let breach = fixture::notice(NoticeKind::Breach, 0, &summary);
    let mut prepared =
        fixture::notice(NoticeKind::RollbackPrepared, 1, "checkout 2.4.1 in production: waits");
    prepared.command.as_mut().unwrap().state_reason = why.into();
    let told = text(&Digest::of(&fixture::send_of("slack", vec![breach, prepared]), ""));
    assert!(!told.contains("not_attributable"), "{told}");
    let words = "the release may not be the cause: 2.4.0 exceeds the same limit now; so does cart; cooldown";
    assert!(told.matches(words).count() >= 1, "{told}");
}

#[test]
fn an_alert_without_annotations_speaks_by_its_labels() {
    let mut alert = fixture::notice(NoticeKind::Alert, 0, "");
    (alert.reasons, alert.release, alert.owner) = (Vec::new(), None, None);
    alert.annotations = Labels::default();
    alert.labels = Labels::from_pairs([
        ("alertname", "DiskFull"),
        ("instance", "db-1:9100"),
        ("service", "db"),
        ("severity", "critical"),
    ]);
    let mut send = fixture::send_of("slack", vec![alert.clone()]);
    (send.release, send.common_labels) = (None, alert.labels);
    check(
        &send,
        expect![[r#"
        [FIRING] db: DiskFull

          instance: db-1:9100
          severity: critical
         *10:00:00 Alarm DiskFull instance=db-1:9100 service=db severity=critical
    "#]],
    );
}

#[test]
fn a_releases_link_says_where_it_leads_and_mentions_nobody() {
    for (name, url, expected) in [
        ("pipeline", "https://ci.example.org/42", "pipeline (ci.example.org)"),
        ("@here", "https://evil.example/x", "here (evil.example)"),
        ("<!channel>", "https://evil.example/x", "channel (evil.example)"),
        ("evidence (ripcord.example.org)", "https://evil.example", "evidence ripcord.example (evil.example)"),
        ("&&&", "https://ci.example.org@evil.example/x", "link (evil.example)"),
    ] {
        assert_eq!(super::with_host(name, url), expected, "{name}");
    }
}
