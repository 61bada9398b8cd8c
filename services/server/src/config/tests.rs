//! Each fault of a file has its message; the example is accepted.

mod policy_files;
mod reach;
mod reference;

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::{InputFormat, InputStart, check, load};

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("ripcord.yml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What `check` says about `text`, with the folder's name taken out.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), text);
    let report = check(&path);
    let lines: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
    lines.join("\n").replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn each_fault_says_where_what_and_what_to_do() {
    let rows = [
        (
            "an unknown section",
            "recievers: []\n",
            "ripcord.yml:1:1: error: unknown key `recievers`",
            "`receivers`",
        ),
        (
            "an unknown key",
            "server: { lisen: x }\n",
            "ripcord.yml:1:11: error: unknown key `lisen`",
            "`listen`",
        ),
        ("a bad address", "server: { listen: here }\n", "1:19: error: `listen`", "127.0.0.1:9480"),
        ("an open door", "server: { listen: \"0.0.0.0:9480\" }\n", "no token is configured", "server.tokens"),
        (
            "a token file that is not there",
            "server: { tokens: [ { name: ci, token_file: ci.token, roles: [deploy] } ] }\n",
            "ci.token cannot be read",
            "relative to the folder",
        ),
        (
            "a role that is none",
            "server: { tokens: [ { name: ci, token: long-enough-token, roles: [root] } ] }\n",
            "not a role",
            "telemetry, deploy, alerts, view, operate, admin",
        ),
        (
            "a role that is three",
            "server: { tokens: [ { name: ci, token: long-enough-token, roles: [ingest] } ] }\n",
            "warning: `ingest` is three roles: telemetry, deploy, alerts",
            "Prometheus",
        ),
        (
            "more approvals than approvers",
            "server: { tokens: [ { name: ann, token: long-enough-token, roles: [operate] } ] }\n\
             policies: [ { match: {}, safety: { approvals: 2 } } ]\n",
            "`approvals: 2` can never be reached: tokens with the role `operate` are 1",
            "a token of their own",
        ),
        (
            "a proxy in front of an open door",
            "server: { external_url: \"https://ripcord.example.org/x\" }\n",
            "warning: `external_url` leads here from ripcord.example.org, and there are no tokens",
            "server.tokens",
        ),
        (
            "a secret twice",
            "hooks: { alertmanager: { token: a, token_file: b } }\n",
            "`token` and `token_file` exclude each other",
            "keep one",
        ),
        ("a broker without a port", "bus: { kind: kafka, brokers: [a] }\n", "not a host and a port", ":9092"),
        ("Kafka without brokers", "bus: { kind: kafka }\n", "brokers", ""),
        ("an empty list of brokers", "bus: { kind: kafka, brokers: [] }\n", "no broker is named", "9092"),
        (
            "a prefix that is no part of a topic's name",
            "bus: { kind: kafka, brokers: [\"a:1\"], topic_prefix: \"a b\" }\n",
            "not a prefix of a topic's name",
            "ripcord",
        ),
        (
            "a property that would lose what was acked",
            "bus: { kind: kafka, brokers: [\"a:1\"], properties: { acks: \"1\" } }\n",
            "the Kafka property `acks` cannot be set",
            "",
        ),
        (
            "a property that librdkafka does not know",
            "bus: { kind: kafka, brokers: [\"a:1\"], properties: { sasl.pasword: geheim } }\n",
            "`sasl.pasword` is not one that librdkafka knows",
            "",
        ),
        (
            "OAuth, which is not built in",
            "bus: { kind: kafka, brokers: [\"a:1\"], properties: { security.protocol: SASL_SSL, sasl.mechanism: \
             OAUTHBEARER, sasl.oauthbearer.method: oidc } }\n",
            "`sasl.mechanism`: the SASL mechanism OAUTHBEARER is not built in; possible are PLAIN, SCRAM-SHA-256 and \
             SCRAM-SHA-512, and a TLS client certificate",
            "",
        ),
        (
            "AWS's mechanism, for topics of others beside a log on disk",
            "bus: { brokers: [\"a:1\"], properties: { sasl.mechanisms: AWS_MSK_IAM } }\n",
            "the SASL mechanism AWS_MSK_IAM is not built in",
            "",
        ),
        (
            "a password file that is not there",
            "bus: { kind: kafka, brokers: [\"a:1\"], properties: { sasl.password_file: no.secret } }\n",
            "no.secret cannot be read",
            "relative to the folder",
        ),
        (
            "a key that only Kafka has",
            "bus: { kind: kafka, brokers: [\"a:1\"], partition: 3 }\n",
            "unknown key `partition`",
            "`partitions`",
        ),
        (
            "an append that waits for ever",
            "bus: { kind: kafka, brokers: [\"a:1\"], append_timeout: 10m }\n",
            "1:55: error: `append_timeout`: 10m is out of range",
            "from 1s to 2m",
        ),
        (
            "an append that does not wait",
            "bus: { kind: kafka, brokers: [\"a:1\"], append_timeout: 500ms }\n",
            "`append_timeout`: 500ms is out of range",
            "from 1s to 2m",
        ),
        (
            "a key that is almost right",
            "bus: { kind: kafka, brokers: [\"a:1\"], append_timout: 10s }\n",
            "unknown key `append_timout`",
            "did you mean `append_timeout`?",
        ),
        ("no route", "receivers: [ { name: a } ]\n", "no `route`", "route:"),
        (
            "a route to nobody",
            "route: { receiver: b }\nreceivers: [ { name: a } ]\n",
            "`b`, which does not exist",
            "",
        ),
        (
            "a bad matcher",
            "route: { receiver: a, routes: [ { matchers: ['severity'] } ] }\nreceivers: [ { name: a } ]\n",
            "ripcord.yml:1:",
            "severity=",
        ),
        (
            "a mail from nobody",
            "route: { receiver: a }\nreceivers: [ { name: a, email_configs: [ { to: x@y.org } ] } ]\n",
            "needs `from`",
            "smtp_from",
        ),
        (
            "a webhook without a URL",
            "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { max_alerts: 1 } ] } ]\n",
            "needs `url`",
            "",
        ),
        (
            "a day that is none",
            "time_intervals: [ { name: n, time_intervals: [ { weekdays: [someday] } ] } ]\n",
            "someday",
            "",
        ),
        (
            "two tokens of one name",
            "server: { tokens: [ { name: ci, token: long-enough-token, roles: [ingest] }, { name: ci, token: another-long-token, roles: [view] } ] }\n",
            "two tokens are called \"ci\"",
            "name each after its user",
        ),
        (
            "a token called like the local one",
            "server: { tokens: [ { name: Operator, token: long-enough-token, roles: [operate] } ] }\n",
            "a token may not be called \"Operator\"",
            "name each after its user",
        ),
        (
            "a token without roles",
            "server: { tokens: [ { name: ci, token: long-enough-token } ] }\n",
            "without roles",
            "[telemetry]",
        ),
        (
            "a token without a secret",
            "server: { tokens: [ { name: ci, roles: [view] } ] }\n",
            "without a secret",
            "`token_file`",
        ),
        (
            "a short token",
            "server: { tokens: [ { name: ci, token: short, roles: [view] } ] }\n",
            "shorter than 12",
            "",
        ),
        (
            "a limit above what is ever taken",
            "server: { limits: { otlp_bytes_max: 999999999999 } }\n",
            "`otlp_bytes_max`: `999999999999` is not a whole number in range",
            "from 4096 to",
        ),
        (
            "a limit that is none",
            "server: { limits: { body_bites_max: 1 } }\n",
            "unknown key `body_bites_max`",
            "`body_bytes_max`",
        ),
        (
            "a hook that is none",
            "hooks: { alertmanger: {} }\n",
            "unknown key `alertmanger`",
            "`alertmanager`",
        ),
        ("a bus that is none", "bus: { kind: rabbit }\n", "`rabbit` is not one of embedded, kafka", ""),
        (
            "a receiver twice",
            "route: { receiver: a }\nreceivers: [ { name: a }, { name: a } ]\n",
            "is there twice",
            "",
        ),
        (
            "a root route with matchers",
            "route: { receiver: a, matchers: ['a=b'] }\nreceivers: [ { name: a } ]\n",
            "the root route matches everything",
            "",
        ),
        (
            "a time interval that nobody defined",
            "route: { receiver: a, routes: [ { mute_time_intervals: [night] } ] }\nreceivers: [ { name: a } ]\n",
            "names the time interval `night`, which does not exist",
            "",
        ),
        (
            "two ways to route",
            "alertmanager_config: am.yml\nroute: { receiver: a }\n",
            "`route` and `alertmanager_config` exclude each other",
            "keep one",
        ),
        (
            "an alertmanager.yml that is not there",
            "alertmanager_config: am.yml\n",
            "am.yml cannot be read",
            "",
        ),
        (
            "a password in clear to elsewhere",
            "route: { receiver: a }\nreceivers: [ { name: a, email_configs: [ { to: x@y.org, from: a@y.org, smarthost: \"mail.y.org:25\", require_tls: false, auth_username: a, auth_password: b } ] } ]\n",
            "in clear",
            "",
        ),
        (
            "a target's secret that is not there",
            "policies: [ { target: { webhook: { url: \"https://a/b\", secret_file: hook.secret } } } ]\n",
            "ripcord.yml:1:69: error: hook.secret cannot be read",
            "relative to the folder",
        ),
        (
            "a policy fault",
            "alerts: [ { name: a, condition: error_rate > 1 %, action: hold } ]\n",
            "1:48: error: unexpected `%`",
            "right after",
        ),
        ("broken YAML", "server: [\n", "ripcord.yml:", "error"),
    ];
    for (what, text, message, hint) in rows {
        let said = said(text);
        assert!(said.contains(message) && said.contains(hint), "{what}:\n{said}");
    }
}

#[test]
fn what_is_accepted_but_does_not_act_is_said_loudly() {
    let rows = [
        ("hooks: { github: { secret_file: x } }\n", "`github`"),
        ("server: { otlp_grpc: \"127.0.0.1:4317\" }\n", "`otlp_grpc`"),
        ("audiences: { product: { receivers: [a] } }\n", "`audiences`"),
        ("templates: [ '*.tmpl' ]\n", "`templates`"),
        (
            "route: { receiver: a }\nreceivers: [ { name: a, pagerduty_configs: [ { routing_key: x } ] } ]\n",
            "`pagerduty_configs`",
        ),
        (
            "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { channel: x } ] } ]\n",
            "without `app_token`",
        ),
    ];
    for (text, what) in rows {
        let said = said(text);
        assert!(said.contains("warning") && said.contains(what), "{text}{said}");
        assert!(!said.contains("error:"), "{text}{said}");
    }
}

#[test]
fn secrets_come_from_files_beside_the_configuration_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ci.token"), "  a-long-enough-token \n").unwrap();
    let text =
        "server: { tokens: [ { name: ci, token_file: ci.token, roles: [ingest], services: [checkout] } ] }\n";
    let config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
    let token = &config.server.tokens[0];
    assert_eq!(token.secret.expose_secret(), "a-long-enough-token");
    assert!(!format!("{:?}", token.secret).contains("enough"));
    assert!(config.files.iter().any(|path| path.ends_with("ci.token")));
}

