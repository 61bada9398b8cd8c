//! What the analyzers count about the telemetry they take in, on `/metrics`.

use analyzer::store::Counters;
use model::Partition;
use prometheus::{IntCounterVec, IntGaugeVec, Registry};
use telemetry::metrics::{counter, gauges};

#[derive(Clone, Debug)]
pub(crate) struct StoreMetrics {
    samples: IntCounterVec,
    requests: IntCounterVec,
    discarded: IntCounterVec,
    adjusted: IntCounterVec,
    stale_markers: IntCounterVec,
    series_discarded: IntCounterVec,
    series_gone: IntCounterVec,
    scrapes_held: IntCounterVec,
    births: IntCounterVec,
    streams_evicted: IntCounterVec,
    series: IntGaugeVec,
    services: IntGaugeVec,
    bytes: IntGaugeVec,
    refused: IntCounterVec,
    forgotten: IntCounterVec,
    info_conflicts: IntCounterVec,
}

impl StoreMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        let plain = |name, help| counter(registry, name, help, &[]);
        let by_reason = |name, help| counter(registry, name, help, &["reason"]);
        Ok(Self {
            samples: plain("ripcord_store_samples_total", "Samples of series that the analyzers took in.")?,
            requests: plain("ripcord_store_requests_total", "Request events that the analyzers took in.")?,
            discarded: by_reason(
                "ripcord_store_samples_discarded_total",
                "Samples and request events that are not in the windows: late (older than the windows reach, or \
                 before 1970), out_of_order (not newer than the series' last one; repeats too), not_a_number (NaN, \
                 infinite, or negative where a counter is expected), standby (of a replica that is not the elected \
                 one), implausible (a counter that grew faster than any service does), no_room (of series beyond a limit, \
                 or that cannot be read).",
            )?,
            adjusted: by_reason(
                "ripcord_store_samples_adjusted_total",
                "Samples that are in the windows other than they were sent: future (moved to the server's time, as \
                 the sender's clock is ahead), reset (a counter that began again at zero).",
            )?,
            stale_markers: plain(
                "ripcord_store_stale_markers_total",
                "Stale markers: ends of series that senders report.",
            )?,
            series_discarded: by_reason(
                "ripcord_store_series_discarded_total",
                "New series that nothing is counted of: unreadable (labels), unplaced (no service or environment so \
                 far; `ripcord discover` lists them).",
            )?,
            series_gone: plain(
                "ripcord_store_series_gone_total",
                "Series that were waited for in vain and are taken to be gone, as no stale marker came.",
            )?,
            scrapes_held: plain(
                "ripcord_store_scrapes_held_total",
                "Scrapes of which a part had not come when `settle` ran out; they are judged in part until it comes.",
            )?,
            streams_evicted: plain(
                "ripcord_store_streams_evicted_total",
                "OTLP streams that gave their place to another writer of the same labels.",
            )?,
            births: counter(
                registry,
                "ripcord_store_births_total",
                "First values of series that are new at a known target, by whether they are counted from zero: counted, or \
                 baseline (a birth is not plausible).",
                &["result"],
            )?,
            series: gauges(registry, "ripcord_store_series", "Series in memory.", &["partition"])?,
            services: gauges(
                registry,
                "ripcord_store_services",
                "Services, each in one environment, with telemetry in memory.",
                &["partition"],
            )?,
            bytes: gauges(
                registry,
                "ripcord_store_bytes",
                "What telemetry takes in memory, as it is estimated for the budgets.",
                &["partition"],
            )?,
            refused: by_reason(
                "ripcord_store_refused_total",
                "Series, requests and releases that there was no room for: event (one event opens too many services \
                 and versions), service, sender, all (what is theirs of memory or services is taken), labels (of one \
                 series, too long).",
            )?,
            forgotten: plain(
                "ripcord_store_forgotten_services_total",
                "Services that were forgotten early to make room for others.",
            )?,
            info_conflicts: plain(
                "ripcord_store_info_conflicts_total",
                "Samples of info series that name another version or service than those of the sender that was first: \
                 they change nothing.",
            )?,
        })
    }

    /// For one partition's analyzer, which has counted `counted` so far: in another process, or before a restart.
    pub(crate) fn of(&self, partition: Partition, counted: Counters) -> StoreCounts {
        StoreCounts { metrics: self.clone(), partition: partition.to_string(), counted }
    }
}

/// One partition's share of [`StoreMetrics`].
#[derive(Debug)]
pub(crate) struct StoreCounts {
    metrics: StoreMetrics,
    partition: String,
    counted: Counters,
}

