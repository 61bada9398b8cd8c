//! The harness: a script of what happens, a shop that is scraped every 15 seconds, and what was proposed.

use std::collections::BTreeMap;

use expect_test::Expect;
use model::{
    Actor, Alert, Artifact, Batch, CommandId, DeploymentEvent, DeploymentStatus, Event, EventBody, EventId,
    Labels, Outcome, OutcomeStatus, PolicyLoad, Position, Proposal, ReleaseId, ReleaseRef, Sample,
    SeriesKind, ServiceKey, Timestamp, Verb, VerbKind,
};

use super::told::told;
use crate::Analyzer;

pub(super) const ENVIRONMENT: &str = "production";

/// Scripts begin here; far from zero, so that windows reach back into real time.
pub(super) const BEGIN_SECOND: i64 = 1_800_000_000;

const SCRAPE_INTERVAL_S: i64 = 15;

/// Metrics of every scenario; a scenario adds its triggers.
const METRICS: &str = r#"
metrics:
  error_rate:      { ratio: { bad: 'http_requests_total{code="500"}', total: 'http_requests_total' } }
  response_time:   { histogram: http_request_duration_seconds }
  conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } }
  load:            { gauge: process_load }
  codes:           { ratio: { bad: 'http_requests_total{code=~"4[12].|50[34]"}', total: 'http_requests_total' } }
  wrong_label:     { ratio: { bad: 'http_requests_total{status=~"5.."}', total: 'http_requests_total' } }
  wrong_value:     { ratio: { bad: 'http_requests_total{code=~"5xx"}', total: 'http_requests_total' } }
  wrong_name:      { ratio: { bad: http_errors_total, total: 'http_requests_total' } }
  wrong_good:      { ratio: { good: 'http_requests_total{result="ok"}', total: 'http_requests_total' } }
  nowhere:         { ratio: { bad: 'rpcs_total{code!="0"}', total: rpcs_total } }
  nowhere_time:    { histogram: rpc_duration_seconds }
  torn_rate:       { ratio: { bad: checkout_completed_total, total: checkout_started_total } }
"#;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis((BEGIN_SECOND + second) * 1000)
}

/// Runs `script` under `policy` and compares what was proposed, passed-through events left out.
#[track_caller]
pub(super) fn check(policy: &str, script: &str, want: Expect) {
    want.assert_eq(&run(policy, script).join("\n"));
}

pub(super) fn run(policy: &str, script: &str) -> Vec<String> {
    let mut shop = Shop::new(policy);
    shop.run(script);
    shop.told
}

/// One version's traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Arm {
    /// Per second and as ratios; by name.
    rates: BTreeMap<String, f64>,
    counters: BTreeMap<&'static str, f64>,
    is_gone: bool,
}

/// The shop, the analyzer, and what it said.
pub(super) struct Shop {
    pub(super) analyzer: Analyzer,
    arms: BTreeMap<(String, String), Arm>,
    pub(super) events: Vec<(Timestamp, Position, Event)>,
    pub(super) proposals: Vec<Proposal>,
    pub(super) told: Vec<String>,
    pub(super) second: i64,
}

impl Shop {
    pub(super) fn new(policy: &str) -> Self {
        let mut shop = Self {
            analyzer: Analyzer::new(),
            arms: BTreeMap::new(),
            events: Vec::new(),
            proposals: Vec::new(),
            told: Vec::new(),
            second: 0,
        };
        shop.load(policy);
        shop
    }

    pub(super) fn load(&mut self, policy: &str) {
        let text = format!("{METRICS}{policy}");
        let load = PolicyLoad { files: vec![("ripcord.yml".into(), text)], origin: "start".into() };
        let (compiled, diagnostics) = policy::compile(&load);
        assert!(compiled.is_some(), "{diagnostics:?}");
        self.send(EventBody::PolicyLoad(Box::new(load)));
    }

