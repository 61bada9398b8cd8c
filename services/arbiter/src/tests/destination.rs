//! Where a rollback goes to, and when that is left to a person.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn without_a_known_version_to_go_back_to_a_person_is_asked_for_one() {
    check(
        "
            0s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback waits for somebody to name a version: no earlier version is known to have succeeded
        "#]],
    );
}

#[test]
fn the_newest_version_that_succeeded_is_where_to_go() {
    check_commands(
        "
            0s release checkout 2.3.0 watching
            1s release checkout 2.3.0 succeeded
            2s release checkout 2.4.0 watching digest=sha256:a
            3s release checkout 2.4.0 succeeded digest=sha256:a
            4s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0@sha256:a for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn a_version_of_another_cluster_is_not_where_to_go() {
    check_commands(
        "
            0s release checkout 2.4.0 watching cluster=us-1
            1s release checkout 2.4.0 succeeded cluster=us-1
            4s release checkout 2.4.1 watching cluster=eu-1
            5s breach checkout 2.4.1 cluster=eu-1
        ",
        expect![[r#"
            5s command checkout 2.4.1 (eu-1) #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded
        "#]],
    );
}

#[test]
fn below_the_floor_nothing_is_sent() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0 floor=2.4.1
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no version to go back to: 2.4.0 is older than the rollback floor 2.4.1
        "#]],
    );
}
