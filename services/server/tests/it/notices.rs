//! What people read: Slack and mail over a whole incident, with a real SMTP server and Slack's double.

use std::path::{Path, PathBuf};

use receivers::slack::double::SlackDouble;
use serde_json::json;

use crate::{
    peers::{self, Peer},
    shop::{SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
    wire::{Write, now_ms},
};

/// Neither integration says whom to write to: the owner of the service does.
const CONFIG: &str = r##"
server: { listen: "LISTEN" }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
defaults: { settle: 1s }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
policies:
  - match: { service: checkout, environment: production }
    owner: { team: payments, slack: "#payments", email: payments@example.org }
    target: { webhook: { url: "TARGET", secret_file: webhook.secret } }
route:
  receiver: owners
  group_by: [service, release]
  group_wait: 0s
  group_interval: 3s
  routes: [ { receiver: sre, matchers: [ 'service!="checkout"' ] } ]
receivers:
  - name: owners
    slack_configs: [ { api_url: "SLACK", app_token_file: slack.token, send_resolved: true } ]
    email_configs: [ { from: ripcord@example.org, smarthost: "SMTP", require_tls: false, send_resolved: true } ]
  - name: sre
    slack_configs: [ { api_url: "SLACK", app_token_file: slack.token, channel: "#sre", send_resolved: true } ]
"##;

const TOKEN: &str = "xoxb-test";

/// Ripcord, its target, Slack, and the mail server where Python has one.
struct Stage {
    system: System,
    target: Sink,
    slack: SlackDouble,
    maildir: PathBuf,
    _smtp: Peer,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `None` where there is no mail server to talk to.
    async fn start(action: &str) -> Option<Self> {
        let python = peers::python_with("aiosmtpd")?;
        let folder = tempfile::tempdir().unwrap();
        let (target, slack) = (Sink::start().await, SlackDouble::start(TOKEN).await.unwrap());
        let (smtp, address, maildir) = peers::smtp(folder.path(), &python).await;
        let config = CONFIG
            .replace("TARGET", &target.url)
            .replace("SLACK", &slack.api_url())
            .replace("SMTP", &address)
            .replace("immediate_rollback", action);
        let files = [("webhook.secret", SECRET), ("slack.token", TOKEN)];
        let system = System::start_with_files(&config, &files).await;
        Some(Self { system, target, slack, maildir, _smtp: smtp, _folder: folder })
    }

    /// The newest message about one thing, as people see it now, its thread below.
    fn shown(&self, subject: &str) -> Option<String> {
        self.slack.rendered().into_iter().rev().find(|message| message.contains(subject))
    }

    async fn until_shown(&self, subject: &str, text: &str) -> String {
        until(&format!("Slack shows {text:?} about {subject}"), async || {
            self.shown(subject).filter(|message| message.contains(text))
        })
        .await
    }
}

fn header(mail: &str, name: &str) -> String {
    let head = mail.replace("\r\n", "\n").split("\n\n").next().unwrap_or_default().replace("\n ", " ");
    let value = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
    value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn subjects(maildir: &Path) -> Vec<String> {
    peers::mails(maildir).iter().map(|mail| header(mail, "Subject")).collect()
}

#[tokio::test]
async fn a_whole_incident_is_a_slack_message_and_a_mail_for_each_piece_of_news_and_only_the_newest_speaks() {
    let Some(stage) = Stage::start("immediate_rollback").await else { return };
    let system = &stage.system;
    scrape_thrice(system, "checkout", "2.4.0", 999.0, 1.0).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    stage.until_shown("checkout 2.4.1", "RELEASE").await;
    scrape_thrice(system, "checkout", "2.4.1", 900.0, 100.0).await;

    let command = until("a rollback request", async || stage.target.commands_for("checkout").pop()).await;
    let reason = &command["reason"];
    assert_eq!(command["type"], "ripcord.rollback.v1");
    assert_eq!(command["mode"], "immediate");
    assert_eq!(
        (&reason["trigger"], &reason["window"], &reason["limit"], &reason["value"]),
        (&json!("error_rate"), &json!("5m"), &json!(0.01), &json!(0.1))
    );
    assert!(reason["baseline"].as_f64().is_some_and(|baseline| baseline < 0.01), "{reason}");
    assert!(command["decided_at"].as_str() < command["deadline"].as_str(), "{command}");

    let alarm = stage.until_shown("checkout 2.4.1", "FIRING").await;
    for part in
        ["@channel", "rolling back to 2.4.0", "10 % of requests fail: 100 of 1,000", "2.4.0", "ripcord halt"]
    {
        assert!(alarm.contains(part), "{part:?} is missing in\n{alarm}");
    }
    let rolled_back = json!({
        "service": "checkout", "environment": "production", "version": "2.4.1", "status": "rolled_back",
    });
    system.post("/api/v1/releases", &rolled_back).await;
    system.until_state(&release, "rolled_back").await;
    stage.until_shown("checkout 2.4.1", "ROLLED BACK").await;
    let (mut scrapes, began_ms) = (0.0, now_ms());
    until("the recovery", async || {
        // A scrape a second, as the rolled back service goes on counting.
        if now_ms() >= began_ms + 1000 * scrapes as i64 {
            scrapes += 1.0;
            Write::default()
                .requests("checkout", "2.4.0", 2000.0 + 100.0 * scrapes, 1.0, now_ms())
                .send(system)
                .await;
        }
        (system.state(&release).await == "recovered").then_some(())
    })
    .await;
    let end = stage.until_shown("checkout 2.4.1", "RECOVERED").await;
    assert!(end.contains("Now: error_rate"), "the values of now:\n{end}");
    let roots = until("the older messages that say where it goes on", async || {
        let messages = stage.slack.messages().into_iter();
        let roots: Vec<_> = messages.filter(|it| it.thread_ts.is_none()).collect();
        let continued = roots.iter().filter(|it| it.text.contains("goes on in a newer message")).count();
        (continued == 3).then_some(roots)
    })
    .await;
    assert_eq!(roots.len(), 4, "progress, alarm, rollback, recovery: {roots:?}");
    assert!(roots.iter().all(|root| root.channel == "#payments"), "{roots:?}");

    until("the last mail", async || (subjects(&stage.maildir).len() >= 4).then_some(())).await;
    assert_eq!(
        subjects(&stage.maildir),
        [
            "[RELEASE] checkout 2.4.1 in production: out and under watch",
            "[FIRING] checkout 2.4.1 in production: rolling back to 2.4.0 (10 % of requests fail, limit 1 %)",
            "[ROLLED BACK] checkout 2.4.1 in production: rolled back to 2.4.0",
            "[RECOVERED] checkout 2.4.1 in production: recovered on 2.4.0",
        ]
    );
    for mail in peers::mails(&stage.maildir) {
        assert_eq!(header(&mail, "To"), "payments@example.org");
        assert_eq!(header(&mail, "References"), format!("<{release}@ripcord>"), "one thread");
    }
}

#[tokio::test]
async fn a_prepared_rollback_says_what_to_type_and_its_message_says_what_became_of_it() {
    let Some(stage) = Stage::start("prepare_rollback").await else { return };
    let system = &stage.system;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rollback_prepared").await;
    let detail = system.get(&format!("/api/v1/releases/{release}")).await;
    let command = detail["commands"][0]["id"].as_str().unwrap();
    let asked = stage.until_shown("checkout 2.4.1", &format!("ripcord approve {command}")).await;
    for part in ["APPROVAL NEEDED", "a rollback to 2.4.0 waits", "It expires at", "ripcord reject"] {
        assert!(asked.contains(part), "{part:?} is missing in\n{asked}");
    }
    let output = system.cli(&["reject", command, "--reason", "known"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = stage.until_shown("checkout 2.4.1", "REJECTED").await;
    assert!(told.contains("known") && !told.contains("ripcord approve"), "{told}");
}

#[tokio::test]
async fn a_halt_is_told_while_it_lasts_and_when_it_ends() {
    let Some(stage) = Stage::start("immediate_rollback").await else { return };
    let halted = stage.system.cli(&["halt", "--all", "--for", "2h", "--reason", "game day"]);
    assert!(halted.status.success(), "{}", String::from_utf8_lossy(&halted.stderr));
    let told = stage.until_shown("everything", "HALTED").await;
    assert!(told.contains("game day") && told.contains("ripcord unhalt hlt_"), "{told}");
    let id = stage.system.get("/api/v1/halts").await["items"][0]["id"].as_str().unwrap().to_owned();
    let ended = stage.system.cli(&["unhalt", &id]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    stage.until_shown("everything", "HALT OVER").await;
}

#[tokio::test]
async fn an_alert_that_is_passed_on_speaks_for_itself_and_is_resolved_after_it_fired() {
    let Some(stage) = Stage::start("immediate_rollback").await else { return };
    let alert = |status: &str, ends_at: &str| {
        json!({
            "version": "4", "groupKey": "{}:{}", "status": status, "receiver": "ripcord",
            "alerts": [{
                "status": status, "annotations": {},
                "labels": {"alertname": "DiskFull", "instance": "db-1:9100", "severity": "critical", "service": "db"},
                "startsAt": "2026-11-23T10:00:00Z", "endsAt": ends_at,
            }]
        })
    };
    stage.system.post("/hooks/alertmanager", &alert("firing", "0001-01-01T00:00:00Z")).await;
    let firing = stage.until_shown("DiskFull", "FIRING").await;
    assert!(firing.contains("#sre") && firing.contains("instance: db-1:9100"), "{firing}");
    stage.system.post("/hooks/alertmanager", &alert("resolved", "2026-11-23T10:05:00Z")).await;
    stage.until_shown("DiskFull", "RESOLVED").await;
}
