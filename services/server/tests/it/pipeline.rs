//! The pure cores in one line, analyzer and arbiter, with injected time: hours of a shop's life in milliseconds.

use std::collections::BTreeMap;

use analyzer::Analyzer;
use arbiter::Arbiter;
use model::{
    Batch, Command, CommandState, Decision, DeploymentEvent, DeploymentStatus, Event, EventBody, EventId,
    Notice, NoticeStatus, PolicyLoad, Position, ReleaseId, Sample, SeriesKind, ServiceKey, Timestamp,
};

/// Second 0 of every story; far from zero, so that windows reach back into real time.
const BEGIN_MS: i64 = 1_800_000_000_000;

pub(crate) const SCRAPE_INTERVAL_S: i64 = 15;

/// What a version of a service does, per second and as shares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arm {
    pub(crate) rps: f64,
    pub(crate) errors: f64,
    /// Share of requests that take longer than a second.
    pub(crate) slow: f64,
    /// In which second of the interval it is scraped.
    pub(crate) offset_s: i64,
    pub(crate) is_gone: bool,
    /// How many seconds after its errors the rest of a scrape arrives.
    pub(crate) torn_by_s: i64,
    requests: f64,
    failed: f64,
    late: f64,
}

/// What of a scrape a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Errors,
    Rest,
}

/// A shop, what judges it, and what was decided.
pub(crate) struct World {
    analyzer: Analyzer,
    arbiter: Arbiter,
    pub(crate) second: i64,
    position: u64,
    /// Scrapes on their way, by the second in which they arrive.
    due: Vec<(i64, Batch)>,
    pub(crate) arms: BTreeMap<(String, String), Arm>,
    pub(crate) commands: BTreeMap<String, Command>,
    /// The second in which each command first was ready to be sent.
    pub(crate) sent: BTreeMap<String, i64>,
    pub(crate) notices: Vec<Notice>,
    /// Everything that came in.
    pub(crate) events: Vec<Event>,
}

impl World {
    pub(crate) fn new(policy: &str) -> Self {
        let mut world = Self {
            analyzer: Analyzer::new(),
            arbiter: Arbiter::new(),
            second: 0,
            position: 0,
            due: Vec::new(),
            arms: BTreeMap::new(),
            commands: BTreeMap::new(),
            sent: BTreeMap::new(),
            notices: Vec::new(),
            events: Vec::new(),
        };
        world.load(policy);
        world
    }

    /// Puts a policy into force; every service of production has a target.
    pub(crate) fn load(&mut self, policy: &str) {
        let text = format!(
            r#"
metrics:
  error_rate:      {{ ratio: {{ bad: 'http_requests_total{{code="500"}}', total: http_requests_total }} }}
  response_time:   {{ histogram: http_request_duration_seconds }}
policies: [ {{ match: {{ environment: production }}, target: {{ exec: {{ argv: ["/bin/true"] }} }} }} ]
{policy}"#
        );
        let load = PolicyLoad { files: vec![("ripcord.yml".into(), text)], origin: "start".into() };
        let (compiled, diagnostics) = policy::compile(&load);
        assert!(compiled.is_some(), "{diagnostics:?}");
        self.send(EventBody::PolicyLoad(Box::new(load)));
    }

    /// Changes what a version does from now on.
    pub(crate) fn serve(&mut self, service: &str, version: &str, change: impl FnOnce(&mut Arm)) {
        change(self.arms.entry((service.to_owned(), version.to_owned())).or_default());
    }

    pub(crate) fn every_arm(&mut self, change: impl Fn(&mut Arm)) {
        self.arms.values_mut().for_each(change);
    }

    /// The version is out, all of it at once, and the tool says what it replaced.
    pub(crate) fn deploy(&mut self, service: &str, version: &str, previous: Option<&str>) {
        self.announce(service, version, |event| event.previous_version = previous.map(str::to_owned));
    }

    pub(crate) fn announce(
        &mut self,
        service: &str,
        version: &str,
        change: impl FnOnce(&mut DeploymentEvent),
    ) {
        let mut event = DeploymentEvent {
            release_id: ReleaseId::of(service, "production", "", version, ""),
            key: ServiceKey::new(service, "production"),
            version: version.to_owned(),
            status: DeploymentStatus::Deployed,
            ..DeploymentEvent::default()
        };
        change(&mut event);
        self.send(EventBody::Deployment(Box::new(event)));
    }

