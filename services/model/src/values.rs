//! Rolling values as the API shows them.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use crate::{ErrorBound, ServiceKey, Timestamp};

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValuesQuery {
    pub service: String,
    pub environment: Option<String>,
    pub version: Option<String>,
    /// `None`: the service's longest window of `error_rate`.
    pub window: Option<Duration>,
}

/// Latency of a window, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyValues {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub count: u64,
    pub error_bound: ErrorBound,
}

/// One version's rolling values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionValues {
    /// `None` where telemetry carries no version.
    pub version: Option<String>,
    pub route: Option<String>,
    pub coverage: f64,
    pub requests: u64,
    pub errors: u64,
    pub error_rate: Option<f64>,
    /// Wilson interval, 95 % (STATISTICS 1.7: for display, never for decisions).
    pub error_rate_bounds: Option<(f64, f64)>,
    pub latency: Option<LatencyValues>,
    /// The policy's other metrics by name.
    pub metrics: Vec<(String, f64)>,
}

/// One service's rolling values.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceValues {
    pub key: ServiceKey,
    pub window: Duration,
    pub at: Timestamp,
    pub versions: Vec<VersionValues>,
    /// What the policy holds against them.
    pub limits: Vec<Limit>,
}

/// A trigger that looks at a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub trigger: String,
    pub condition: String,
    pub window: Duration,
}

/// A service that sent something.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSeen {
    pub key: ServiceKey,
    pub versions: Vec<Option<String>>,
    pub series: u64,
    /// How many of them some metric of the policy counts.
    pub counted_series: u64,
    /// Names of series, a few of them, where no metric counts anything that the service sends: it is not judged.
    pub uncounted: Vec<String>,
    pub last_sample_at: Option<Timestamp>,
}

/// The series of one job that could not be placed, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unplaced {
    /// The label `job`; where there is none, the service, if that is known.
    pub job: String,
    /// The label `instance`, of [`Unplaced::INSTANCES_MAX`] targets at most.
    pub instances: BTreeSet<String>,
    /// Which of service, environment is missing.
    pub missing: String,
    pub series: u64,
    /// How many of them a metric of the policy would count.
    pub wanted_series: u64,
    /// One of them, one that a metric would count if there is any, as `name{label="value", …}`.
    pub example: String,
}

impl Unplaced {
    /// Targets of one job that are named.
    pub const INSTANCES_MAX: usize = 100;

    fn add(&mut self, other: Self) {
        if self.wanted_series == 0 && other.wanted_series > 0 {
            self.example = other.example;
        }
        self.series += other.series;
        self.wanted_series += other.wanted_series;
        self.instances.extend(other.instances);
        while self.instances.len() > Self::INSTANCES_MAX {
            self.instances.pop_last();
        }
    }
}

/// What is left out of a service's telemetry before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Empty where what is refused does not say.
    pub service: String,
    /// As the label of `ripcord_ingest_rejected_total`.
    pub reason: String,
    /// Series, data points or lines since the start.
    pub parts: u64,
    /// The newest of them and what is wrong with it.
    pub example: String,
    pub last_at: Timestamp,
}

/// What `ripcord discover` prints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    pub services: Vec<ServiceSeen>,
    /// What a metric would count first, then what has most series; at most [`Discovery::UNPLACED_MAX`].
    pub unplaced: Vec<Unplaced>,
    /// All that could not be placed.
    pub unplaced_series: u64,
    /// Lines that `unplaced` had no room for.
    pub unplaced_more: u64,
    pub refused: Vec<Refused>,
}

impl Discovery {
    /// Jobs that are listed; a person mends the first few and looks again.
    pub const UNPLACED_MAX: usize = 200;

    /// Takes in what another partition saw.
    pub fn add(&mut self, other: Self) {
        self.services.extend(other.services);
        self.services.sort_by(|a, b| a.key.cmp(&b.key));
        self.refused.extend(other.refused);
        self.unplaced_series += other.unplaced_series;
        self.unplaced_more += other.unplaced_more;
        for line in other.unplaced {
            match self.unplaced.iter_mut().find(|it| it.job == line.job && it.missing == line.missing) {
                Some(known) => known.add(line),
                None => self.unplaced.push(line),
            }
        }
        self.put_in_order();
    }

    /// Puts the most important of `unplaced` first, and counts what there is no room for.
    pub fn put_in_order(&mut self) {
        let rank = |it: &Unplaced| (Reverse(it.wanted_series), Reverse(it.series));
        self.unplaced.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.job.cmp(&b.job)));
        self.unplaced_more += self.unplaced.len().saturating_sub(Self::UNPLACED_MAX) as u64;
        self.unplaced.truncate(Self::UNPLACED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(job: usize, wanted_series: u64) -> Unplaced {
        let instances = (0..80).map(|it| format!("{wanted_series}-{it}")).collect();
        Unplaced { job: format!("{job:03}"), series: 2, wanted_series, instances, ..Unplaced::default() }
    }

    #[test]
    fn what_partitions_saw_is_one_list_with_a_line_a_job() {
        let of = |jobs: std::ops::Range<usize>, wanted: u64| {
            let unplaced: Vec<_> = jobs.map(|job| line(job, wanted)).collect();
            Discovery { unplaced_series: 2 * unplaced.len() as u64, unplaced, ..Discovery::default() }
        };
        let mut all = of(0..150, 0);
        all.add(of(100..250, 1));
        assert_eq!((all.unplaced.len(), all.unplaced_more, all.unplaced_series), (200, 50, 600));
        let first = &all.unplaced[0];
        assert_eq!((first.job.as_str(), first.series, first.wanted_series), ("100", 4, 1));
        assert_eq!(first.instances.len(), Unplaced::INSTANCES_MAX);
    }
}