#[test]
fn nothing_of_the_server_receivers_or_hooks_goes_onto_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let text = "server: { tokens: [ { name: ci, token: inline-secret-1, roles: [ingest] } ] }\n\
                hooks: { alertmanager: { token: inline-secret-2 } }\n\
                route: { receiver: a }\n\
                receivers: [ { name: a, webhook_configs: [ { url: \"https://x.example/inline-secret-3\" } ] } ]\n\
                alerts: [ { name: A, condition: \"error_rate > 1%\", duration: 1m, action: alert_team } ]\n";
    let config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
    let logged = format!("{:?}", config.logged_policy);
    assert!(!logged.contains("inline-secret"), "{logged}");
    assert!(logged.contains("error_rate > 1%"), "{logged}");
}

#[test]
fn nothing_that_a_target_keeps_secret_goes_onto_the_log_whichever_file_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = |n: u8| {
        format!(
            "target: {{ webhook: {{ url: 'https://u:hunter{n}@deploy/x?t=hunter{n}', headers: {{ X-Key: hunter{n}, \
             X-Token_file: x.token }} }} }}"
        )
    };
    let main = format!("policy_files: [ team.yml ]\npolicies: [ {{ {} }} ]\n", target(1));
    let team = format!("policies: [ {{ match: {{ service: a }}, {} }} ]\n", target(2));
    std::fs::write(folder.path().join("team.yml"), team).unwrap();
    std::fs::write(folder.path().join("x.token"), "hunter3\n").unwrap();
    let config = load(Some(&write(folder.path(), &main))).unwrap_or_else(|errors| panic!("{errors}"));
    let logged = format!("{:?}", config.logged_policy);
    assert!(!logged.contains("hunter") && logged.contains("https://deploy/x"), "{logged}");
    assert!(!format!("{:?}", config.policy).contains("hunter"));
    assert_eq!(config.secrets["x.token"].expose_secret(), "hunter3");
}