    /// Lives on for so many seconds: traffic, scrapes, ticks.
    pub(crate) fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second += 1;
            let now = self.now();
            for ((service, version), arm) in self.arms.iter_mut().filter(|(_, arm)| !arm.is_gone) {
                arm.live_a_second();
                if self.second % SCRAPE_INTERVAL_S != arm.offset_s {
                    continue;
                }
                if arm.torn_by_s == 0 {
                    self.due.push((self.second, arm.expose(service, version, now, Part::Whole)));
                } else {
                    self.due.push((self.second, arm.expose(service, version, now, Part::Errors)));
                    let later = self.second + arm.torn_by_s;
                    self.due.push((later, arm.expose(service, version, now, Part::Rest)));
                }
            }
            let second = self.second;
            let arrived: Vec<_> = self.due.extract_if(.., |(due, _)| *due <= second).collect();
            arrived.into_iter().for_each(|(_, batch)| self.send(EventBody::Telemetry(batch)));
            self.send(EventBody::Tick);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN_MS + self.second * 1000)
    }

    pub(crate) fn send(&mut self, body: EventBody) {
        let now = self.now();
        let id = EventId::from_text(format!("evt_{}", self.position));
        let event = Event { id, at: now, source: "test".into(), is_copy: false, body };
        if self.arbiter.poll_timeout().is_some_and(|due| due <= now) {
            self.arbiter.handle_timeout(now);
            self.take_decisions();
        }
        if self.analyzer.poll_timeout().is_some_and(|due| due <= now) {
            self.analyzer.handle_timeout(now);
        }
        self.analyzer.handle_event(now, Position(self.position), &event);
        self.events.push(event.clone());
        self.position += 1;
        while let Some(proposal) = self.analyzer.poll_proposal() {
            self.arbiter.handle_proposal(now, &event.id, &proposal);
            self.take_decisions();
        }
    }

    fn take_decisions(&mut self) {
        while let Some(decision) = self.arbiter.poll_decision() {
            match decision {
                Decision::Command(command) => {
                    let name = format!("{} {}", command.release.key.service, command.release.version);
                    if command.state == CommandState::Ready {
                        self.sent.entry(name.clone()).or_insert(self.second);
                    }
                    self.commands.insert(name, *command);
                }
                Decision::Notice(notice) => self.notices.push(*notice),
                _ => {}
            }
        }
    }

    /// Why the newest command about this version was not sent.
    pub(crate) fn why(&self, release: &str) -> &str {
        self.commands.get(release).map_or("no command", |command| command.state_reason.as_str())
    }

    /// Summaries of what fired, newest last.
    pub(crate) fn fired(&self) -> impl Iterator<Item = &str> {
        let firing = self.notices.iter().filter(|notice| notice.status == NoticeStatus::Firing);
        firing.filter_map(|notice| notice.annotations.get("summary"))
    }
}

impl Arm {
    fn live_a_second(&mut self) {
        self.requests += self.rps;
        self.failed += self.rps * self.errors;
        self.late += self.rps * self.slow;
    }

    fn expose(&self, service: &str, version: &str, now: Timestamp, part: Part) -> Batch {
        let mut batch = Batch { is_whole: part == Part::Whole, ..Batch::default() };
        let instance = format!("{service}-{version}");
        let (requests, failed, late) = (self.requests.floor(), self.failed.floor(), self.late.floor());
        let mut push = |name: &str, extra: Option<(&str, &str)>, value: f64| {
            let common = [
                ("__name__", name),
                ("service", service),
                ("environment", "production"),
                ("job", "shop"),
                ("instance", instance.as_str()),
            ];
            let version = (version != "-").then_some(("version", version));
            let labels = common.into_iter().chain(version).chain(extra);
            batch.push(labels, SeriesKind::Unknown, [Sample { value, at: now, start: None }]);
        };
        if part != Part::Rest {
            push("http_requests_total", Some(("code", "500")), failed);
        }
        if part == Part::Errors {
            return batch;
        }
        push("http_requests_total", Some(("code", "200")), requests - failed);
        // The last finite bound is the limit that the stories set: what is slower is known to be so.
        for (le, count) in [("0.5", requests - late), ("1", requests - late), ("+Inf", requests)] {
            push("http_request_duration_seconds_bucket", Some(("le", le)), count);
        }
        push("http_request_duration_seconds_count", None, requests);
        batch
    }
}
