//! The story: what is done to the shop, what Ripcord makes of it, and whether it ended well.

use std::{collections::BTreeSet, path::Path, process::ExitCode, time::Duration};

use serde_json::Value;
use telemetry::clock::Stopwatch;

use super::Stage;
use crate::cli::output::{line, text};

/// Longest wait for any one step; the whole story ends within about a minute.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells the story as it happens.
pub(super) struct Story {
    clock: Stopwatch,
    folder: String,
}

/// What was found at the end, each with the sentence that says it.
struct Finding {
    holds: bool,
    what: String,
}

impl Story {
    pub(super) fn begin(stage: &Stage, folder: &Path) -> Self {
        let story = Self { clock: Stopwatch::start(), folder: folder.display().to_string() };
        line(
            "A small shop on loopback: checkout and catalog push metrics as Prometheus would, search only has an access log.",
        );
        line(&format!(
            "Ripcord listens on {}; its configuration is {}/ripcord.yml.",
            stage.url, story.folder
        ));
        line("");
        story
    }

    fn say(&self, text: &str) {
        line(&format!("{:5.1} s  {text}", self.clock.elapsed().as_secs_f64()));
    }

    /// The whole story: exit 0 when every sentence of the summary holds.
    pub(super) async fn tell(&self, stage: &Stage) -> anyhow::Result<ExitCode> {
        let mut told = BTreeSet::new();
        self.say("Customers come: 50 requests a second to each service.");
        self.watch_values(stage, Duration::from_secs(4)).await;

        self.say("The team releases checkout 2.4.0. It is good.");
        let good = stage.deployer.release("checkout", "2.4.0", "2.3.9").await?;
        let good_state = self
            .until_state(stage, &good, &["succeeded", "unproven", "rolled_back", "recovered"], &mut told)
            .await;
        self.say(&format!("Ripcord watched checkout 2.4.0 to its end: {good_state}."));

        self.say(
            "The catalog team releases catalog 1.9.0. It is good too, and stays under watch from here on.",
        );
        let catalog = stage.deployer.release("catalog", "1.9.0", "1.8.0").await?;

        self.say("The team releases checkout 2.4.1. It fails one request in eight and is slow.");
        let bad = stage.deployer.release("checkout", "2.4.1", "2.4.0").await?;
        let bad_state = self.until_state(stage, &bad, &["recovered", "rollback_failed"], &mut told).await;
        self.say(&format!(
            "checkout 2.4.1 is {bad_state}; the shop runs checkout {}.",
            stage.shop.version("checkout")
        ));
        let catalog_state = self.state(stage, &catalog).await;

        self.say("Now search fails, though nobody released it.");
        stage.shop.break_down("search", true);
        let search_told = self.until(|| stage.mail.mails().iter().any(|mail| about(mail, "search"))).await;
        stage.shop.break_down("search", false);
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
            self.tell_news(&detail, told);
            self.tell_requests(stage, told);
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

    async fn tell_values(&self, stage: &Stage, service: &str) {
        let path = format!("/api/v1/services/{service}/metrics?environment=production&window=1m");
        let Ok(answer) = stage.client.get(&path).await else { return };
        for version in answer["versions"].as_array().into_iter().flatten() {
            let error_rate = version["error_rate"].as_f64().unwrap_or(0.0) * 100.0;
            let p95 = version["latency_seconds"]["p95"].as_f64().unwrap_or(f64::NAN) * 1000.0;
            self.say(&format!(
                "    {service} {:6} {:>5} requests {:>4} errors  {error_rate:5.2} %   p95 {p95:4.0} ms",
                text(version, "version"),
                text(version, "requests"),
                text(version, "errors"),
            ));
        }
    }

    fn tell_news(&self, detail: &Value, told: &mut BTreeSet<String>) {
        for entry in detail["timeline"].as_array().into_iter().flatten() {
            let what = text(entry, "what");
            let news = format!("{} {} {}", text(entry, "at"), what, text(entry, "text"));
            if what != "opened" && what != "delivery" && told.insert(news) {
                self.say(&format!(
                    "  Ripcord: {} {}: {what}: {}",
                    text(detail, "service"),
                    text(detail, "version"),
                    text(entry, "text")
                ));
            }
        }
    }

    fn tell_requests(&self, stage: &Stage, told: &mut BTreeSet<String>) {
        for request in stage.deployer.requests() {
            if told.insert(request.id.clone()) {
                let reason = &request.body["reason"];
                self.say(&format!(
                    "  deployer got {}: roll {} back to {}, because {}: {} of {} requests",
                    request.id,
                    request.service,
                    request.to_version,
                    text(reason, "condition"),
                    text(reason, "errors"),
                    text(reason, "requests"),
                ));
            }
        }
    }

    fn tell_slack_and_mail(&self, stage: &Stage, told: &mut BTreeSet<String>) {
        for (at, mail) in stage.mail.mails().iter().enumerate() {
            if told.insert(format!("mail {at}")) {
                self.say(&format!(
                    "  mail to {}: {}",
                    mail.to.join(", "),
                    mail.header("subject").unwrap_or_default()
                ));
            }
        }
        for (at, message) in stage.slack.rendered().iter().enumerate() {
            // A message that was updated in place shows only what is new about it.
            for row in message.lines().filter(|row| !row.trim().is_empty()) {
                if told.insert(format!("slack {at} {row}")) {
                    self.say(&format!("  Slack {row}"));
                }
            }
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
                mails.iter().any(|mail| about(mail, "checkout")),
                format!("{} mails went out", mails.len()),
            ),
            finding(
                !stage.slack.rendered().is_empty(),
                format!("{} Slack messages stand in the channel", stage.slack.rendered().len()),
            ),
        ]
    }

    fn summary(&self, findings: &[Finding]) -> ExitCode {
        line("");
        for finding in findings {
            line(&format!("{}  {}", if finding.holds { "ok  " } else { "FAIL" }, finding.what));
        }
        let is_good = findings.iter().all(|finding| finding.holds);
        let seconds = self.clock.elapsed().as_secs_f64();
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
            "  ripcord release status --url {} --token-file {}/data/cli.token",
            stage.url, self.folder
        ));
    }
}

fn about(mail: &super::mail::Mail, service: &str) -> bool {
    mail.header("subject").is_some_and(|subject| subject.contains(service))
}