#[test]
fn without_a_file_it_listens_on_loopback_and_tells_nobody() {
    let config = load(None).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.server.listen.ip().is_loopback());
    assert!(config.receivers.receivers.is_empty());
}

#[test]
fn an_existing_alertmanager_file_loads_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let alertmanager = r#"
global: { resolve_timeout: 5m, smtp_smarthost: "localhost:25", smtp_from: am@example.org, smtp_require_tls: false }
route:
  receiver: team-X-mails
  group_by: [alertname, cluster]
  group_wait: 30s
  routes:
    - { match_re: { service: "^(foo1|foo2|baz)$" }, receiver: team-X-mails, continue: true }
    - { matchers: ['severity="critical"'], receiver: team-X-hook, mute_time_intervals: [nights] }
inhibit_rules:
  - { source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [alertname, cluster] }
receivers:
  - { name: team-X-mails, email_configs: [ { to: "team-X@example.org, team-Y@example.org" } ] }
  - { name: team-X-hook, webhook_configs: [ { url: "http://127.0.0.1:1/hook", send_resolved: false } ] }
time_intervals:
  - name: nights
    time_intervals: [ { times: [ { start_time: "22:00", end_time: "24:00" } ], weekdays: ["monday:friday"], location: Europe/Berlin } ]
"#;
    std::fs::write(folder.path().join("alertmanager.yml"), alertmanager).unwrap();
    let config = load(Some(&write(folder.path(), "alertmanager_config: alertmanager.yml\n")))
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.routing.route.routes.len(), 2);
    assert_eq!(
        config.receivers.receivers["team-X-mails"].email[0].to,
        ["team-X@example.org, team-Y@example.org"]
    );
    assert!(!config.routing.receivers["team-X-mails"].integrations[0].send_resolved);
}

