//! Every kind of message, as people read it: a mail and what Slack shows, one after the other. A change of wording
//! shows here first.

use std::time::Duration;

use expect_test::expect_file;
use model::{CommandState, Labels, Notice, NoticeKind, NoticeStatus, Release, ReleaseState, Send, Severity};

use crate::{
    email, fixture,
    fixture::T0,
    slack::{self, double},
};

fn resolved(mut notice: Notice, at: u64, summary: &str) -> Notice {
    notice.status = NoticeStatus::Resolved;
    notice.ends_at = Some(T0 + Duration::from_secs(at));
    notice.annotations.set("summary", summary);
    notice
}

fn progress(state: ReleaseState, summary: &str) -> Notice {
    let mut notice = fixture::notice(NoticeKind::ReleaseProgress, 0, summary);
    notice.severity = Severity::Info;
    (notice.reasons, notice.release) = (Vec::new(), Some(Box::new(Release { state, ..fixture::release() })));
    notice
}

fn alert() -> Notice {
    let mut alert = fixture::notice(NoticeKind::Alert, 0, "the disk of db-1 is nearly full");
    (alert.reasons, alert.release, alert.owner) = (Vec::new(), None, None);
    alert.labels = Labels::from_pairs([
        ("alertname", "DiskFull"),
        ("instance", "db-1:9100"),
        ("service", "db"),
        ("severity", "critical"),
    ]);
    alert.annotations.set("description", "/var has 2 % left.");
    alert
}

fn without_release(notice: Notice) -> Send {
    let mut send = fixture::send_of("slack", vec![notice.clone()]);
    (send.release, send.status, send.common_labels) = (None, notice.status, notice.labels);
    send
}

fn messages() -> Vec<(&'static str, Send)> {
    use NoticeKind as K;
    let of = |notices: Vec<Notice>| fixture::send_of("slack", notices);
    let name = "checkout 2.4.1 in production";
    let breach = || fixture::notice(K::Breach, 0, &format!("{name}: 8.3 % of requests fail"));
    let mut prepared = fixture::notice(K::RollbackPrepared, 3, &format!("{name}: waits"));
    if let Some(command) = &mut prepared.command {
        command.state = CommandState::Prepared;
        command.state_reason = "other services exceed the same limit without a release".into();
    }
    let mut expired = resolved(prepared.clone(), 1800, &format!("{name}: the rollback to 2.4.0 expired"));
    if let Some(command) = &mut expired.command {
        command.state = CommandState::Expired;
    }
    let mut failed = fixture::notice(K::RollbackFailed, 30, &format!("{name}: the rollback failed"));
    if let Some(command) = &mut failed.command {
        command.state_reason = "hook answered 500 five times".into();
    }
    let started = || fixture::notice(K::RollbackStarted, 3, &format!("{name}: rolling back to 2.4.0"));
    let done = || fixture::notice(K::RolledBack, 20, &format!("{name} was rolled back to 2.4.0"));
    let over = format!("{name} was rolled back to 2.4.0");
    let now = "checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back: \
               error_rate 0.1 % of 4312 requests";
    let mut recovered = resolved(fixture::notice(K::Recovered, 60, ""), 60, now);
    recovered.command = done().command;
    if let Some(release) = &mut recovered.release {
        release.state_reason =
            "the service is within its limits again: error_rate 0.1 % of 4312 requests".into();
    }
    let mut finding = fixture::notice(
        K::Finding,
        120,
        &format!("{name}: nothing was ever seen of 2.4.1 for 2m, while others still send"),
    );
    finding.reasons = Vec::new();
    finding.annotations.set("description", "");
    let mut halted = fixture::notice(K::Safety, 0, "automatic action is halted for everything: game day");
    (halted.reasons, halted.release, halted.severity) = (Vec::new(), None, Severity::Warning);
    halted.annotations.set("description", "");
    halted.labels = Labels::from_pairs([("alertname", "safety"), ("halt", "hlt_1")]);
    vec![
        (
            "a release begins",
            of(vec![progress(ReleaseState::Watching, &format!("{name} is out and watched"))]),
        ),
        (
            "a release is superseded",
            of(vec![resolved(progress(ReleaseState::Superseded, ""), 60, &format!("{name} was superseded"))]),
        ),
        ("a limit is broken", of(vec![breach()])),
        ("approval is needed", of(vec![breach(), prepared])),
        ("an approval expired", of(vec![breach(), expired])),
        ("a rollback begins", of(vec![breach(), started()])),
        ("a rollback is done", of(vec![breach(), resolved(started(), 20, &over), done()])),
        ("a rollback failed", of(vec![breach(), failed])),
        ("recovered", of(vec![resolved(done(), 60, now), resolved(breach(), 60, now), recovered])),
        ("a finding", of(vec![finding])),
        ("halted", without_release(halted)),
        ("an alert from elsewhere", without_release(alert())),
        ("an alert is over", without_release(resolved(alert(), 60, "the disk of db-1 is nearly full"))),
    ]
}

#[test]
fn every_kind_of_message_as_people_read_it() {
    let mut page = String::new();
    for (what, send) in messages() {
        let mail = email::as_text(&send, "https://ripcord.example.org");
        let shown = double::as_text(&slack::as_json(&send, "https://ripcord.example.org"));
        page += &format!("======== {what}\n-------- mail\n{mail}\n-------- Slack\n{shown}\n\n");
    }
    expect_file!["gallery.txt"].assert_eq(&page);
}
