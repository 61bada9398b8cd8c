//! What breaks a trigger and what does not.

use expect_test::expect;

use super::shop::check;

const ERRORS: &str =
    "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn a_bad_release_beside_a_good_version_breaks_its_limit_at_the_second_scrape_and_only_once() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20 errors=0.1%
         400s serve checkout 2.4.1 rps=20 errors=20%
         400s deploy checkout 2.4.1 previous=2.4.0
         600s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            420s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0017 of 600 2.4.0]"#]],
    );
}

#[test]
fn the_handbooks_alert_waits_until_it_has_held_for_its_duration() {
    check(
        r#"alerts: [ { name: High Error Rate, condition: "error_rate > 1%", duration: 5m, action: immediate_rollback } ]"#,
        "0s   serve checkout 2.4.0 rps=20
         400s serve checkout 2.4.1 rps=20 errors=20%
         400s deploy checkout 2.4.1
         900s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            720s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 240/1200, tail 1.2e-225 at 0.0001, baseline 0.0000 of 1200 2.4.0]"#]],
    );
}

#[test]
fn a_good_minute_in_between_starts_the_duration_anew() {
    check(
        r#"alerts: [ { name: High Error Rate, condition: "error_rate > 1%", duration: 5m, action: alert_team } ]"#,
        "0s   serve checkout 2.4.1 rps=20 errors=20%
         10s  deploy checkout 2.4.1
         200s serve checkout 2.4.1 errors=0%
         300s serve checkout 2.4.1 errors=20%
         690s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            615s BREACH checkout 2.4.1: alert_team error_rate > 1% [error_rate 0.2000 vs 0.0100, 240/1200, tail 1.2e-225 at 0.001]"#]],
    );
}

#[test]
fn three_requests_that_all_failed_are_too_few() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.1 rps=0.01 errors=100%
         10s  deploy checkout 2.4.1
         330s end",
        expect!["10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h"],
    );
}

#[test]
fn p95_over_its_limit_is_judged_by_the_requests_slower_than_it() {
    check(
        "rollback_triggers: { response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback } }",
        "0s   serve checkout 2.4.0 rps=20 slow=1%
         400s serve checkout 2.4.1 rps=20 slow=9%
         400s deploy checkout 2.4.1
         600s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            435s BREACH checkout 2.4.1: immediate_rollback response_time_p95 > 1s [response_time_p95 1.6667 vs 1.0000, 54/600, tail 3.0e-5 at 0.0001, baseline 0.4838 of 900 2.4.0]"#]],
    );
}

#[test]
fn p95_with_four_percent_of_slow_requests_is_healthy() {
    check(
        "rollback_triggers: { response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: alert_team } }",
        "0s   serve checkout 2.4.1 rps=20 slow=4%
         10s  deploy checkout 2.4.1
         600s end",
        expect!["10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h"],
    );
}

#[test]
fn buckets_that_are_too_coarse_to_show_the_limit_prove_nothing_but_what_is_above_them() {
    check(
        "rollback_triggers: { response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback } }",
        "0s   serve checkout 2.4.1 rps=20 coarse=1
         10s  deploy checkout 2.4.1
         600s serve checkout 2.4.1 slow=30%
         900s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            45s finding checkout 2.4.1: Unmeasured: response_time cannot be judged: response_time_p95: it lies between the bucket bounds 0 s and 5 s, and so does the limit of 1 s; add a bound at the limit
            705s finding checkout 2.4.1: no more Unmeasured: every trigger can be judged now
            720s BREACH checkout 2.4.1: immediate_rollback response_time_p95 > 1s [response_time_p95 5.8333 vs 1.0000, 720/12000, tail 5.7e-7 at 0.0001]"#]],
    );
}

#[test]
fn without_a_test_the_buckets_have_to_show_it_too() {
    check(
        "rollback_triggers: { response_time: { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback, test: none } }",
        "0s   serve checkout 2.4.1 rps=20 coarse=1
         10s  deploy checkout 2.4.1
         600s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            45s finding checkout 2.4.1: Unmeasured: response_time cannot be judged: response_time_p95: it lies between the bucket bounds 0 s and 5 s, and so does the limit of 1 s; add a bound at the limit"#]],
    );
}

const CONVERSION: &str = "rollback_triggers: { business_metrics: { conversion_rate_drop: 10%, window: 15m, action: alert_and_prepare_rollback } }";

