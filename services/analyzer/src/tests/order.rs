//! What counts for a release and what came before it: by the events' own times, and by when the release began.

use expect_test::expect;

use super::shop::check;

const ERRORS: &str = "
defaults: { watch: { time: 10m, max: 1h } }
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn a_version_that_failed_and_was_mended_is_not_judged_by_what_it_did_before() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         60s  serve checkout 2 rps=20 errors=20%
         60s  deploy checkout 2 previous=1
         100s deploy checkout 2 status=rolled_back
         110s serve checkout 2 errors=0%
         110s deploy checkout 2 previous=1 change=second-try
         400s end",
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 10m
            90s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 900 1]
            100s release checkout 2 from 1: rolled_back, the deployment tool rolled it back
            105s release checkout 2 from 1: recovered, the service is within its limits again: error_rate 0 % of 300 requests
            105s ended  checkout 2: error_rate
            110s release checkout 2 from 1: watching, fully out, watched for 10m"#]],
    );
}

#[test]
fn a_version_that_goes_out_again_with_the_same_fault_is_judged_by_what_it_does_now() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         60s  serve checkout 2 rps=20 errors=20%
         60s  deploy checkout 2 previous=1
         100s deploy checkout 2 status=rolled_back
         110s deploy checkout 2 previous=1 change=second-try
         200s end",
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 10m
            90s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 900 1]
            100s release checkout 2 from 1: rolled_back, the deployment tool rolled it back
            105s release checkout 2 from 1: recovered, the service is within its limits again: error_rate 0 % of 300 requests
            105s ended  checkout 2: error_rate
            110s release checkout 2 from 1: watching, fully out, watched for 10m
            135s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 300 1]"#]],
    );
}

#[test]
fn a_configuration_is_judged_by_the_version_that_runs_with_it_from_the_first_scrape_after_it() {
    check(
        ERRORS,
        "0s   serve checkout 2 rps=20 errors=20%
         10s  serve cart 1 rps=20
         97s  deploy checkout 2 kind=config change=mend previous=1
         97s  deploy cart 1 kind=config change=break
         105s serve checkout 2 errors=0%
         105s serve cart 1 errors=20%
         200s end",
        expect![[r#"
            30s checkout exceeds error_rate > 1% (0.2000)
            30s BREACH checkout (no release): alert_team error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.001]
            97s release checkout 2 from 1: watching, fully out, watched for 10m
            97s release cart 1 from ?: watching, fully out, watched for 10m
            105s checkout is within error_rate > 1% (0.0000)
            120s BREACH cart 1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 1500 before]"#]],
    );
}

#[test]
fn an_older_deployment_that_comes_late_supersedes_nothing() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         100s deploy checkout 2 previous=1 occurred=100
         101s deploy checkout 1 previous=0 occurred=10
         110s serve checkout 2 rps=20 errors=20%
         200s end",
        expect![[r#"
            100s release checkout 2 from 1: watching, fully out, watched for 10m
            101s release checkout 1 from 0: superseded, it went out before 2, whose event came first
            135s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 900 1]"#]],
    );
}

