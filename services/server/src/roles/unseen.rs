//! Says what a partition's judge cannot judge: series that could not be placed, and services of whose series no
//! metric counts any. As metrics at every look, in the log when it changes.

use std::collections::BTreeSet;

use analyzer::Keeper;
use model::{Partition, values::Discovery};
use prometheus::{IntGaugeVec, Registry};
use telemetry::metrics::gauges;

/// Seconds between looks, each of which goes through all series: milliseconds for a million. What was the same at two
/// looks is logged, so that a series whose info series comes a moment later is not.
const LOOK_SECONDS: u32 = 30;

/// Jobs or services that one log line names.
const NAMED_MAX: usize = 10;

#[derive(Clone, Debug)]
pub(crate) struct UnseenMetrics {
    unplaced: IntGaugeVec,
    uncounted: IntGaugeVec,
}

impl UnseenMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self {
            unplaced: gauges(
                registry,
                "ripcord_unplaced_series",
                "Series without service or environment, which are not judged (ripcord discover).",
                &["partition"],
            )?,
            uncounted: gauges(
                registry,
                "ripcord_uncounted_services",
                "Services that send series of which no metric of the policy counts any (ripcord discover).",
                &["partition"],
            )?,
        })
    }
}

/// What was said of one partition.
#[derive(Debug, Default)]
pub(crate) struct Unseen {
    seconds: u32,
    /// How much there was at the last look, and what of it was named then.
    counts: (usize, usize),
    unplaced: Said,
    uncounted: Said,
}

/// Names that are logged when they were the same at two looks and are not those logged last.
#[derive(Debug, Default)]
struct Said {
    seen: BTreeSet<String>,
    logged: BTreeSet<String>,
}

impl Said {
    /// Whether it is time to log `names`.
    fn is_news(&mut self, names: BTreeSet<String>) -> bool {
        let is_steady = self.seen == names;
        self.seen = names;
        let is_news = is_steady && self.logged != self.seen;
        if is_news {
            self.logged = self.seen.clone();
        }
        is_news
    }
}

impl Unseen {
    /// To be called once a second.
    pub(crate) fn look(&mut self, keeper: &Keeper, partition: Partition, metrics: &UnseenMetrics) {
        self.seconds += 1;
        if !self.seconds.is_multiple_of(LOOK_SECONDS) {
            return;
        }
        let (unplaced, uncounted) = keeper.analyzer().unseen();
        let label = partition.to_string();
        let gauge = |gauges: &IntGaugeVec, count: usize| {
            gauges.with_label_values(&[&label]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        gauge(&metrics.unplaced, unplaced);
        gauge(&metrics.uncounted, uncounted);
        // Names cost a parse of every such series, and are needed only until they have been logged.
        let is_settled = self.counts == (unplaced, uncounted)
            && self.unplaced.seen == self.unplaced.logged
            && self.uncounted.seen == self.uncounted.logged;
        self.counts = (unplaced, uncounted);
        if !is_settled {
            self.log(&keeper.analyzer().discovery(), partition);
        }
    }

    fn log(&mut self, found: &Discovery, partition: Partition) {
        let jobs = found.unplaced.iter().map(|it| format!("{} (no {})", it.job, it.missing));
        if self.unplaced.is_news(jobs.collect()) {
            let (series, jobs) = (found.unplaced_series, named(&self.unplaced.logged));
            if series > 0 {
                tracing::warn!(
                    %partition, series, jobs,
                    "series are not judged, for no label names their service or environment: see `ripcord discover` \
                     and `identity` in ripcord.yml"
                );
            } else {
                tracing::info!(%partition, "every series has a service and an environment now");
            }
        }
        let uncounted = found.services.iter().filter(|it| !it.uncounted.is_empty());
        let services = uncounted.map(|it| format!("{} in {}", it.key.service, it.key.environment));
        if self.uncounted.is_news(services.collect()) {
            let services = named(&self.uncounted.logged);
            if services.is_empty() {
                tracing::info!(%partition, "of every service some metric counts something now");
            } else {
                tracing::warn!(
                    %partition, services,
                    "services are not judged, for no metric of the policy counts any of their series: see `ripcord \
                     discover` and `metrics` in ripcord.yml"
                );
            }
        }
    }
}

fn named(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use analyzer::Analyzer;
    use model::{Batch, Event, EventBody, EventId, Position, Sample, SeriesKind, Timestamp};

    use super::*;

    #[test]
    fn what_stays_is_logged_once_and_again_when_it_changes() {
        let mut said = Said::default();
        let mut look = |names: &[&str]| said.is_news(names.iter().map(|it| (*it).to_owned()).collect());
        for (names, is_news, why) in [
            (&[][..], false, "nothing to say at the start"),
            (&["a"], false, "it may be placed in a moment"),
            (&["a"], true, "it was not"),
            (&["a"], false, "once"),
            (&["a", "b"], false, "it may be placed in a moment"),
            (&["a", "b"], true, "another one"),
            (&[], false, "they may come again"),
            (&[], true, "all is well"),
        ] {
            assert_eq!(look(names), is_news, "{why}");
        }
    }

    #[test]
    fn series_that_are_not_judged_are_on_metrics_at_each_look() {
        let registry = Registry::new();
        let metrics = UnseenMetrics::register(&registry).unwrap();
        let start = Timestamp::from_millis(1_795_428_000_000);
        let mut keeper = Keeper::new(Partition::HOME, Analyzer::new(), Timestamp::MIN, Timestamp::MIN, None);
        let mut batch = Batch::default();
        let sample = || [Sample { value: 1.0, at: start, start: None }];
        for labels in [
            [("__name__", "http_requests_total"), ("instance", "a:1"), ("job", "legacy")],
            [("__name__", "queue_length"), ("environment", "production"), ("service", "mail")],
        ] {
            batch.push(labels, SeriesKind::Gauge, sample());
        }
        let event = Event {
            id: EventId::from_text("evt_1"),
            at: start,
            source: String::new(),
            is_copy: false,
            body: EventBody::Telemetry(batch),
        };
        keeper.judge(Position(1), &event);
        let mut unseen = Unseen::default();
        for second in 1..=LOOK_SECONDS {
            unseen.look(&keeper, Partition::HOME, &metrics);
            let shown = telemetry::metrics::render(&registry).unwrap();
            for name in ["ripcord_unplaced_series", "ripcord_uncounted_services"] {
                let is_shown = shown.contains(&format!("{name}{{partition=\"{}\"}} 1", Partition::HOME));
                assert_eq!(is_shown, second == LOOK_SECONDS, "{name} in second {second}:\n{shown}");
            }
        }
    }

    #[test]
    fn a_line_names_the_first_few() {
        let names = (10..30).map(|it| format!("job-{it}")).collect();
        assert!(named(&names).ends_with("job-18, job-19 and 10 more"), "{}", named(&names));
    }
}