impl StoreCounts {
    /// Adds what was counted since the last call.
    pub(crate) fn note(&mut self, now: Counters) {
        let before = std::mem::replace(&mut self.counted, now);
        let metrics = &self.metrics;
        let add = |metric: &IntCounterVec, labels: &[&str], get: fn(&Counters) -> u64| {
            metric.with_label_values(labels).inc_by(get(&now).saturating_sub(get(&before)));
        };
        add(&metrics.samples, &[], |it| it.samples);
        add(&metrics.requests, &[], |it| it.requests);
        add(&metrics.discarded, &["late"], |it| it.late);
        add(&metrics.discarded, &["out_of_order"], |it| it.out_of_order);
        add(&metrics.discarded, &["not_a_number"], |it| it.not_a_number);
        add(&metrics.discarded, &["standby"], |it| it.standby);
        add(&metrics.discarded, &["implausible"], |it| it.implausible);
        add(&metrics.info_conflicts, &[], |it| it.info_conflicts);
        add(&metrics.discarded, &["no_room"], |it| it.dropped_series);
        add(&metrics.adjusted, &["future"], |it| it.future);
        add(&metrics.adjusted, &["reset"], |it| it.resets);
        add(&metrics.stale_markers, &[], |it| it.stale_markers);
        add(&metrics.series_discarded, &["unreadable"], |it| it.unreadable);
        add(&metrics.series_discarded, &["unplaced"], |it| it.unplaced);
        add(&metrics.series_gone, &[], |it| it.gone_series);
        add(&metrics.scrapes_held, &[], |it| it.incomplete_scrapes);
        add(&metrics.births, &["counted"], |it| it.births);
        add(&metrics.births, &["baseline"], |it| it.refused_births);
        add(&metrics.streams_evicted, &[], |it| it.evicted_streams);
        add(&metrics.refused, &["event"], |it| it.refused_by_event);
        add(&metrics.refused, &["service"], |it| it.refused_by_service);
        add(&metrics.refused, &["sender"], |it| it.refused_by_sender);
        add(&metrics.refused, &["all"], |it| it.refused_by_all);
        add(&metrics.refused, &["labels"], |it| it.refused_labels);
        add(&metrics.forgotten, &[], |it| it.forgotten_places);
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge.with_label_values(&[&self.partition]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&metrics.series, now.series);
        set(&metrics.services, now.places);
        set(&metrics.bytes, now.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_shown_by_what_was_counted_since_the_partition_was_taken_over() {
        let registry = Registry::new();
        let before = Counters { samples: 1000, late: 7, ..Counters::default() };
        let mut counts = StoreMetrics::register(&registry).unwrap().of(Partition(3), before);
        let now = Counters {
            series: 50,
            samples: 1100,
            requests: 1,
            late: 9,
            out_of_order: 3,
            resets: 4,
            stale_markers: 5,
            not_a_number: 6,
            future: 7,
            dropped_series: 8,
            unreadable: 9,
            unplaced: 10,
            standby: 11,
            incomplete_scrapes: 12,
            gone_series: 13,
            births: 14,
            refused_births: 15,
            evicted_streams: 16,
            places: 17,
            bytes: 18,
            refused_by_event: 19,
            refused_by_service: 20,
            refused_by_sender: 21,
            refused_by_all: 22,
            refused_labels: 23,
            forgotten_places: 24,
            implausible: 25,
            info_conflicts: 26,
        };
        counts.note(now);
        counts.note(now);
        let text = telemetry::metrics::render(&registry).unwrap();
        for line in [
            "ripcord_store_samples_total 100",
            "ripcord_store_requests_total 1",
            "ripcord_store_samples_discarded_total{reason=\"late\"} 2",
            "ripcord_store_samples_discarded_total{reason=\"out_of_order\"} 3",
            "ripcord_store_samples_discarded_total{reason=\"not_a_number\"} 6",
            "ripcord_store_samples_discarded_total{reason=\"standby\"} 11",
            "ripcord_store_samples_discarded_total{reason=\"no_room\"} 8",
            "ripcord_store_samples_adjusted_total{reason=\"future\"} 7",
            "ripcord_store_samples_adjusted_total{reason=\"reset\"} 4",
            "ripcord_store_stale_markers_total 5",
            "ripcord_store_series_discarded_total{reason=\"unreadable\"} 9",
            "ripcord_store_series_discarded_total{reason=\"unplaced\"} 10",
            "ripcord_store_series_gone_total 13",
            "ripcord_store_scrapes_held_total 12",
            "ripcord_store_births_total{result=\"counted\"} 14",
            "ripcord_store_births_total{result=\"baseline\"} 15",
            "ripcord_store_streams_evicted_total 16",
            "ripcord_store_series{partition=\"3\"} 50",
            "ripcord_store_services{partition=\"3\"} 17",
            "ripcord_store_bytes{partition=\"3\"} 18",
            "ripcord_store_refused_total{reason=\"event\"} 19",
            "ripcord_store_refused_total{reason=\"service\"} 20",
            "ripcord_store_refused_total{reason=\"sender\"} 21",
            "ripcord_store_refused_total{reason=\"all\"} 22",
            "ripcord_store_refused_total{reason=\"labels\"} 23",
            "ripcord_store_forgotten_services_total 24",
            "ripcord_store_samples_discarded_total{reason=\"implausible\"} 25",
            "ripcord_store_info_conflicts_total 26",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
