//! A file in, what holds and where it comes from out.

use expect_test::{Expect, expect};
use model::PolicyLoad;

use super::explain;

const MAIN: &str = r##"metrics:
  error_rate:
    - { ratio: { bad: 'shop_requests_total{result="error"}', total: shop_requests_total } }
    - { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
  response_time: { histogram: shop_seconds }
defaults: { watch: { time: 60m }, min_requests: 20, attribution: { within: 2m } }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
  business: { error_rate_increase: 50%, response_time_p95_increase: 20%, window: 10m, min_requests: 200, action: alert_team }
alerts:
  - { name: Slow, condition: "response_time_p95 > 1s", duration: 10m, action: alert_team }
freezes:
  - { match: { environment: production }, rollback: approve }
  - { match: { environment: staging }, rollback: deny }
policies:
  - match: { environment: production }
    watch: 90m
    owner: { team: platform, slack: "#platform" }
    target: { webhook: { url: "https://deploy.example.org/rollback", secret_file: webhook.secret } }
  - match: { service: checkout, environment: production }
    owner: { team: payments }
    mode: approve
    min_requests: 50
    rollback_triggers: { error_rate: { threshold: 0.5% } }
"##;

const TEAM: &str = r#"policies:
  - match: { service: search }
    targets: [ { exec: { argv: [deploy, "{{service}}"] } }, { kafka: { topic: commands } } ]
    safety: { cooldown: 30m }
    unversioned: auto
    attribution: { neighbours: [cart, checkout], min_rise: 25% }
    metrics: { error_rate: { ratio: { bad: search_failures_total, total: search_total } } }
    alerts: [ { name: Slow, window: 2m } ]
"#;

fn check(service: &str, environment: &str, expected: Expect) {
    let files = [("ripcord.yml", MAIN), ("search.yml", TEAM)].map(|(name, text)| (name.into(), text.into()));
    let load = PolicyLoad { files: files.into(), origin: String::new() };
    let found = explain(&load, service, environment).unwrap();
    let place = |place: &crate::Place| format!("{}:{}", place.file, place.line);
    let policies = found
        .policies
        .iter()
        .map(|(matching, at)| format!("{matching} {}", at.as_ref().map(place).unwrap_or_default()));
    let settings = found.settings.iter().map(|it| {
        let from = it.from.as_ref().map_or_else(|| "default".to_owned(), place);
        format!("{} = {} ({from})", it.key, it.value)
    });
    expected.assert_eq(&policies.chain(settings).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_most_specific_policy_wins_key_by_key() {
    check(
        "checkout",
        "production",
        expect![[r#"
            service="checkout", environment="production" ripcord.yml:20
            environment="production" ripcord.yml:16
            mode = approve (ripcord.yml:22)
            unversioned = prepare (default)
            owner.team = payments (ripcord.yml:21)
            target = webhook https://deploy.example.org/rollback, signed with webhook.secret, 10s for an attempt (ripcord.yml:19)
            watch = 1h30m (ripcord.yml:17)
            watch.max = 1d (default)
            warmup = 2m (default)
            min_requests = 50 (ripcord.yml:23)
            settle = 6s (default)
            late = 30s (default)
            max_decision_age = 1m (default)
            approval_expiry = 30m (default)
            safety.cooldown = 10m (default)
            safety.approvals = 1 (default)
            attribution.margin = 1.25 (default)
            attribution.neighbours = all (default)
            attribution.min_rise = 50% (default)
            attribution.min_traffic = 10% (default)
            attribution.within = 2m (ripcord.yml:6)
            storm.max_rollbacks = 5 (default)
            storm.per = 10m (default)
            storm.settle = 5s (default)
            freeze = always: promote allow, rollback approve (ripcord.yml:13)
            triggers.error_rate = error_rate > 0.5% (ripcord.yml:24)
            triggers.error_rate.window = 5m (ripcord.yml:8)
            triggers.error_rate.duration = 0s (default)
            triggers.error_rate.min_requests = 50 (ripcord.yml:23)
            triggers.error_rate.test = exact (default)
            triggers.error_rate.action = immediate_rollback (ripcord.yml:8)
            triggers.business.error_rate_increase = error_rate > baseline * 1.5 (ripcord.yml:9)
            triggers.business.error_rate_increase.window = 10m (ripcord.yml:9)
            triggers.business.error_rate_increase.duration = 0s (default)
            triggers.business.error_rate_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.error_rate_increase.test = exact (default)
            triggers.business.error_rate_increase.action = alert_team (ripcord.yml:9)
            triggers.business.response_time_p95_increase = response_time_p95 > baseline * 1.2 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.window = 10m (ripcord.yml:9)
            triggers.business.response_time_p95_increase.duration = 0s (default)
            triggers.business.response_time_p95_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.test = exact (default)
            triggers.business.response_time_p95_increase.action = alert_team (ripcord.yml:9)
            triggers.Slow = response_time_p95 > 1s (ripcord.yml:11)
            triggers.Slow.window = 1m (default)
            triggers.Slow.duration = 10m (ripcord.yml:11)
            triggers.Slow.min_requests = 50 (ripcord.yml:23)
            triggers.Slow.test = exact (default)
            triggers.Slow.action = alert_team (ripcord.yml:11)
            metrics.error_rate = bad shop_requests_total{result="error"} of shop_requests_total (ripcord.yml:3)
            metrics.error_rate = bad http_requests_total{code=~"5.."} of http_requests_total (ripcord.yml:4)
            metrics.error_rate = built in: OpenTelemetry, request events (default)
            metrics.response_time = histogram shop_seconds (ripcord.yml:5)
            metrics.response_time = built in: OpenTelemetry, http_request_duration_seconds, request events (default)
            metrics.throughput = built in: OpenTelemetry, request events (default)"#]],
    );
}

#[test]
fn a_teams_file_replaces_metrics_and_parts_of_a_trigger() {
    check(
        "search",
        "staging",
        expect![[r#"
            service="search" search.yml:2
            mode = auto where the action is a rollback, else advise (default)
            unversioned = auto (search.yml:5)
            owner = none (default)
            target = exec deploy, 5m for an attempt (search.yml:3)
            target = kafka commands, 5s for an attempt (search.yml:3)
            watch = 1h (ripcord.yml:6)
            watch.max = 1d (default)
            warmup = 2m (default)
            min_requests = 20 (ripcord.yml:6)
            settle = 6s (default)
            late = 30s (default)
            max_decision_age = 1m (default)
            approval_expiry = 30m (default)
            safety.cooldown = 30m (search.yml:4)
            safety.approvals = 1 (default)
            attribution.margin = 1.25 (default)
            attribution.neighbours = cart, checkout (search.yml:6)
            attribution.min_rise = 25% (search.yml:6)
            attribution.min_traffic = 10% (default)
            attribution.within = 2m (ripcord.yml:6)
            storm.max_rollbacks = 5 (default)
            storm.per = 10m (default)
            storm.settle = 5s (default)
            freeze = always: promote allow, rollback deny (ripcord.yml:14)
            triggers.error_rate = error_rate > 1% (ripcord.yml:8)
            triggers.error_rate.window = 5m (ripcord.yml:8)
            triggers.error_rate.duration = 0s (default)
            triggers.error_rate.min_requests = 20 (ripcord.yml:6)
            triggers.error_rate.test = exact (default)
            triggers.error_rate.action = immediate_rollback (ripcord.yml:8)
            triggers.business.error_rate_increase = error_rate > baseline * 1.5 (ripcord.yml:9)
            triggers.business.error_rate_increase.window = 10m (ripcord.yml:9)
            triggers.business.error_rate_increase.duration = 0s (default)
            triggers.business.error_rate_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.error_rate_increase.test = exact (default)
            triggers.business.error_rate_increase.action = alert_team (ripcord.yml:9)
            triggers.business.response_time_p95_increase = response_time_p95 > baseline * 1.2 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.window = 10m (ripcord.yml:9)
            triggers.business.response_time_p95_increase.duration = 0s (default)
            triggers.business.response_time_p95_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.test = exact (default)
            triggers.business.response_time_p95_increase.action = alert_team (ripcord.yml:9)
            triggers.Slow = response_time_p95 > 1s (ripcord.yml:11)
            triggers.Slow.window = 2m (search.yml:8)
            triggers.Slow.duration = 10m (ripcord.yml:11)
            triggers.Slow.min_requests = 20 (ripcord.yml:6)
            triggers.Slow.test = exact (default)
            triggers.Slow.action = alert_team (ripcord.yml:11)
            metrics.error_rate = bad search_failures_total of search_total (search.yml:7)
            metrics.error_rate = built in: request events (default)
            metrics.response_time = histogram shop_seconds (ripcord.yml:5)
            metrics.response_time = built in: OpenTelemetry, http_request_duration_seconds, request events (default)
            metrics.throughput = built in: OpenTelemetry, request events (default)"#]],
    );
}

#[test]
fn where_no_policy_matches_the_top_level_and_the_defaults_hold() {
    check(
        "cart",
        "test",
        expect![[r#"
            mode = advise, as there is no target (default)
            unversioned = prepare (default)
            owner = none (default)
            target = none, so that nothing is executed (default)
            watch = 1h (ripcord.yml:6)
            watch.max = 1d (default)
            warmup = 2m (default)
            min_requests = 20 (ripcord.yml:6)
            settle = 6s (default)
            late = 30s (default)
            max_decision_age = 1m (default)
            approval_expiry = 30m (default)
            safety.cooldown = 10m (default)
            safety.approvals = 1 (default)
            attribution.margin = 1.25 (default)
            attribution.neighbours = all (default)
            attribution.min_rise = 50% (default)
            attribution.min_traffic = 10% (default)
            attribution.within = 2m (ripcord.yml:6)
            storm.max_rollbacks = 5 (default)
            storm.per = 10m (default)
            storm.settle = 5s (default)
            triggers.error_rate = error_rate > 1% (ripcord.yml:8)
            triggers.error_rate.window = 5m (ripcord.yml:8)
            triggers.error_rate.duration = 0s (default)
            triggers.error_rate.min_requests = 20 (ripcord.yml:6)
            triggers.error_rate.test = exact (default)
            triggers.error_rate.action = immediate_rollback (ripcord.yml:8)
            triggers.business.error_rate_increase = error_rate > baseline * 1.5 (ripcord.yml:9)
            triggers.business.error_rate_increase.window = 10m (ripcord.yml:9)
            triggers.business.error_rate_increase.duration = 0s (default)
            triggers.business.error_rate_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.error_rate_increase.test = exact (default)
            triggers.business.error_rate_increase.action = alert_team (ripcord.yml:9)
            triggers.business.response_time_p95_increase = response_time_p95 > baseline * 1.2 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.window = 10m (ripcord.yml:9)
            triggers.business.response_time_p95_increase.duration = 0s (default)
            triggers.business.response_time_p95_increase.min_requests = 200 (ripcord.yml:9)
            triggers.business.response_time_p95_increase.test = exact (default)
            triggers.business.response_time_p95_increase.action = alert_team (ripcord.yml:9)
            triggers.Slow = response_time_p95 > 1s (ripcord.yml:11)
            triggers.Slow.window = 1m (default)
            triggers.Slow.duration = 10m (ripcord.yml:11)
            triggers.Slow.min_requests = 20 (ripcord.yml:6)
            triggers.Slow.test = exact (default)
            triggers.Slow.action = alert_team (ripcord.yml:11)
            metrics.error_rate = bad shop_requests_total{result="error"} of shop_requests_total (ripcord.yml:3)
            metrics.error_rate = bad http_requests_total{code=~"5.."} of http_requests_total (ripcord.yml:4)
            metrics.error_rate = built in: OpenTelemetry, request events (default)
            metrics.response_time = histogram shop_seconds (ripcord.yml:5)
            metrics.response_time = built in: OpenTelemetry, http_request_duration_seconds, request events (default)
            metrics.throughput = built in: OpenTelemetry, request events (default)"#]],
    );
}

#[test]
fn without_any_file_everything_is_a_default() {
    let found = explain(&PolicyLoad::default(), "cart", "test").unwrap();
    assert!(found.settings.iter().all(|it| it.from.is_none()), "{found:#?}");
}
