//! A breach that goes on is decided again: after a failure, after an expiry, when what kept it back is gone.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn a_target_that_was_down_gets_a_new_command_on_fresh_evidence_after_a_pause() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            65s outcome checkout 2.4.1 failed retryable=yes detail=503
            70s continues checkout 2.4.1
            100s continues checkout 2.4.1
            160s outcome checkout 2.4.1 failed retryable=yes detail=503 attempt=2
            180s continues checkout 2.4.1
            191s breach checkout 2.4.1 response_time
            195s outcome checkout 2.4.1 accepted attempt=3
            196s outcome checkout 2.4.1 succeeded attempt=3
            220s continues checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            65s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s: 503
            65s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback failed
            65s notice firing rollback_failed critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the rollback to 2.4.0 failed, it is tried again after 2026-11-23 10:01:20 UTC while the limit is exceeded; look at the target: 503
            100s command checkout 2.4.1 #2 ready immediate (4) to 2.4.0 for error_rate until 160s
            100s notice resolved rollback_failed critical: checkout 2.4.1 in production: the rollback is on its way
            100s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            160s command checkout 2.4.1 #2 failed immediate to 2.4.0 for error_rate until 160s: 503
            160s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback failed
            160s notice firing rollback_failed critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the rollback to 2.4.0 failed, it is tried again after 2026-11-23 10:03:10 UTC while the limit is exceeded; look at the target: 503
            191s command checkout 2.4.1 #3 ready immediate (6) to 2.4.0 for response_time until 251s
            191s notice resolved rollback_failed critical: checkout 2.4.1 in production: the rollback is on its way
            191s notice firing rollback_started critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); rolling back to 2.4.0
            195s command checkout 2.4.1 #3 accepted immediate to 2.4.0 for response_time until 251s
            196s command checkout 2.4.1 #3 succeeded immediate to 2.4.0 for response_time until 251s
            196s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            196s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            196s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
        "#]],
    );
}

#[test]
fn a_refusal_for_good_is_not_tried_again_even_where_another_target_was_only_down() {
    check_commands(
        "
            policy targets=two
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 failed target=undo detail=404
            65s outcome checkout 2.4.1 failed retryable=yes target=flip detail=503
            500s continues checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s: 404
        "#]],
    );
}

#[test]
fn the_pauses_grow_and_the_tries_end() {
    let mut script =
        "0s release checkout 2.4.1 watching previous=2.4.0\n5s breach checkout 2.4.1\n".to_owned();
    let mut now = 5;
    for attempt in 1..=20 {
        now += 60;
        script += &format!("{now}s outcome checkout 2.4.1 failed retryable=yes attempt={attempt}\n");
        for _ in 0..12 {
            now += 30;
            script += &format!("{now}s continues checkout 2.4.1\n");
        }
    }
    let sent = super::script::decisions(&script);
    let sent = sent.iter().filter(|decision| {
        matches!(decision, model::Decision::Command(command) if command.state == model::CommandState::Ready)
    });
    assert_eq!(sent.count(), crate::bounds::MAX_SENT as usize);
}

#[test]
fn what_is_approved_stays_approved_while_the_target_is_down() {
    check_commands(
        "
            policy mode=approve
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            60s approve checkout 2.4.1 by=ann
            120s outcome checkout 2.4.1 failed retryable=yes
            150s continues checkout 2.4.1
            210s outcome checkout 2.4.1 failed retryable=yes attempt=2
            220s halt hlt_1 for=10m by=bob
            300s continues checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the policy's mode is approve
            60s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 120s approved by ann
            60s version checkout 2.4.1 is bad: it is being rolled back
            60s audit ann approve cmd: accepted: approved, rolling back to 2.4.0
            120s command checkout 2.4.1 #1 failed approved to 2.4.0 for error_rate until 120s approved by ann
            150s command checkout 2.4.1 #2 ready approved (4) to 2.4.0 for error_rate until 210s approved by ann
            210s command checkout 2.4.1 #2 failed approved to 2.4.0 for error_rate until 210s approved by ann
            220s halt hlt_1 begins
            220s audit bob halt everything (hlt_1): accepted: everything is halted
            300s command checkout 2.4.1 #3 prepared approved to 2.4.0 for error_rate until 2100s: the policy's mode is approve; halted by bob until 2026-11-23 10:13:40 UTC: 
        "#]],
    );
}

