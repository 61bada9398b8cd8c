//! Messages for tests: the story of checkout 2.4.1.

use std::{collections::BTreeMap, time::Duration};

use model::{
    BaselineKind, BaselineValue, Command, CommandId, CommandMode, CommandState, CommandVerb, EventId,
    Evidence, Labels, Notice, NoticeId, NoticeKind, NoticeStatus, Owner, Reason, Release, ReleaseId,
    ReleaseState, Send, SendId, SendReason, ServiceKey, Severity, Timestamp,
};

/// 2026-11-23T10:00:00Z.
pub(crate) const T0: Timestamp = Timestamp::from_millis(1_795_428_000_000);

pub(crate) fn release() -> Release {
    Release {
        id: ReleaseId::from_text("rel_1"),
        key: ServiceKey::new("checkout", "production"),
        version: "2.4.1".into(),
        previous_version: Some("2.4.0".into()),
        state: ReleaseState::RollingBack,
        started_at: Timestamp::from_millis(T0.as_millis() - 60_000),
        links: BTreeMap::from([("pipeline".into(), "https://ci.example.org/42".into())]),
        ..Release::default()
    }
}

fn reason() -> Reason {
    Reason {
        trigger: "error_rate".into(),
        condition: "error_rate > 1%".into(),
        key: ServiceKey::new("checkout", "production"),
        version: Some("2.4.1".into()),
        window: Duration::from_secs(300),
        evidence: vec![Evidence {
            metric: "error_rate".into(),
            value: 0.083,
            limit: 0.01,
            requests: 18_231,
            errors: 1513,
            coverage: 0.97,
            baseline: Some(BaselineValue {
                kind: BaselineKind::Beside { version: "2.4.0".into() },
                value: 0.0009,
                requests: 20_000,
            }),
            ..Evidence::default()
        }],
        ..Reason::default()
    }
}

fn command() -> Command {
    Command {
        id: CommandId::from_text("cmd_1"),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: release().reference(),
        to_version: Some("2.4.0".into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: Vec::new(),
        reasons: vec![reason()],
        decided_at: T0,
        deadline: T0 + Duration::from_secs(60),
        evidence_at: T0,
        fencing: 1,
        approvals_needed: 0,
        approved_by: Vec::new(),
    }
}

/// A notice of `kind`, `seconds` after [`T0`].
pub(crate) fn notice(kind: NoticeKind, seconds: u64, summary: &str) -> Notice {
    let has_command = matches!(
        kind,
        NoticeKind::RollbackStarted
            | NoticeKind::RolledBack
            | NoticeKind::RollbackFailed
            | NoticeKind::RollbackPrepared
    );
    Notice {
        id: NoticeId::from_text(format!("ntc_{}", kind.as_str())),
        kind,
        severity: Severity::Critical,
        status: NoticeStatus::Firing,
        labels: Labels::from_pairs([
            ("alertname", kind.as_str()),
            ("service", "checkout"),
            ("environment", "production"),
            ("version", "2.4.1"),
        ]),
        annotations: Labels::from_pairs([
            ("summary", summary),
            ("description", "1,513 of 18,231 requests failed in 5m; 2.4.0 beside it fails 0.09 %."),
            ("runbook_url", "https://runbooks.example.org/checkout?a=1&b=2"),
        ]),
        starts_at: T0 + Duration::from_secs(seconds),
        ends_at: None,
        generator_url: String::new(),
        release: Some(Box::new(release())),
        command: has_command.then(|| Box::new(command())),
        reasons: vec![reason()],
        owner: Some(Owner {
            team: Some("payments".into()),
            slack: Some("#payments".into()),
            email: Some("payments@example.org".into()),
            mention: None,
        }),
        cause: EventId::from_text("evt_1"),
    }
}

/// The first message of the story: a breach, and the rollback that is under way for it.
pub(crate) fn send(integration: &str) -> Send {
    send_of(
        integration,
        vec![
            notice(NoticeKind::Breach, 0, "checkout 2.4.1 breaks error_rate > 1%"),
            notice(NoticeKind::RollbackStarted, 3, "rolling back checkout 2.4.1 to 2.4.0"),
        ],
    )
}

/// A message with these notices, all of them new.
pub(crate) fn send_of(integration: &str, notices: Vec<Notice>) -> Send {
    Send {
        id: SendId::from_text("snd_1"),
        receiver: "sre".into(),
        integration: integration.into(),
        index: 0,
        group_key: "{}:{service=\"checkout\"}".into(),
        group_labels: Labels::from_pairs([("service", "checkout")]),
        common_labels: Labels::from_pairs([
            ("environment", "production"),
            ("service", "checkout"),
            ("version", "2.4.1"),
        ]),
        common_annotations: Labels::default(),
        status: NoticeStatus::Firing,
        reason: SendReason::FirstNotification,
        fresh: (0..notices.len()).collect(),
        notices,
        truncated: 0,
        thread: None,
        release: Some(release().reference()),
        retry_of: None,
        settled: Vec::new(),
    }
}

/// The end of the story, in the thread of the message before.
pub(crate) fn resolved(mut send: Send, thread: &str) -> Send {
    send.notices.push(notice(NoticeKind::RolledBack, 20, "checkout 2.4.1 was rolled back to 2.4.0"));
    for notice in &mut send.notices {
        notice.status = NoticeStatus::Resolved;
        notice.ends_at = Some(T0 + Duration::from_secs(25));
    }
    send.id = SendId::from_text("snd_2");
    send.status = NoticeStatus::Resolved;
    send.reason = SendReason::AllAlertsResolved;
    send.fresh = vec![send.notices.len() - 1];
    send.thread = Some(thread.to_owned());
    send
}

/// How the story goes on without news that call anybody: the end of the watch, in the thread of the message before.
pub(crate) fn progress(send: Send, thread: &str) -> Send {
    let mut send = resolved(send, thread);
    send.notices.pop();
    let mut over = notice(NoticeKind::ReleaseProgress, 20, "the watch of checkout 2.4.1 ended");
    (over.status, over.ends_at) = (NoticeStatus::Resolved, Some(T0 + Duration::from_secs(25)));
    send.notices.push(over);
    send
}

/// Names as an attacker would choose them.
pub(crate) const EVIL: &str =
    "</td><script>alert(1)</script> <!channel> <https://evil.example|click> `*_~\r\nBcc: x@evil.example";

/// The story told about a service with an evil name.
pub(crate) fn evil_send(integration: &str) -> Send {
    let mut notice = notice(NoticeKind::RollbackStarted, 0, EVIL);
    notice.annotations.set("description", EVIL);
    notice.annotations.set("bad_url", "javascript:alert(1)");
    notice.annotations.set("worse_url", "https://evil.example/\"onmouseover=alert(1)|x>");
    for reason in &mut notice.reasons {
        reason.trigger = EVIL.into();
    }
    notice.command = None;
    let mut send = send_of(integration, vec![notice]);
    if let Some(release) = &mut send.release {
        release.key.service = EVIL.into();
        release.version = EVIL.into();
    }
    send
}