    /// Each line: a time in seconds, a word, and what it needs.
    pub(super) fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let second: i64 = words[0].trim_end_matches('s').parse().unwrap();
            self.wait_until(second);
            self.act(&words[1..]);
        }
    }

    /// Passes over so many seconds without a tick, and scrapes.
    pub(super) fn skip_to_next_scrape(&mut self) {
        self.skip(SCRAPE_INTERVAL_S);
    }

    /// The same for a scrape interval of one's own.
    pub(super) fn skip(&mut self, seconds: i64) {
        self.second += seconds;
        self.scrape();
    }

    pub(super) fn arm(&mut self, service: &str, version: &str) -> &mut Arm {
        self.arms.entry((service.into(), version.into())).or_default()
    }

    fn wait_until(&mut self, second: i64) {
        while self.second < second {
            self.second += 1;
            if self.second % SCRAPE_INTERVAL_S == 0 {
                self.scrape();
            }
            self.send(EventBody::Tick);
        }
    }

    pub(super) fn act(&mut self, words: &[&str]) {
        match words {
            ["serve", service, version, rates @ ..] => self.serve(service, version, rates),
            ["stop", service, version] => {
                self.arms.get_mut(&((*service).into(), (*version).into())).unwrap().is_gone = true;
            }
            ["deploy", service, version, options @ ..] => self.deploy(service, version, options),
            ["outcome", service, version, status, options @ ..] => {
                self.outcome(service, version, status, options);
            }
            ["alert", name, options @ ..] => self.alert(name, options),
            ["cancel", service, version] => {
                let kind = VerbKind::Cancel { release: release_id(service, version, "") };
                let actor = Actor { name: "ann".into(), ..Actor::default() };
                self.send(EventBody::Verb(Box::new(Verb { kind, actor, comment: String::new() })));
            }
            ["end"] => {}
            _ => panic!("not a word of the script: {words:?}"),
        }
    }

    fn serve(&mut self, service: &str, version: &str, rates: &[&str]) {
        let arm = self.arms.entry((service.into(), version.into())).or_default();
        arm.is_gone = false;
        for rate in rates {
            let (name, value) = rate.split_once('=').unwrap();
            let value: f64 = match value.strip_suffix('%') {
                Some(percent) => percent.parse::<f64>().unwrap() / 100.0,
                None => value.parse().unwrap(),
            };
            arm.rates.insert(name.into(), value);
        }
    }

    /// One whole scrape of everything that runs.
    pub(super) fn scrape(&mut self) {
        let mut batch = Batch { is_whole: true, ..Batch::default() };
        let now = at(self.second);
        for ((service, version), arm) in &mut self.arms {
            if !arm.is_gone {
                arm.serve(SCRAPE_INTERVAL_S as f64);
                arm.expose(service, version, now, &mut batch);
            }
        }
        if !batch.series.is_empty() {
            self.send(EventBody::Telemetry(batch));
        }
    }

    fn deploy(&mut self, service: &str, version: &str, options: &[&str]) {
        let option = |name: &str| {
            options.iter().find_map(|option| option.split_once('=').filter(|it| it.0 == name).map(|it| it.1))
        };
        let text = |name: &str| option(name).map(str::to_owned);
        let status = match option("status").unwrap_or("deployed") {
            "started" => DeploymentStatus::Started,
            "deployed" => DeploymentStatus::Deployed,
            "promoted" => DeploymentStatus::Promoted,
            "failed" => DeploymentStatus::Failed,
            "rolled_back" => DeploymentStatus::RolledBack,
            "removed" => DeploymentStatus::Removed,
            other => panic!("not a status: {other}"),
        };
        let kind = match option("kind") {
            Some("flag") => model::ChangeKind::Flag,
            Some("config") => model::ChangeKind::Config,
            _ => model::ChangeKind::Code,
        };
        let event = DeploymentEvent {
            release_id: release_id(service, version, option("change").unwrap_or("")),
            key: ServiceKey::new(service, ENVIRONMENT),
            cluster: text("cluster"),
            version: version.into(),
            previous_version: text("previous"),
            status,
            kind,
            stage: text("stage"),
            traffic_percentage: option("traffic").map(|share| share.parse().unwrap()),
            artifact: text("digest").map(|it| Artifact { reference: it.clone(), digest: Some(it) }),
            occurred_at: option("occurred").map(|second| at(second.parse().unwrap())),
            ..DeploymentEvent::default()
        };
        self.send(EventBody::Deployment(Box::new(event)));
    }

    fn outcome(&mut self, service: &str, version: &str, status: &str, options: &[&str]) {
        let id = release_id(service, version, "");
        let status = match status {
            "accepted" => OutcomeStatus::Accepted,
            "succeeded" => OutcomeStatus::Succeeded,
            "failed" => OutcomeStatus::Failed,
            other => panic!("not a status: {other}"),
        };
        let verb = if options.contains(&"promote") { "promote" } else { "rollback" };
        let target = options.iter().find_map(|option| option.strip_prefix("target=")).unwrap_or("hook");
        let outcome = Outcome {
            command: CommandId::of(&id, verb, 1),
            release: ReleaseRef {
                id,
                key: ServiceKey::new(service, ENVIRONMENT),
                cluster: None,
                version: version.into(),
            },
            status,
            is_stale: false,
            is_retryable: options.contains(&"retryable"),
            target: target.into(),
            attempts: 1,
            detail: "503".into(),
            actor: None,
        };
        self.send(EventBody::Outcome(Box::new(outcome)));
    }

    fn alert(&mut self, name: &str, options: &[&str]) {
        let is_resolved = options.contains(&"resolved");
        let labels = options.iter().filter_map(|option| option.split_once('=')).chain([("alertname", name)]);
        let alert = Alert {
            labels: Labels::from_pairs(labels),
            starts_at: at(self.second),
            ends_at: is_resolved.then(|| at(self.second)),
            ..Alert::default()
        };
        self.send(EventBody::Alerts(vec![alert]));
    }

    pub(super) fn send(&mut self, body: EventBody) {
        let position = Position(self.events.len() as u64);
        let now = at(self.second);
        let event = Event {
            id: EventId::from_text(format!("evt_{}", position.0)),
            at: now,
            source: "test".into(),
            is_copy: false,
            body,
        };
        if self.analyzer.poll_timeout().is_some_and(|due| due <= now) {
            self.analyzer.handle_timeout(now);
        }
        self.analyzer.handle_event(now, position, &event);
        self.events.push((now, position, event));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(proposal) = self.analyzer.poll_proposal() {
            self.told.extend(told(&proposal).map(|text| format!("{}s {text}", self.second)));
            self.proposals.push(proposal);
        }
    }
}