#[test]
fn an_older_rollback_that_is_said_again_ends_no_later_try() {
    check(
        ERRORS,
        "100s deploy checkout 2 occurred=80
         101s deploy checkout 2 status=rolled_back occurred=90
         102s deploy checkout 2 occurred=95
         103s deploy checkout 2 status=rolled_back occurred=90
         104s deploy checkout 2 status=failed occurred=85
         105s deploy checkout 2 status=removed occurred=92
         106s deploy checkout 2 status=promoted occurred=88
         110s deploy checkout 2 status=rolled_back occurred=109
         120s end",
        expect![[r#"
            100s release checkout 2 from ?: watching, fully out, watched for 10m
            101s release checkout 2 from ?: rolled_back, the deployment tool rolled it back
            102s release checkout 2 (again, 2) from ?: watching, fully out, watched for 10m
            110s release checkout 2 (again, 2) from ?: rolled_back, the deployment tool rolled it back"#]],
    );
}

#[test]
fn a_clock_that_is_ahead_counts_as_the_time_of_arrival() {
    check(
        ERRORS,
        "100s deploy checkout 2 occurred=5000
         110s deploy checkout 3
         120s end",
        expect![[r#"
            100s release checkout 2 from ?: watching, fully out, watched for 10m
            110s release checkout 3 from 2: watching, fully out, watched for 10m
            110s release checkout 2 from ?: superseded, 3 went out"#]],
    );
}

#[test]
fn a_slow_rolling_update_is_judged_from_its_first_instance_on_and_watched_from_its_end() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         100s deploy checkout 2 status=started previous=1
         300s serve checkout 2 rps=5
         600s deploy checkout 2
         900s serve checkout 2 errors=20%
         1000s end",
        expect![[r#"
            100s release checkout 2 from 1: pending, announced
            315s release checkout 2 from 1: progressing, announced as started, and its version is seen in the telemetry
            600s release checkout 2 from 1: watching, fully out, watched for 10m
            945s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.0300 vs 0.0100, 45/1500, tail 2.4e-10 at 0.0001, baseline 0.0000 of 6000 1]"#]],
    );
}

#[test]
fn a_canary_that_fails_before_anyone_says_that_it_is_out_breaks_its_limit() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         90s  deploy checkout 1
         100s deploy checkout 2 status=started previous=1
         300s serve checkout 2 rps=5 errors=20%
         400s deploy checkout 2 status=failed
         420s end",
        expect![[r#"
            90s release checkout 1 from ?: watching, fully out, watched for 10m
            100s release checkout 2 from 1: pending, announced
            315s release checkout 2 from 1: progressing, announced as started, and its version is seen in the telemetry
            330s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 15/75, tail 1.3e-15 at 0.0001, baseline 0.0000 of 4800 1]
            400s release checkout 2 from 1: cancelled, its deployment failed
            400s ended  checkout 2: error_rate"#]],
    );
}

#[test]
fn a_version_is_the_same_in_both_spellings() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         100s serve checkout 2.5.0 rps=20 errors=20%
         100s deploy checkout v2.5.0 previous=v2.4.0
         200s deploy checkout 2.5.0 status=rolled_back
         300s end",
        expect![[r#"
            100s release checkout v2.5.0 from v2.4.0: watching, fully out, watched for 10m
            120s BREACH checkout v2.5.0: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 600 v2.4.0]
            200s release checkout v2.5.0 from v2.4.0: rolled_back, the deployment tool rolled it back
            210s release checkout v2.5.0 from v2.4.0: recovered, the service is within its limits again: error_rate 0 % of 300 requests
            210s ended  checkout v2.5.0: error_rate
            270s checkout exceeds error_rate > 1% (0.1000)
            270s BREACH checkout (no release): alert_team error_rate > 1% [error_rate 0.1000 vs 0.0100, 60/600, tail 1.3e-39 at 0.001]"#]],
    );
}

#[test]
fn a_service_whose_new_version_has_another_name_in_the_telemetry_goes_on_being_judged() {
    check(
        &format!(
            "{ERRORS}\nalerts: [ {{ name: Errors, condition: \"error_rate > 5%\", window: 1m, for: 30s, action: alert_team }} ]"
        ),
        "0s   serve checkout 2.4.0 rps=20
         100s serve checkout build-77 rps=20 errors=10%
         100s stop checkout 2.4.0
         100s deploy checkout 2.5.0 previous=2.4.0
         300s cancel checkout 2.5.0
         400s end",
        expect![[r#"
            100s release checkout 2.5.0 from 2.4.0: watching, fully out, watched for 10m
            120s BREACH checkout 2.5.0: immediate_rollback error_rate > 1% [error_rate 0.1000 vs 0.0100, 30/300, tail 1.3e-20 at 0.0001, baseline 0.0000 of 1500 before], unversioned, other versions
            150s BREACH checkout 2.5.0: alert_team error_rate > 5% [error_rate 0.1000 vs 0.0500, 90/900, tail 7.0e-10 at 0.001, baseline 0.0000 of 1200 before], unversioned, other versions
            220s finding checkout 2.5.0: ReleaseSilent: nothing was ever seen of 2.5.0 for 2m, while others still send; telemetry names build-77 (10.0 % errors, 210 of 2100 requests in 5m)
            300s release checkout 2.5.0 from 2.4.0: cancelled, called off by ann
            300s finding checkout 2.5.0: no more ReleaseSilent: the release is not under watch any more
            300s ended  checkout 2.5.0: Errors
            300s ended  checkout 2.5.0: error_rate
            315s checkout exceeds error_rate > 1% (0.1000)
            315s checkout exceeds error_rate > 5% (0.1000)
            315s BREACH checkout (no release): alert_team error_rate > 1% [error_rate 0.0737 vs 0.0100, 420/5700, tail 3.4e-214 at 0.001]
            345s BREACH checkout (no release): alert_team error_rate > 5% [error_rate 0.1000 vs 0.0500, 120/1200, tail 1.2e-12 at 0.001]"#]],
    );
}

#[test]
fn a_service_is_told_of_as_long_as_nothing_is_seen_of_its_release() {
    check(
        r#"alerts: [ { name: Errors, condition: "error_rate > 5%", window: 1m, for: 30s, action: alert_team } ]"#,
        "0s   serve checkout 2.4.0 rps=20
         100s deploy checkout 2.5.0 previous=2.4.0
         120s serve checkout 2.4.0 errors=20%
         250s end",
        expect![[r#"
            100s release checkout 2.5.0 from 2.4.0: watching, fully out, watched for 1h
            150s checkout exceeds error_rate > 5% (0.1000)
            180s BREACH checkout (no release): alert_team error_rate > 5% [error_rate 0.2000 vs 0.0500, 240/1200, tail 5.2e-75 at 0.001]
            220s finding checkout 2.5.0: ReleaseSilent: nothing was ever seen of 2.5.0 for 2m, while others still send; telemetry names 2.4.0 (9.2 % errors, 360 of 3900 requests in 5m)"#]],
    );
}

#[test]
fn a_breach_of_the_service_becomes_one_of_the_version_once_it_is_known() {
    check(
        ERRORS,
        "0s   serve checkout 1 rps=20
         60s  stop checkout 1
         60s  serve checkout - rps=20 errors=20%
         60s  deploy checkout 2 previous=1
         120s stop checkout -
         120s serve checkout 2 rps=20 errors=20%
         200s end",
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 10m
            90s checkout exceeds error_rate > 1% (0.0500)
            90s BREACH checkout (no release): alert_team error_rate > 1% [error_rate 0.0500 vs 0.0100, 60/1200, tail 2.0e-23 at 0.001]
            135s checkout is within error_rate > 1% (0.0000)
            150s BREACH checkout 2: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 300 1]"#]],
    );
}
