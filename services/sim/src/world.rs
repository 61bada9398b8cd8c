//! The services themselves: pods, versions, requests, counters; the truth beside what Ripcord sees of it.

use std::collections::BTreeMap;

use model::{Batch, RequestEvent, Sample, SeriesKind, ServiceKey, Timestamp, telemetry::STALE_NAN_BITS};

use crate::{
    plan::{ENVIRONMENT, Plan, ServicePlan, Telemetry},
    random::Random,
};

/// Far from zero, so that windows reach back into real time.
const BEGIN_MS: i64 = 1_800_000_000_000;

const SCRAPE_INTERVAL_SECONDS: u32 = 15;

/// How long an old version's pods take to go.
const DRAIN_SECONDS: u32 = 10;

const PODS: usize = 2;

/// Upper bounds of the latency histogram, seconds.
const BOUNDS: [&str; 4] = ["0.1", "0.5", "2.5", "+Inf"];

pub(crate) fn moment(second: u32) -> Timestamp {
    Timestamp::from_millis(BEGIN_MS + i64::from(second) * 1000)
}

pub(crate) fn second_of(at: Timestamp) -> i64 {
    (at.as_millis() - BEGIN_MS) / 1000
}

/// What a target shows on its metrics page.
#[derive(Clone, Debug, Default)]
struct Pod {
    instance: String,
    good: u64,
    bad: u64,
    fast: u64,
}

/// A version that runs, and the pods it runs on.
#[derive(Clone, Debug)]
struct Running {
    version: usize,
    /// Of the service's traffic, 0..=1.
    share: f64,
    pods: Vec<Pod>,
    /// Drained away then.
    until: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    running: Vec<Running>,
    /// Instances that ended and have to be marked stale.
    ended: Vec<(usize, String)>,
    next_pod: u32,
    /// Requests served so far, by second and version: what no window may exceed.
    served: BTreeMap<(u32, usize), u64>,
    pending: Vec<RequestEvent>,
}

/// Telemetry of one service at one moment, in the pieces in which a sender may split it.
#[derive(Clone, Debug)]
pub(crate) struct Emission {
    pub(crate) service: usize,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Batch(Batch),
    Requests(Vec<RequestEvent>),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) services: Vec<Service>,
    random: Random,
}

impl World {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        let services = plan.services.iter().map(|service| {
            let mut made = Service {
                key: ServiceKey::new(&*service.name, ENVIRONMENT),
                running: Vec::new(),
                ended: Vec::new(),
                next_pod: 0,
                served: BTreeMap::new(),
                pending: Vec::new(),
            };
            made.run_alone(0, 0);
            made
        });
        Self { services: services.collect(), random: Random::stream(seed, &["traffic"]) }
    }

    /// One second of traffic, and the telemetry that is due at its end.
    pub(crate) fn pass(&mut self, second: u32, plan: &Plan) -> Vec<Emission> {
        let mut emissions = Vec::new();
        for (index, service) in self.services.iter_mut().enumerate() {
            let planned = &plan.services[index];
            service.drain(second);
            let is_out = plan.outage.is_some_and(|outage| outage.holds(second, index));
            service.serve(second, planned, if is_out { plan.outage_rate } else { 0.0 }, &mut self.random);
            let offset = index as u32 * 4;
            let pieces = match planned.telemetry {
                Telemetry::Requests if second.is_multiple_of(2) => service.requests(),
                Telemetry::Requests => Vec::new(),
                _ if (second + offset).is_multiple_of(SCRAPE_INTERVAL_SECONDS) => {
                    service.scrape(second, planned)
                }
                _ => Vec::new(),
            };
            if !pieces.is_empty() {
                emissions.push(Emission { service: index, pieces });
            }
        }
        emissions
    }
}

impl Service {
    /// The version with the largest share.
    pub(crate) fn current(&self) -> Option<usize> {
        let largest = self.running.iter().filter(|it| it.until == u32::MAX);
        largest.max_by(|a, b| a.share.total_cmp(&b.share)).map(|it| it.version)
    }

    pub(crate) fn is_running(&self, version: usize) -> bool {
        self.running.iter().any(|it| it.version == version && it.until == u32::MAX)
    }

