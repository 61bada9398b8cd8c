//! What people order is answered with what the arbiter made of it, on the command line as over HTTP.

use serde_json::json;

use crate::{
    shop::{CONFIG, SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn cli(system: &System, arguments: &[&str]) -> Said {
    let output = system.cli(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[track_caller]
fn refused(system: &System, arguments: &[&str], why: &str) {
    let said = cli(system, arguments);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{arguments:?}: {}", said.err);
    assert!(said.err.starts_with("refused: ") && said.err.contains(why), "{arguments:?}: {}", said.err);
}

#[tokio::test]
async fn orders_are_refused_with_the_reason_and_exit_1_and_done_with_exit_0() {
    let sink = Sink::start().await;
    let config = CONFIG
        .replace("TARGET", &sink.url)
        .replace("{ environment: production }", "{ environment: production }\n    mode: approve");
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let body = json!({"service": "checkout", "environment": "production", "version": "2.4.1", "previous_version": "2.4.0"});
    let id = system.post("/api/v1/releases", &body).await.1["id"].as_str().unwrap().to_owned();
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    let command = until("the prepared command", async || {
        let waiting = system.get("/api/v1/commands?state=prepared").await;
        waiting["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;

    let halt = cli(&system, &["halt", "--service", "checkout", "--for", "10m", "--reason", "a look"]).out;
    assert!(halt.starts_with("hlt_"), "{halt}");
    refused(&system, &["approve", &command], "halted by operator");
    refused(&system, &["hold", &id], "no actuator");
    refused(&system, &["rollback", &id, "--to-version", "0.0.0-none"], "never seen out");
    for (list, shown) in [("halts", "a look"), ("commands", command.as_str()), ("releases", id.as_str())] {
        assert!(cli(&system, &["list", list]).out.contains(shown), "{list}");
    }
    assert_eq!(cli(&system, &["unhalt", &halt]).code, Some(0));
    let approved = cli(&system, &["approve", &command]);
    assert_eq!((approved.code, approved.out.as_str()), (Some(0), "approved, rolling back to 2.4.0"));
    assert!(cli(&system, &["list", "bad-versions"]).out.contains("2.4.1"));

    let announced = ["release", "start", "--service", "checkout", "--environment", "production"];
    let again = [&announced[..], &["--version", "2.5.0", "--previous-version", "2.4.1"]].concat();
    let said = cli(&system, &again);
    assert!(said.code == Some(0) && said.out.starts_with("rel_"), "{}", said.err);
    assert!(said.err.contains("warning: previous_version 2.4.1 is marked bad"), "{}", said.err);
    refused(&system, &["rollback", &said.out], "2.4.1 is marked bad");
}

#[tokio::test]
async fn reports_that_change_nothing_are_called_ignored() {
    let sink = Sink::start().await;
    let system = crate::shop::start(&sink).await;
    let rolled_back = [
        "release",
        "start",
        "--service",
        "nosuch",
        "--environment",
        "production",
        "--version",
        "1",
        "--status",
        "rolled_back",
    ];
    let said = cli(&system, &rolled_back);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("ignored: no release of nosuch in production 1 is known"), "{}", said.err);
    let event =
        json!({"specversion": "1.0", "id": "1", "source": "ci", "type": "com.example.unknown", "data": {}});
    std::fs::write(system.folder.path().join("event.json"), event.to_string()).unwrap();
    let said = cli(&system, &["event", "event.json"]);
    assert!(said.code == Some(0) && said.out.starts_with("ignored com.example.unknown: "), "{}", said.out);
    assert_eq!(cli(&system, &["event", "--strict", "event.json"]).code, Some(1));
    let said = cli(&system, &["list", "releases", "--state", "nowhere"]);
    assert!(said.code == Some(1) && said.err.contains("is not a state"), "{}", said.err);
}

#[tokio::test]
async fn an_operator_sees_the_build_the_process_the_reload_and_what_waits_on_metrics() {
    let sink = Sink::start().await;
    let system = crate::shop::start(&sink).await;
    let metrics = async || {
        let answer = reqwest::get(format!("{}/metrics", system.url)).await.unwrap();
        answer.text().await.unwrap()
    };
    let shown = metrics().await;
    for line in [
        "ripcord_build_info{version=",
        "process_resident_memory_bytes ",
        "ripcord_config_last_reload_successful 1",
        "ripcord_config_last_reload_success_timestamp_seconds ",
        "ripcord_releases{state=\"watching\"} 0",
        "ripcord_open_commands{state=\"prepared\"} 0",
        "ripcord_halts 0",
        "ripcord_bad_versions 0",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    let halted = cli(&system, &["halt", "--all", "--for", "1h", "--reason", "game day"]);
    assert_eq!(halted.code, Some(0), "{}", halted.err);
    assert!(metrics().await.contains("ripcord_halts 1"));
}
