//! A notice in full: what receivers show and routes match on.

use expect_test::{Expect, expect};
use model::{Decision, Notice};

use super::script::decisions;

fn check(script: &str, expected: Expect) {
    let mut notices = decisions(script).into_iter().filter_map(|decision| match decision {
        Decision::Notice(notice) => Some(in_full(&notice)),
        _ => None,
    });
    expected.assert_eq(&notices.next_back().unwrap_or_default());
}

fn in_full(notice: &Notice) -> String {
    let mut lines = vec![notice.labels.to_string()];
    lines.extend(notice.annotations.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(format!("starts {}, ends {:?}", notice.starts_at, notice.ends_at.map(|it| it.to_string())));
    lines.push(format!("link {}, cause {}", notice.generator_url, notice.cause));
    let team = notice.owner.as_ref().and_then(|owner| owner.team.as_deref());
    let release = notice.release.as_ref().map(|release| release.state.as_str());
    let command = notice.command.as_ref().map(|command| command.state.as_str());
    let reasons: Vec<&str> = notice.reasons.iter().map(|reason| reason.trigger.as_str()).collect();
    lines.push(format!("owner {team:?}, release {release:?}, command {command:?}, reasons {reasons:?}"));
    lines.join("\n")
}

#[test]
fn a_started_rollback_carries_every_reason_with_its_numbers() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-1
            5s breach checkout 2.4.1 cluster=eu-1 version_beside=2.4.0
            6s breach checkout 2.4.1 response_time cluster=eu-1
        ",
        expect![[r#"
            {alertname="rollback_started", cluster="eu-1", environment="production", kind="rollback_started", release="rel_b5da28a7bb88a00c7b0c", service="checkout", severity="critical", team="payments", version="2.4.1"}
            description: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests) (error_rate > 1%); 2.4.0 beside it: 2 % of 9000 requests; at the limit itself chance shows so many once in 3,300,000 cases; it has to be rarer than once in 10,000 cases; evidence of 2026-11-23T10:00:05.000Z; caused by evt_2
            response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests) (response_time_p95 > 1s); at the limit itself chance shows so many once in 3,300,000 cases; it has to be rarer than once in 10,000 cases; evidence of 2026-11-23T10:00:06.000Z; caused by evt_3
            summary: checkout 2.4.1 in production (eu-1): error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests) and response_time too; rolling back to 2.4.0
            starts 2026-11-23T10:00:05.000Z, ends None
            link /api/v1/releases/rel_b5da28a7bb88a00c7b0c, cause evt_3
            owner Some("payments"), release Some("rolling_back"), command Some("ready"), reasons ["error_rate", "response_time"]"#]],
    );
}

#[test]
fn a_resolved_notice_keeps_the_labels_and_the_start_of_the_firing_one() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 action=alert_team
            9s ended checkout 2.4.1 error_rate
        ",
        expect![[r#"
            {alertname="error_rate", environment="production", kind="breach", release="rel_22ed34725e7a8854f19e", service="checkout", severity="warning", team="payments", version="2.4.1"}
            description: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests) (error_rate > 1%); at the limit itself chance shows so many once in 3,300,000 cases; it has to be rarer than once in 10,000 cases; evidence of 2026-11-23T10:00:05.000Z; caused by evt_2
            summary: checkout 2.4.1 in production: error_rate is within its limit again
            starts 2026-11-23T10:00:05.000Z, ends Some("2026-11-23T10:00:09.000Z")
            link /api/v1/releases/rel_22ed34725e7a8854f19e, cause evt_3
            owner Some("payments"), release Some("watching"), command None, reasons ["error_rate"]"#]],
    );
}

#[test]
fn a_halt_is_told_with_its_end_and_its_scope() {
    check(
        "5s halt h1 service=checkout env=production for=1h reason=migration",
        expect![[r#"
            {alertname="halt", environment="production", halt="h1", kind="safety", service="checkout", severity="warning"}
            description: all automatic action is halted for checkout in production until 2026-11-23 11:00:05 UTC by ann: migration
            summary: all automatic action is halted for checkout in production until 2026-11-23 11:00:05 UTC by ann: migration
            starts 2026-11-23T10:00:05.000Z, ends Some("2026-11-23T11:00:05.000Z")
            link , cause evt_1
            owner None, release None, command None, reasons []"#]],
    );
}
