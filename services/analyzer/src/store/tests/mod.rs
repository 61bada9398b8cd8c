//! Scenarios: samples in as text, looks and window contents out as text.

mod bounds;
mod conventions;
mod copies;
mod floods;
mod identity;
mod lags;
mod limits;
mod promql;
mod scrapes;
mod sources;
mod streams;
mod truth;
mod verdicts;
mod whole;
mod windows;

use std::time::Duration;

use model::{Batch, Sample, SeriesKind, ServiceKey, Timestamp, telemetry::STALE_NAN_BITS};
use policy::{
    HistogramSource, Identity, IdentityField, Join, MetricDefinition, MetricSource, Policy, RatioKind,
    Selector,
};

use super::{Ask, Store, Versions};

pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// Moments of the scenarios are seconds after a round number.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis((1_800_000_000 + seconds) * 1000)
}

pub(super) fn cart() -> ServiceKey {
    ServiceKey::new("cart", "production")
}

pub(super) fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

pub(super) fn policy() -> Policy {
    let mut policy = Policy::default_policy();
    let ratio = MetricSource::Ratio {
        kind: RatioKind::Bad,
        part: selector(r#"requests{code=~"5.."}"#),
        total: selector("requests"),
    };
    let histogram = MetricSource::Histogram(HistogramSource { family: selector("latency") });
    for (name, sources) in [
        ("error_rate", vec![ratio, MetricSource::RequestErrors]),
        ("response_time", vec![histogram, MetricSource::RequestDurations]),
        ("throughput", vec![MetricSource::Throughput(selector("requests")), MetricSource::RequestThroughput]),
        ("load", vec![MetricSource::Gauge(selector("load"))]),
    ] {
        let name = name.to_owned();
        policy.metrics.insert(name.clone(), MetricDefinition { name, sources });
    }
    policy.identity = Identity {
        join: vec![Join {
            info: selector("target_info"),
            on: vec!["job".into(), "instance".into()],
            take: vec![
                (IdentityField::Service, "service_name".into()),
                (IdentityField::Version, "service_version".into()),
            ],
        }],
        ..Identity::default()
    };
    policy
}

/// A store under test.
pub(super) struct Rig {
    pub(super) store: Store,
    /// Put on every series that does not have them.
    pub(super) labels: Vec<(&'static str, &'static str)>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = policy();
        change(&mut policy);
        let mut store = Store::default();
        store.configure(&policy);
        let labels = vec![
            ("service", "cart"),
            ("environment", "production"),
            ("version", "1"),
            ("job", "cart"),
            ("instance", "a"),
        ];
        Self { store, labels }
    }

    /// One request. A line is a series and its samples: `requests{code="200"} 5@10 stale@20 7@30<15`, the
    /// number after `<` being when the counter began. A leading `delta` or `gauge` says the kind.
    pub(super) fn send(&mut self, now: i64, lines: &str) {
        let batch = self.batch(lines);
        self.store.handle_batch(at(now), &batch);
    }

    pub(super) fn send_whole(&mut self, now: i64, lines: &str) {
        let batch = Batch { is_whole: true, ..self.batch(lines) };
        self.store.handle_batch(at(now), &batch);
    }

    pub(super) fn batch(&self, lines: &str) -> Batch {
        let mut batch = Batch::default();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (kind, line) = match line.split_once(' ') {
                Some(("delta", rest)) => (SeriesKind::Delta, rest),
                Some(("gauge", rest)) => (SeriesKind::Gauge, rest),
                _ => (SeriesKind::Unknown, line),
            };
            let (series, samples) = line.rsplit_once("} ").unwrap();
            let (name, own) = series.split_once('{').unwrap();
            let mut labels = vec![("__name__", name)];
            for pair in own.split(',').filter(|pair| !pair.is_empty()) {
                let (label, value) = pair.split_once('=').unwrap();
                labels.push((label, value.trim_matches('"')));
            }
            let missing = self.labels.iter().filter(|it| !labels.iter().any(|have| have.0 == it.0));
            let mut all: Vec<_> = labels.iter().chain(missing).copied().collect();
            all.sort_unstable();
            batch.push(all, kind, samples.split(' ').map(sample));
        }
        batch
    }

    pub(super) fn tick(&mut self, now: i64) {
        self.store.handle_timeout(at(now));
    }

    /// `cart@30`, a look a service.
    pub(super) fn looks(&mut self) -> String {
        let looks = self.store.take_looks().into_iter();
        let shown = looks.map(|look| format!("{}@{}", look.key.service, look.at.since(at(0)).as_secs()));
        shown.collect::<Vec<_>>().join(" ")
    }

    /// `part/total` of the error rate.
    pub(super) fn ratio(&self, versions: Versions<'_>, moment: i64) -> String {
        let key = cart();
        match self.store.ratio(&ask(&key, "error_rate", versions, moment)) {
            Some(count) => format!("{}/{}", count.part, count.total),
            None => "none".into(),
        }
    }
}

pub(super) fn ask<'a>(key: &'a ServiceKey, metric: &'a str, versions: Versions<'a>, moment: i64) -> Ask<'a> {
    Ask { key, versions, metric, window: WINDOW, at: at(moment), since: None }
}

fn sample(text: &str) -> Sample {
    let (value, moment) = text.split_once('@').unwrap();
    let (moment, start) = moment.split_once('<').map_or((moment, None), |(it, start)| (it, Some(start)));
    let value = if value == "stale" { f64::from_bits(STALE_NAN_BITS) } else { value.parse().unwrap() };
    Sample { value, at: at(moment.parse().unwrap()), start: start.map(|it| at(it.parse().unwrap())) }
}
