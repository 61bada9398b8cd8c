//! Three brokers, and many rounds of what goes wrong: minutes, so only when asked for (`make soak`). `ROUNDS=…` kills
//! that often, `SEED=…` repeats a failure.

use std::time::Duration;

use crate::{
    apart::{Log, PARTITIONS, Parts, Shop, Traffic, assert_each_once, until_accepted},
    broker::{self, Broker},
    lines::{Answer, Lines},
    random::{self, Random},
    sink::Sink,
    system::until,
};

/// Kills of analyzers, unless `ROUNDS` says otherwise.
const ROUNDS: u64 = 50;

/// A death is noticed as fast as a test can wait for; otherwise as in production.
const THREE: [&str; 6] =
    ["--nodes", "3", "--set", "broker.session.timeout.ms=3000", "--set", "broker.heartbeat.interval.ms=500"];

const NODES: [&str; 3] = ["1", "2", "3"];

struct Soak {
    broker: Broker,
    parts: Parts,
    target: Sink,
    lines: Lines,
    /// What was released and has to be rolled back.
    released: Vec<(String, String)>,
    traffic: Vec<Traffic>,
}

impl Soak {
    async fn start(name: &'static str) -> Option<Self> {
        let broker = broker::own(name, &THREE).await?;
        let (target, notified) = (Sink::start().await, Sink::start().await);
        let log = Log::on(broker.get("bootstrap"), name, &target, &notified, PARTITIONS).await;
        let log = log.with("session_timeout: 3s", "session_timeout: 6s");
        let log = log.with("settle: 1s", "settle: 1s, max_decision_age: 5m");
        let log = log.with("\nbus:", "\nstorm: { max_rollbacks: 1000, settle: 0s }\nbus:");
        let parts = Parts::start(log).await;
        let lines = Lines::start(&parts.front);
        Some(Self { broker, parts, target, lines, released: Vec::new(), traffic: Vec::new() })
    }

    /// A new service, as bad as can be, from here on under traffic; sent again until it is taken.
    async fn release_a_bad_one(&mut self) {
        let service = format!("bad-{}", self.released.len());
        let body = serde_json::json!({
            "service": service, "environment": "production", "version": "2.4.1", "previous_version": "2.4.0",
        });
        let id = until("a release is taken", async || {
            let (status, answer) = self.parts.front.post("/api/v1/releases", &body).await;
            answer["id"].as_str().filter(|_| status < 300).map(str::to_owned)
        })
        .await;
        self.traffic.push(Traffic::start(&self.parts.front, &[Shop::bad(&service)]));
        self.released.push((service, id));
    }

    /// Everything answered 2xx is counted, everything expected was done once, and nothing else.
    async fn finish(mut self) {
        self.lines.until_more(20).await;
        for (_, release) in &self.released {
            until_accepted(&self.parts.front, release).await;
        }
        self.traffic.clear();
        eprintln!("FIGURE rollbacks: {}", self.target.received().len());
        self.lines.finish(&self.parts.front).await;
        let expected: Vec<String> = self.released.into_iter().map(|(service, _)| service).collect();
        assert_each_once(&self.target, &expected);
        drop(self.parts);
        self.broker.run("stop", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes, three brokers: make soak"]
async fn leaders_that_are_killed_one_after_the_other_cost_nothing_that_was_taken_and_double_nothing() {
    let Some(mut soak) = Soak::start("leaders").await else { return };
    for node in NODES.iter().cycle().take(6) {
        soak.release_a_bad_one().await;
        soak.lines.until_more(20).await;
        // Each node leads some of the partitions.
        soak.broker.run("kill", &[node]).await;
        soak.release_a_bad_one().await;
        soak.lines.until_more(20).await;
        soak.broker.run("restart", &[node]).await;
    }
    assert_eq!(soak.lines.count(Answer::Unknown), 0);
    // Two brokers of three take everything, if not at once.
    assert_eq!(soak.lines.count(Answer::Refused), 0);
    soak.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes, three brokers: make soak"]
async fn brokers_restarted_one_after_the_other_under_load_are_not_noticed_by_what_is_decided() {
    let Some(mut soak) = Soak::start("rolling").await else { return };
    for node in NODES.iter().cycle().take(6) {
        soak.release_a_bad_one().await;
        soak.broker.run("restart", &[node]).await;
        soak.lines.until_more(20).await;
    }
    soak.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes, three brokers: make soak"]
async fn analyzers_killed_over_and_over_lose_nothing_and_decide_everything_once() {
    let (rounds, seed) = (random::number("ROUNDS").unwrap_or(ROUNDS), random::seed());
    eprintln!("SEED={seed} ROUNDS={rounds}");
    let mut random = Random::of(seed);
    let Some(mut soak) = Soak::start("killed-over-and-over").await else { return };
    for round in 0..rounds {
        if round % 2 == 0 {
            soak.release_a_bad_one().await;
        }
        let victim = random.below(2) as usize;
        let pause = Duration::from_millis(random.below(2500));
        tokio::time::sleep(pause).await;
        if random.below(4) == 0 {
            assert_eq!(soak.parts.analyzers[victim].terminate(), Some(0));
        } else {
            soak.parts.analyzers[victim].kill();
        }
        // Sometimes back in time for its session, sometimes not.
        tokio::time::sleep(Duration::from_millis(random.below(4) * random.below(3000))).await;
        soak.parts.analyzers[victim].launch_again();
    }
    soak.finish().await;
}