#[test]
fn what_was_not_sent_goes_out_on_fresh_evidence() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            30s outcome checkout 2.4.1 refused stale=yes detail=old
            35s continues checkout 2.4.1
            60s continues checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            30s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1830s: not sent, its evidence had become too old: old
            60s command checkout 2.4.1 #1 ready immediate (3) to 2.4.0 for error_rate until 120s
        "#]],
    );
}

#[test]
fn what_kept_a_rollback_back_and_is_gone_does_not_keep_it_back_for_ever() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s halt hlt_1 for=2m by=bob
            5s breach checkout 2.4.1
            35s continues checkout 2.4.1
            125s continues checkout 2.4.1
        ",
        expect![[r#"
            1s halt hlt_1 begins
            1s audit bob halt everything (hlt_1): accepted: everything is halted
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: halted by bob until 2026-11-23 10:02:01 UTC: 
            125s halt hlt_1 ends
            125s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 185s
            125s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s halt hlt_1 for=2m by=bob
            35s continues checkout 2.4.1
            130s continues checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s halt hlt_1 begins
            6s command checkout 2.4.1 #1 cancelled immediate to 2.4.0 for error_rate until 65s: halted by bob: 
            6s audit bob halt everything (hlt_1): accepted: everything is halted, queued commands cancelled: 1
            35s command checkout 2.4.1 #2 prepared approved to 2.4.0 for error_rate until 1835s: halted by bob until 2026-11-23 10:02:06 UTC: 
            130s halt hlt_1 ends
            130s command checkout 2.4.1 #2 ready immediate (4) to 2.4.0 for error_rate until 190s
        "#]],
    );
}

#[test]
fn what_a_person_rejected_is_not_asked_for_again_and_what_a_storm_holds_back_stays_back() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s reject checkout 2.4.1 by=ann
            35s continues checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s command checkout 2.4.1 #1 rejected approved to 2.4.0 for error_rate until 1805s: by ann
            6s audit ann reject cmd: accepted: rejected
        "#]],
    );
    check_commands(
        "
            policy max_rollbacks=1 settle=0s
            0s release checkout 2.4.1 watching previous=2.4.0
            0s release search 1.1.0 watching previous=1.0.0
            5s breach checkout 2.4.1
            6s breach search 1.1.0
            7s outcome checkout 2.4.1 accepted
            300s continues search 1.1.0
            606s continues search 1.1.0
            1205s continues search 1.1.0
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command search 1.1.0 #1 prepared approved to 1.0.0 for error_rate until 1806s: storm: rollbacks of more than 1 services were wanted within 10m, so a shared cause is likely
            7s command checkout 2.4.1 #1 accepted immediate to 2.4.0 for error_rate until 65s
        "#]],
    );
}

#[test]
fn an_earlier_attempt_that_worked_after_all_ends_the_later_one() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            65s outcome checkout 2.4.1 failed retryable=yes
            100s continues checkout 2.4.1
            101s outcome checkout 2.4.1 succeeded
            102s outcome checkout 2.4.1 refused attempt=2
            200s tick
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            65s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s
            100s command checkout 2.4.1 #2 ready immediate (4) to 2.4.0 for error_rate until 160s
            101s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            101s command checkout 2.4.1 #2 succeeded immediate to 2.4.0 for error_rate until 160s: an earlier attempt has rolled it back
        "#]],
    );
}

#[test]
fn a_rollback_that_waited_for_want_of_a_version_goes_out_once_telemetry_names_the_version() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=yes
            35s continues checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the telemetry carries no version, so the whole service was judged
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: the telemetry carries no version, so the whole service was judged
            35s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 95s
            35s version checkout 2.4.1 is bad: it is being rolled back
            35s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            35s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn half_the_approvals_are_nobodys_order_once_the_rollback_is_automatic() {
    check(
        "
            policy approvals=2
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=yes
            6s approve checkout 2.4.1 by=ann
            35s continues checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the telemetry carries no version, so the whole service was judged
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: the telemetry carries no version, so the whole service was judged
            6s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s approved by ann: the telemetry carries no version, so the whole service was judged
            6s audit ann approve cmd: accepted: approved, 1 more needed
            35s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 95s
            35s version checkout 2.4.1 is bad: it is being rolled back
            35s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            35s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}
