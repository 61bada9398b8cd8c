//! The handbook's own YAML, its placeholders filled in.

use expect_test::expect;

use super::{accepted, check, triggers};

pub(super) const HANDBOOK: &str = r#"
rollback_triggers:
  error_rate:
    threshold: 1%
    window: 5m
    action: immediate_rollback

  response_time:
    threshold: 1000ms
    percentile: 95
    window: 10m
    action: immediate_rollback

  business_metrics:
    conversion_rate_drop: 10%
    window: 15m
    action: alert_and_prepare_rollback

alerts:
  - name: "High Error Rate"
    condition: "error_rate > 1%"
    duration: "5m"
    action: "immediate_rollback"

  - name: "Slow Response Time"
    condition: "response_time_p95 > 1s"
    duration: "10m"
    action: "alert_team"

  - name: "Low Conversion Rate"
    condition: "conversion_rate < baseline * 0.9"
    duration: "15m"
    action: "prepare_rollback"

stages:
  - name: "Canary"
    traffic_percentage: 5%
    duration: 30m
    success_criteria:
      - error_rate < 0.5%
      - response_time_p95 < 500ms

  - name: "Half"
    traffic_percentage: 50%
    duration: 60m
    success_criteria:
      - error_rate < 0.1%

  - name: "Full Rollout"
    traffic_percentage: 100%
    success_criteria:
      - error_rate < 0.01%
      - response_time_p95 < 300ms

code_integration:
  triggers:
    - push_to_main
    - pull_request_merge
  actions:
    - checkout_code
    - run_unit_tests
  quality_gates:
    - test_coverage >= 80%
    - linting_errors == 0
    - security_vulnerabilities == 0

build_package:
  actions:
    - build_application
  artifacts:
    - docker_image

automated_testing:
  parallel_execution:
    - integration_tests
    - performance_tests
  quality_gates:
    - all_tests_pass
    - performance_regression < 5%
    - api_response_time < 200ms

security_compliance:
  scans:
    - container_security
  quality_gates:
    - critical_vulnerabilities == 0
    - compliance_score >= 95%

deployment:
  strategy: progressive_delivery
  environments:
    - staging
    - production_full
  monitoring:
    - health_checks

circuit_breaker:
  failureThreshold: 5
  timeout: 60000
  resetTimeout: 30000
  onOpen: routeTrafficToPreviousVersion
  onHalfOpen: { enableCanaryTraffic: 5 }

failover_strategy:
  primary_region: "us-east-1"
  secondary_region: "us-west-2"
  failover_triggers:
    - region_unavailability > 5m
    - error_rate > 5%
    - response_time > 5s
  recovery_time_objective: 15m
  recovery_point_objective: 5m

dashboard:
  name: "Release Monitoring"
  widgets:
    - type: "error_rate"
      query: "sum(rate(http_requests_total{status=~'5..'}[5m]))"
      threshold: 0.01
    - type: "response_time"
      query: "histogram_quantile(0.95, http_request_duration_seconds)"
      threshold: 0.5
    - type: "throughput"
      query: "sum(rate(http_requests_total[5m]))"
    - type: "deployment_status"
      query: "kube_deployment_status_replicas_available"
"#;

