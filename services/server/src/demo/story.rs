//! The story: what is done to the shop, what Ripcord makes of it, and whether it ended well.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;
use telemetry::clock::Stopwatch;

use super::{
    Stage,
    terminal::{Terminal, Topic},
};
use crate::cli::output::{line, text};

/// Longest wait for any one step; the whole story ends within about a minute.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells the story as it happens.
pub(super) struct Story {
    terminal: Terminal,
    folder: PathBuf,
}

/// What was found at the end, each with the sentence that says it.
struct Finding {
    holds: bool,
    what: String,
}

impl Story {
    pub(super) fn begin(stage: &Stage, folder: &Path) -> Self {
        line(
            "A small shop on loopback, 50 requests a second to each of its services. Nothing is scripted for Ripcord:",
        );
        line("checkout and catalog push metrics as Prometheus would, search only has an access log.");
        line(&format!("Ripcord: {}, configuration {}/ripcord.yml", stage.url, folder.display()));
        line("Limits of a release: error_rate > 2%, p95 of response_time > 500 ms, each over 1m.");
        Self { terminal: Terminal::start(), folder: folder.to_owned() }
    }

    /// The whole story: exit 0 when every sentence of the summary holds.
    pub(super) async fn tell(&self, stage: &Stage) -> anyhow::Result<ExitCode> {
        let mut told = BTreeSet::new();
        self.terminal.chapter("Everyday traffic");
        self.watch_values(stage, Duration::from_secs(6)).await;

        self.terminal.chapter("The team releases checkout 2.4.0. It is good.");
        let good = stage.deployer.release("checkout", "2.4.0", "2.3.9").await?;
        let good_state = self
            .until_state(stage, &good, &["succeeded", "unproven", "rolled_back", "recovered"], &mut told)
            .await;

        self.terminal.chapter("The catalog team releases catalog 1.9.0, which is good too.");
        let catalog = stage.deployer.release("catalog", "1.9.0", "1.8.0").await?;

        self.terminal.chapter("The team releases checkout 2.4.1. It fails one request in eight and is slow.");
        let bad = stage.deployer.release("checkout", "2.4.1", "2.4.0").await?;
        let bad_state = self.until_state(stage, &bad, &["recovered", "rollback_failed"], &mut told).await;
        self.until(|| is_mailed(stage, "[RECOVERED]")).await;
        self.tell_slack_and_mail(stage, &mut told);
        let catalog_state = self.state(stage, &catalog).await;

        self.terminal.chapter("Now search fails, though nobody released it.");
        stage.shop.break_down("search", true);
        let search_told = self.until(|| is_mailed(stage, "search")).await;
        self.tell_values(stage, "search").await;
        stage.shop.break_down("search", false);
        self.until(|| stage.slack.rendered().iter().any(|message| message.contains("search"))).await;
        self.tell_slack_and_mail(stage, &mut told);

        let findings = self.findings(stage, &good_state, &bad_state, &catalog_state, search_told).await;
        Ok(self.summary(&findings))
    }