pub(super) fn release_id(service: &str, version: &str, change: &str) -> ReleaseId {
    ReleaseId::of(service, ENVIRONMENT, "", version, change)
}

impl Arm {
    /// Counts requests of which so many failed.
    pub(super) fn add(&mut self, requests: u64, errors: u64) {
        *self.counters.entry("requests").or_default() += requests as f64;
        *self.counters.entry("errors").or_default() += errors as f64;
    }

    fn rate(&self, name: &str) -> f64 {
        self.rates.get(name).copied().unwrap_or(0.0)
    }

    fn serve(&mut self, seconds: f64) {
        let requests = self.rate("rps") * seconds;
        let checkouts = self.rate("checkouts") * seconds;
        let added = [
            ("requests", requests),
            ("errors", requests * self.rate("errors")),
            ("slow", requests * self.rate("slow")),
            ("started", checkouts),
            ("completed", checkouts * self.rate("converted")),
        ];
        for (name, count) in added {
            *self.counters.entry(name).or_default() += count;
        }
    }

    fn count(&self, name: &str) -> f64 {
        self.counters.get(name).copied().unwrap_or(0.0).floor()
    }

    fn expose(&self, service: &str, version: &str, now: Timestamp, batch: &mut Batch) {
        let instance = format!("{service}-{version}");
        let common =
            [("service", service), ("environment", ENVIRONMENT), ("job", "shop"), ("instance", &*instance)];
        let version = (version != "-").then_some(("version", version));
        let mut push = |name: &str, extra: Option<(&str, &str)>, kind: SeriesKind, value: f64| {
            let labels = [("__name__", name)].into_iter().chain(common).chain(version).chain(extra);
            batch.push(labels, kind, [Sample { value, at: now, start: None }]);
        };
        let (requests, errors, slow) = (self.count("requests"), self.count("errors"), self.count("slow"));
        let counter = SeriesKind::Unknown;
        push("http_requests_total", Some(("code", "200")), counter, (requests - errors).max(0.0));
        push("http_requests_total", Some(("code", "500")), counter, errors);
        let fine = [("0.1", 0.0), ("0.5", requests - slow), ("1", requests - slow), ("2.5", requests)];
        // An SDK's default for milliseconds, which a histogram in seconds was not given others for.
        let coarse = [("0", 0.0), ("5", requests - slow), ("10", requests), ("25", requests)];
        let buckets = if self.rates.contains_key("coarse") { coarse } else { fine };
        for (le, count) in buckets.into_iter().chain([("+Inf", requests)]) {
            push("http_request_duration_seconds_bucket", Some(("le", le)), counter, count);
        }
        push("http_request_duration_seconds_count", None, counter, requests);
        if self.rates.contains_key("checkouts") {
            push("checkout_started_total", None, counter, self.count("started"));
            push("checkout_completed_total", None, counter, self.count("completed"));
        }
        if let Some(load) = self.rates.get("load") {
            push("process_load", None, SeriesKind::Gauge, *load);
        }
    }
}
