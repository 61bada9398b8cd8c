//! The load: a shop's services as Prometheus would send them.
//!
//! Per instance six routes with a histogram of twelve bounds, its count and sum, and three counters of
//! requests by code: 102 series with twelve labels each, in requests of 2,000 series that cut scrapes anywhere.

use std::time::Duration;

use analyzer::store::Store;
use model::{Batch, Sample, SeriesKind, Timestamp};
use policy::{HistogramSource, MetricDefinition, MetricSource, Policy, RatioKind, Selector};

const INSTANCES: usize = 5;
const ROUTES: [&str; 6] = ["/cart", "/checkout", "/search", "/item/{id}", "/login", "/healthz"];
const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
const CODES: [&str; 3] = ["200", "404", "500"];

/// Prometheus' default for one request.
const SERIES_A_REQUEST: usize = 2000;

pub(crate) const INTERVAL: Duration = Duration::from_secs(15);
const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) struct Shop {
    services: usize,
    /// The requests of one scrape of everything.
    pub(crate) requests: Vec<Batch>,
    /// What each series grows by a scrape, in the order of `requests`.
    steps: Vec<f64>,
    round: u32,
}

impl Shop {
    pub(crate) fn new(services: usize) -> Self {
        let mut shop = Self { services, requests: Vec::new(), steps: Vec::new(), round: 0 };
        for service in 0..services {
            for instance in 0..INSTANCES {
                ROUTES.iter().for_each(|route| shop.add_route(service, instance, route));
            }
        }
        shop
    }

    pub(crate) fn series(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn targets(&self) -> usize {
        self.services * INSTANCES
    }

    fn add_route(&mut self, service: usize, instance: usize, route: &str) {
        for (place, bound) in BOUNDS.iter().enumerate() {
            let step = (10 * (place + 1)) as f64;
            self.add("http_request_duration_seconds_bucket", service, instance, route, ("le", bound), step);
        }
        for (name, step) in
            [("http_request_duration_seconds_count", 120.0), ("http_request_duration_seconds_sum", 7.5)]
        {
            self.add(name, service, instance, route, ("scheme", "https"), step);
        }
        for (code, step) in CODES.iter().zip([110.0, 9.0, 1.0]) {
            self.add("http_requests_total", service, instance, route, ("code", code), step);
        }
    }

    fn add(
        &mut self,
        name: &str,
        service: usize,
        instance: usize,
        route: &str,
        own: (&str, &str),
        step: f64,
    ) {
        let service_name = format!("service-{service:04}");
        let address = format!("10.{}.{}.{instance}:8080", service / 250, service % 250);
        let pod = format!("{service_name}-7d4b9c6f5-x{instance}k2p");
        let mut labels = [
            ("__name__", name),
            ("cluster", "eu-west-1-production-a"),
            ("environment", "production"),
            ("instance", &address),
            ("job", &service_name),
            ("method", "GET"),
            ("namespace", "shop-production"),
            ("pod", &pod),
            ("route", route),
            ("service", &service_name),
            ("version", "2.4.1"),
            own,
        ];
        // Remote write wants them sorted.
        labels.sort();
        if self.requests.last().is_none_or(|request| request.series.len() >= SERIES_A_REQUEST) {
            self.requests.push(Batch::default());
        }
        if let Some(request) = self.requests.last_mut() {
            request.push(labels, SeriesKind::Unknown, [Sample::default()]);
        }
        self.steps.push(step);
    }

    /// The next scrape: new values at a new moment, which is returned.
    pub(crate) fn advance(&mut self) -> Timestamp {
        self.round += 1;
        let at = BEGIN + INTERVAL * self.round;
        let samples = self.requests.iter_mut().flat_map(|request| &mut request.samples);
        for (sample, step) in samples.zip(&self.steps) {
            *sample = Sample { value: step * f64::from(self.round), at, start: None };
        }
        at
    }

    /// A store that computes error rates and latencies of the shop over five minutes.
    pub(crate) fn store() -> Store {
        let mut policy = Policy::default_policy();
        let ratio = MetricSource::Ratio {
            kind: RatioKind::Bad,
            part: selector(r#"http_requests_total{code=~"5.."}"#),
            total: selector("http_requests_total"),
        };
        let family = selector("http_request_duration_seconds");
        for (name, source) in
            [("error_rate", ratio), ("response_time", MetricSource::Histogram(HistogramSource { family }))]
        {
            let definition = MetricDefinition { name: name.to_owned(), sources: vec![source] };
            policy.metrics.insert(name.to_owned(), definition);
        }
        let mut store = Store::default();
        store.configure(&policy);
        store
    }
}

#[expect(clippy::expect_used, reason = "fixed texts of a benchmark")]
fn selector(text: &str) -> Selector {
    Selector::parse(text).expect("a selector")
}
