//! Every fault of a policy file, by its message.

use expect_test::expect;

use super::{check, load, shown};

#[test]
fn the_top_level_is_strict() {
    check(
        "rolback_triggers: {}\nserver: {}\nmode: auto\nzebra: 1\n",
        expect![[r#"
        ripcord.yml:1:1: error: unknown key `rolback_triggers`
          hint: did you mean `rollback_triggers`?
        ripcord.yml:2:1: error: unknown key `server`
          hint: `server` is the server's, not the policy's: it belongs into ripcord.yml
        ripcord.yml:3:1: error: unknown key `mode`
          hint: write it under `policies:`, as `- {match: {}, mode: …}` for every service
        ripcord.yml:4:1: error: unknown key `zebra`
          hint: known here: identity, metrics, defaults, storm, time_intervals, mute_time_intervals, freezes, rollback_triggers, alerts, quality_gates, stages, policies, failover_strategy, circuit_breaker, dashboard, policy_files"#]],
    );
    check("- a\n- b\n", expect!["ripcord.yml:1:1: error: a policy file must be a mapping, found a list"]);
    check(
        "just text\n",
        expect!["ripcord.yml:1:1: error: a policy file must be a mapping, found a single value"],
    );
    check(
        "alerts: [\n",
        expect!["ripcord.yml:2:1: error: not YAML: while parsing a node, did not find expected node content"],
    );
}

#[test]
fn a_trigger_without_what_it_needs_is_refused() {
    check(
        "rollback_triggers: { error_rate: {} }",
        expect![[r#"
        ripcord.yml:1:22: error: `error_rate` has no limit
          hint: give it threshold: 1%, METRIC_drop: 10%, METRIC_increase: 50%, or condition: "…"
        ripcord.yml:1:22: error: `error_rate` has no `window`
          hint: what the metric is computed over: window: 5m
        ripcord.yml:1:34: error: `action` is missing
          hint: one of immediate_rollback, prepare_rollback, alert_and_prepare_rollback, alert_team, hold"#]],
    );
    check(
        "rollback_triggers: { error_rate: 1% }",
        expect!["ripcord.yml:1:34: error: `error_rate` must be a mapping, found a single value"],
    );
    check(
        "rollback_triggers: [ error_rate ]",
        expect!["ripcord.yml:1:20: error: `rollback_triggers` must be a mapping, found a list"],
    );
    check(
        "alerts: [ { condition: error_rate > 1%, action: alert_team }, { name: x } ]",
        expect![[r#"
        ripcord.yml:1:11: error: `name` is missing
        ripcord.yml:1:63: error: `action` is missing
          hint: one of immediate_rollback, prepare_rollback, alert_and_prepare_rollback, alert_team, hold
        ripcord.yml:1:63: error: `condition` is missing
          hint: a condition looks like `error_rate > 1%`"#]],
    );
}

#[test]
fn a_triggers_values_are_checked() {
    check(
        "rollback_triggers:\n  error_rate: { treshold: 1%, threshold: lots, window: 5 minutes, action: rollback, test: exakt, min_requests: 0 }\n",
        expect![[r#"
            ripcord.yml:2:17: error: unknown key `treshold`
              hint: did you mean `threshold`?
            ripcord.yml:2:42: error: `threshold`: `lots` is not a number with a unit
              hint: write it as 1%, 0.01, 300ms or 1s
            ripcord.yml:2:56: error: `window`: `5 minutes` is not a duration
              hint: durations look like 250ms, 30s, 5m, 1h, 1h30m or 2d
            ripcord.yml:2:75: error: `action`: `rollback` is not an action
              hint: did you mean `immediate_rollback`, or `prepare_rollback` to be asked first?
            ripcord.yml:2:91: error: `test`: `exakt` is not one of exact, none
              hint: did you mean `exact`?
            ripcord.yml:2:112: error: `min_requests`: `0` is not a whole number in range
              hint: from 1 to 1000000000"#]],
    );
    check(
        "rollback_triggers:\n  error_rat: { threshold: 1%, window: 5m, action: immediate_rolback }\n  error_rate: { threshold: 1%, percentile: 95, window: 2d, action: promote }\n",
        expect![[r#"
            ripcord.yml:2:3: error: `error_rat` is not a metric: its threshold could never be exceeded
              hint: did you mean `error_rate`?
            ripcord.yml:2:51: error: `action`: `immediate_rolback` is not an action
              hint: did you mean `immediate_rollback`?
            ripcord.yml:3:44: error: `error_rate` has no percentiles: it is not a histogram
              hint: remove `percentile`
            ripcord.yml:3:56: error: `window`: 2d is out of range
              hint: from 1s to 1d
            ripcord.yml:3:68: error: `action`: `promote` is not an action
              hint: only a stage that is passed promotes"#]],
    );
    check(
        "rollback_triggers:\n  response_time: { threshold: 1s, percentile: 0.95, window: 5m, action: alert_team }\n",
        expect![[r#"
            ripcord.yml:2:47: error: `percentile`: `0.95` is not a percentile
              hint: write it as 95 or 99.9; two decimal places at most"#]],
    );
    check(
        "rollback_triggers:\n  response_time: { threshold: 1%, percentile: 95, window: 5m, action: alert_team }\n  error_rate: { threshold: 1s, window: 5m, action: alert_team }\n",
        expect![[r#"
            ripcord.yml:2:31: error: `response_time_p95` is a time, compared with a ratio
              hint: write it as 300ms or 1s
            ripcord.yml:3:28: error: `error_rate` is a ratio, compared with a time
              hint: write it as 1% or 0.01"#]],
    );
    check(
        "rollback_triggers:\n  x: { threshold: 1%, condition: error_rate > 1%, percentile: 95, for: 1m, duration: 1m, action: hold }\n",
        expect![[r#"
            ripcord.yml:2:3: error: `x` is not a metric: its threshold could never be exceeded
              hint: define it under `metrics`, or give `x` a `condition` instead
            ripcord.yml:2:23: error: `threshold` and `condition` exclude each other
              hint: keep one of them
            ripcord.yml:2:67: error: `duration` and `for` exclude each other
              hint: keep one of them"#]],
    );
    check(
        "rollback_triggers:\n  b: { conversion_rate_drop: 100%, window: 5m, action: hold }\n  c: { threshold: 1%, error_rate_increase: 50%, window: 5m, action: hold }\n",
        expect![[r#"
            ripcord.yml:2:30: error: `conversion_rate_drop` must be a ratio above 0
              hint: write it as 10%, below 100%
            ripcord.yml:3:3: error: `c` is not a metric: its threshold could never be exceeded
              hint: define it under `metrics`, or give `c` a `condition` instead
            ripcord.yml:3:23: error: `threshold` and `error_rate_increase` exclude each other
              hint: make two triggers of them"#]],
    );
}

#[test]
fn two_triggers_of_one_name_are_refused() {
    check(
        "rollback_triggers:\n  error_rate: { threshold: 1%, window: 5m, action: hold }\nalerts:\n  - { name: error_rate, condition: error_rate > 2%, action: hold }\n",
        expect![[r#"
            ripcord.yml:4:13: error: two triggers are called `error_rate`
              hint: the first is on line 2; give one of them another name"#]],
    );
}

#[test]
fn a_fault_of_a_condition_has_the_column_of_its_character() {
    check(
        "alerts:\n  - name: a\n    condition: \"error_rate > 1 %\"\n    action: hold\n  - name: b\n    condition: eror_rate > 1% or error_rate_p95 > 1%\n    action: hold\n",
        expect![[r#"
            ripcord.yml:3:32: error: unexpected `%`
              hint: write the unit right after its number: `1%`
            ripcord.yml:6:16: error: `eror_rate` is not defined: this could never fire
              hint: did you mean `error_rate`?
            ripcord.yml:6:34: error: `error_rate` has no quantiles: it is a ratio
              hint: write `error_rate`"#]],
    );
    check(
        "alerts: [ { name: a, condition: [x], action: hold } ]",
        expect![[r#"
        ripcord.yml:1:33: error: a condition must be a text, found a list
          hint: a condition looks like `error_rate > 1%`"#]],
    );
    check(
        "alerts: [ { name: a, condition: error_rate, action: hold } ]",
        expect![[r#"
        ripcord.yml:1:33: error: `error_rate` is a metric and is compared with nothing
          hint: add a limit: `error_rate > …`"#]],
    );
}

#[test]
fn metrics_are_checked() {
    check(
        r#"
metrics:
  and: { gauge: up }
  a: { ratio: { total: x } }
  b: { ratio: { bad: x } }
  c: { gauge: "rate(x[5m])" }
  d: { gauge: "x{" }
  e: { histogram: x, gauge: y }
  f: {}
  g: { gage: x }
  error_rate: { ratio: { good: x, total: y } }
  response_time: { gauge: x }
  throughput: { histogram: x }
  h: { gauge: [x] }
"#,
        expect![[r#"
            ripcord.yml:3:3: error: `and` cannot be a metric's name
              hint: letters, digits, `_`, `.` and `:`, beginning with a letter, and not and, or, baseline, alert
            ripcord.yml:4:15: error: `bad` or `good` is missing
              hint: `bad` counts failures (more is worse), `good` counts successes (less is worse)
            ripcord.yml:5:15: error: `total` is missing
            ripcord.yml:6:15: error: `gauge`: `rate(x[5m])` is an expression, not a series selector
              hint: selectors are Prometheus': http_requests_total{code=~"5.."}; no rate(), no range
            ripcord.yml:7:15: error: `gauge`: `x{` is not a series selector: unexpected end of input inside braces
              hint: selectors are Prometheus': http_requests_total{code=~"5.."}; no rate(), no range
            ripcord.yml:8:22: error: `histogram` and `gauge` exclude each other
              hint: keep one of them
            ripcord.yml:9:3: error: `f` says not what it is computed from
              hint: one of ratio: {bad, total}, histogram: FAMILY, gauge: SELECTOR, throughput: SELECTOR
            ripcord.yml:10:3: error: `g` says not what it is computed from
              hint: one of ratio: {bad, total}, histogram: FAMILY, gauge: SELECTOR, throughput: SELECTOR
            ripcord.yml:10:8: error: unknown key `gage`
              hint: did you mean `gauge`?
            ripcord.yml:11:3: error: `error_rate` must be a ratio of what is bad: ratio: {bad: …, total: …}
              hint: give another kind of metric a name of its own
            ripcord.yml:12:3: error: `response_time` must be a histogram
              hint: give another kind of metric a name of its own
            ripcord.yml:13:3: error: `throughput` must be a throughput
              hint: give another kind of metric a name of its own
            ripcord.yml:14:15: error: `gauge` must be a series selector, found a list"#]],
    );
}

#[test]
fn identity_is_checked() {
    check(
        r#"
identity:
  service: { a: b }
  join:
    - { info: "rate(x[5m])", take: { servce: a } }
    - { on: [job], take: { service: a } }
  static: [ { match: 'job=', set: { service: a } }, { match: 'job="x"' } ]
  nodes: [a]
"#,
        expect![[r#"
            ripcord.yml:3:12: error: `service` must be a single value, found a mapping
            ripcord.yml:5:7: error: `on` is missing
            ripcord.yml:5:15: error: `info`: `rate(x[5m])` is an expression, not a series selector
              hint: selectors are Prometheus', as one text: target_info, '{__name__=~".+_build_info"}', 'job="legacy"'
            ripcord.yml:5:38: error: unknown key `servce`
              hint: did you mean `service`?
            ripcord.yml:6:7: error: `info` is missing
            ripcord.yml:7:22: error: `match`: `{job=}` is not a series selector: invalid promql query
              hint: selectors are Prometheus', as one text: target_info, '{__name__=~".+_build_info"}', 'job="legacy"'
            ripcord.yml:7:53: error: `set` is missing
            ripcord.yml:8:3: error: unknown key `nodes`
              hint: known here: service, environment, version, cluster, region, replica, route, join, static"#]],
    );
}

#[test]
fn defaults_storm_and_watch_are_checked() {
    check(
        r#"
defaults: { watch: { time: 2d, max: 1d }, settle: 1h, late: soon, min_requests: -1 }
storm: { max_rollbacks: 0, per: 0s, setle: 5s }
policies: [ { watch: { time: 3d, max: 4d } } ]
"#,
        expect![[r#"
            ripcord.yml:2:11: error: `watch.time` is longer than `watch.max`
              hint: `max` bounds how long a watch can be asked for, `time` is how long it is unasked
            ripcord.yml:2:51: error: `settle`: 1h is out of range
              hint: from 0s to 10m
            ripcord.yml:2:61: error: `late`: `soon` is not a duration
              hint: durations look like 250ms, 30s, 5m, 1h, 1h30m or 2d
            ripcord.yml:2:81: error: `min_requests`: `-1` is not a whole number in range
              hint: from 1 to 1000000000
            ripcord.yml:3:25: error: `max_rollbacks`: `0` is not a whole number in range
              hint: from 1 to 10000
            ripcord.yml:3:33: error: `per`: 0s is out of range
              hint: from 1s to 7d
            ripcord.yml:3:37: error: unknown key `setle`
              hint: did you mean `settle`?
            ripcord.yml:4:22: error: `watch.max` holds for all services
              hint: set it under `defaults`
            ripcord.yml:4:22: error: `watch` is longer than defaults.watch.max
              hint: raise defaults.watch.max"#]],
    );
}

#[test]
fn policies_are_checked() {
    check(
        r#"
policies:
  - match: { sevice: a, environment: [[x]] }
    owner: payments
    mode: automatic
    safety: { cooldown: 10m, aprovals: 2 }
    target: { argo_rolout: {} }
    slo: { objective: 99.9%, burn_rates: mine }
    regression: { alpha: 2, metrics: [ {} ] }
  - just text
"#,
        expect![[r#"
            ripcord.yml:3:14: error: unknown key `sevice`
              hint: did you mean `service`?
            ripcord.yml:3:39: error: a list for `environment` holds names only, found a list
              hint: one expression says it all: environment: { regex: "checkout|cart-.*" }
            ripcord.yml:4:12: error: `owner` must be a mapping, found a single value
            ripcord.yml:5:11: error: `mode`: `automatic` is not one of observe, advise, approve, auto
              hint: known here: observe, advise, approve, auto
            ripcord.yml:6:30: error: unknown key `aprovals`
              hint: did you mean `approvals`?
            ripcord.yml:7:15: error: unknown kind of target `argo_rolout`
              hint: did you mean `argo_rollout`?
            ripcord.yml:8:5: warning: `slo` is parsed but does not act yet
              hint: until it does, no burn rate is watched
            ripcord.yml:8:42: error: `burn_rates`: `mine` is not one of sre
              hint: known here: sre
            ripcord.yml:9:5: warning: `regression` is parsed but does not act yet
              hint: until it does, releases are judged by their triggers only
            ripcord.yml:9:26: error: `alpha`: 2 is out of range
              hint: did you mean 2%?
            ripcord.yml:9:40: error: `metric` is missing
            ripcord.yml:10:5: error: a policy must be a mapping, found a single value"#]],
    );
}

#[test]
fn targets_are_checked() {
    check(
        r#"
policies:
  - target: { webhook: { url: "deploy.example.org" } }
  - target: { webhook: {}, exec: {} }
  - target: { exec: { argv: "deploy --now" } }
  - targets: [ { exec: { argv: [] } }, { exec: {} } ]
  - target: { webhook: { url: "http://a b", secret_file: s, timeout: 2h, headers: { "X y": a } } }
  - { target: { exec: { argv: [a] } }, targets: [] }
  - targets: [ { kafka: {} }, { kafka: { topic: a b } }, { kafka: { topic: ".." } }, { kafka: { topic: a.b_c-D, key: x } } ]
"#,
        expect![[r#"
            ripcord.yml:3:24: warning: this webhook is sent unsigned: its receiver cannot tell who asks for a rollback
              hint: add `secret_file: FILE`, and check the signature where it arrives
            ripcord.yml:3:31: error: `url`: not a URL
              hint: write it as https://deploy.example.org/rollback
            ripcord.yml:4:13: error: a target must be a mapping of one kind
              hint: a target is one kind with its settings: { webhook: { url: … } }
            ripcord.yml:5:29: error: `argv` must be a list: there is no shell to split it
              hint: write the program and each argument apart: argv: ["/usr/bin/deploy", "--to", "{{to_version}}"]
            ripcord.yml:6:24: error: `argv` names no program
            ripcord.yml:6:48: error: `argv` is missing
            ripcord.yml:7:31: error: `url`: not a URL
              hint: write it as https://deploy.example.org/rollback
            ripcord.yml:7:70: error: `timeout`: 2h is out of range
              hint: from 100ms to 1h
            ripcord.yml:7:85: error: `X y` is not a header with a value of one line
            ripcord.yml:8:40: error: `target` and `targets` exclude each other
              hint: keep one of them
            ripcord.yml:9:25: error: `topic` is missing
            ripcord.yml:9:49: error: `topic`: not the name of a Kafka topic
              hint: 1 to 249 of letters, digits, `.`, `_` and `-`, and not `.` or `..`
            ripcord.yml:9:76: error: `topic`: not the name of a Kafka topic
              hint: 1 to 249 of letters, digits, `.`, `_` and `-`, and not `.` or `..`
            ripcord.yml:9:113: error: unknown key `key`
              hint: known here: topic"#]],
    );
}

#[test]
fn stages_gates_and_pipeline_stages_are_checked() {
    check(
        r#"
stages: [ { name: a, traffic_percentage: 120% }, { traffic_percentage: 1%, success_criteria: ["error_rate <"] } ]
quality_gates: [ "linting_errors = 0", { a: b } ]
code_integration: { actions: [ { a: b } ], quality_gate: [] }
my_stage: { quality_gates: [ "coverage >= 80%" ], steps: [] }
"#,
        expect![[r#"
            ripcord.yml:2:1: warning: `stages` is parsed but does not act yet
              hint: until it does, a stage's criteria are not judged and nothing promotes by them
            ripcord.yml:2:11: error: `duration` is missing
              hint: only the last stage may go without: it lasts as long as the watch
            ripcord.yml:2:42: error: `traffic_percentage`: `120%` is not a share of traffic
              hint: from 0% to 100%
            ripcord.yml:2:50: error: `name` is missing
            ripcord.yml:2:108: error: the condition ends too early
              hint: add a metric or a number
            ripcord.yml:3:1: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:3:34: error: unexpected `=`
              hint: equality is written `==`
            ripcord.yml:3:40: error: a condition must be a text, found a mapping
              hint: a condition looks like `error_rate > 1%`
            ripcord.yml:4:32: error: `actions` must be a text or a list of texts, found a mapping
            ripcord.yml:4:44: error: unknown key `quality_gate`
              hint: did you mean `quality_gates`?
            ripcord.yml:5:13: warning: `quality_gates` is parsed but does not act yet
              hint: until it does, no gate is evaluated
            ripcord.yml:5:30: warning: `coverage` is neither a metric nor a fact that is known here
              hint: post it as a fact, or define it: metrics: { coverage: { … } }
            ripcord.yml:5:51: error: unknown key `steps`
              hint: known here: quality_gates, triggers, actions, artifacts, parallel_execution, scans, strategy, environments, monitoring"#]],
    );
}

#[test]
fn sections_that_do_not_act_are_read_strictly_all_the_same() {
    check(
        r#"
failover_strategy: { primary_region: a, recovery_time_objective: soon, failover_triggers: ["error_rate >"] }
circuit_breaker: { failureThreshold: many, onHalfOpen: { canary: 5 } }
dashboard: { widgets: [ { type: a, query: "sum(" }, { query: up, threshold: high } ] }
"#,
        expect![[r#"
            ripcord.yml:2:1: warning: `failover_strategy` is parsed but does not act yet
              hint: until it does, no failover is triggered
            ripcord.yml:2:66: error: `soon` is not a duration
              hint: durations look like 250ms, 30s, 5m, 1h, 1h30m or 2d
            ripcord.yml:2:105: error: the condition ends too early
              hint: add a metric or a number
            ripcord.yml:3:1: warning: `circuit_breaker` is parsed but does not act yet
              hint: until it does, no traffic is routed by it
            ripcord.yml:3:38: error: `failureThreshold`: `many` is not a whole number in range
              hint: from 1 to 1000000
            ripcord.yml:3:58: error: unknown key `canary`
              hint: known here: enableCanaryTraffic
            ripcord.yml:4:1: warning: `dashboard` is parsed but does not act yet
              hint: until it does, the console shows its own page
            ripcord.yml:4:43: warning: not a PromQL expression: unclosed left parenthesis
              hint: try it in Prometheus first
            ripcord.yml:4:53: error: `type` is missing
            ripcord.yml:4:77: error: `threshold`: `high` is not a number
              hint: write it as 0.01"#]],
    );
}

#[test]
fn freezes_and_time_intervals_are_checked() {
    check(
        r#"
time_intervals:
  - name: a
    time_intervals:
      - times: [ { start_time: "22:00", end_time: "06:00" }, { start_time: "9:00", end_time: "24:01" } ]
        weekdays: ["saturday:sunday", "someday"]
        days_of_month: ["0", "-1:1", "5:3"]
        months: ["13", "december:january"]
        years: ["20xx"]
        location: "Mars, Olympus"
  - name: a
  - name: berlin
    time_intervals: [ { location: Local } ]
freezes:
  - { time_intervals: [black-friday, berlin], promote: forbid }
  - { match: { environment: production } }
"#,
        expect![[r#"
            ripcord.yml:5:18: error: `start_time` must be before `end_time`
              hint: a range does not cross midnight: make two of it
            ripcord.yml:5:76: error: `start_time`: `9:00` is not a time of day
              hint: write it as 09:30, up to 24:00
            ripcord.yml:5:94: error: `end_time`: `24:01` is not a time of day
              hint: write it as 09:30, up to 24:00
            ripcord.yml:6:20: error: `weekdays`: `saturday:sunday` begins after its end
              hint: make two ranges of it
            ripcord.yml:6:39: error: `weekdays`: `someday` is not a weekday
              hint: write it as monday, or monday:friday
            ripcord.yml:7:25: error: `days_of_month`: `0` is not a day of a month
              hint: 1 to 31, or -1 for the last
            ripcord.yml:7:30: error: `days_of_month`: `-1:1` begins after its end
              hint: make two ranges of it
            ripcord.yml:7:38: error: `days_of_month`: `5:3` begins after its end
              hint: make two ranges of it
            ripcord.yml:8:18: error: `months`: `13` is not a month
              hint: write it as november, 11, or november:december
            ripcord.yml:8:24: error: `months`: `december:january` begins after its end
              hint: make two ranges of it
            ripcord.yml:9:17: error: `years`: `20xx` is not a year
              hint: write it as 2026, or 2026:2028
            ripcord.yml:10:19: error: `location`: `Mars, Olympus` is not a location
              hint: write it as UTC or Europe/Berlin
            ripcord.yml:11:5: error: two time intervals are called `a`
            ripcord.yml:13:35: error: `location`: `Local` is not one location
              hint: name the zone: what is local differs from machine to machine
            ripcord.yml:15:24: error: no time interval is called `black-friday`
              hint: define it under `time_intervals`
            ripcord.yml:15:56: error: `promote`: `forbid` is not one of allow, approve, deny
              hint: known here: allow, approve, deny
            ripcord.yml:16:5: warning: this freeze has no effect
              hint: say what is frozen: promote: deny, rollback: approve"#]],
    );
}

#[test]
fn a_fault_in_a_teams_file_drops_that_file_only() {
    let main = "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: hold } }\n";
    let broken = "policies: [ { match: { service: a }, mode: sometimes } ]\n";
    let meddling = "rollback_triggers: {}\nmetrics: { error_rate: { gauge: up }, queue: { gauge: depth } }\nserver: {}\npolices: []\n";
    let good = "metrics: { queue: { gauge: depth } }\npolicies: [ { match: { service: b }, mode: observe, alerts: [ { name: q, condition: queue > 5, action: hold } ] } ]\n";
    let files =
        [("ripcord.yml", main), ("a.yml", broken), ("m.yml", meddling), ("x.yml", "]"), ("b.yml", good)];
    let (policy, diagnostics) = crate::compile(&load(&files));
    let policy = policy.unwrap();
    assert_eq!(policy.policies.len(), 1);
    assert!(policy.metrics.contains_key("queue"));
    expect![[r#"
        a.yml:1:44: error: `mode`: `sometimes` is not one of observe, advise, approve, auto
          hint: known here: observe, advise, approve, auto
        m.yml:1:1: error: unknown key `rollback_triggers`
          hint: `rollback_triggers` holds for all services: it belongs into the main file, or under `policies`
        m.yml:2:12: error: the metric `error_rate` is defined elsewhere
          hint: define it under `metrics` of one of this file's policies, or give it another name
        m.yml:2:12: error: `error_rate` must be a ratio of what is bad: ratio: {bad: …, total: …}
          hint: give another kind of metric a name of its own
        m.yml:3:1: error: unknown key `server`
          hint: `server` is the server's, not the policy's: it belongs into ripcord.yml
        m.yml:4:1: error: unknown key `polices`
          hint: did you mean `policies`?
        x.yml:1:1: error: not YAML: misplaced bracket"#]]
    .assert_eq(&shown(&diagnostics));
}

#[test]
fn teams_do_not_define_one_interval_twice() {
    let interval = "time_intervals: [ { name: night, time_intervals: [ {} ] } ]\n";
    let (policy, diagnostics) = crate::compile(&load(&[("ripcord.yml", interval), ("a.yml", interval)]));
    assert!(policy.is_some());
    expect![[r#"
        a.yml:1:1: error: the time interval `night` is defined in another file
        ripcord.yml:1:1: warning: no trigger: Ripcord will watch and tell nothing
          hint: rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }"#]].assert_eq(&shown(&diagnostics));
}

#[test]
fn a_metric_is_one_kind_of_number_wherever_it_is_defined() {
    check(
        r#"
metrics:
  a: [ { gauge: x }, { histogram: y } ]
  b: []
  queue: { gauge: depth }
policies:
  - { match: { service: a }, metrics: { queue: { histogram: waits }, own: { gauge: z }, error_rate: { gauge: z } } }
  - { match: { service: b }, metrics: { own: { throughput: z } }, alerts: [ { name: q, condition: own > 5, action: hold } ] }
"#,
        expect![[r#"
            ripcord.yml:3:22: error: the definitions of `a` are of different kinds
              hint: they are alternatives: each has to give the same kind of number
            ripcord.yml:4:6: error: `b` has 0 definitions: from 1 to 16
            ripcord.yml:7:41: error: `queue` is a gauge elsewhere, and a histogram here
              hint: give one of them another name
            ripcord.yml:7:89: error: `error_rate` must be a ratio of what is bad: ratio: {bad: …, total: …}
              hint: give another kind of metric a name of its own
            ripcord.yml:8:41: error: `own` is a gauge elsewhere, and a throughput here
              hint: give one of them another name"#]],
    );
}
