//! The command line as a pipeline and an operator use it.

use std::process::Command;

use crate::{
    shop::{scrape_thrice, start},
    sink::Sink,
    system::binary,
};

fn run(folder: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    (output.status.code(), said)
}

#[test]
fn check_exits_78_for_a_policy_file_that_is_not_there_and_notes_built_in_definitions() {
    let folder = tempfile::tempdir().unwrap();
    let main = "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: alert_team } }\n";
    std::fs::write(folder.path().join("ripcord.yml"), main).unwrap();
    let (code, said) = run(folder.path(), &["check", "--deny-warnings"]);
    assert_eq!(code, Some(0), "a note is no warning: {said}");
    assert!(said.contains("note: triggers read `error_rate`, which no `metrics` defines"), "{said}");
    std::fs::write(folder.path().join("ripcord.yml"), format!("{main}policy_files: [ cart.yml ]\n")).unwrap();
    let (code, said) = run(folder.path(), &["check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("ripcord.yml:2:17: error: cart.yml cannot be read: No such file"), "{said}");
}

#[test]
fn policy_explain_says_what_holds_for_a_service_and_which_line_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let main = "rollback_triggers:\n  error_rate: { threshold: 1%, window: 5m, action: alert_team }\n\
                policy_files: [ cart.yml, broken.yml ]\n\
                hooks: { alertmanager: { token_file: not-on-this-machine } }\n";
    std::fs::write(folder.path().join("shop.yml"), main).unwrap();
    std::fs::write(
        folder.path().join("cart.yml"),
        "policies:\n  - match: { service: cart }\n    mode: observe\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("broken.yml"), "polices: []\n").unwrap();
    let explain = |more: &[&str]| {
        let verb = ["policy", "explain", "--service", "cart", "--environment", "production"];
        run(folder.path(), &[&verb, more].concat())
    };
    let (code, said) = explain(&["-f", "shop.yml"]);
    assert_eq!(code, Some(0), "{said}");
    let rows = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let rows: Vec<String> = rows.collect();
    for row in [
        "broken.yml has a fault and is left out: `ripcord check` shows it",
        "service=\"cart\" cart.yml:2",
        "mode observe cart.yml:3",
        "triggers.error_rate error_rate > 1% shop.yml:2",
        "watch 1h default",
    ] {
        assert!(rows.iter().any(|it| it == row), "{row}:\n{said}");
    }
    std::fs::write(folder.path().join("broken.yml"), "policies: []\n").unwrap();
    let (code, said) = explain(&["--config", "shop.yml", "-o", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let whole: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(whole["policies"][0]["match"], "service=\"cart\"");
    let mode = &whole["settings"][0];
    assert_eq!((&mode["key"], &mode["value"], &mode["line"]), (&"mode".into(), &"observe".into(), &3.into()));
    let (code, said) = explain(&["-f", "shop.yml", "-o", "yaml"]);
    assert!(code == Some(0) && said.contains("key: mode\n    line: 3\n    value: observe"), "{said}");
    let (_, by_name) =
        run(folder.path(), &["policy", "explain", "cart", "--environment", "production", "-f", "shop.yml"]);
    assert!(by_name.contains("policies that match cart in production"), "{by_name}");
    let (code, said) = explain(&[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("ripcord.yml cannot be read"), "{said}");
}

#[test]
fn check_names_the_place_the_nearest_key_and_exits_78() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        (
            "a misspelt key",
            "rollback_triger:\n  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }\n",
            "ripcord.yml:1:1",
            "rollback_triggers",
        ),
        (
            "an unknown action",
            "rollback_triggers:\n  error_rate: { threshold: 1%, window: 5m, action: rollback }\n",
            "ripcord.yml:2:",
            "immediate_rollback",
        ),
        (
            "a bad duration",
            "rollback_triggers:\n  error_rate: { threshold: 1%, window: 5 minutes, action: immediate_rollback }\n",
            "ripcord.yml:2:",
            "5m",
        ),
        (
            "a bad condition",
            "alerts:\n  - { name: A, condition: \"error_rate >\", duration: 1m, action: alert_team }\n",
            "ripcord.yml:2:",
            "",
        ),
        (
            "an unknown metric",
            "alerts:\n  - { name: A, condition: \"eror_rate > 1%\", duration: 1m, action: alert_team }\n",
            "ripcord.yml:2:",
            "error_rate",
        ),
        ("broken YAML", "server: { listen: \n", "ripcord.yml:", ""),
        ("an open door", "server: { listen: \"0.0.0.0:9480\" }\n", "ripcord.yml:1:", "token"),
        (
            "a receiver that is not there",
            "route: { receiver: nobody }\nreceivers: []\n",
            "ripcord.yml:",
            "nobody",
        ),
        (
            "Kafka without a port",
            "bus: { kind: kafka, brokers: [\"localhost\"] }\n",
            "ripcord.yml:1:",
            "kafka-1.example.org:9092",
        ),
    ];
    for (what, text, place, names) in rows {
        std::fs::write(folder.path().join("ripcord.yml"), text).unwrap();
        let (code, said) = run(folder.path(), &["check", "ripcord.yml"]);
        assert_eq!(code, Some(78), "{what}: {said}");
        assert!(said.contains(place) && said.contains(names), "{what}: {said}");
        let (code, said) = run(folder.path(), &["serve", "--config", "ripcord.yml"]);
        assert_eq!(code, Some(78), "{what}: serve must refuse it too: {said}");
    }
}

#[test]
fn an_unreachable_server_is_exit_4_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = run(folder.path(), &["release", "wait", "--url", "http://127.0.0.1:1", "rel_x"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
}

#[test]
fn routes_test_prints_receivers_as_amtool_does() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"
route:
  receiver: sre
  routes:
    - { matchers: ['service="checkout"'], receiver: payments, continue: true }
    - { matchers: ['severity=~"crit.*"'], receiver: pager }
receivers: [ { name: sre }, { name: payments }, { name: pager } ]
"#;
    std::fs::write(folder.path().join("ripcord.yml"), config).unwrap();
    let rows = [
        (vec!["service=checkout", "severity=critical"], "payments,pager"),
        (vec!["service=checkout"], "payments"),
        (vec!["service=catalog"], "sre"),
    ];
    for (labels, receivers) in rows {
        let arguments = [vec!["routes", "test", "--config", "ripcord.yml"], labels].concat();
        let (code, said) = run(folder.path(), &arguments);
        assert_eq!((code, said.trim()), (Some(0), receivers));
    }
    let verify = ["routes", "test", "--config", "ripcord.yml", "--verify-receivers=sre", "service=checkout"];
    assert_eq!(run(folder.path(), &verify).0, Some(1));
}

#[tokio::test]
async fn a_pipeline_starts_a_release_waits_for_the_verdict_and_fails_with_it() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let started = system.cli(&[
        "release",
        "start",
        "--service",
        "checkout",
        "--environment",
        "production",
        "--version",
        "2.4.1",
        "--previous-version",
        "2.4.0",
    ]);
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let id = String::from_utf8(started.stdout).unwrap().trim().to_owned();
    assert!(id.starts_with("rel_"), "{id}");
    let timed_out = system.cli(&["release", "wait", "--timeout", "1s", &id]);
    assert_eq!(timed_out.status.code(), Some(3));

    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    let waited = system.cli(&["release", "wait", "--timeout", "30s", &id]);
    let said = String::from_utf8_lossy(&waited.stdout).into_owned();
    assert_eq!(waited.status.code(), Some(1), "{said}");
    assert!(said.contains("error_rate > 1%") && said.contains("100 of 1000"), "{said}");
    let status = system.cli(&["release", "status", &id]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("rolling_back"));
    let discovered = system.cli(&["discover"]);
    assert!(String::from_utf8_lossy(&discovered.stdout).contains("checkout"));
}

#[tokio::test]
async fn a_releases_status_shows_its_values_beside_the_limits_however_telemetry_names_it() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    for (service, seen, shown) in [
        ("checkout", "2.4.1", "now, over 5m: 100 requests, 0 errors (0.00 %)"),
        ("cart", "v2.4.1", "now, over 5m: 100 requests, 0 errors (0.00 %)"),
        ("search", "build-77", "now, over 5m of build-77: 100 requests, 0 errors (0.00 %)"),
        ("mail", "", "now, over 5m without a version: 100 requests, 0 errors (0.00 %)"),
    ] {
        let id = system.release(service, "2.4.1", None).await;
        scrape_thrice(&system, service, seen, 100.0, 0.0).await;
        crate::system::until(&format!("the values of {service}"), async || {
            let said = String::from_utf8(system.cli(&["release", "status", &id]).stdout).unwrap();
            (said.contains(shown) && said.contains("limit:  error_rate > 1% over 5m")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn events_are_published_from_a_file() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let event = r#"{"specversion":"1.0","id":"e-1","source":"/ci","type":"dev.cdevents.service.deployed.0.3.0",
        "subject":"checkout","datacontenttype":"application/json",
        "data":{"context":{"specversion":"0.5.1","id":"e-1","source":"/ci","type":"dev.cdevents.service.deployed.0.3.0",
                           "timestamp":"2026-11-23T10:00:00Z"},
                "subject":{"id":"checkout","content":{"environment":{"id":"production"},
                           "artifactId":"pkg:oci/checkout@2.4.1"}}}}"#;
    std::fs::write(system.folder.path().join("event.json"), event).unwrap();
    let output = system.cli(&["event", "event.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    crate::system::until("the release", async || {
        (system.get("/api/v1/releases").await["items"][0]["service"] == "checkout").then_some(())
    })
    .await;
}

#[tokio::test]
async fn verbs_find_the_server_by_its_configuration_and_need_no_reason() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let folder = system.folder.path();
    // On port 0 only the process knows its port; the file a person has names the one in use.
    let place = system.url.trim_start_matches("http://");
    let text =
        format!("server: {{ listen: \"{place}\", data_dir: ./data, tokens: [ {{ token_file: gone }} ] }}\n");
    std::fs::write(folder.join("place.yml"), text).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let config = folder.join("place.yml").display().to_string();
    let at = |arguments: &[&str]| run(elsewhere.path(), &[arguments, &["--config", &config]].concat());

    let (code, halt) = at(&["halt", "--all", "--for", "1h", "--reason", "game day"]);
    assert_eq!(code, Some(0), "{halt}");
    let (code, said) = at(&["unhalt", halt.trim()]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = at(&["release", "status", "-o", "yaml"]);
    assert_eq!((code, said.trim()), (Some(0), "items: []\nnext: null"));
}
