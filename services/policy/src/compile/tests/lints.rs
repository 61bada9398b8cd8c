//! What is legal but wrong, or without effect.

use expect_test::expect;

use super::check;

const ONE: &str = "alerts: [ { name: a, condition: error_rate > 1%, action: hold } ]\n";

#[test]
fn a_policy_without_a_trigger_tells_nothing() {
    check(
        "",
        expect![[r#"
        ripcord.yml:1:1: warning: no trigger: Ripcord will watch and tell nothing
          hint: rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }"#]],
    );
    check(
        "identity: {}\n",
        expect![[r#"
        ripcord.yml:1:1: warning: no trigger: Ripcord will watch and tell nothing
          hint: rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }"#]],
    );
    let (policy, diagnostics) = crate::compile(&model::PolicyLoad::default());
    assert_eq!(policy, Some(crate::Policy::default_policy()));
    assert_eq!(diagnostics.len(), 1);
}

#[test]
fn limits_that_cannot_be_told_are_pointed_out() {
    check(
        r#"
rollback_triggers:
  error_rate: { threshold: 0.01%, window: 5m, action: hold }
  response_time: { threshold: 300ms, percentile: 95, window: 5m, action: hold }
alerts:
  - { name: never, condition: error_rate > 5, action: hold }
  - { name: enough, condition: error_rate > 0.01%, min_requests: 20000, action: alert_team, test: none }
  - { name: short, condition: response_time_p99 > 1s, for: 2s, action: hold }
"#,
        expect![[r#"
            ripcord.yml:3:28: warning: 0.01% is finer than 10 requests can tell: one failure is already more
              hint: set min_requests to 10000 or more, or take a longer window
            ripcord.yml:4:31: warning: `response_time_p95` against 0.3 s is interpolated: OpenTelemetry's default buckets have no bound there
              hint: take 0.25 s or 0.5 s, or give the histogram a bound at 0.3 s
            ripcord.yml:6:31: warning: `error_rate` is a ratio and never exceeds 1
              hint: did you mean 5%?
            ripcord.yml:7:13: warning: `enough` asks for alert_team where `error_rate` (line 3) asks for hold on the same condition, error_rate > 0.01%
              hint: both act; keep the one that is meant
            ripcord.yml:8:5: warning: a duration of 2s is shorter than `settle` (6s): it adds nothing
              hint: leave it away, or take 6s or more"#]],
    );
}

#[test]
fn names_that_are_not_known_are_warned_about_where_something_may_post_them() {
    check(
        &format!(
            "{ONE}quality_gates: [ test_covrage >= 80%, my_check, error_rate ]\nstages: [ {{ name: a, traffic_percentage: 5, success_criteria: [ eror_rate < 1%, respose_time_p95 < 1s ] }} ]\n"
        ),
        expect![[r#"
            ripcord.yml:2:1: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:2:18: warning: `test_covrage` is neither a metric nor a fact that is known here
              hint: did you mean `test_coverage`?
            ripcord.yml:2:39: warning: `my_check` is neither a metric nor a fact that is known here
              hint: a bare name is a fact, true or false, that a release or a pipeline posts
            ripcord.yml:2:49: error: `error_rate` is a metric and is compared with nothing
              hint: add a limit: `error_rate > …`
            ripcord.yml:3:1: warning: `stages` is parsed but does not act yet
              hint: until it does, a stage's criteria are not judged and nothing promotes by them
            ripcord.yml:3:65: warning: `eror_rate` is neither a metric nor a fact that is known here
              hint: did you mean `error_rate`?
            ripcord.yml:3:81: warning: `respose_time_p95` is neither a metric nor a fact that is known here
              hint: did you mean `response_time_p95`?"#]],
    );
    check(
        "alerts: [ { name: a, condition: error_rate > 1% and is_canary, action: hold } ]\n",
        expect![[r#"
            ripcord.yml:1:53: warning: `is_canary` is neither a metric nor a fact that is known here
              hint: a bare name is a fact, true or false, that a release or a pipeline posts"#]],
    );
}

#[test]
fn targets_that_are_unsafe_or_do_not_act_are_warned_about() {
    check(
        &format!(
            "{ONE}policies:\n  - target: {{ webhook: {{ url: https://a/b, headers: {{ Authorization: Bearer x }} }} }}\n  - targets: [ {{ argo_rollout: {{ namespace: a, name: b }} }} ]\n  - match: {{ cluster: eu }}\n    slo: {{ objective: 99.9%, burn_rates: sre }}\n    regression: {{ alpha: 0.001, metrics: [ {{ metric: error_rate }}, {{ metric: response_time, quantile: 0.95, tolerance: 20% }} ] }}\n"
        ),
        expect![[r#"
            ripcord.yml:3:24: warning: this webhook is sent unsigned: its receiver cannot tell who asks for a rollback
              hint: add `secret_file: FILE`, and check the signature where it arrives
            ripcord.yml:4:18: warning: the target `argo_rollout` is parsed but does not act yet: nothing is executed
              hint: use a webhook, exec or kafka target until it does
            ripcord.yml:5:5: warning: a policy for a cluster is parsed but does not act yet: it holds for no service
              hint: leave it away, and keep environments apart by cluster
            ripcord.yml:6:5: warning: `slo` is parsed but does not act yet
              hint: until it does, no burn rate is watched
            ripcord.yml:7:5: warning: `regression` is parsed but does not act yet
              hint: until it does, releases are judged by their triggers only"#]],
    );
}

#[test]
fn histograms_named_by_a_series_or_in_milliseconds_are_pointed_out() {
    check(
        &format!(
            "{ONE}metrics:\n  a: {{ histogram: http_request_duration_seconds_bucket }}\n  b: {{ histogram: http_request_duration_milliseconds }}\n"
        ),
        expect![[r#"
            ripcord.yml:3:19: warning: `http_request_duration_seconds_bucket` is one series of a histogram, its family is meant
              hint: write `http_request_duration_seconds`
            ripcord.yml:4:19: warning: `http_request_duration_milliseconds` seems to count milliseconds; limits compare with seconds
              hint: write limits without a unit: `> 300` for 300 ms of this histogram"#]],
    );
}

#[test]
fn a_right_dashboard_has_nothing_but_its_own_warning() {
    check(
        &format!(
            "{ONE}dashboard:\n  widgets:\n    - {{ type: error_rate, query: \"sum(rate(a_total[5m])) / sum(rate(b_total[5m]))\" }}\n    - {{ type: response_time, query: \"histogram_quantile(0.95, sum by (le) (rate(a_bucket[5m])))\" }}\n"
        ),
        expect![[r#"
            ripcord.yml:2:1: warning: `dashboard` is parsed but does not act yet
              hint: until it does, the console shows its own page"#]],
    );
}

#[test]
fn a_freeze_of_nothing_is_pointed_out() {
    check(
        &format!("{ONE}freezes: [ {{ match: {{ service: a }} }} ]\n"),
        expect![[r#"
        ripcord.yml:2:12: warning: this freeze has no effect
          hint: say what is frozen: promote: deny, rollback: approve"#]],
    );
}

#[test]
fn a_part_that_its_total_leaves_out_is_pointed_out() {
    let ratio = |ratio: &str| format!("{ONE}metrics:\n  checkout_rate: {{ ratio: {{ {ratio} }} }}\n");
    check(
        &ratio(r#"bad: 'failures_total{job="a"}', total: 'requests_total{job="b"}'"#),
        expect![[r#"
            ripcord.yml:3:34: warning: `bad` can never be part of `total`: no value of `job` satisfies both failures_total{job="a"} and requests_total{job="b"}
              hint: `total` has to count what `bad` counts as well: leave `job` out of it"#]],
    );
    check(
        &ratio(r#"good: 'http_requests_total{code=~"2.."}', total: 'http_requests_total{code!~"2..|3.."}'"#),
        expect![[r#"
            ripcord.yml:3:35: warning: `good` can never be part of `total`: no value of `code` satisfies both http_requests_total{code=~"2.."} and http_requests_total{code!~"2..|3.."}
              hint: `total` has to count what `good` counts as well: leave `code` out of it"#]],
    );
    check(
        &ratio(r#"bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total{code!="499"}'"#),
        expect![""],
    );
}

#[test]
fn an_opt_in_beside_a_mode_that_sends_nothing_is_pointed_out() {
    check(
        &format!("{ONE}policies: [ {{ mode: approve, unversioned: auto }}, {{ unversioned: auto }} ]\n"),
        expect![[r#"
            ripcord.yml:2:43: warning: `unversioned: auto` has no effect beside a `mode` that sends nothing by itself
              hint: leave one of them away"#]],
    );
}

#[test]
fn a_trigger_that_compares_a_fact_could_never_fire() {
    check(
        "alerts: [ { name: a, condition: linting_errors > 0, action: hold } ]\n",
        expect![[r#"
        ripcord.yml:1:33: error: `linting_errors` is a fact, and triggers compare metrics: this could never fire
          hint: quality gates compare facts; a trigger may ask for one that is true or false"#]],
    );
    check(
        "alerts: [ { name: a, condition: error_rate > 1% and all_tests_pass, action: hold } ]\n",
        expect![""],
    );
}
