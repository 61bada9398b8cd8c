//! What a file that is accepted means.

use std::{collections::BTreeMap, time::Duration};

use super::{accepted, triggers};
use crate::{FreezeEffect, IdentityField, MetricSource, Mode, Policy, Target, TimeSpecification};
use expect_test::expect;

#[test]
fn thresholds_become_conditions_as_a_person_would_write_them() {
    let policy = accepted(
        r#"
metrics: { conversion_rate: { ratio: { good: a_total, total: b_total } }, cpu: { gauge: cpu_ratio } }
defaults: { min_requests: 25 }
rollback_triggers:
  error_rate: { threshold: 0.01, window: 5m, action: immediate_rollback }
  response_time: { threshold: 1500ms, percentile: 99.9, window: 10m, for: 1m, action: alert_team }
  response_time_p50: { threshold: 120s, window: 1m, action: alert_team, test: none, min_requests: 5 }
  conversion_rate: { threshold: 2%, window: 5m, action: hold }
  cpu: { threshold: 90%, duration: 2m, action: alert_team }
  business: { conversion_rate_drop: 30%, response_time_p95_increase: 50%, window: 15m, action: prepare_rollback }
  custom: { condition: 'error_rate > 1% and alert("HighErrorRate")', window: 2m, action: immediate_rollback }
alerts:
  - { name: plain, condition: error_rate > 1%, action: alert_team }
  - { name: with window, condition: error_rate > 2%, window: 3m, for: 1m, action: alert_team }
"#,
    );
    expect![[r#"
        error_rate: error_rate > 0.01 over 5m for 0s, 25 requests, Exact => immediate_rollback
        response_time: response_time_p999 > 1500ms over 10m for 1m, 25 requests, Exact => alert_team
        response_time_p50: response_time_p50 > 2m over 1m for 0s, 5 requests, None => alert_team
        conversion_rate: conversion_rate < 2% over 5m for 0s, 25 requests, Exact => hold
        cpu: cpu > 90% over 1m for 2m, 25 requests, Exact => alert_team
        business.conversion_rate_drop: conversion_rate < baseline * 0.7 over 15m for 0s, 25 requests, Exact => prepare_rollback
        business.response_time_p95_increase: response_time_p95 > baseline * 1.5 over 15m for 0s, 25 requests, Exact => prepare_rollback
        custom: error_rate > 1% and alert("HighErrorRate") over 2m for 0s, 25 requests, Exact => immediate_rollback
        plain: error_rate > 1% over 1m for 0s, 25 requests, Exact => alert_team
        with window: error_rate > 2% over 3m for 1m, 25 requests, Exact => alert_team"#]].assert_eq(&triggers(&policy.effective("a", "b")));
}

#[test]
fn policies_override_by_trigger_name_the_most_specific_last() {
    let policy = accepted(
        r##"
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
  own_number: { condition: error_rate > 9%, window: 5m, min_requests: 77, action: hold }
policies:
  - match: { service: checkout, environment: production }
    mode: auto
    owner: { team: payments, slack: "#payments", email: payments@example.org }
    rollback_triggers: { error_rate: { threshold: 2% } }
    target: { webhook: { url: "https://deploy.example.org/x", secret_file: hook.secret } }
    safety: { cooldown: 5m }
    watch: 2h
  - match: { environment: production }
    mode: approve
    min_requests: 50
    warmup: 0s
    rollback_triggers: { error_rate: { action: prepare_rollback } }
    alerts: [ { name: slow, condition: response_time_p95 > 1s, duration: 5m, action: alert_team } ]
    watch: { time: 30m }
  - match: { service: checkout }
    mode: observe
    quality_gates: [ linting_errors == 0 ]
"##,
    );
    let here = policy.effective("checkout", "production");
    expect![[r#"
        error_rate: error_rate > 2% over 5m for 0s, 10 requests, Exact => immediate_rollback
        own_number: error_rate > 9% over 5m for 0s, 77 requests, Exact => hold
        slow: response_time_p95 > 1s over 1m for 5m, 50 requests, Exact => alert_team"#]]
    .assert_eq(&triggers(&here));
    assert_eq!(here.mode, Some(Mode::Auto));
    assert_eq!(here.owner.team.as_deref(), Some("payments"));
    assert_eq!(here.defaults.watch, Duration::from_secs(7200));
    assert_eq!((here.defaults.warmup, here.defaults.min_requests), (Duration::ZERO, 50));
    assert_eq!((here.safety.cooldown, here.safety.approvals), (Duration::from_secs(300), 1));
    assert_eq!(here.gates.len(), 1);
    let url = "https://deploy.example.org/x".into();
    let secret_file = Some("hook.secret".to_owned());
    let timeout = Duration::from_secs(10);
    assert_eq!(here.targets, [Target::Webhook { url, secret_file, headers: BTreeMap::new(), timeout }]);

    let elsewhere = policy.effective("cart", "staging");
    assert_eq!((elsewhere.mode, elsewhere.targets.len()), (None, 0));
    expect![[r#"
        error_rate: error_rate > 1% over 5m for 0s, 10 requests, Exact => immediate_rollback
        own_number: error_rate > 9% over 5m for 0s, 77 requests, Exact => hold"#]]
    .assert_eq(&triggers(&elsewhere));
    assert_eq!(policy.effective("checkout", "staging").mode, Some(Mode::Observe));
}

#[test]
fn among_equally_specific_policies_the_later_wins_across_files_too() {
    let main = "alerts: [ { name: a, condition: error_rate > 1%, action: hold } ]\npolicies: [ { match: { service: a }, mode: observe }, { match: { service: a }, mode: advise } ]\n";
    let team = "policies: [ { match: { service: a }, mode: approve } ]\n";
    let (policy, _) = crate::compile(&super::load(&[("ripcord.yml", main), ("team.yml", team)]));
    assert_eq!(policy.unwrap().effective("a", "x").mode, Some(Mode::Approve));
}

#[test]
fn a_policy_that_names_the_service_is_more_specific_than_one_that_names_its_environment() {
    let policy = accepted(
        "policies: [ { match: { service: a }, mode: observe }, { match: { environment: x }, mode: advise } ]",
    );
    assert_eq!(policy.effective("a", "x").mode, Some(Mode::Observe));
    assert_eq!(policy.effective("b", "x").mode, Some(Mode::Advise));
}

#[test]
fn a_target_of_a_kind_to_come_replaces_one_that_acts() {
    let policy = accepted(
        "policies: [ { target: { exec: { argv: [deploy, '{{to_version}}'] } } }, { match: { service: a }, target: { argo_rollout: { name: a } } } ]",
    );
    assert_eq!(policy.effective("b", "x").targets.len(), 1);
    assert_eq!(policy.effective("a", "x").targets, []);
}

#[test]
fn a_topic_is_a_target() {
    let policy = accepted("policies: [ { target: { kafka: { topic: deploy-commands } } } ]");
    assert_eq!(policy.effective("a", "x").targets, [Target::Kafka { topic: "deploy-commands".into() }]);
}

/// One line a source.
fn sources(definition: &crate::MetricDefinition) -> String {
    let line = |source: &MetricSource| match source {
        MetricSource::Ratio { part, total, .. } => format!("{} / {}", part.text, total.text),
        MetricSource::Histogram(histogram) => histogram.family.text.clone(),
        MetricSource::Gauge(selector) | MetricSource::Throughput(selector) => selector.text.clone(),
        requests => format!("{requests:?}"),
    };
    definition.sources.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_definition_at_the_top_level_stands_before_the_built_in_ones_and_adds_to_them() {
    let policy = accepted(
        r#"
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
  response_time: [ { histogram: latency_seconds }, { histogram: http_request_duration_seconds } ]
  conversion_rate: { ratio: { good: a_total, total: '{__name__=~"b_.+"}' } }
"#,
    );
    let shown = |name: &str| sources(&policy.metrics[name]);
    expect![[r#"
        http_requests_total{code=~"5.."} / http_requests_total
        http_server_request_duration_seconds_count{http_response_status_code=~"5.."} / http_server_request_duration_seconds_count
        http_server_request_duration_milliseconds_count{http_response_status_code=~"5.."} / http_server_request_duration_milliseconds_count
        http.server.request.duration_seconds_count{http.response.status_code=~"5.."} / http.server.request.duration_seconds_count
        http.server.request.duration_count{http.response.status_code=~"5.."} / http.server.request.duration_count
        http_server_duration_milliseconds_count{http_status_code=~"5.."} / http_server_duration_milliseconds_count
        http_server_duration_seconds_count{http_status_code=~"5.."} / http_server_duration_seconds_count
        RequestErrors"#]].assert_eq(&shown("error_rate"));
    expect![[r#"
        latency_seconds
        http_request_duration_seconds
        http_server_request_duration_seconds
        http_server_request_duration_milliseconds
        http.server.request.duration_seconds
        http.server.request.duration
        http_server_duration_milliseconds
        http_server_duration_seconds
        RequestDurations"#]]
    .assert_eq(&shown("response_time"));
    expect![[r#"
        http_server_request_duration_seconds_count
        http_server_request_duration_milliseconds_count
        http.server.request.duration_seconds_count
        http.server.request.duration_count
        http_server_duration_milliseconds_count
        http_server_duration_seconds_count
        RequestThroughput"#]]
    .assert_eq(&shown("throughput"));
    expect![[r#"a_total / {__name__=~"b_.+"}"#]].assert_eq(&shown("conversion_rate"));
}

#[test]
fn a_policys_definition_replaces_the_others_for_what_it_matches_and_may_add_a_name() {
    let policy = accepted(
        r#"
metrics: { error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } } }
policies:
  - match: { service: [legacy, cart] }
    metrics:
      error_rate: { ratio: { bad: failures_total, total: calls_total } }
      queue: { gauge: queue_depth }
    alerts: [ { name: full, condition: queue > 100, action: alert_team } ]
  - match: { service: cart }
    metrics: { error_rate: { ratio: { bad: cart_failures_total, total: cart_calls_total } } }
"#,
    );
    let first = |service: &str, metric: &str| {
        policy
            .metric(service, "production", metric)
            .map(|it| sources(it).lines().collect::<Vec<_>>().join(", "))
    };
    let own = |text: &str| Some(format!("{text}, RequestErrors"));
    assert_eq!(first("legacy", "error_rate"), own("failures_total / calls_total"));
    assert_eq!(
        first("cart", "error_rate"),
        own("cart_failures_total / cart_calls_total"),
        "the most specific"
    );
    assert_eq!(first("cart", "queue"), Some("queue_depth".to_owned()));
    assert_eq!(first("checkout", "queue"), None);
    assert!(first("checkout", "error_rate").unwrap().starts_with("http_requests_total{code=~"));
    assert!(policy.windows().contains_key("queue"));
}

#[test]
fn a_metric_that_is_called_like_a_quantile_is_itself() {
    let policy = accepted(
        "metrics: { latency_p95: { gauge: latency_p95_seconds } }\nalerts: [ { name: a, condition: latency_p95 > 1s, action: hold } ]\n",
    );
    assert!(policy.windows().contains_key("latency_p95"));
}

#[test]
fn windows_are_those_of_every_trigger_and_the_apis() {
    let policy = accepted(
        r#"
metrics: { queue: { gauge: depth } }
alerts: [ { name: a, condition: error_rate > 1% or queue > 5, window: 2m, action: hold } ]
policies: [ { match: { service: x }, rollback_triggers: { response_time: { threshold: 1s, percentile: 95, window: 10m, action: hold } } } ]
"#,
    );
    let shown: Vec<String> = policy
        .windows()
        .iter()
        .map(|(name, windows)| {
            let windows: Vec<String> =
                windows.iter().map(|window| crate::yaml::format_duration(*window)).collect();
            format!("{name}: {}", windows.join(" "))
        })
        .collect();
    expect![[r#"
        error_rate: 2m 5m
        queue: 2m
        response_time: 5m 10m
        throughput: 5m"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn identity_replaces_its_lists_and_keeps_the_others() {
    let policy = accepted(
        r#"
identity:
  service: app_name
  version: [v, version]
  join:
    - { info: target_info, on: [job, instance], take: { service: service_name, version: service_version } }
    - { info: '{__name__=~".+_build_info"}', on: [job], take: { version: version } }
  static: [ { match: 'job="legacy-cart"', set: { service: cart, environment: production } } ]
"#,
    );
    let identity = policy.identity;
    assert_eq!(identity.service, ["app_name"]);
    assert_eq!(identity.version, ["v", "version"]);
    assert_eq!(identity.environment, Policy::default_policy().identity.environment);
    assert_eq!(identity.join[0].take[1], (IdentityField::Version, "service_version".to_owned()));
    assert_eq!(identity.join[1].info.name, None);
    let labels = model::Labels::from_pairs([("__name__", "requests"), ("job", "legacy-cart")]);
    assert!(identity.fixed[0].matching.matches(&labels));
}

#[test]
fn freezes_name_their_intervals_and_say_nothing_of_what_they_allow() {
    let policy = accepted(
        r#"
time_intervals:
  - name: black-friday
    time_intervals: [ { months: [november], days_of_month: ["23:-1"], weekdays: ["Monday:friday"], times: [ { start_time: "09:00", end_time: "24:00" } ], years: ["2026:2028"], location: Europe/Berlin } ]
mute_time_intervals:
  - { name: always, time_intervals: [ { location: UTC } ] }
freezes:
  - { match: { environment: production, cluster: eu }, time_intervals: [black-friday, always], promote: deny, rollback: approve }
  - { rollback: deny }
"#,
    );
    let interval = TimeSpecification {
        times: vec![(540, 1440)],
        weekdays: vec![(1, 5)],
        days_of_month: vec![(23, -1)],
        months: vec![(11, 11)],
        years: vec![(2026, 2028)],
        location: Some("Europe/Berlin".to_owned()),
    };
    assert_eq!(policy.time_intervals["black-friday"].specifications, [interval]);
    assert_eq!(policy.time_intervals["always"].specifications, [TimeSpecification::default()]);
    let effects: Vec<_> = policy.freezes.iter().map(|freeze| (freeze.promote, freeze.rollback)).collect();
    let denied = (FreezeEffect::Allow, FreezeEffect::Deny);
    assert_eq!(effects, [(FreezeEffect::Deny, FreezeEffect::Approve), denied]);
    assert_eq!(policy.freezes[0].matching.labels().count(), 2);
}

#[test]
fn info_series_are_joined_unless_the_file_says_which() {
    let joins = |text: &str| {
        let texts: Vec<_> = accepted(text).identity.join.iter().map(|join| join.info.text.clone()).collect();
        texts.join(" ")
    };
    let usual = r#"target_info {__name__=~".+_build_info",__name__!="go_build_info"}"#;
    assert_eq!(joins("alerts: []\n"), usual);
    assert_eq!(joins("identity: { environment: [stage] }\n"), usual, "other names leave the joins alone");
    assert_eq!(joins("identity: { join: [] }\n"), "");
    let own = "identity: { join: [ { info: pod_info, on: [pod], take: { version: version } } ] }\n";
    assert_eq!(joins(own), "pod_info");
}

#[test]
fn metrics_that_triggers_read_and_nobody_defines_are_known() {
    let read = |text: &str| accepted(text).built_in_only().into_keys().collect::<Vec<_>>().join(" ");
    let triggers =
        "alerts: [ { name: a, condition: error_rate > 1% or response_time_p95 > 1s, action: hold } ]\n";
    let own = |name: &str, below: &str| match below {
        "" => format!("{triggers}metrics: {{ {name} }}\n"),
        service => {
            format!("{triggers}policies: [ {{ match: {{ service: {service} }}, metrics: {{ {name} }} }} ]\n")
        }
    };
    let error_rate = "error_rate: { ratio: { bad: failures_total, total: calls_total } }";
    let response_time = "response_time: { histogram: call_seconds }";
    for (what, text, names) in [
        ("no definition", triggers.to_owned(), "error_rate response_time"),
        ("one of two", own(error_rate, ""), "response_time"),
        ("both", own(&format!("{error_rate}, {response_time}"), ""), ""),
        ("for some services", own(error_rate, "cart"), "response_time"),
        (
            "a metric that nothing reads",
            own("throughput: { throughput: calls_total }", ""),
            "error_rate response_time",
        ),
    ] {
        assert_eq!(read(&text), names, "{what}");
    }
}
