//! What keeps a breach from acting by itself: doubtful or old evidence, a cooldown, no release.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn an_ambiguous_version_is_told_only() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s finding checkout 2.4.1 ambiguous_version on
            5s breach checkout 2.4.1
            6s finding checkout 2.4.1 ambiguous_version off
            7s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            2s notice firing finding warning: checkout 2.4.1 in production: ambiguous_version is on
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: the version is ambiguous: 2.4.1 names more than one artifact
            6s notice resolved finding warning: checkout 2.4.1 in production: ambiguous_version is off
            7s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for response_time until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
            7s notice firing rollback_started critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn while_the_sender_is_silent_nothing_is_done_but_told() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s finding checkout - sender_silent on
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            2s notice firing finding critical: checkout in production: sender_silent is on
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: the sender of its telemetry is silent
        "#]],
    );
}

#[test]
fn a_release_that_cannot_be_reverted_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0 revertible=false
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the release is marked as not revertible
        "#]],
    );
}

#[test]
fn old_evidence_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            200s breach checkout 2.4.1 age=61s
        ",
        expect![[r#"
            200s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 2000s: the evidence is older than 1m
        "#]],
    );
}

#[test]
fn evidence_of_just_the_greatest_age_still_acts() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            200s breach checkout 2.4.1 age=60s
        ",
        expect![[r#"
            200s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 260s
            200s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn within_the_cooldown_of_an_automatic_rollback_the_next_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            60s release checkout 2.4.2 watching previous=2.4.0
            65s breach checkout 2.4.2
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            65s command checkout 2.4.2 #1 prepared approved to 2.4.0 for error_rate until 1865s: cooldown: the last automatic rollback was 1m ago, less than 10m
        "#]],
    );
}

#[test]
fn after_the_cooldown_it_acts_again() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            600s release checkout 2.4.2 watching previous=2.4.0
            605s breach checkout 2.4.2
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            605s command checkout 2.4.2 #1 ready immediate (4) to 2.4.0 for error_rate until 665s
            605s version checkout 2.4.2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn another_cluster_has_a_cooldown_of_its_own() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-1
            7s breach checkout 2.4.1 cluster=eu-1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            7s command checkout 2.4.1 (eu-1) #1 ready immediate (4) to 2.4.0 for error_rate until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn ripcord_does_not_act_on_itself() {
    check(
        "
            0s release ripcord 2.0.0 watching previous=1.0.0
            5s breach ripcord 2.0.0
        ",
        expect![[r#"
            0s notice firing release_progress info: ripcord 2.0.0 in production is out and watched
            5s notice firing breach critical: ripcord 2.0.0 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 1.0.0 is advised: Ripcord does not act on itself
        "#]],
    );
}

#[test]
fn a_breach_without_a_release_is_told_only() {
    check(
        "
            5s breach cart -
            6s ended cart - error_rate
        ",
        expect![[r#"
            5s notice firing breach critical: cart in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); no release is under watch, so nothing is rolled back
            6s notice resolved breach critical: cart in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn a_breach_of_an_unknown_release_is_told_only() {
    check(
        "
            5s breach cart 9.9.9
            6s ended cart 9.9.9 error_rate
        ",
        expect![[r#"
            5s notice firing breach critical: cart 9.9.9 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the release is not known, so nothing is rolled back
            6s notice resolved breach critical: cart 9.9.9 in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn a_breach_of_a_release_that_is_not_watched_is_told_only() {
    check(
        "
            0s release checkout 2.4.1 pending previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is about to go out
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the release is pending, so nothing is rolled back
        "#]],
    );
}
