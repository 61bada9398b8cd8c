//! The same requests to Ripcord on its own log and to Ripcord on Kafka: the same decisions, as far as anybody outside
//! can see.

use serde_json::{Value, json};

use crate::{
    apart::{Log, brokers},
    shop::{CONFIG, ROUTES, SECRET},
    sink::Sink,
    system::{System, until},
    wire::{Write, now_ms, send_body},
};

/// What differs from run to run: moments, ids that ingest makes, and where the ticks stand among the rest.
const OF_THE_RUN: [&str; 14] = [
    "accepted_at",
    "approved_at",
    "at",
    "cause",
    "deadline",
    "decided_at",
    "deliveries",
    "ended_at",
    "evidence_at",
    "expires_at",
    "position",
    "since",
    "started_at",
    "watch_until",
];

/// How long the rollback before is past would be told in seconds.
const NO_COOLDOWN: &str = "production }\n    safety: { cooldown: 0s }\n";
const MATCH: &str = "production }\n";

/// One log and what was asked for on it.
struct Side {
    system: System,
    target: Sink,
}

impl Side {
    async fn embedded() -> Self {
        let (target, notified) = (Sink::start().await, Sink::start().await);
        let config = format!("{CONFIG}{ROUTES}").replace("TARGET", &target.url).replace(MATCH, NO_COOLDOWN);
        let config = config.replace("NOTIFY", &notified.url);
        let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
        Self { system, target }
    }

    async fn on_kafka(bootstrap: &str) -> Self {
        let (target, notified) = (Sink::start().await, Sink::start().await);
        let log = Log::on(bootstrap, "same", &target, &notified, 1).await.with(MATCH, NO_COOLDOWN);
        Self { system: log.start("all", "").await, target }
    }

    /// What there is to see of the releases, without what differs from run to run.
    async fn seen(&self) -> Value {
        let mut seen = Vec::new();
        let all = self.system.get("/api/v1/releases?limit=100").await;
        for release in all["items"].as_array().unwrap() {
            let path = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
            seen.push(without_run(self.system.get(&path).await));
        }
        let bad = without_run(self.system.get("/api/v1/versions/bad").await);
        let requests = self.target.received().into_iter().map(|it| without_run(it.body)).collect::<Vec<_>>();
        let seen = json!({ "releases": seen, "bad": bad, "requests": requests });
        serde_json::from_str(&seen.to_string().replace(&self.target.url, "TARGET")).unwrap()
    }
}

fn without_run(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(key, _)| !OF_THE_RUN.contains(&key.as_str()));
            kept.map(|(key, value)| (key, without_run(value))).collect()
        }
        // People are told beside what is decided, sooner or later.
        Value::Array(items) => {
            items.into_iter().filter(|item| item["what"] != "delivery").map(without_run).collect()
        }
        other => other,
    }
}

/// What is sent to both sides, in this order.
enum Step {
    Release(Value),
    Write(Vec<u8>),
    /// Until a release of this service is in this state.
    Until(&'static str, &'static str),
}

fn release(service: &str, version: &str, more: Value) -> Step {
    let mut body = json!({"service": service, "environment": "production", "version": version});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Step::Release(body)
}

fn previous(version: &str) -> Value {
    json!({ "previous_version": version })
}

/// Three scrapes as of now: the last one holds these requests.
fn scrapes(service: &str, version: &str, ok: f64, errors: f64) -> Vec<Step> {
    let now = now_ms();
    let scrape = |(before, share): (i64, f64)| {
        Write::default().requests(service, version, 10.0 + ok * share, errors * share, now - before)
    };
    [(2000, 0.0), (1000, 0.1), (0, 1.0)].map(|it| Step::Write(scrape(it).compressed())).into()
}

impl Step {
    async fn take(&self, side: &Side) {
        match self {
            Self::Release(body) => {
                let (status, answer) = side.system.post("/api/v1/releases", body).await;
                assert!(status == 200 || status == 201, "{status} {answer}");
            }
            Self::Write(body) => {
                let (status, text) = send_body(&side.system, body.clone()).await;
                assert_eq!(status, 204, "{text}");
            }
            Self::Until(service, state) => {
                until(&format!("{service} is {state}"), async || {
                    let path = format!("/api/v1/releases?service={service}&state={state}");
                    (!side.system.get(&path).await["items"].as_array()?.is_empty()).then_some(())
                })
                .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_requests_lead_to_the_same_decisions_on_disk_and_on_kafka() {
    let Some(brokers) = brokers().await else { return };
    let sides = [Side::embedded().await, Side::on_kafka(&brokers.bootstrap).await];
    let mut steps = vec![
        release("catalog", "1.9.0", previous("1.8.0")),
        release("checkout", "2.4.1", previous("2.4.0")),
        release("search", "3", previous("2")),
        release("cart", "5", json!({})),
    ];
    // A healthy one, a bad one, one with too few requests, and one that is bad and has nowhere to go back to.
    steps.extend(scrapes("catalog", "1.9.0", 1000.0, 0.0));
    steps.extend(scrapes("search", "3", 0.0, 3.0));
    steps.extend(scrapes("checkout", "2.4.1", 900.0, 100.0));
    steps.push(Step::Until("checkout", "rolling_back"));
    steps.extend(scrapes("cart", "5", 500.0, 50.0));
    steps.push(Step::Until("cart", "rollback_prepared"));
    steps.push(release("checkout", "2.4.1", json!({ "status": "rolled_back" })));
    steps.push(Step::Until("checkout", "rolled_back"));
    // The next one would go back to what is known to be bad.
    steps.push(release("checkout", "2.4.2", previous("2.4.1")));
    steps.extend(scrapes("checkout", "2.4.2", 900.0, 100.0));
    steps.push(Step::Until("checkout", "rollback_prepared"));
    for step in &steps {
        for side in &sides {
            step.take(side).await;
        }
    }
    let seen = async || (sides[0].seen().await, sides[1].seen().await);
    let (mut disk, mut kafka) = seen().await;
    // One of them may be a moment behind; what they come to must be the same.
    for _ in 0..100 {
        if disk == kafka {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        (disk, kafka) = seen().await;
    }
    assert_eq!(disk["requests"].as_array().unwrap().len(), 1, "{disk:#}");
    assert_eq!(disk["releases"].as_array().unwrap().len(), 5, "{disk:#}");
    let (disk, kafka) = (format!("{disk:#}"), format!("{kafka:#}"));
    for (on_disk, on_kafka) in disk.lines().zip(kafka.lines()) {
        assert_eq!(on_disk, on_kafka, "{disk}");
    }
    assert_eq!(disk.len(), kafka.len());
}
