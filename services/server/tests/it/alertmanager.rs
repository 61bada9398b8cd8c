//! A real Alertmanager forwards an alert by webhook.

use serde_json::json;

use crate::{
    peers,
    sink::Sink,
    system::{System, until},
};

const CONFIG: &str = r#"
server: { listen: "LISTEN" }
alerts:
  - { name: "Alert from outside", condition: 'alert("HighErrorRate")', duration: 1s, action: immediate_rollback }
policies:
  - match: { environment: production }
    target: { webhook: { url: "TARGET" } }
route: { receiver: hook, group_by: [alertname], group_wait: 0s }
receivers:
  - name: hook
    webhook_configs: [ { url: "NOTIFY", send_resolved: true } ]
"#;

#[tokio::test]
async fn a_forwarded_alert_is_routed_on_and_is_a_signal_of_the_release_it_names() {
    if !peers::has("prometheus-alertmanager") || !peers::has("amtool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let config = CONFIG.replace("TARGET", &target.url).replace("NOTIFY", &notified.url);
    let system = System::start(&config).await;
    // The README's own snippet, pointed at this server.
    let snippet =
        include_str!("../../../../deploy/alertmanager.yml").replace("http://127.0.0.1:9480", &system.url);
    let (_alertmanager, address) = peers::alertmanager(folder.path(), &snippet).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;

    let url = format!("http://{address}");
    let add = |labels: &[&str]| {
        let added = std::process::Command::new("amtool")
            .args(["alert", "add", "--alertmanager.url", &url, "alertname=HighErrorRate"])
            .args(["environment=production", "severity=critical"])
            .args(labels)
            .status()
            .unwrap();
        assert!(added.success());
    };
    // An alert that names no version may be about the old one: people are asked.
    add(&["service=checkout"]);
    system.until_state(&release, "rollback_prepared").await;
    assert!(target.received().is_empty());

    let versioned = system.release("catalog", "1.9.1", Some("1.9.0")).await;
    add(&["service=catalog", "version=1.9.1"]);
    let command = until("the rollback request", async || target.commands_for("catalog").pop()).await;
    assert_eq!(command["release"]["id"], versioned.as_str());
    let body = until("the alert, routed on", async || {
        let received = notified.received();
        received
            .into_iter()
            .map(|it| it.body)
            .find(|body| body["groupLabels"]["alertname"] == "HighErrorRate")
    })
    .await;
    assert_eq!(body["version"], "4");
    assert_eq!(body["status"], "firing");
    assert_eq!(body["alerts"][0]["labels"]["severity"], "critical");
}

#[tokio::test]
async fn fields_that_a_newer_alertmanager_sends_are_ignored() {
    let notified = Sink::start().await;
    let config = CONFIG.replace("TARGET", &notified.url).replace("NOTIFY", &notified.url);
    let system = System::start(&config).await;
    let body = json!({
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "ripcord", "invented_later": {"a": 1},
        "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}, "annotations": {}, "new": true,
                    "startsAt": "2026-11-23T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}]
    });
    let (status, answer) = system.post("/hooks/alertmanager", &body).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    until("the alert, routed on", async || {
        notified.received().iter().any(|it| it.body["groupLabels"]["alertname"] == "DiskFull").then_some(())
    })
    .await;
}
