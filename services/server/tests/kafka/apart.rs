//! Processes of one role each around a log of their own on the brokers.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
    time::Duration,
};

use model::{Partition, ServiceKey};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    broker::{self, Broker},
    shop::{CONFIG, ROUTES, SECRET, scrape_thrice},
    sink::Sink,
    system::{System, binary, until},
    wire::{Write, now_ms, request},
};

/// Fewer than in production, as they are made for each story; enough to be shared.
pub(crate) const PARTITIONS: u32 = 6;

/// The brokers that all stories share.
pub(crate) struct Brokers {
    pub(crate) bootstrap: String,
    /// `None`: somebody else's.
    pub(crate) own: Option<Broker>,
}

/// `None`: there is no Kafka here, and it was said.
pub(crate) async fn brokers() -> Option<&'static Brokers> {
    static SHARED: OnceCell<Option<Brokers>> = OnceCell::const_new();
    let start = async || {
        if let Some(bootstrap) = std::env::var("RIPCORD_TEST_KAFKA").ok().filter(|given| !given.is_empty()) {
            return Some(Brokers { bootstrap, own: None });
        }
        let own = broker::own("apart", &["--sasl"]).await?;
        Some(Brokers { bootstrap: own.get("bootstrap").to_owned(), own: Some(own) })
    };
    SHARED.get_or_init(start).await.as_ref()
}

/// With a link to itself in its messages, which `reload` would ask for.
const LISTEN_AND_LINK: &str = r#"LISTEN", external_url: "http://127.0.0.1:9480""#;

/// A log of its own, and what everybody who works on it has for a configuration.
pub(crate) struct Log {
    pub(crate) bootstrap: String,
    pub(crate) prefix: String,
    config: String,
}

impl Log {
    /// On the shared brokers, for rollbacks at `target` and notices at `notified`.
    pub(crate) async fn create(story: &str, target: &Sink, notified: &Sink) -> Option<Self> {
        Some(Self::on(&brokers().await?.bootstrap, story, target, notified, PARTITIONS).await)
    }

    pub(crate) async fn on(
        bootstrap: &str,
        story: &str,
        target: &Sink,
        notified: &Sink,
        partitions: u32,
    ) -> Self {
        let prefix = format!("{story}-{}", std::process::id());
        let brokers = bootstrap.split(',').map(|broker| format!("{broker:?}")).collect::<Vec<_>>().join(", ");
        let config = format!(
            "{}{}bus: {{ kind: kafka, brokers: [{brokers}], topic_prefix: {prefix}, \
             partitions: {partitions}, session_timeout: 3s, instance: NAME }}\n",
            CONFIG.replace("TARGET", &target.url).replace("LISTEN\"", LISTEN_AND_LINK),
            ROUTES.replace("NOTIFY", &notified.url),
        );
        let log = Self { bootstrap: bootstrap.to_owned(), prefix, config };
        let made = tokio::task::spawn_blocking({
            let config = log.config_of("maker").replace("LISTEN", "127.0.0.1:0");
            move || ripcord(&config, &[], &["topics", "create"])
        });
        let made = made.await.unwrap();
        assert!(made.status.success(), "{}", said(&made));
        log
    }

    /// The same log, with another word in the configuration.
    pub(crate) fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.config.contains(old), "nothing says {old:?}");
        self.config = self.config.replace(old, new);
        self
    }

    /// The configuration of the process `name`.
    pub(crate) fn config_of(&self, name: &str) -> String {
        self.config.replace("NAME", name)
    }

    pub(crate) fn topic(&self, what: &str) -> String {
        format!("{}.{what}.v1", self.prefix)
    }

    /// A process with these roles; waits for nothing.
    pub(crate) fn launch(&self, name: &str, roles: &str) -> System {
        System::launch(roles, &self.config_of(name), &[("webhook.secret", SECRET)])
    }

    pub(crate) async fn start(&self, name: &str, roles: &str) -> System {
        let system = self.launch(name, roles);
        system.until_ready().await;
        system
    }
}

/// Runs the command line on a configuration.
pub(crate) fn ripcord(config: &str, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("ripcord.yml", config), ("webhook.secret", SECRET)].iter().chain(files) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Command::new(binary()).args(arguments).current_dir(folder.path()).output().unwrap()
}

/// Everything a command printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Those who work on a log: one takes in and shows, two judge, one acts and tells.
pub(crate) struct Parts {
    pub(crate) log: Log,
    pub(crate) front: System,
    pub(crate) analyzers: Vec<System>,
    pub(crate) back: System,
}

impl Parts {
    /// All are ready and the analyzers share the partitions.
    pub(crate) async fn start(log: Log) -> Self {
        let front = log.launch("front", "ingest,console");
        let analyzers = ["one", "two"].map(|name| log.launch(name, "analyze")).into();
        let back = log.launch("back", "act,notify");
        let parts = Self { log, front, analyzers, back };
        for system in [&parts.front, &parts.back].into_iter().chain(&parts.analyzers) {
            system.until_ready().await;
        }
        until("the analyzers share the partitions", async || parts.share().then_some(())).await;
        until("one arbiter decides", async || parts.decider().await).await;
        parts
    }

    /// Whether every partition is somebody's and every analyzer has some.
    fn share(&self) -> bool {
        let holders = self.holders();
        let holding: BTreeSet<usize> = holders.values().copied().collect();
        holders.len() == PARTITIONS as usize && holding.len() == self.analyzers.len()
    }