    /// All traffic goes to `version`; the pods of others drain.
    pub(crate) fn run_alone(&mut self, version: usize, second: u32) {
        self.retire(second, |it| it != version);
        match self.running.iter_mut().find(|it| it.version == version && it.until == u32::MAX) {
            Some(running) => running.share = 1.0,
            None => self.start(version, 1.0),
        }
    }

    /// A tenth of the traffic goes to `version`.
    pub(crate) fn run_canary(&mut self, version: usize) {
        self.running.iter_mut().for_each(|it| it.share *= 0.75);
        self.start(version, 0.25);
    }

    pub(crate) fn remove(&mut self, second: u32) {
        self.retire(second, |_| true);
    }

    /// Pods get new names and count from zero; the old ones are marked stale.
    pub(crate) fn replace_pods(&mut self) {
        for at in 0..self.running.len() {
            let version = self.running[at].version;
            let fresh = self.pods(version);
            let old = std::mem::replace(&mut self.running[at].pods, fresh);
            self.ended.extend(old.into_iter().map(|pod| (version, pod.instance)));
        }
    }

    /// Processes restart in place: the same series count from zero.
    pub(crate) fn reset_counters(&mut self) {
        for pod in self.running.iter_mut().flat_map(|it| &mut it.pods) {
            *pod = Pod { instance: std::mem::take(&mut pod.instance), ..Pod::default() };
        }
    }

    /// How many requests of `version` were served from `from` on.
    pub(crate) fn served_since(&self, version: usize, from: u32) -> u64 {
        let since = self.served.range((from, 0)..);
        since.filter(|((_, it), _)| *it == version).map(|(_, count)| count).sum()
    }

    /// Whether `version` had requests throughout, by stretches of a scrape.
    pub(crate) fn serves(&self, version: usize, from: u32, until: u32) -> bool {
        let mut stretches = (from..until).step_by(SCRAPE_INTERVAL_SECONDS as usize);
        stretches.all(|begin| {
            let mut served = self.served.range((begin, 0)..(begin + SCRAPE_INTERVAL_SECONDS, 0));
            served.any(|((_, it), count)| *it == version && *count > 0)
        })
    }

    fn retire(&mut self, second: u32, is_over: impl Fn(usize) -> bool) {
        for running in self.running.iter_mut().filter(|it| is_over(it.version) && it.until == u32::MAX) {
            running.until = second + DRAIN_SECONDS;
            running.share = 0.0;
        }
    }

    fn start(&mut self, version: usize, share: f64) {
        let pods = self.pods(version);
        self.running.push(Running { version, share, pods, until: u32::MAX });
    }

    fn pods(&mut self, version: usize) -> Vec<Pod> {
        let mut fresh = || {
            self.next_pod += 1;
            Pod { instance: format!("{}-{version}-{}", self.key.service, self.next_pod), ..Pod::default() }
        };
        (0..PODS).map(|_| fresh()).collect()
    }

    fn drain(&mut self, second: u32) {
        let (gone, running): (Vec<_>, Vec<_>) = self.running.drain(..).partition(|it| it.until <= second);
        self.running = running;
        for running in gone {
            self.ended.extend(running.pods.into_iter().map(|pod| (running.version, pod.instance)));
        }
    }

    fn serve(&mut self, second: u32, planned: &ServicePlan, outage_rate: f64, random: &mut Random) {
        for running in &mut self.running {
            let version = &planned.versions[running.version];
            let is_bad = version.bad_from.is_some_and(|from| from <= second);
            let own_rate = if is_bad { version.bad_rate } else { version.good_rate };
            let wanted = planned.requests_per_second * running.share;
            let count = wanted as u64 + u64::from(random.chance(wanted.fract()));
            *self.served.entry((second, running.version)).or_default() += count;
            for _ in 0..count {
                let is_error = random.chance(own_rate) || random.chance(outage_rate);
                let is_fast = random.chance(0.7);
                if planned.telemetry == Telemetry::Requests {
                    self.pending.push(RequestEvent {
                        key: self.key.clone(),
                        version: Some(version.name.clone()),
                        route: None,
                        is_error,
                        duration_ms: Some(if is_fast { 50.0 } else { 300.0 }),
                        at: moment(second),
                    });
                    continue;
                }
                let at = random.between(0, PODS as u32 - 1) as usize;
                let pod = &mut running.pods[at];
                pod.bad += u64::from(is_error);
                pod.good += u64::from(!is_error);
                pod.fast += u64::from(is_fast);
            }
        }
    }

