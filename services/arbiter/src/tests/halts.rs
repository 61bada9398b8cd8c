//! Halts.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn a_halt_prepares_what_would_have_acted_and_ends_by_itself() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s halt h1 for=10m reason=migration by=bob
            5s breach checkout 2.4.1
            600s tick
            601s tick
            602s approve checkout 2.4.1 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s halt h1 begins
            1s notice firing safety warning: all automatic action is halted for everything until 2026-11-23 10:10:01 UTC by bob: migration
            1s audit bob halt everything (h1): accepted: everything is halted
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: halted by bob until 2026-11-23 10:10:01 UTC: migration
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: halted by bob until 2026-11-23 10:10:01 UTC: migration
            601s halt h1 ends
            601s notice resolved safety warning: the halt by bob is over: it has run out
            602s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 662s approved by ann
            602s version checkout 2.4.1 is bad: it is being rolled back
            602s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            602s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann
            602s audit ann approve cmd: accepted: approved, rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn a_halt_cancels_what_is_queued_and_not_what_is_accepted() {
    check(
        "
            0s release cart 2 watching previous=1
            0s release checkout 2.4.1 watching previous=2.4.0
            1s breach cart 2
            2s outcome cart 2 accepted
            5s breach checkout 2.4.1
            6s halt h1 for=10m reason=storage
            7s ended checkout 2.4.1 error_rate
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s command cart 2 #1 ready immediate (2) to 1 for error_rate until 61s
            1s version cart 2 is bad: it is being rolled back
            1s notice firing rollback_started critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
            2s command cart 2 #1 accepted immediate to 1 for error_rate until 61s
            5s command checkout 2.4.1 #1 ready immediate (4) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s halt h1 begins
            6s notice firing safety warning: all automatic action is halted for everything until 2026-11-23 10:10:06 UTC by ann: storage
            6s command checkout 2.4.1 #1 cancelled immediate to 2.4.0 for error_rate until 65s: halted by ann: storage
            6s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: halted by ann: storage
            6s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); its rollback was cancelled by a halt
            6s audit ann halt everything (h1): accepted: everything is halted, queued commands cancelled: 1
            7s notice resolved breach critical: checkout 2.4.1 in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn a_halt_of_another_service_or_environment_changes_nothing() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s halt h1 service=cart for=10m
            2s halt h2 env=staging for=10m
            3s halt h3 service=checkout env=staging for=10m
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            1s halt h1 begins
            1s audit ann halt cart (h1): accepted: cart is halted
            2s halt h2 begins
            2s audit ann halt staging (h2): accepted: staging is halted
            3s halt h3 begins
            3s audit ann halt checkout in staging (h3): accepted: checkout in staging is halted
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn a_halt_of_the_service_in_every_environment_covers() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s halt h1 service=checkout for=10m reason=audit
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            1s halt h1 begins
            1s audit ann halt checkout (h1): accepted: checkout is halted
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: halted by ann until 2026-11-23 10:10:01 UTC: audit
        "#]],
    );
}

#[test]
fn a_halt_is_ended_by_a_person() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s halt h1 for=10m reason=migration
            2s unhalt h1 by=bob
            3s unhalt h1 by=bob
            5s breach checkout 2.4.1
            700s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s halt h1 begins
            1s notice firing safety warning: all automatic action is halted for everything until 2026-11-23 10:10:01 UTC by ann: migration
            1s audit ann halt everything (h1): accepted: everything is halted
            2s halt h1 ends
            2s notice resolved safety warning: the halt by ann is over: ended by bob
            2s audit bob unhalt h1: accepted: the halt is over
            3s audit bob unhalt h1: refused: the halt h1 is not in force
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            700s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 2500s: not sent in time: no actuator reported on it before its deadline
            700s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback was not sent
            700s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not sent in time: no actuator reported on it before its deadline
        "#]],
    );
}

#[test]
fn a_halt_renewed_ends_at_the_later_time() {
    check(
        "
            1s halt h1 for=10m reason=migration
            2s halt h1 for=20m reason=migration
            601s tick
            1202s tick
        ",
        expect![[r#"
            1s halt h1 begins
            1s notice firing safety warning: all automatic action is halted for everything until 2026-11-23 10:10:01 UTC by ann: migration
            1s audit ann halt everything (h1): accepted: everything is halted
            2s halt h1 begins
            2s notice firing safety warning: all automatic action is halted for everything until 2026-11-23 10:20:02 UTC by ann: migration
            2s audit ann halt everything (h1): accepted: everything is halted
            1202s halt h1 ends
            1202s notice resolved safety warning: the halt by ann is over: it has run out
        "#]],
    );
}

#[test]
fn a_halt_without_a_future_end_is_refused() {
    check(
        "
            1s halt h1 for=0s reason=migration
        ",
        expect![[r#"
            1s audit ann halt everything (h1): refused: a halt needs an end that is still to come, not 2026-11-23T10:00:01.000Z
        "#]],
    );
}

#[test]
fn an_approval_waits_for_the_end_of_a_halt_and_an_order_does_not() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s breach checkout 2.4.1 before=0.02
            2s halt h1 for=10m reason=migration by=bob
            3s approve checkout 2.4.1 by=ann
            4s rollback checkout 2.4.1 by=ann
        ",
        expect![[r#"
            1s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1801s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            2s halt h1 begins
            2s audit bob halt everything (h1): accepted: everything is halted
            3s audit ann approve cmd: refused: halted by bob until 2026-11-23 10:10:02 UTC: migration
            4s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 1801s: ann ordered a rollback by hand
            4s command checkout 2.4.1 #2 ready approved (3) to 2.4.0 for error_rate until 64s approved by ann
            4s version checkout 2.4.1 is bad: it is being rolled back
            4s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
        "#]],
    );
}

#[test]
fn after_a_halt_a_new_breach_is_a_new_attempt() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s breach checkout 2.4.1
            2s halt h1 for=1m reason=storage
            62s tick
            70s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            1s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 61s
            1s version checkout 2.4.1 is bad: it is being rolled back
            2s halt h1 begins
            2s command checkout 2.4.1 #1 cancelled immediate to 2.4.0 for error_rate until 61s: halted by ann: storage
            2s audit ann halt everything (h1): accepted: everything is halted, queued commands cancelled: 1
            62s halt h1 ends
            70s command checkout 2.4.1 #2 ready immediate (4) to 2.4.0 for response_time until 130s
        "#]],
    );
}
