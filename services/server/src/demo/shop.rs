//! The shop: three services that answer HTTP on loopback and count what they did.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::random::Random;
use crate::{connections::Connections, http};

/// Upper bounds of the latency histogram, seconds; those of the OpenTelemetry SDKs.
pub(super) const BOUNDS_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How a version behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    error_ratio: f64,
    typical_ms: f64,
}

/// The faulty version fails one request in eight and takes four times as long; all others are well.
fn behaviour_of(service: &str, version: &str, is_search_down: bool) -> Behaviour {
    match (service, version) {
        ("checkout", "2.4.1") => Behaviour { error_ratio: 0.125, typical_ms: 80.0 },
        ("search", _) if is_search_down => Behaviour { error_ratio: 0.4, typical_ms: 15.0 },
        _ => Behaviour { error_ratio: 0.001, typical_ms: 20.0 },
    }
}

/// What one instance counted since it started.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) by_code: BTreeMap<u16, u64>,
    /// Requests at most as slow as each bound; not cumulative.
    pub(super) buckets: [u64; BOUNDS_SECONDS.len() + 1],
    pub(super) sum_seconds: f64,
}

/// One request as the access log of a service without metrics has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLine {
    pub(super) status: u16,
    pub(super) duration_ms: f64,
}

#[derive(Debug)]
struct Instance {
    version: String,
    /// A new one for each deployment, as pods have new names.
    name: String,
    counts: Counts,
    log: Vec<LogLine>,
    random: Random,
    is_down: bool,
    started: u32,
}

/// A service of the shop.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    instance: Mutex<Instance>,
}

/// The shop.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(super) services: Vec<Arc<Service>>,
}

impl Shop {
    pub(super) async fn start(stop: CancellationToken) -> anyhow::Result<Self> {
        let mut services = Vec::new();
        for (seed, (name, version)) in
            [("checkout", "2.3.9"), ("catalog", "1.8.0"), ("search", "")].iter().enumerate()
        {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let service = Arc::new(Service {
                name,
                address: listener.local_addr()?,
                instance: Mutex::new(Instance::new(name, version, 1, Random::new(seed as u64 + 1))),
            });
            let router = Router::new().route("/", get(answer)).with_state(Arc::clone(&service));
            let connections = Connections::register(&Registry::new())?;
            tokio::spawn(http::serve(listener, router, connections, stop.clone()));
            services.push(service);
        }
        Ok(Self { services })
    }

    fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Puts another version of a service in place, as a deployment tool does.
    pub(crate) fn deploy(&self, name: &str, version: &str) {
        if let Some(service) = self.service(name) {
            let mut instance = service.lock();
            let random = std::mem::replace(&mut instance.random, Random::new(0));
            *instance = Instance::new(name, version, instance.started + 1, random);
        }
    }

    /// Makes a service fail without a release.
    pub(crate) fn break_down(&self, name: &str, is_down: bool) {
        if let Some(service) = self.service(name) {
            service.lock().is_down = is_down;
        }
    }

    /// The version a service runs.
    pub(crate) fn version(&self, name: &str) -> String {
        self.service(name).map(|service| service.lock().version.clone()).unwrap_or_default()
    }
}

impl Instance {
    fn new(service: &str, version: &str, started: u32, random: Random) -> Self {
        let name = format!("{service}-{started}");
        let (version, counts) = (version.to_owned(), Counts::default());
        Self { version, name, counts, log: Vec::new(), random, is_down: false, started }
    }
}

impl Service {
    fn lock(&self) -> std::sync::MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Version, instance name and counts: what a scrape sees.
    pub(super) fn scrape(&self) -> (String, String, Counts) {
        let instance = self.lock();
        (instance.version.clone(), instance.name.clone(), instance.counts.clone())
    }

    /// What the access log got since the last call.
    pub(super) fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.lock().log)
    }

    /// Decides how one request goes; the instance it belongs to is named so that a request that outlives its
    /// instance is not counted on the next.
    fn draw(&self) -> (String, u16, Duration) {
        let mut instance = self.lock();
        let behaviour = behaviour_of(self.name, &instance.version, instance.is_down);
        let status = if instance.random.unit() < behaviour.error_ratio { 500 } else { 200 };
        // A long tail: one request in twenty takes about four times as long as the typical one.
        let stretch = 0.5 - 1.2 * instance.random.unit().max(1e-9).ln();
        let duration = Duration::from_secs_f64(behaviour.typical_ms * stretch / 1000.0);
        (instance.name.clone(), status, duration)
    }

    fn record(&self, instance_name: &str, status: u16, duration: Duration) {
        let mut instance = self.lock();
        if instance.name != instance_name {
            return;
        }
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        *instance.counts.by_code.entry(status).or_default() += 1;
        instance.counts.buckets[bucket] += 1;
        instance.counts.sum_seconds += seconds;
        if self.name == "search" {
            instance.log.push(LogLine { status, duration_ms: seconds * 1000.0 });
        }
    }
}

async fn answer(State(service): State<Arc<Service>>) -> StatusCode {
    let watch = telemetry::clock::Stopwatch::start();
    let (instance, status, work) = service.draw();
    tokio::time::sleep(work).await;
    service.record(&instance, status, watch.elapsed());
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