#[test]
fn faults_of_every_part_are_told_in_one_run_and_none_twice() {
    let said = said(
        "server: { listen: here }\n\
         alerts: [ { name: a } ]\n\
         receivers: [ { name: a, email_configs: [ {} ] } ]\n\
         time_intervals: [ { name: n, time_intervals: [ { weekdays: [someday] } ] } ]\n",
    );
    for part in ["`listen`", "`condition` is missing", "needs `from`", "no `route`"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert_eq!(said.matches("someday").count(), 1, "{said}");
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("am")).unwrap();
    std::fs::write(folder.path().join("am/hook.url"), "http://127.0.0.1:1/x").unwrap();
    let alertmanager =
        "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { url_file: hook.url } ] } ]\n";
    std::fs::write(folder.path().join("am/alertmanager.yml"), alertmanager).unwrap();
    let text = "server: { data_dir: ./state }\nalertmanager_config: am/alertmanager.yml\n";
    let config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.data_dir, folder.path().join("./state"));
    assert_eq!(config.receivers.receivers["a"].webhook[0].url.expose_secret(), "http://127.0.0.1:1/x");
}

#[test]
fn limits_are_lowered_and_never_raised_above_what_the_decoders_take() {
    let folder = tempfile::tempdir().unwrap();
    let text = "server: { limits: { body_bytes_max: 65536, body_time_max: 5s } }\n";
    let config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.limits.body_bytes_max, 65536);
    assert_eq!(config.server.limits.body_time_max, std::time::Duration::from_secs(5));
    assert_eq!(config.server.limits.verb_bytes_max, ingest::Limits::default().verb_bytes_max);
}

