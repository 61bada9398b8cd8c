//! A trigger that could not have shown a breach proves nothing by its silence.

use expect_test::expect;

use super::shop::check;

const WATCH: &str = "defaults: { watch: { time: 5m, max: 1h } }\n";

fn trigger(condition: &str) -> String {
    format!(
        "{WATCH}alerts: [ {{ name: Bad, condition: \"{condition}\", window: 2m, for: 0s, action: immediate_rollback }} ]"
    )
}

const SERVED: &str = "0s   serve checkout 1 rps=20
                      60s  serve checkout 2 rps=20
                      60s  deploy checkout 2 previous=1
                      400s end";

#[test]
fn a_service_that_never_failed_yet_passes_where_its_labels_show_that_it_could() {
    check(
        &trigger("codes > 5%"),
        SERVED,
        expect![[r#"
        60s release checkout 2 from 1: watching, fully out, watched for 5m
        360s release checkout 2 from 1: succeeded, watched for 5m: nothing was broken"#]],
    );
}

#[test]
fn a_selector_that_can_never_match_is_no_pass_and_the_labels_that_are_there_are_named() {
    check(
        &trigger("wrong_label > 5%"),
        SERVED,
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 5m
            90s finding checkout 2: Unmeasured: Bad cannot be judged: wrong_label: `bad: http_requests_total{status=~"5.."}` can match no series of checkout: none has the label status; those of `total: http_requests_total` have the labels code (200, 500)
            360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: wrong_label: `bad: http_requests_total{status=~"5.."}` can match no series of checkout: none has the label status; those of `total: http_requests_total` have the labels code (200, 500)
            360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
    check(
        &trigger("wrong_value > 5%"),
        SERVED,
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 5m
            90s finding checkout 2: Unmeasured: Bad cannot be judged: wrong_value: `bad: http_requests_total{code=~"5xx"}` can match no series of checkout: no value of code like 200, 500 can match; those of `total: http_requests_total` have the labels code (200, 500)
            360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: wrong_value: `bad: http_requests_total{code=~"5xx"}` can match no series of checkout: no value of code like 200, 500 can match; those of `total: http_requests_total` have the labels code (200, 500)
            360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
    check(
        &trigger("wrong_name > 5%"),
        SERVED,
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 5m
            90s finding checkout 2: Unmeasured: Bad cannot be judged: wrong_name: `bad: http_errors_total` can match no series of checkout: none is called http_errors_total; those of `total: http_requests_total` have the labels code (200, 500)
            360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: wrong_name: `bad: http_errors_total` can match no series of checkout: none is called http_errors_total; those of `total: http_requests_total` have the labels code (200, 500)
            360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
    check(
        &trigger("wrong_good < 90%"),
        SERVED,
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 5m
            90s finding checkout 2: Unmeasured: Bad cannot be judged: wrong_good: `good: http_requests_total{result="ok"}` can match no series of checkout: none has the label result; those of `total: http_requests_total` have the labels code (200, 500)
            360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: wrong_good: `good: http_requests_total{result="ok"}` can match no series of checkout: none has the label result; those of `total: http_requests_total` have the labels code (200, 500)
            360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
}

#[test]
fn a_metric_without_any_series_is_no_pass() {
    check(
        &trigger("nowhere > 5%"),
        SERVED,
        expect![[r#"
        60s release checkout 2 from 1: watching, fully out, watched for 5m
        90s finding checkout 2: Unmeasured: Bad cannot be judged: nowhere: no series of checkout matches rpcs_total
        360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: nowhere: no series of checkout matches rpcs_total
        360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
    check(
        &trigger("nowhere_time_p95 > 5s"),
        SERVED,
        expect![[r#"
        60s release checkout 2 from 1: watching, fully out, watched for 5m
        90s finding checkout 2: Unmeasured: Bad cannot be judged: nowhere_time: no series of checkout matches rpc_duration_seconds
        360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: nowhere_time: no series of checkout matches rpc_duration_seconds
        360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
    check(
        &trigger("load > 5 or codes > 5%"),
        SERVED,
        expect![[r#"
        60s release checkout 2 from 1: watching, fully out, watched for 5m
        90s finding checkout 2: Unmeasured: Bad cannot be judged: load: no series of checkout matches process_load
        360s release checkout 2 from 1: unproven, watched for 5m: Bad cannot be judged: load: no series of checkout matches process_load
        360s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
    );
}

#[test]
fn a_finding_ends_when_the_series_come() {
    check(
        &trigger("conversion_rate < 10%"),
        "0s   serve checkout 1 rps=20
         60s  serve checkout 2 rps=20
         60s  deploy checkout 2 previous=1
         200s serve checkout 2 checkouts=5 converted=90%
         400s end",
        expect![[r#"
            60s release checkout 2 from 1: watching, fully out, watched for 5m
            90s finding checkout 2: Unmeasured: Bad cannot be judged: conversion_rate: no series of checkout matches checkout_started_total
            210s finding checkout 2: no more Unmeasured: every trigger can be judged now
            360s release checkout 2 from 1: succeeded, watched for 5m: nothing was broken"#]],
    );
}

#[test]
fn buckets_that_cannot_show_the_limit_are_no_pass() {
    for (limit, coarse, want) in [
        (
            "1s",
            "",
            expect![[r#"
            10s release checkout 2 from ?: watching, fully out, watched for 5m
            310s release checkout 2 from ?: succeeded, watched for 5m: nothing was broken"#]],
        ),
        (
            "5s",
            "",
            expect![[r#"
            10s release checkout 2 from ?: watching, fully out, watched for 5m
            45s finding checkout 2: Unmeasured: Bad cannot be judged: response_time_p95: no histogram bucket ends at or above the limit of 5 s; its highest is 2.5 s
            310s release checkout 2 from ?: unproven, watched for 5m: Bad cannot be judged: response_time_p95: no histogram bucket ends at or above the limit of 5 s; its highest is 2.5 s
            310s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
        ),
        (
            "1s",
            "coarse=1",
            expect![[r#"
            10s release checkout 2 from ?: watching, fully out, watched for 5m
            45s finding checkout 2: Unmeasured: Bad cannot be judged: response_time_p95: it lies between the bucket bounds 0 s and 5 s, and so does the limit of 1 s; add a bound at the limit
            310s release checkout 2 from ?: unproven, watched for 5m: Bad cannot be judged: response_time_p95: it lies between the bucket bounds 0 s and 5 s, and so does the limit of 1 s; add a bound at the limit
            310s finding checkout 2: no more Unmeasured: the release is not under watch any more"#]],
        ),
    ] {
        check(
            &trigger(&format!("response_time_p95 > {limit}")),
            &format!("0s serve checkout 2 rps=20 {coarse}\n 10s deploy checkout 2\n 400s end"),
            want,
        );
    }
}