    fn requests(&mut self) -> Vec<Piece> {
        let requests = std::mem::take(&mut self.pending);
        if requests.is_empty() { Vec::new() } else { vec![Piece::Requests(requests)] }
    }

    /// Two pieces a pod, errors apart from the rest: the cut that hurts most.
    fn scrape(&mut self, second: u32, planned: &ServicePlan) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let at = moment(second);
        for running in &self.running {
            for pod in &running.pods {
                let labels = self.labels(planned, running.version, &pod.instance);
                pieces.extend(pod.pages(&labels, at).map(Piece::Batch));
            }
        }
        for (version, instance) in std::mem::take(&mut self.ended) {
            let labels = self.labels(planned, version, &instance);
            pieces.extend(stale_pages(&labels, at).map(Piece::Batch));
        }
        pieces
    }

    fn labels(&self, planned: &ServicePlan, version: usize, instance: &str) -> Vec<(&'static str, String)> {
        let mut labels = vec![
            ("service", self.key.service.clone()),
            ("environment", self.key.environment.clone()),
            ("job", self.key.service.clone()),
            ("instance", instance.to_owned()),
        ];
        if planned.telemetry == Telemetry::Versioned {
            labels.push(("version", planned.versions[version].name.clone()));
        }
        labels
    }
}

/// Name, extra label and value of a series.
type Line = (&'static str, Option<(&'static str, &'static str)>, f64);

impl Pod {
    fn pages(&self, labels: &[(&'static str, String)], at: Timestamp) -> impl Iterator<Item = Batch> {
        let total = self.good + self.bad;
        let errors: Vec<Line> = vec![("http_requests_total", Some(("code", "500")), self.bad as f64)];
        let mut rest: Vec<Line> = vec![("http_requests_total", Some(("code", "200")), self.good as f64)];
        for (bound, count) in BOUNDS.iter().zip([self.fast, total, total, total]) {
            rest.push(("http_request_duration_seconds_bucket", Some(("le", bound)), count as f64));
        }
        rest.push(("http_request_duration_seconds_count", None, total as f64));
        [page(&errors, labels, at), page(&rest, labels, at)].into_iter()
    }
}

fn stale_pages(labels: &[(&'static str, String)], at: Timestamp) -> impl Iterator<Item = Batch> {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let errors: Vec<Line> = vec![("http_requests_total", Some(("code", "500")), stale)];
    let mut rest: Vec<Line> = vec![("http_requests_total", Some(("code", "200")), stale)];
    for bound in &BOUNDS {
        rest.push(("http_request_duration_seconds_bucket", Some(("le", bound)), stale));
    }
    rest.push(("http_request_duration_seconds_count", None, stale));
    [page(&errors, labels, at), page(&rest, labels, at)].into_iter()
}

fn page(lines: &[Line], labels: &[(&'static str, String)], at: Timestamp) -> Batch {
    let mut batch = Batch::default();
    for (name, extra, value) in lines {
        let common = labels.iter().map(|(name, value)| (*name, value.as_str()));
        let all = [("__name__", *name)].into_iter().chain(common).chain(*extra);
        batch.push(all, SeriesKind::Unknown, [Sample { value: *value, at, start: None }]);
    }
    batch
}

/// Puts pieces together into one batch, as a sender does that need not split.
pub(crate) fn join(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut whole = Batch::default();
    let mut others = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Batch(batch) => append(&mut whole, &batch),
            Piece::Requests(_) => others.push(piece),
        }
    }
    if !whole.series.is_empty() {
        others.push(Piece::Batch(whole));
    }
    others
}

fn append(whole: &mut Batch, batch: &Batch) {
    for series in &batch.series {
        let Some(labels) = model::LabelBytes::parse(batch.labels_of(series)) else { continue };
        whole.push(labels, series.kind, batch.samples_of(series).iter().copied());
    }
}
