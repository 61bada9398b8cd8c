//! What messages say.

use std::time::Duration;

use expect_test::{Expect, expect};
use model::{Labels, NoticeKind, SendReason};

use super::*;
use crate::fixture::{self, T0};

fn text(digest: &Digest) -> String {
    let mut text = format!("[{}] {}\n{}\n", digest.status_word(), digest.headline(), digest.description);
    for (label, value) in &digest.facts {
        text += &format!("  {label}: {value}\n");
    }
    for event in &digest.events {
        let fresh = if event.is_fresh { "*" } else { " " };
        text += &format!(" {fresh}{} {:?} {}\n", event.clock(), event.status, event.text);
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
            [FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (error_rate 8.3 % > 1 %)
            1,513 of 18,231 requests failed in 5m; 2.4.0 beside it fails 0.09 %.
              Condition: error_rate > 1%
              Window: 5m
              Requests: 18,231
              Errors: 1,513
              Baseline: 0.09 % (2.4.0 beside it, 20,000 requests)
              State: rolling back
              Previous version: 2.4.0
              Severity: critical
              Team: payments
             *10:00:00 Firing checkout 2.4.1 breaks error_rate > 1%
             *10:00:03 Firing rolling back checkout 2.4.1 to 2.4.0
              evidence -> https://ripcord.example.org/api/v1/releases/rel_1
              runbook -> https://runbooks.example.org/checkout?a=1&b=2
              pipeline -> https://ci.example.org/42
              release rel_1
              command cmd_1
        "#]],
    );
}

#[test]
fn the_headline_follows_the_newest_event_and_the_gravest_of_one_moment() {
    for (kinds, headline) in [
        (
            vec![(NoticeKind::Breach, 0)],
            "checkout 2.4.1 in production: a limit is broken (error_rate 8.3 % > 1 %)",
        ),
        (
            vec![(NoticeKind::RollbackPrepared, 0), (NoticeKind::Breach, 0)],
            "checkout 2.4.1 in production: a rollback to 2.4.0 waits for approval (error_rate 8.3 % > 1 %)",
        ),
        (
            vec![(NoticeKind::RollbackFailed, 9), (NoticeKind::RollbackStarted, 3)],
            "checkout 2.4.1 in production: the rollback to 2.4.0 failed (error_rate 8.3 % > 1 %)",
        ),
        (
            vec![(NoticeKind::RolledBack, 9), (NoticeKind::Recovered, 30)],
            "checkout 2.4.1 in production: recovered (error_rate 8.3 % > 1 %)",
        ),
        (
            vec![(NoticeKind::Finding, 9)],
            "checkout 2.4.1 in production: what happened (error_rate 8.3 % > 1 %)",
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
              Severity: critical
             *10:00:00 Firing cart: disk is nearly full
              10:00:02 Firing mail: disk is nearly full
             *10:01:01 Resolved search: resolved: disk is nearly full
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
    assert_eq!((digest.events.len(), digest.omitted), (30, 70));
    assert_eq!(digest.events.last().map(|event| event.text.as_str()), Some("event 99"));
}