#[test]
fn a_conversion_rate_that_drops_by_a_fifth_is_seen_once_there_are_enough_checkouts() {
    check(
        CONVERSION,
        "0s    serve checkout 2.4.0 rps=20 checkouts=50 converted=30%
         1000s stop  checkout 2.4.0
         1000s serve checkout 2.4.1 rps=20 checkouts=50 converted=24%
         1000s deploy checkout 2.4.1
         1300s end",
        expect![[r#"
             1000s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
             1080s BREACH checkout 2.4.1: alert_and_prepare_rollback conversion_rate < baseline * 0.9 [conversion_rate 0.2400 vs 0.2700, 2850/3750, tail 4.9e-4 at 0.0005, baseline 0.3000 of 45000 before]"#]],
    );
}

#[test]
fn a_conversion_rate_that_drops_by_a_twentieth_is_left_alone() {
    check(
        CONVERSION,
        "0s    serve checkout 2.4.0 rps=20 checkouts=50 converted=30%
         1000s stop  checkout 2.4.0
         1000s serve checkout 2.4.1 rps=20 checkouts=50 converted=28.5%
         1000s deploy checkout 2.4.1
         2500s end",
        expect!["1000s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h"],
    );
}

#[test]
fn a_few_checkouts_cannot_tell_a_drop_from_chance() {
    check(
        CONVERSION,
        "0s    serve checkout 2.4.0 rps=20 checkouts=0.2 converted=30%
         1000s stop  checkout 2.4.0
         1000s serve checkout 2.4.1 rps=20 checkouts=0.2 converted=24%
         1000s deploy checkout 2.4.1
         2000s end",
        expect!["1000s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h"],
    );
}

#[test]
fn latency_against_the_old_version_beside_it_waits_for_the_warmup() {
    check(
        r#"alerts: [ { name: Slower, condition: "response_time_p95 > baseline * 1.5", window: 5m, for: 0s, action: prepare_rollback } ]"#,
        "0s   serve checkout 2.4.0 rps=40 slow=1%
         400s serve checkout 2.4.1 rps=40 slow=30%
         400s deploy checkout 2.4.1 traffic=50 previous=2.4.0
         700s end",
        expect![[r#"
              400s release checkout 2.4.1 from 2.4.0: progressing, out at 50 % of traffic
              525s BREACH checkout 2.4.1: prepare_rollback response_time_p95 > baseline * 1.5 [response_time_p95 2.2500 vs 0.7258, 180/600, tail 1.7e-86 at 0.0005, baseline 0.4838 of 5400 2.4.0]"#]],
    );
}

#[test]
fn an_alert_from_elsewhere_breaks_a_condition_when_it_comes_and_ends_it_when_it_is_resolved() {
    check(
        r#"alerts: [ { name: Burn, condition: 'alert("ErrorBudgetBurn")', for: 0s, action: prepare_rollback } ]"#,
        "0s   serve checkout 2.4.1 rps=20
         10s  deploy checkout 2.4.1
         100s alert ErrorBudgetBurn service=cart env=production
         103s alert ErrorBudgetBurn service=checkout
         200s alert ErrorBudgetBurn service=checkout resolved
         210s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            103s BREACH checkout 2.4.1: prepare_rollback alert("ErrorBudgetBurn") [alert("ErrorBudgetBurn") 1.0000 vs 0.0000, 0/0]
            200s ended  checkout 2.4.1: Burn"#]],
    );
}

#[test]
fn an_alert_holds_with_time_even_when_no_telemetry_comes_in() {
    check(
        r#"alerts: [ { name: Burn, condition: 'alert("ErrorBudgetBurn")', for: 60s, action: prepare_rollback } ]"#,
        "10s  deploy checkout 2.4.1
         20s  alert ErrorBudgetBurn service=checkout
         100s end",
        expect![[r#"
               10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
               80s BREACH checkout 2.4.1: prepare_rollback alert("ErrorBudgetBurn") [alert("ErrorBudgetBurn") 1.0000 vs 0.0000, 0/0], unversioned"#]],
    );
}

#[test]
fn an_alert_and_an_error_rate_have_to_be_bad_together() {
    check(
        r#"alerts: [ { name: Both, condition: 'alert("Burn") and error_rate > 1%', window: 5m, for: 0s, action: immediate_rollback } ]"#,
        "0s   serve checkout 2.4.1 rps=20 errors=20%
         10s  deploy checkout 2.4.1
         100s alert Burn service=checkout
         200s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            100s BREACH checkout 2.4.1: immediate_rollback alert("Burn") and error_rate > 1% [alert("Burn") 1.0000 vs 0.0000, 0/0] [error_rate 0.2000 vs 0.0100, 300/1500, tail 1.5e-281 at 0.0001]"#]],
    );
}

#[test]
fn a_gauge_is_compared_as_it_is_and_nan_never_passes_nor_fails() {
    check(
        r#"alerts: [ { name: Load, condition: "load > 8", window: 1m, for: 0s, action: alert_team } ]"#,
        "0s   serve checkout 2.4.1 rps=20 load=NaN
         10s  deploy checkout 2.4.1
         100s serve checkout 2.4.1 load=9
         200s serve checkout 2.4.1 load=NaN
         400s serve checkout 2.4.1 load=1
         500s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            105s BREACH checkout 2.4.1: alert_team load > 8 [load 9.0000 vs 8.0000, 0/1]
            405s ended  checkout 2.4.1: Load"#]],
    );
}

#[test]
fn the_bare_test_still_asks_for_enough_requests() {
    check(
        "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: alert_team, test: none, min_requests: 100 } }",
        "0s   serve checkout 2.4.1 rps=0.5 errors=10%
         10s  deploy checkout 2.4.1
         400s end",
        expect![[r#"
            10s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            225s BREACH checkout 2.4.1: alert_team error_rate > 1% [error_rate 0.1048 vs 0.0100, 11/105]"#]],
    );
}