#[test]
fn every_snippet_is_accepted_and_its_traps_are_pointed_out() {
    check(
        HANDBOOK,
        expect![[r#"
            ripcord.yml:15:5: warning: `conversion_rate` is not defined: nothing comes of this until it is
              hint: metrics: { conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } } }
            ripcord.yml:25:11: warning: `Slow Response Time` asks for alert_team where `response_time` (line 8) asks for immediate_rollback on the same condition, response_time_p95 > 1s
              hint: both act; keep the one that is meant
            ripcord.yml:30:11: warning: `Low Conversion Rate` asks for prepare_rollback where `business_metrics` (line 14) asks for alert_and_prepare_rollback on the same condition, conversion_rate < baseline * 0.9
              hint: both act; keep the one that is meant
            ripcord.yml:31:17: warning: `conversion_rate` is not defined: nothing comes of this until it is
              hint: metrics: { conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } } }
            ripcord.yml:35:1: warning: `stages` is parsed but does not act yet
              hint: until it does, a stage's criteria are not judged and nothing promotes by them
            ripcord.yml:52:9: warning: 0.01% is finer than 10 requests can tell: one failure is already more
              hint: set min_requests to 10000 or more, or take a longer window
            ripcord.yml:53:9: warning: `response_time_p95` against 0.3 s is interpolated: OpenTelemetry's default buckets have no bound there
              hint: take 0.25 s or 0.5 s, or give the histogram a bound at 0.3 s
            ripcord.yml:62:3: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:77:3: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:85:3: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:97:1: warning: `circuit_breaker` is parsed but does not act yet
              hint: until it does, no traffic is routed by it
            ripcord.yml:104:1: warning: `failover_strategy` is parsed but does not act yet
              hint: until it does, no failover is triggered
            ripcord.yml:114:1: warning: `dashboard` is parsed but does not act yet
              hint: until it does, the console shows its own page
            ripcord.yml:118:14: warning: this is errors per second, not a ratio: it grows with traffic, and its threshold with it
              hint: divide by the rate of all requests: sum(rate(http_requests_total{status=~'5..'}[5m])) / sum(rate(http_requests_total[5m]))
            ripcord.yml:121:14: warning: histogram_quantile() without rate() is the quantile since each process began, not now
              hint: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"#]],
    );
}

#[test]
fn its_triggers_mean_what_they_say() {
    let policy = accepted(HANDBOOK).effective("checkout", "production");
    expect![[r#"
        error_rate: error_rate > 1% over 5m for 0s, 10 requests, Exact => immediate_rollback
        response_time: response_time_p95 > 1s over 10m for 0s, 10 requests, Exact => immediate_rollback
        business_metrics: conversion_rate < baseline * 0.9 over 15m for 0s, 10 requests, Exact => alert_and_prepare_rollback
        High Error Rate: error_rate > 1% over 1m for 5m, 10 requests, Exact => immediate_rollback
        Slow Response Time: response_time_p95 > 1s over 1m for 10m, 10 requests, Exact => alert_team
        Low Conversion Rate: conversion_rate < baseline * 0.9 over 1m for 15m, 10 requests, Exact => prepare_rollback"#]].assert_eq(&triggers(&policy));
}

#[test]
fn its_stages_and_nested_gates_are_all_there() {
    let policy = accepted(HANDBOOK).effective("checkout", "production");
    let stages: Vec<String> = policy
        .stages
        .iter()
        .map(|stage| {
            let criteria: Vec<&str> = stage.criteria.iter().map(|(text, _)| text.as_str()).collect();
            format!("{} {}% {:?} {criteria:?}", stage.name, stage.traffic_percentage, stage.duration)
        })
        .collect();
    expect![[r#"
        Canary 5% Some(1800s) ["error_rate < 0.5%", "response_time_p95 < 500ms"]
        Half 50% Some(3600s) ["error_rate < 0.1%"]
        Full Rollout 100% None ["error_rate < 0.01%", "response_time_p95 < 300ms"]"#]]
    .assert_eq(&stages.join("\n"));
    let gates: Vec<&str> = policy.gates.iter().map(|(text, _)| text.as_str()).collect();
    expect![[r#"
        test_coverage >= 80%
        linting_errors == 0
        security_vulnerabilities == 0
        all_tests_pass
        performance_regression < 5%
        api_response_time < 200ms
        critical_vulnerabilities == 0
        compliance_score >= 95%"#]]
    .assert_eq(&gates.join("\n"));
}

#[test]
fn with_its_business_metric_defined_nothing_is_left_to_define() {
    let metrics = "metrics:\n  conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } }\n";
    let text = format!("{metrics}{HANDBOOK}");
    let (policy, diagnostics) = crate::compile(&super::load(&[("ripcord.yml", &text)]));
    assert!(policy.is_some());
    assert!(diagnostics.iter().all(|diagnostic| !diagnostic.message.contains("not defined")));
}