#[test]
fn a_secret_file_that_is_too_large_or_empty_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "hooks: { alertmanager: { token_file: am.token } }\n");
    for (content, message) in
        [(" \n".to_owned(), "is empty"), ("x".repeat(70_000), "is larger than 65536 bytes")]
    {
        std::fs::write(folder.path().join("am.token"), content).unwrap();
        let said = load(Some(&path)).err().unwrap().to_string();
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn a_secret_file_that_is_missing_is_told_once_and_not_as_no_secret_at_all() {
    for text in [
        "server: { tokens: [ { name: ci, token_file: missing, roles: [view] } ] }\n",
        "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { app_token_file: missing } ] } ]\n",
        "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { url_file: missing } ] } ]\n",
    ] {
        let said = said(text);
        assert!(said.contains("missing cannot be read"), "{said}");
        assert!(!said.contains("without") && !said.contains("needs"), "{said}");
    }
}

/// A folder with a main file and a team's.
fn with_team(team: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/a.yml"), team).unwrap();
    std::fs::write(folder.path().join("policies/a.txt"), "not a policy").unwrap();
    let path = write(folder.path(), "policy_files: [ policies/*.yml ]\n");
    (folder, path)
}

#[test]
fn a_secret_that_only_a_teams_target_names_is_missed_by_that_team_alone() {
    let team = "policies: [ { target: { webhook: { url: \"https://a/b\", secret_file: team.secret } } } ]\n";
    let (folder, path) = with_team(team);
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.secrets.is_empty());
    assert!(config.warnings().any(|warning| warning.message.contains("team.secret cannot be read")));
    std::fs::write(folder.path().join("team.secret"), "whsec_dGhlIGRlbW8gc2lnbnMgaXRzIHdlYmhvb2tz").unwrap();
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.secrets.contains_key("team.secret"));
}

/// A log on disk beside the brokers of other people's topics.
const TOPICS: &str = r#"
bus:
  brokers: ["kafka-1:9092"]
  topic_prefix: shop
  properties: { security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.password_file: kafka.secret }
  inputs:
    - { topic: deployments, format: cloudevents }
    - { topic: access-log, format: requests, start: earliest }
policies: [ { target: { kafka: { topic: deploy-commands } } } ]
"#;

#[test]
fn topics_of_others_stand_beside_either_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kafka.secret"), "pull-here\n").unwrap();
    for text in [TOPICS.to_owned(), TOPICS.replace("bus:\n", "bus:\n  kind: kafka\n")] {
        let config = load(Some(&write(folder.path(), &text))).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!config.warnings().any(|it| it.message.contains("says nothing")), "{text}");
        let kafka = config.outside.kafka.unwrap();
        assert_eq!((&*kafka.brokers[0], &*kafka.topic_prefix), ("kafka-1:9092", "shop"));
        assert_eq!(kafka.properties["sasl.password"], "pull-here");
        assert!(!format!("{kafka:?}").contains("pull-here"));
        let inputs: Vec<_> =
            config.outside.inputs.iter().map(|it| (&*it.topic, it.format, it.start)).collect();
        assert_eq!(
            inputs,
            [
                ("deployments", InputFormat::CloudEvents, InputStart::Latest),
                ("access-log", InputFormat::Requests, InputStart::Earliest),
            ]
        );
    }
}

#[test]
fn faults_of_topics_are_said() {
    for (text, message, hint) in [
        (
            "policies: [ { target: { kafka: { topic: x } } } ]\n",
            "1:41: error: no brokers for the kafka target `x`",
            "bus: { brokers",
        ),
        ("bus: { inputs: [ { topic: a, format: requests } ] }\n", "`inputs` need brokers", "brokers: ["),
        (
            "bus: { brokers: [\"a:1\"], inputs: [ { topic: a/b, format: requests } ] }\n",
            "not the name of a Kafka topic",
            "1 to 249",
        ),
        (
            "bus: { brokers: [\"a:1\"], inputs: [ { topic: a, format: avro } ] }\n",
            "`avro` is not one of cloudevents, requests",
            "",
        ),
        ("bus: { brokers: [\"a:1\"], inputs: [ { topic: a } ] }\n", "`format` is missing", ""),
        (
            "bus: { brokers: [\"a:1\"], inputs: [ { topic: a, format: requests, from: x } ] }\n",
            "unknown key `from`",
            "",
        ),
        (
            "bus: { brokers: [\"a:1\"], inputs: [ { topic: a, format: requests }, { topic: a, format: cloudevents } ] }\n",
            "`a` is read already",
            "",
        ),
        (
            "bus: { kind: kafka, brokers: [\"a:1\"], inputs: [ { topic: ripcord.events.v1, format: requests } ] }\n",
            "is one of the log's own topics",
            "",
        ),
        ("bus: { brokers: [a] }\n", "\"a\" is not a host and a port", "kafka-1.example.org:9092"),
        (
            "bus: { brokers: [\"a:1\"], properties: { acks: 1 } }\n",
            "the Kafka property `acks` cannot be set",
            "",
        ),
        (
            "bus: { brokers: [\"a:1\"], partitions: 3 }\n",
            "`partitions` says nothing without `kind: kafka`",
            "",
        ),
        (
            "bus: { brokers: [\"a:1\"], append_timeout: 10s }\n",
            "`append_timeout` says nothing without `kind: kafka`",
            "",
        ),
    ] {
        let said = said(text);
        assert!(said.contains(message) && said.contains(hint), "{text}:\n{said}");
    }
    let (_folder, path) = with_team("policies: [ { target: { kafka: { topic: team-commands } } } ]\n");
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.warnings().any(|it| it.message.contains("kafka target `team-commands`: nothing is sent")));
}

