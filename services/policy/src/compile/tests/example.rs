//! A whole `ripcord.yml`, as it is cut and compiled.

use expect_test::expect;
use proptest::prelude::*;

use super::{accepted, handbook::HANDBOOK, load, shown, triggers};
use crate::{compile, policy_sections};

const WHOLE: &str = r##"
server:
  listen: "127.0.0.1:9480"
  tokens: [ { name: prometheus, token_file: prom.token, roles: [ingest] } ]
hooks: { alertmanager: { token_file: am.token } }
bus: { kind: embedded }

identity:
  service:     [service, service_name, service.name, app]
  join:
    - { info: target_info, on: [job, instance], take: { service: service_name, version: service_version } }
  static: [ { match: 'job="legacy-cart"', set: { service: cart, environment: production } } ]

metrics:
  error_rate:      { ratio: { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total' } }
  response_time:   { histogram: http_request_duration_seconds }
  conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } }
  cpu_usage:       { gauge: process_cpu_ratio }

defaults: { watch: { time: 60m, max: 24h }, warmup: 120s, settle: 6s, late: 30s, max_decision_age: 60s, min_requests: 10 }

rollback_triggers:
  error_rate:       { threshold: 1%, window: 5m, action: immediate_rollback }
  business_metrics: { conversion_rate_drop: 10%, window: 15m, action: alert_and_prepare_rollback }

policies:
  - match:  { service: checkout, environment: production }
    owner:  { team: payments, slack: "#payments", email: payments@example.org }
    mode: auto
    regression: { alpha: 0.001, metrics: [ { metric: error_rate }, { metric: response_time, quantile: 0.95, tolerance: 20% } ] }
    slo:    { objective: 99.9%, burn_rates: sre }
    target: { argo_rollout: { namespace: shop, name: checkout } }
    safety: { cooldown: 10m, approvals: 1 }

storm:   { max_rollbacks: 5, per: 10m, settle: 5s }
time_intervals: [ { name: black-friday, time_intervals: [ { months: [november], days_of_month: ["23:30"], weekdays: [friday] } ] } ]
freezes: [ { match: { environment: production }, time_intervals: [black-friday], promote: deny, rollback: approve } ]
policy_files: [ policies/*.yml ]

route:     { receiver: sre, group_by: [service, release], group_wait: 0s }
receivers: [ { name: sre, webhook_configs: [ { url: "http://127.0.0.1/" } ] } ]
audiences: { product_team: { receivers: [product], during: progress } }
"##;

#[test]
fn the_policy_is_cut_out_of_the_whole_and_compiled() {
    let cut = policy_sections("ripcord.yml", WHOLE).unwrap();
    let (policy, diagnostics) = compile(&load(&[("ripcord.yml", &cut)]));
    expect![[r#"
        ripcord.yml:30:5: warning: `regression` is parsed but does not act yet
          hint: until it does, releases are judged by their triggers only
        ripcord.yml:31:5: warning: `slo` is parsed but does not act yet
          hint: until it does, no burn rate is watched
        ripcord.yml:32:15: warning: the target `argo_rollout` is parsed but does not act yet: nothing is executed
          hint: use a webhook, exec or kafka target until it does"#]].assert_eq(&shown(&diagnostics));
    expect![[r#"
        error_rate: error_rate > 1% over 5m for 0s, 10 requests, Exact => immediate_rollback
        business_metrics: conversion_rate < baseline * 0.9 over 15m for 0s, 10 requests, Exact => alert_and_prepare_rollback"#]].assert_eq(&triggers(&policy.unwrap().effective("checkout", "production")));
}

#[test]
fn what_is_cut_means_the_same_as_the_whole() {
    let cut = policy_sections("ripcord.yml", HANDBOOK).unwrap();
    assert_eq!(accepted(&cut), accepted(HANDBOOK));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_damaged_file_is_compiled_or_refused_without_panic(
        from in 0..HANDBOOK.len(),
        length in 0_usize..40,
        instead in prop::sample::select(vec!["", "[", "{", ": ", "- ", "~", "1%", "baseline", "&a ", "*a", "\n", "\t", "\"", "#"]),
    ) {
        let to = usize::min(from + length, HANDBOOK.len());
        prop_assume!(HANDBOOK.is_char_boundary(from) && HANDBOOK.is_char_boundary(to));
        let text = format!("{}{instead}{}", &HANDBOOK[..from], &HANDBOOK[to..]);
        let (policy, diagnostics) = compile(&load(&[("f.yml", &text)]));
        let has_error = diagnostics.iter().any(|diagnostic| diagnostic.level == crate::Level::Error);
        prop_assert_eq!(policy.is_none(), has_error);
        let cut = policy_sections("f.yml", &text).unwrap_or_default();
        prop_assert!(cut.lines().count() <= text.lines().count() + 1);
    }
}
