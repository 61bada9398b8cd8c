//! Shared causes.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn where_few_releases_are_watched_nothing_waits() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            5s breach cart 2
            5s breach checkout 2
        ",
        expect![[r#"
            5s command cart 2 #1 ready immediate (2) to 1 for error_rate until 65s
            5s version cart 2 is bad: it is being rolled back
            5s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 65s
            5s version checkout 2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn where_a_storm_is_possible_breaches_are_gathered_and_then_act() {
    check(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            9s tick
            10s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            0s notice firing release_progress info: checkout 2 in production is out and watched
            0s notice firing release_progress info: search 2 in production is out and watched
            10s command cart 2 #1 ready immediate (2) to 1 for error_rate until 70s
            10s version cart 2 is bad: it is being rolled back
            10s notice firing rollback_started critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
        "#]],
    );
}

/// The gather ends by the time of the very record that shows the shared cause.
#[test]
fn what_the_last_record_of_a_gather_shows_counts() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            10s limit stock error_rate on
        ",
        expect![[r#"
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: not_attributable: the same limit is exceeded without a release under watch by stock
        "#]],
    );
}

#[test]
fn a_second_service_prolongs_the_gather_by_a_scrape_and_then_both_act() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s breach checkout 2
            19s tick
            20s tick
        ",
        expect![[r#"
            20s command cart 2 #1 ready immediate (2) to 1 for error_rate until 80s
            20s version cart 2 is bad: it is being rolled back
            20s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 80s
            20s version checkout 2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn an_outage_that_each_service_shows_at_a_scrape_of_its_own_is_one_storm() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            9s breach checkout 2
            16s breach search 2
            17s tick
        ",
        expect![[r#"
            16s command cart 2 #1 prepared approved to 1 for error_rate until 1816s: storm: 3 services broke their limits within 11s (cart, checkout, search), so a shared cause is likely
            16s command checkout 2 #1 prepared approved to 1 for error_rate until 1816s: storm: 3 services broke their limits within 11s (cart, checkout, search), so a shared cause is likely
            16s command search 2 #1 prepared approved to 1 for error_rate until 1816s: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
        "#]],
    );
}

#[test]
fn a_gather_that_goes_on_growing_ends_while_its_evidence_is_fresh() {
    check_commands(
        "
            policy max_rollbacks=5
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            0s release mail 2 watching previous=1
            0s release stock 2 watching previous=1
            0s release users 2 watching previous=1
            5s breach cart 2
            9s breach checkout 2
            19s breach search 2
            23s breach mail 2
            27s breach stock 2
            31s breach stock 2 trigger=response_time
            31s tick
            32s tick
        ",
        expect![[r#"
            32s command cart 2 #1 ready immediate (2) to 1 for error_rate until 92s
            32s version cart 2 is bad: it is being rolled back
            32s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 92s
            32s version checkout 2 is bad: it is being rolled back
            32s command search 2 #1 ready immediate (6) to 1 for error_rate until 92s
            32s version search 2 is bad: it is being rolled back
            32s command mail 2 #1 ready immediate (8) to 1 for error_rate until 92s
            32s version mail 2 is bad: it is being rolled back
            32s command stock 2 #1 ready immediate (10) to 1 for error_rate until 92s
            32s version stock 2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn more_services_than_allowed_within_the_gather_are_a_shared_cause_and_none_acts() {
    check(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s breach checkout 2
            9s breach search 2
            10s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            0s notice firing release_progress info: checkout 2 in production is out and watched
            0s notice firing release_progress info: search 2 in production is out and watched
            10s notice firing safety critical: rollback storm in production: 3 services broke their limits within 5s (cart, checkout, search); a shared cause is likely, so no further rollback is sent by itself until none was wanted for 10m; all wait for approval
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command checkout 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: checkout 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command search 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: search 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
        "#]],
    );
}

#[test]
fn a_straggler_of_a_storm_does_not_act_alone() {
    check(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            0s release late 2 watching previous=1
            5s breach cart 2
            7s breach checkout 2
            9s breach search 2
            10s tick
            60s breach late 2
            609s tick
            659s tick
            660s tick
            700s release next 2 watching previous=1
            700s release cart 2 superseded
            700s release late 2 superseded
            700s release search 2 superseded
            705s breach next 2
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            0s notice firing release_progress info: checkout 2 in production is out and watched
            0s notice firing release_progress info: search 2 in production is out and watched
            0s notice firing release_progress info: late 2 in production is out and watched
            10s notice firing safety critical: rollback storm in production: 3 services broke their limits within 5s (cart, checkout, search); a shared cause is likely, so no further rollback is sent by itself until none was wanted for 10m; all wait for approval
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command checkout 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: checkout 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command search 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s notice firing rollback_prepared critical: search 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            60s command late 2 #1 prepared approved to 1 for error_rate until 1860s: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
            60s notice firing rollback_prepared critical: late 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
            660s notice resolved safety critical: rollback storm in production is over: no rollback was wanted for 10m
            700s notice firing release_progress info: next 2 in production is out and watched
            700s command cart 2 #1 cancelled approved to 1 for error_rate until 1810s: the release was superseded
            700s notice resolved rollback_prepared critical: cart 2 in production: the rollback to 1 was cancelled: the release was superseded
            700s notice resolved release_progress info: cart 2 in production was superseded
            700s command late 2 #1 cancelled approved to 1 for error_rate until 1860s: the release was superseded
            700s notice resolved rollback_prepared critical: late 2 in production: the rollback to 1 was cancelled: the release was superseded
            700s notice resolved release_progress info: late 2 in production was superseded
            700s command search 2 #1 cancelled approved to 1 for error_rate until 1810s: the release was superseded
            700s notice resolved rollback_prepared critical: search 2 in production: the rollback to 1 was cancelled: the release was superseded
            700s notice resolved release_progress info: search 2 in production was superseded
            705s command next 2 #1 ready immediate (6) to 1 for error_rate until 765s
            705s version next 2 is bad: it is being rolled back
            705s notice firing rollback_started critical: next 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
        "#]],
    );
}

#[test]
fn a_storm_lasts_until_no_rollback_was_wanted_for_as_long_as_its_window() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release mail 2 watching previous=1
            5s breach cart 2
            6s breach checkout 2
            7s breach mail 2
            10s tick
            20s release cart 2 superseded
            20s release checkout 2 superseded
            20s release mail 2 superseded
            500s release search 2 watching previous=1
            505s breach search 2
            510s release search 2 superseded
            700s release late 2 watching previous=1
            1104s breach late 2
            1110s release late 2 superseded
            1704s release next 2 watching previous=1
            1705s breach next 2
        ",
        expect![[r#"
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, mail), so a shared cause is likely
            10s command checkout 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, mail), so a shared cause is likely
            10s command mail 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, mail), so a shared cause is likely
            20s command cart 2 #1 cancelled approved to 1 for error_rate until 1810s: the release was superseded
            20s command checkout 2 #1 cancelled approved to 1 for error_rate until 1810s: the release was superseded
            20s command mail 2 #1 cancelled approved to 1 for error_rate until 1810s: the release was superseded
            505s command search 2 #1 prepared approved to 1 for error_rate until 2305s: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
            510s command search 2 #1 cancelled approved to 1 for error_rate until 2305s: the release was superseded
            1104s command late 2 #1 prepared approved to 1 for error_rate until 2904s: storm: the last rollback of a storm was wanted less than 10m ago, so a shared cause is likely
            1110s command late 2 #1 cancelled approved to 1 for error_rate until 2904s: the release was superseded
            1705s command next 2 #1 ready immediate (7) to 1 for error_rate until 1765s
            1705s version next 2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn the_window_alone_stops_the_one_too_many() {
    check(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            1s breach cart 2
            2s outcome cart 2 succeeded
            10s release checkout 2 watching previous=1
            11s breach checkout 2
            12s outcome checkout 2 succeeded
            20s release search 2 watching previous=1
            21s breach search 2
            22s outcome search 2 refused
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            1s command cart 2 #1 ready immediate (2) to 1 for error_rate until 61s
            1s version cart 2 is bad: it is being rolled back
            1s notice firing rollback_started critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
            2s command cart 2 #1 succeeded immediate to 1 for error_rate until 61s
            2s notice resolved release_progress info: cart 2 in production was rolled back to 1
            2s notice resolved rollback_started critical: cart 2 in production was rolled back to 1
            2s notice firing rolled_back warning: cart 2 in production was rolled back to 1
            10s notice firing release_progress info: checkout 2 in production is out and watched
            11s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 71s
            11s version checkout 2 is bad: it is being rolled back
            11s notice firing rollback_started critical: checkout 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
            12s command checkout 2 #1 succeeded immediate to 1 for error_rate until 71s
            12s notice resolved release_progress info: checkout 2 in production was rolled back to 1
            12s notice resolved rollback_started critical: checkout 2 in production was rolled back to 1
            12s notice firing rolled_back warning: checkout 2 in production was rolled back to 1
            20s notice firing release_progress info: search 2 in production is out and watched
            21s notice firing safety critical: rollback storm in production: rollbacks of more than 2 services were wanted within 10m; a shared cause is likely, so no further rollback is sent by itself until none was wanted for 10m; all wait for approval
            21s command search 2 #1 prepared approved to 1 for error_rate until 1821s: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
            21s notice firing rollback_prepared critical: search 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 1 waits for approval: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
        "#]],
    );
}

#[test]
fn rollbacks_further_apart_than_the_window_are_no_storm() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            1s breach cart 2
            10s release checkout 2 watching previous=1
            11s breach checkout 2
            601s release search 2 watching previous=1
            602s release cart 2 superseded
            603s breach search 2
        ",
        expect![[r#"
            1s command cart 2 #1 ready immediate (2) to 1 for error_rate until 61s
            1s version cart 2 is bad: it is being rolled back
            11s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 71s
            11s version checkout 2 is bad: it is being rolled back
            601s command cart 2 #1 prepared approved to 1 for error_rate until 2401s: not sent in time: no actuator reported on it before its deadline
            601s command checkout 2 #1 prepared approved to 1 for error_rate until 2401s: not sent in time: no actuator reported on it before its deadline
            602s command cart 2 #1 cancelled approved to 1 for error_rate until 2401s: the release was superseded
            603s command search 2 #1 ready immediate (6) to 1 for error_rate until 663s
            603s version search 2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn trouble_in_staging_does_not_disarm_production() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1 env=staging
            0s release checkout 2 watching previous=1 env=staging
            0s release search 2 watching previous=1 env=staging
            0s release cart 2 watching previous=1
            5s breach cart 2 env=staging
            5s breach checkout 2 env=staging
            5s breach search 2 env=staging
            6s breach cart 2
            10s tick
        ",
        expect![[r#"
            6s command cart 2 #1 ready immediate (2) to 1 for error_rate until 66s
            6s version cart 2 is bad: it is being rolled back
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command checkout 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
            10s command search 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
        "#]],
    );
}

#[test]
fn breaches_that_prepare_anyway_count_for_the_shared_cause() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            6s breach checkout 2 before=0.02
            7s breach search 2 before=0.02
            10s tick
        ",
        expect![[r#"
            6s command checkout 2 #1 prepared approved to 1 for error_rate until 1806s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            7s command search 2 #1 prepared approved to 1 for error_rate until 1807s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: storm: 3 services broke their limits within 5s (cart, checkout, search), so a shared cause is likely
        "#]],
    );
}

#[test]
fn a_breach_that_ends_while_it_is_held_does_not_act() {
    check(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s ended cart 2 error_rate
            10s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: cart 2 in production is out and watched
            0s notice firing release_progress info: checkout 2 in production is out and watched
            0s notice firing release_progress info: search 2 in production is out and watched
            7s notice firing release_progress info: cart 2 in production: error_rate broke its limit and was within it again before 5s had shown whether others suffer too; nothing was done
        "#]],
    );
}

#[test]
fn a_halt_that_comes_while_breaches_are_held_wins() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s halt h1 for=1h reason=storage
            10s tick
        ",
        expect![[r#"
            7s halt h1 begins
            7s audit ann halt everything (h1): accepted: everything is halted
            10s command cart 2 #1 prepared approved to 1 for error_rate until 1810s: halted by ann until 2026-11-23 11:00:07 UTC: storage
        "#]],
    );
}

#[test]
fn a_release_that_ends_while_its_breach_is_held_does_not_act() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s release cart 2 superseded
            10s tick
        ",
        expect![[r#""#]],
    );
}

#[test]
fn a_person_may_roll_back_what_is_held_and_it_is_done_once() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            7s rollback cart 2 by=ann
            10s tick
        ",
        expect![[r#"
            7s command cart 2 #1 ready approved (2) to 1 for error_rate until 67s approved by ann
            7s version cart 2 is bad: it is being rolled back
            7s audit ann rollback rel: accepted: rolling back to 1 by cmd
        "#]],
    );
}

#[test]
fn a_second_trigger_of_a_held_release_joins_its_command() {
    check_commands(
        "
            policy max_rollbacks=2
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            6s breach cart 2 response_time
            10s tick
        ",
        expect![[r#"
            10s command cart 2 #1 ready immediate (2) to 1 for error_rate until 70s
            10s version cart 2 is bad: it is being rolled back
            10s command cart 2 #1 ready immediate (2) to 1 for error_rate+response_time until 70s
        "#]],
    );
}

#[test]
fn without_settle_breaches_act_until_the_window_is_full() {
    check_commands(
        "
            policy max_rollbacks=2 settle=0s
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release search 2 watching previous=1
            5s breach cart 2
            5s breach checkout 2
            5s breach search 2
        ",
        expect![[r#"
            5s command cart 2 #1 ready immediate (2) to 1 for error_rate until 65s
            5s version cart 2 is bad: it is being rolled back
            5s command checkout 2 #1 ready immediate (4) to 1 for error_rate until 65s
            5s version checkout 2 is bad: it is being rolled back
            5s command search 2 #1 prepared approved to 1 for error_rate until 1805s: storm: rollbacks of more than 2 services were wanted within 10m, so a shared cause is likely
        "#]],
    );
}

#[test]
fn ten_fresh_releases_and_an_outage_that_unreleased_services_share_roll_nothing_back() {
    check_commands(
        "
            0s release s0 2 watching previous=1
            0s release s1 2 watching previous=1
            0s release s2 2 watching previous=1
            0s release s3 2 watching previous=1
            0s release s4 2 watching previous=1
            0s release s5 2 watching previous=1
            0s release s6 2 watching previous=1
            0s release s7 2 watching previous=1
            0s release s8 2 watching previous=1
            0s release s9 2 watching previous=1
            4s limit gateway error_rate on
            5s breach s0 2
            5s breach s1 2
            5s breach s2 2
            5s breach s3 2
            5s breach s4 2
            5s breach s5 2
            5s breach s6 2
            5s breach s7 2
            5s breach s8 2
            5s breach s9 2
            10s tick
        ",
        expect![[r#"
            5s command s0 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s1 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s2 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s3 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s4 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s5 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s6 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s7 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s8 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
            5s command s9 2 #1 prepared approved to 1 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by gateway
        "#]],
    );
}

#[test]
fn clusters_of_one_service_are_no_storm_and_disarm_no_other_service() {
    check(
        "
            policy max_rollbacks=2 settle=0s
            0s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-1
            0s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-2
            0s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-3
            0s release cart 2 watching previous=1
            5s breach checkout 2.4.1 cluster=eu-1
            6s breach checkout 2.4.1 cluster=eu-2
            7s breach checkout 2.4.1 cluster=eu-3
            8s breach cart 2
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production (eu-1) is out and watched
            0s notice firing release_progress info: checkout 2.4.1 in production (eu-2) is out and watched
            0s notice firing release_progress info: checkout 2.4.1 in production (eu-3) is out and watched
            0s notice firing release_progress info: cart 2 in production is out and watched
            5s command checkout 2.4.1 (eu-1) #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production (eu-1): error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 (eu-2) #1 ready immediate (4) to 2.4.0 for error_rate until 66s
            6s version checkout 2.4.1 is bad: it is being rolled back
            6s notice firing rollback_started critical: checkout 2.4.1 in production (eu-2): error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            7s command checkout 2.4.1 (eu-3) #1 ready immediate (6) to 2.4.0 for error_rate until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
            7s notice firing rollback_started critical: checkout 2.4.1 in production (eu-3): error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            8s command cart 2 #1 ready immediate (8) to 1 for error_rate until 68s
            8s version cart 2 is bad: it is being rolled back
            8s notice firing rollback_started critical: cart 2 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 1
        "#]],
    );
}