    /// Which analyzer took each partition over last, by what they log.
    fn holders(&self) -> BTreeMap<Partition, usize> {
        let mut taken = Vec::new();
        for (analyzer, system) in self.analyzers.iter().enumerate() {
            let log = system.log();
            let lines = log.lines().filter_map(|line| line.split_once("partition taken over partition="));
            taken.extend(lines.map(|(head, tail)| {
                let number = tail.split(' ').next().unwrap().parse().unwrap();
                (head.split(' ').next().unwrap().to_owned(), Partition(number), analyzer)
            }));
        }
        taken.sort();
        taken.into_iter().map(|(_, partition, analyzer)| (partition, analyzer)).collect()
    }

    /// The analyzer that judges `service`.
    pub(crate) fn judge_of(&self, service: &str) -> usize {
        self.holders()[&partition_of(service)]
    }

    /// The analyzer whose arbiter decides.
    pub(crate) async fn decider(&self) -> Option<usize> {
        for (analyzer, system) in self.analyzers.iter().enumerate() {
            if is_deciding(system).await {
                return Some(analyzer);
            }
        }
        None
    }

    /// Announces a release of 2.4.1 over 2.4.0, as bad as can be, and waits until it was rolled back: what was
    /// written before has been taken in by everybody then.
    pub(crate) async fn roll_back(&self, service: &str, target: &Sink) {
        let release = self.front.release(service, "2.4.1", Some("2.4.0")).await;
        scrape_thrice(&self.front, service, "2.4.1", 900.0, 100.0).await;
        until("a rollback request", async || target.commands_for(service).pop()).await;
        until_accepted(&self.front, &release).await;
    }
}

pub(crate) async fn is_deciding(system: &System) -> bool {
    metrics(system).await.lines().any(|line| line == "ripcord_arbiter_is_deciding 1")
}

/// What a process says of itself; nothing while it does not answer.
pub(crate) async fn metrics(system: &System) -> String {
    let Ok(answer) = system.http.get(format!("{}/metrics", system.url)).send().await else {
        return String::new();
    };
    answer.text().await.unwrap_or_default()
}

/// Where the events of a service of the environment `production` stand.
pub(crate) fn partition_of(service: &str) -> Partition {
    Partition::of(&ServiceKey::new(service, "production"), PARTITIONS)
}

/// The one command of a release, once the target has taken it.
pub(crate) async fn until_accepted(console: &System, release: &str) -> Value {
    until(&format!("the command of {release} is accepted"), async || {
        let commands = console.get(&format!("/api/v1/releases/{release}")).await["commands"].clone();
        assert!(commands.as_array().is_none_or(|all| all.len() <= 1), "{commands}");
        (commands[0]["state"] == "accepted").then(|| commands[0].clone())
    })
    .await
}

/// Whether the target was asked for these services only, under one id and by one request each.
pub(crate) fn assert_each_once(target: &Sink, services: &[String]) {
    let requests = target.received();
    let ids: BTreeSet<String> = requests.iter().map(|request| request.body["id"].to_string()).collect();
    let asked: BTreeSet<String> =
        requests.iter().filter_map(|it| Some(it.body["release"]["service"].as_str()?.to_owned())).collect();
    assert_eq!(asked, services.iter().cloned().collect());
    assert_eq!(ids.len(), services.len(), "one command a service");
    assert_eq!(requests.len(), services.len(), "one request a command");
}

/// A service whose version 2.4.1 fails in this share of its requests, after so many good ones.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) service: String,
    pub(crate) error_share: f64,
    pub(crate) good_requests: f64,
}

impl Shop {
    pub(crate) fn bad(service: &str) -> Self {
        Self { service: service.to_owned(), error_share: 0.1, good_requests: 0.0 }
    }

    pub(crate) fn healthy(service: &str) -> Self {
        Self { error_share: 0.0, ..Self::bad(service) }
    }

    /// Its counters after so many requests.
    fn add_to(&self, write: Write, requests: f64, at_ms: i64) -> Write {
        let errors = ((requests - self.good_requests).max(0.0) * self.error_share).floor();
        write.requests(&self.service, "2.4.1", requests - errors, errors, at_ms)
    }
}

/// One scrape of all these shops, each with so many requests until then.
pub(crate) fn scrape(shops: &[Shop], requests: f64, at_ms: i64) -> Write {
    shops.iter().fold(Write::default(), |write, shop| shop.add_to(write, requests, at_ms))
}

/// What each shop of [`Traffic`] serves between two scrapes.
pub(crate) const REQUESTS_A_SCRAPE: f64 = 100.0;

/// Scrapes of shops, one about every second, until dropped; what is refused is not repeated: the next scrape says it.
pub(crate) struct Traffic(tokio::task::JoinHandle<()>);

impl Traffic {
    pub(crate) fn start(front: &System, shops: &[Shop]) -> Self {
        let (http, url, shops) = (front.http.clone(), front.url.clone(), shops.to_vec());
        Self(tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            for scraped in 0_u32.. {
                every.tick().await;
                let write = scrape(&shops, f64::from(scraped) * REQUESTS_A_SCRAPE, now_ms());
                drop(request(&http, &url, write.compressed()).send().await);
            }
        }))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.abort();
    }
}