#[test]
fn a_key_that_only_a_restart_puts_into_force_is_named_and_no_other() {
    let rows = [
        ("nothing", "{}\n", "{}\n", ""),
        ("a default that is written down", "{}\n", "bus: { kind: embedded }\n", ""),
        (
            "what a reload takes up",
            "{}\n",
            "server: { tokens: [ { name: ci, token: long-enough-token, roles: [view] } ] }\n",
            "",
        ),
        ("an address", "{}\n", "server: { listen: \"127.0.0.1:1\" }\n", "server.listen"),
        ("a directory", "{}\n", "server: { data_dir: elsewhere }\n", "server.data_dir"),
        ("a limit", "{}\n", "server: { limits: { verb_bytes_max: 8192 } }\n", "server.limits.verb_bytes_max"),
        ("another engine", "{}\n", "KAFKA }\n", "bus.brokers bus.kind"),
        ("a key of the log on Kafka", "KAFKA }\n", "KAFKA, append_timeout: 10s }\n", "bus.append_timeout"),
        ("its default", "KAFKA }\n", "KAFKA, append_timeout: 25s, partitions: 24 }\n", ""),
        (
            "several at once",
            "KAFKA, session_timeout: 6s, partitions: 6, topic_prefix: a, instance: one }\n",
            "KAFKA, session_timeout: 7s, partitions: 7, topic_prefix: b, replication_factor: 3 }\n",
            "bus.instance bus.partitions bus.replication_factor bus.session_timeout bus.topic_prefix",
        ),
        (
            "a property, without its value",
            "KAFKA, properties: { sasl.username: a, sasl.password: geheim } }\n",
            "KAFKA, properties: { sasl.username: a, sasl.password: secret } }\n",
            "bus.properties.sasl.password",
        ),
        (
            "an input",
            "KAFKA, inputs: [ { topic: a, format: requests } ] }\n",
            "KAFKA, inputs: [ { topic: a, format: requests, start: earliest } ] }\n",
            "bus.inputs",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let fixed = |text: &str| {
        let text = text.replace("KAFKA", "bus: { kind: kafka, brokers: [\"a:1\"]");
        load(Some(&write(folder.path(), &text))).unwrap_or_else(|errors| panic!("{text}{errors}")).fixed()
    };
    for (what, before, after, keys) in rows {
        let changed = fixed(before).changed_in(&fixed(after)).join(" ");
        assert_eq!(changed, keys, "{what}");
    }
}

#[test]
fn a_directory_that_the_command_line_names_stays_whatever_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = |text: &str| {
        let mut config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
        config.move_data_dir(std::path::Path::new("there"));
        config.fixed()
    };
    let changed = fixed("server: { data_dir: a }\n").changed_in(&fixed("server: { data_dir: b }\n"));
    assert_eq!(changed, Vec::<String>::new());
}

#[test]
fn a_policy_that_is_not_in_force_is_known_by_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let policy = |text: &str| {
        let config = load(Some(&write(folder.path(), text))).unwrap_or_else(|errors| panic!("{errors}"));
        config.policy_load
    };
    let (storms, none) = ("storm: { max_rollbacks: 3 }\n", "server: { data_dir: a }\n");
    for (file, in_force, is_another, why) in [
        (storms, Some(storms), false, "the same"),
        (storms, Some("storm: { max_rollbacks: 4 }\n"), true, "another number"),
        (storms, None, true, "nothing is in force yet"),
        (none, Some(storms), false, "a process without policies of its own follows the others"),
    ] {
        let in_force = in_force.map(policy).map(|mut load| {
            load.files[0].0 = "elsewhere.yml".to_owned();
            load
        });
        assert_eq!(super::says_another_policy(&policy(file), in_force.as_ref()), is_another, "{why}");
    }
}
