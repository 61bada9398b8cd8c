//! The services themselves: pods, versions, requests, counters; the truth beside what Ripcord sees of it.

use std::collections::BTreeMap;

use model::{Batch, RequestEvent, ServiceKey, Timestamp};

use crate::{
    page::{Page, Pod},
    plan::{ENVIRONMENT, Plan, ServicePlan, Telemetry},
    random::Random,
    senders::Change,
};

/// Far from zero, so that windows reach back into real time.
const BEGIN_MS: i64 = 1_800_000_000_000;

const SCRAPE_INTERVAL_SECONDS: u32 = 15;

/// How long an old version's pods take to go.
const DRAIN_SECONDS: u32 = 10;

const PODS: usize = 2;

pub(crate) fn moment(second: u32) -> Timestamp {
    Timestamp::from_millis(BEGIN_MS + i64::from(second) * 1000)
}

pub(crate) fn second_of(at: Timestamp) -> i64 {
    (at.as_millis() - BEGIN_MS) / 1000
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
    /// Pods that are gone and have to be marked stale, with the version that they ran.
    ended: Vec<(usize, Pod)>,
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
    /// What goes over the sender's lagging connection.
    Lagging(Batch),
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
            service.restart_if_due(second, planned);
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
            None => self.start(version, 1.0, second),
        }
    }

    /// A tenth of the traffic goes to `version`.
    pub(crate) fn run_canary(&mut self, version: usize, second: u32) {
        self.running.iter_mut().for_each(|it| it.share *= 0.75);
        self.start(version, 0.25, second);
    }

    pub(crate) fn remove(&mut self, second: u32) {
        self.retire(second, |_| true);
    }

    /// Pods get new names and count from zero; the old ones are marked stale.
    pub(crate) fn replace_pods(&mut self, second: u32) {
        for at in 0..self.running.len() {
            let version = self.running[at].version;
            let fresh = self.pods(version, second);
            let old = std::mem::replace(&mut self.running[at].pods, fresh);
            self.ended.extend(old.into_iter().map(|pod| (version, pod)));
        }
    }

    /// Processes restart in place: the same series count from zero.
    pub(crate) fn reset_counters(&mut self, second: u32) {
        for pod in self.running.iter_mut().flat_map(|it| &mut it.pods) {
            pod.restart(second);
        }
    }

    fn restart_if_due(&mut self, second: u32, planned: &ServicePlan) {
        let gets_other_bounds =
            planned.senders.changed.is_some_and(|it| it.change == Change::Bounds && it.from == second);
        if gets_other_bounds || planned.senders.restarts.contains(&second) {
            self.reset_counters(second);
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

    fn start(&mut self, version: usize, share: f64, second: u32) {
        let pods = self.pods(version, second);
        self.running.push(Running { version, share, pods, until: u32::MAX });
    }

    fn pods(&mut self, version: usize, second: u32) -> Vec<Pod> {
        let mut fresh = || {
            self.next_pod += 1;
            let instance = format!("{}-{version}-{}", self.key.service, self.next_pod);
            Pod { instance, started_at: second, ..Pod::default() }
        };
        (0..PODS).map(|_| fresh()).collect()
    }

    fn drain(&mut self, second: u32) {
        let (gone, running): (Vec<_>, Vec<_>) = self.running.drain(..).partition(|it| it.until <= second);
        self.running = running;
        for running in gone {
            self.ended.extend(running.pods.into_iter().map(|pod| (running.version, pod)));
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

    fn scrape(&mut self, second: u32, planned: &ServicePlan) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let key = self.key.clone();
        let faults = &planned.senders;
        for running in &mut self.running {
            let labels = labels(&key, planned, running.version);
            let page = Page { labels: &labels, faults, second };
            for (writer, pod) in running.pods.iter_mut().enumerate() {
                pieces.extend(page.of(pod, writer));
            }
        }
        for (version, pod) in std::mem::take(&mut self.ended) {
            let labels = labels(&key, planned, version);
            pieces.extend(Page { labels: &labels, faults, second }.end_of(&pod));
        }
        pieces
    }
}

/// What all series of a service's version have in common.
fn labels(key: &ServiceKey, planned: &ServicePlan, version: usize) -> Vec<(&'static str, String)> {
    let mut labels = vec![("service", key.service.clone()), ("environment", key.environment.clone())];
    if !planned.senders.shares_resource {
        labels.push(("job", key.service.clone()));
    }
    if planned.telemetry == Telemetry::Versioned {
        labels.push(("version", planned.versions[version].name.clone()));
    }
    labels
}

impl Piece {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Batch(batch) | Self::Lagging(batch) => batch.series.is_empty(),
            Self::Requests(requests) => requests.is_empty(),
        }
    }
}

/// Puts pieces together into one batch a connection, as a sender does that need not split.
pub(crate) fn join(pieces: Vec<Piece>) -> Vec<Piece> {
    let (mut whole, mut lagging) = (Batch::default(), Batch::default());
    let mut joined = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Batch(batch) => append(&mut whole, &batch),
            Piece::Lagging(batch) => append(&mut lagging, &batch),
            Piece::Requests(_) => joined.push(piece),
        }
    }
    joined.extend([Piece::Batch(whole), Piece::Lagging(lagging)].into_iter().filter(|it| !it.is_empty()));
    joined
}

fn append(whole: &mut Batch, batch: &Batch) {
    for series in &batch.series {
        let Some(labels) = model::LabelBytes::parse(batch.labels_of(series)) else { continue };
        whole.push(labels, series.kind, batch.samples_of(series).iter().copied());
    }
}
