//! What is told of a release, and that what fires is resolved.

use expect_test::expect;

use super::script::check;

#[test]
fn a_release_is_told_from_its_opening_to_its_end() {
    check(
        "
            0s release checkout 2.4.1 pending
            1s release checkout 2.4.1 progressing stage=Canary
            1s release checkout 2.4.1 progressing stage=Canary
            2s stage checkout 2.4.1 Canary
            3s release checkout 2.4.1 watching
            9s release checkout 2.4.1 succeeded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is about to go out
            1s notice firing release_progress info: checkout 2.4.1 in production goes out, stage Canary
            2s notice firing release_progress info: checkout 2.4.1 in production: stage Canary is passed
            3s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            9s notice resolved release_progress info: checkout 2.4.1 in production succeeded
        "#]],
    );
}

#[test]
fn a_watch_that_saw_too_little_ends_unproven() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            9s release checkout 2.4.1 unproven reason=3_requests
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            9s notice resolved release_progress info: checkout 2.4.1 in production ended its watch unproven: 3 requests
        "#]],
    );
}

#[test]
fn a_superseded_release_takes_its_open_command_with_it() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            9s release checkout 2.4.1 superseded previous=2.4.0
            9s release checkout 2.4.2 watching previous=2.4.1
            10s approve checkout 2.4.1 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            9s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 1805s: the release was superseded
            9s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: the release was superseded
            9s notice resolved release_progress info: checkout 2.4.1 in production was superseded
            9s notice firing release_progress info: checkout 2.4.2 in production is out and watched
            10s audit ann approve cmd: refused: the command is cancelled already
        "#]],
    );
}

#[test]
fn a_cancelled_release_takes_its_open_command_with_it() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            9s release checkout 2.4.1 cancelled previous=2.4.0
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            9s command checkout 2.4.1 #1 cancelled immediate to 2.4.0 for error_rate until 65s: the release was cancelled
            9s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: the release was cancelled
            9s notice resolved release_progress info: checkout 2.4.1 in production was cancelled
        "#]],
    );
}

#[test]
fn a_release_of_a_bad_version_says_so() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            7s release checkout 2.4.1 watching cluster=eu-1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            6s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            6s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            6s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice firing release_progress info: checkout 2.4.1 in production (eu-1) is out and watched; this version is marked bad since 2026-11-23 10:00:05 UTC
        "#]],
    );
}

#[test]
fn a_newer_release_that_succeeds_ends_what_an_older_one_left_firing() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            7s release checkout 2.4.2 watching
            8s release checkout 2.4.2 succeeded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            6s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            6s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            6s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice firing release_progress info: checkout 2.4.2 in production is out and watched
            8s notice resolved release_progress info: checkout 2.4.2 in production succeeded
            8s notice resolved rolled_back warning: checkout 2.4.2 in production succeeded
        "#]],
    );
}

#[test]
fn a_newer_release_that_was_rolled_back_and_recovered_ends_what_an_older_one_left_firing() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 failed
            7s release checkout 2.4.1 succeeded previous=2.4.0
            8s rollback checkout 2.4.1 by ann
            9s outcome checkout 2.4.1 failed attempt=2 detail=503
            10s release checkout 2.4.2 watching previous=2.4.0
            11s release checkout 2.4.2 rolled_back previous=2.4.0
            20s release checkout 2.4.2 recovered previous=2.4.0
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s
            6s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback failed
            6s notice firing rollback_failed critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the rollback to 2.4.0 failed, somebody must act: 
            7s notice resolved release_progress info: checkout 2.4.1 in production succeeded
            7s notice resolved rollback_failed critical: checkout 2.4.1 in production succeeded
            8s command checkout 2.4.1 #2 ready approved (4) to 2.4.0 for manual until 68s approved by ann
            8s notice firing rollback_started critical: checkout 2.4.1 in production: asked for by ann; rolling back to 2.4.0, approved by ann
            8s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
            9s command checkout 2.4.1 #2 failed approved to 2.4.0 for manual until 68s approved by ann: 503
            9s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback failed
            9s notice firing rollback_failed critical: checkout 2.4.1 in production: asked for by ann; the rollback to 2.4.0 failed, somebody must act: 503
            10s notice firing release_progress info: checkout 2.4.2 in production is out and watched
            11s version checkout 2.4.2 is bad: it was rolled back
            11s notice resolved release_progress info: checkout 2.4.2 in production was rolled back
            11s notice firing rolled_back warning: checkout 2.4.2 in production was rolled back
            20s notice resolved rolled_back warning: checkout in production is within its limits again, after 2.4.2 was rolled back
            20s notice resolved rollback_failed critical: checkout in production is within its limits again, after 2.4.2 was rolled back
            20s notice resolved recovered info: checkout in production is within its limits again, after 2.4.2 was rolled back
        "#]],
    );
}

#[test]
fn findings_begin_and_end() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s finding checkout - sender_silent on
            2s finding checkout 2.4.1 release_silent on
            3s finding checkout - torn on
            4s finding checkout - sender_silent off
            5s finding checkout 2.4.1 release_silent off
            6s finding checkout - torn off
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s notice firing finding critical: checkout in production: sender_silent is on
            2s notice firing finding critical: checkout 2.4.1 in production: release_silent is on
            3s notice firing finding warning: checkout in production: torn is on
            4s notice resolved finding critical: checkout in production: sender_silent is off
            5s notice resolved finding critical: checkout 2.4.1 in production: release_silent is off
            6s notice resolved finding warning: checkout in production: torn is off
        "#]],
    );
}

#[test]
fn the_end_of_a_release_ends_its_findings_and_breaches() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s breach checkout 2.4.1 cpu action=alert_team
            2s finding checkout 2.4.1 release_silent on
            3s release checkout 2.4.1 superseded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s notice firing breach warning: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests)
            2s notice firing finding critical: checkout 2.4.1 in production: release_silent is on
            3s notice resolved release_progress info: checkout 2.4.1 in production was superseded
            3s notice resolved breach warning: checkout 2.4.1 in production was superseded
            3s notice resolved finding critical: checkout 2.4.1 in production was superseded
        "#]],
    );
}

#[test]
fn alerts_are_passed_on_as_they_came() {
    check(
        "
            0s alert HighErrorRate
            1s alert HighErrorRate ends=1s
        ",
        expect![[r#"
            0s notice firing alert critical: as sent
            1s notice resolved alert critical: as sent
        "#]],
    );
}

#[test]
fn deliveries_change_nothing() {
    check(
        "
            0s delivery
            1s tick
        ",
        expect![[r#""#]],
    );
}