    /// Values and news until the release is in one of `ends`.
    async fn until_state(
        &self,
        stage: &Stage,
        release: &str,
        ends: &[&str],
        told: &mut BTreeSet<String>,
    ) -> String {
        let began = Stopwatch::start();
        let mut values_at = 0;
        while began.elapsed() < PATIENCE {
            let detail = self.release(stage, release).await;
            self.tell_news(&detail, "breach", Topic::Breach, told);
            self.tell_requests(stage, told);
            self.tell_news(&detail, "state", Topic::Ripcord, told);
            self.tell_slack_and_mail(stage, told);
            let state = text(&detail, "state");
            if ends.contains(&state.as_str()) {
                return state;
            }
            if began.elapsed().as_secs() / 2 > values_at {
                values_at = began.elapsed().as_secs() / 2;
                self.tell_values(stage, &text(&detail, "service")).await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.state(stage, release).await
    }

    async fn until(&self, mut condition: impl FnMut() -> bool) -> bool {
        let began = Stopwatch::start();
        while began.elapsed() < PATIENCE {
            if condition() {
                return true;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        false
    }

    async fn watch_values(&self, stage: &Stage, time: Duration) {
        let began = Stopwatch::start();
        while began.elapsed() < time {
            tokio::time::sleep(Duration::from_secs(2)).await;
            self.tell_values(stage, "checkout").await;
        }
    }

    async fn release(&self, stage: &Stage, id: &str) -> Value {
        stage.client.get(&format!("/api/v1/releases/{id}")).await.unwrap_or(Value::Null)
    }

    async fn state(&self, stage: &Stage, id: &str) -> String {
        text(&self.release(stage, id).await, "state")
    }

    /// The rolling values of the version that runs; of several only while they overlap in the window.
    async fn tell_values(&self, stage: &Stage, service: &str) {
        let path = format!("/api/v1/services/{service}/metrics?environment=production&window=1m");
        let Ok(answer) = stage.client.get(&path).await else { return };
        let running = stage.shop.version(service);
        for version in answer["versions"].as_array().into_iter().flatten() {
            let name = text(version, "version");
            if name != running {
                continue;
            }
            let error_rate = version["error_rate"].as_f64().unwrap_or(0.0) * 100.0;
            let p95 = version["latency_seconds"]["p95"].as_f64().unwrap_or(f64::NAN) * 1000.0;
            let (requests, errors) = (text(version, "requests"), text(version, "errors"));
            self.terminal.say(
                Topic::Values,
                &format!("{service:<8} {name:<5} {requests:>5} requests {errors:>4} errors  {error_rate:5.2} %   p95 {p95:4.0} ms"),
            );
        }
    }

    fn tell_news(&self, detail: &Value, what: &str, topic: Topic, told: &mut BTreeSet<String>) {
        let release = format!("{} {}", text(detail, "service"), text(detail, "version"));
        let timeline = detail["timeline"].as_array().into_iter().flatten();
        for entry in timeline.filter(|entry| entry["what"] == what) {
            if told.insert(format!("{release} {} {what} {}", text(entry, "at"), text(entry, "text"))) {
                self.terminal.say(topic, &format!("{release}: {}", text(entry, "text")));
            }
        }
    }

    fn tell_requests(&self, stage: &Stage, told: &mut BTreeSet<String>) {
        for request in stage.deployer.requests() {
            if told.insert(request.id.clone()) {
                self.terminal.say(
                    Topic::Webhook,
                    &format!(
                        "POST /rollback, signed, {}: roll {} back to {}",
                        request.id, request.service, request.to_version
                    ),
                );
                for part in ["mode", "reason", "decided_at", "deadline"] {
                    self.terminal.detail(&format!("{part}: {}", request.body[part]));
                }
            }
        }
    }

    fn tell_slack_and_mail(&self, stage: &Stage, told: &mut BTreeSet<String>) {
        for message in stage.slack.rendered() {
            self.tell_slack(&message, told);
        }
        for (at, mail) in stage.mail.mails().iter().enumerate() {
            if told.insert(format!("mail {at}")) {
                let subject = mail.header("subject").unwrap_or_default();
                self.terminal.say(Topic::Mail, &format!("to {}: {subject}", mail.to.join(", ")));
            }
        }
    }

    /// A message as it looks now; in full where it is an alarm or its end, else by its headline.
    fn tell_slack(&self, message: &str, told: &mut BTreeSet<String>) {
        let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
        let (Some(channel), Some(title)) = (lines.next(), lines.next()) else { return };
        if !told.insert(format!("slack {title}")) {
            return;
        }
        self.terminal.say(Topic::Slack, &format!("{channel}  {title}"));
        if ["FIRING", "RECOVERED"].iter().any(|tag| title.contains(tag)) {
            lines.filter(|line| !line.starts_with('↳')).for_each(|line| self.terminal.detail(line));
        }
    }

    async fn findings(
        &self,
        stage: &Stage,
        good: &str,
        bad: &str,
        catalog: &str,
        told: bool,
    ) -> Vec<Finding> {
        let finding = |holds, what: String| Finding { holds, what };
        let requests = stage.deployer.requests();
        let ids: BTreeSet<_> = requests.iter().map(|request| request.id.clone()).collect();
        let only_checkout = requests.iter().all(|it| it.service == "checkout" && it.to_version == "2.4.0");
        let mails = stage.mail.mails();
        vec![
            finding(good == "succeeded", format!("the good release checkout 2.4.0 {good}")),
            finding(ids.len() == 1 && only_checkout, format!("{} rollback, of checkout to 2.4.0", ids.len())),
            finding(bad == "recovered", format!("the bad release checkout 2.4.1 is {bad}")),
            finding(
                stage.shop.version("checkout") == "2.4.0",
                format!("the shop runs checkout {}", stage.shop.version("checkout")),
            ),
            finding(
                matches!(catalog, "watching" | "succeeded") && stage.shop.version("catalog") == "1.9.0",
                format!("catalog 1.9.0 stayed up ({catalog})"),
            ),
            finding(told, "search failed without a release: told about, not rolled back".to_owned()),
            finding(
                ["[FIRING] checkout", "[ROLLED BACK]", "[RECOVERED]"].iter().all(|tag| is_mailed(stage, tag)),
                format!("{} mails went out", mails.len()),
            ),
            finding(
                !stage.slack.rendered().is_empty(),
                format!("{} Slack messages stand in the channel", stage.slack.rendered().len()),
            ),
        ]
    }

    fn summary(&self, findings: &[Finding]) -> ExitCode {
        self.terminal.chapter("Summary");
        for finding in findings {
            self.terminal.finding(finding.holds, &finding.what);
        }
        let is_good = findings.iter().all(|finding| finding.holds);
        let seconds = self.terminal.seconds();
        line(&format!(
            "{} after {seconds:.0} s",
            if is_good { "The demo went well" } else { "The demo FAILED" }
        ));
        if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    pub(super) fn keep(&self, stage: &Stage) {
        line("");
        line(&format!(
            "Everything keeps running; end it with Ctrl-C. Try, from another terminal:\n  curl {}/api/v1/releases",
            stage.url
        ));
        line(&format!(
            "  ripcord release status --url {} --token-file {}",
            stage.url,
            stage.token_file.display()
        ));
        for (mail, number) in stage.mail.mails().iter().zip(1..) {
            drop(std::fs::write(self.folder.join(format!("mail-{number}.eml")), &mail.data));
        }
        line(&format!("The mails lie in {}/mail-*.eml.", self.folder.display()));
    }
}

fn is_mailed(stage: &Stage, word: &str) -> bool {
    let mails = stage.mail.mails();
    mails.iter().any(|mail| mail.header("subject").is_some_and(|subject| subject.contains(word)))
}
