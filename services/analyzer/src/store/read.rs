//! Answers from the windows.
//!
//! A metric's sources are alternatives: each version is counted by the first that has data in the window, so that
//! a service which sends the same requests in two forms has them counted once, and two versions that are
//! instrumented differently can be asked for together. No data at all is `None`, and so is a source that never was
//! seen; samples that add up to nothing are an answer of 0.

use std::{collections::BTreeMap, time::Duration};

use model::{ServiceKey, Timestamp};
use policy::{MetricSource, RatioKind};

use super::{
    Ask, GaugeValue, HistogramCount, Known, RatioCount, Store, ThroughputValue, Versions,
    catalog::Version,
    cell::{Cell, Reach},
    durations::RequestCounts,
    histogram::LayoutCounts,
};

/// A version whose requests are pushed still runs if its last one is not older than this: services with less
/// traffic show too little to compare with anyway.
const PUSHED_SILENCE_MAX: Duration = Duration::from_secs(60);

impl Store {
    /// How many of how many.
    pub fn ratio(&self, ask: &Ask<'_>) -> Option<RatioCount> {
        let counts = self.sources(ask).filter_map(|(source, definition)| {
            let (kind, (part, total, reach)) = match definition {
                MetricSource::Ratio { kind, .. } => (*kind, self.ratio_of_series(ask, source)?),
                MetricSource::RequestErrors => {
                    let (counts, reach) = self.requests_of(ask, source, None)?;
                    (RatioKind::Bad, (counts.errors, counts.requests, reach))
                }
                _ => return None,
            };
            let Reach { coverage, newest_at } = reach;
            Some(RatioCount { part, total, kind, coverage, newest_at })
        });
        counts.reduce(|sum, own| RatioCount {
            part: sum.part.saturating_add(own.part),
            total: sum.total.saturating_add(own.total),
            kind: sum.kind,
            coverage: sum.coverage.max(own.coverage),
            newest_at: sum.newest_at.max(own.newest_at),
        })
    }

    /// How long requests took, or whatever the histogram observes. Versions that send request events only are left
    /// out where others have a histogram: their durations have no buckets.
    pub fn histogram(&self, ask: &Ask<'_>) -> Option<HistogramCount> {
        let of_series = self.histogram_of_series(ask);
        of_series.or_else(|| {
            self.sources(ask).find_map(|(source, definition)| match definition {
                MetricSource::RequestDurations => {
                    let mut durations = Vec::new();
                    let (counts, reach) = self.requests_of(ask, source, Some(&mut durations))?;
                    let histogram = HistogramCount::of_durations(&durations, reach.coverage, reach.newest_at);
                    (counts.timed > 0).then_some(histogram)
                }
                _ => None,
            })
        })
    }

    /// The mean over series and window.
    pub fn gauge(&self, ask: &Ask<'_>) -> Option<GaugeValue> {
        let (mut sum, mut samples, mut reach) = (0.0, 0, None::<Reach>);
        for cell in self.sources(ask).flat_map(|(source, _)| self.cells(ask, source)) {
            let Cell::Gauge(rings) = cell else { continue };
            let Some(ring) = rings.of(ask.window) else { continue };
            let Some((span, own)) = ring.read(ask.at, ask.window, ask.since) else { continue };
            let (own_sum, own_samples) = ring.lane.sum(span);
            if own_samples > 0 {
                (sum, samples, reach) = (sum + own_sum, samples + own_samples, Some(own.join(reach)));
            }
        }
        let Reach { coverage, newest_at } = reach?;
        Some(GaugeValue { value: sum / samples as f64, samples, coverage, newest_at })
    }

    /// Events per second.
    pub fn throughput(&self, ask: &Ask<'_>) -> Option<ThroughputValue> {
        let counts = self.sources(ask).filter_map(|(source, definition)| match definition {
            MetricSource::Throughput(_) => self.count_of_series(ask, source),
            MetricSource::RequestThroughput => {
                let (counts, reach) = self.requests_of(ask, source, None)?;
                Some((counts.requests, reach))
            }
            _ => None,
        });
        let joined =
            counts.reduce(|(sum, reach), (own, other)| (sum.saturating_add(own), reach.join(Some(other))));
        let (count, Reach { coverage, newest_at }) = joined?;
        let covered_s = (coverage * ask.window.as_secs_f64()).max(1.0);
        Some(ThroughputValue { per_second: count as f64 / covered_s, count, coverage, newest_at })
    }

    /// Up to which moment it is known, at the look of event time `at`, what `versions` did: until the slowest of
    /// their targets reported, or until they ended. `None` where nothing of them was ever seen.
    pub fn known(&self, key: &ServiceKey, versions: Versions<'_>, at: Timestamp) -> Option<Known> {
        let service = self.catalog.service(key)?;
        let asked = service.versions.iter().filter(|(name, _)| versions.include(name.as_deref()));
        let (mut complete, mut newest) = (None::<Timestamp>, None::<Timestamp>);
        for version in asked.map(|(_, &id)| &self.catalog.versions[id]) {
            let Some((_, last_at)) = version.seen else { continue };
            newest = newest.max(Some(last_at.min(at)));
            // Spans and request events come as they happen: there is no scrape to wait for.
            let is_pushed = version.reports.is_empty() && at.since(last_at) <= PUSHED_SILENCE_MAX;
            let own = if is_pushed { Some(at) } else { version.reports.complete_until(at) };
            complete = [complete, own].into_iter().flatten().min();
        }
        let until = complete.or(newest)?;
        Some(Known { until, is_alive: complete.is_some() })
    }

    fn sources<'a>(&'a self, ask: &Ask<'_>) -> impl Iterator<Item = (u32, &'a MetricSource)> + use<'a> {
        let places = self.config.places(ask.key, ask.metric);
        places.iter().map(|&place| (place, &self.config.sources[place as usize].definition))
    }

    /// Whether a version is counted by this source: the first with data in the whole window, whatever part of it
    /// is asked for, so that the source does not change with the deployment that a question begins at.
    fn is_counted_by(&self, ask: &Ask<'_>, version: &Version, source: u32) -> bool {
        let is_there = |place: u32, definition: &MetricSource| {
            version.cells.contains_key(&place) || (definition.is_requests() && version.has_requests)
        };
        let there = || {
            let sources = self.sources(ask).filter(|(place, definition)| is_there(*place, definition));
            sources.map(|(place, _)| place)
        };
        if there().nth(1).is_none() {
            return there().next() == Some(source);
        }
        there().find(|place| self.has_data(ask, version, *place)) == Some(source)
    }

    fn has_data(&self, ask: &Ask<'_>, version: &Version, source: u32) -> bool {
        let Some(cell) = version.cells.get(&source) else {
            let ring = version.requests.of(ask.window);
            let read = ring.and_then(|ring| Some((ring, ring.read(ask.at, ask.window, None)?.0)));
            return read.is_some_and(|(ring, span)| ring.lane.sum(span, None).requests > 0);
        };
        self.catalog.cells[*cell].has_data(ask.at, ask.window)
    }

    fn asked_versions<'a>(&'a self, ask: &'a Ask<'_>) -> impl Iterator<Item = &'a Version> {
        let versions = self.catalog.service(ask.key).into_iter().flat_map(|service| service.versions.iter());
        let asked = versions.filter(|(name, _)| ask.versions.include(name.as_deref()));
        asked.map(|(_, &id)| &self.catalog.versions[id])
    }

    fn cells<'a>(&'a self, ask: &'a Ask<'_>, source: u32) -> impl Iterator<Item = &'a Cell> {
        let versions = self.asked_versions(ask).filter(move |it| self.is_counted_by(ask, it, source));
        let cells = versions.filter_map(move |version| version.cells.get(&source));
        cells.map(|&cell| &self.catalog.cells[cell])
    }

    fn ratio_of_series(&self, ask: &Ask<'_>, source: u32) -> Option<(u64, u64, Reach)> {
        let (mut part, mut total, mut reach) = (0_u64, 0_u64, None::<Reach>);
        for cell in self.cells(ask, source) {
            let Cell::Ratio(rings) = cell else { continue };
            let Some(ring) = rings.of(ask.window) else { continue };
            let Some((span, own)) = ring.read(ask.at, ask.window, ask.since) else { continue };
            let [own_part, own_total, samples] = ring.lane.sum(span);
            if samples > 0 {
                (part, total) = (part.saturating_add(own_part), total.saturating_add(own_total));
                reach = Some(own.join(reach));
            }
        }
        Some((part, total, reach?))
    }

    fn count_of_series(&self, ask: &Ask<'_>, source: u32) -> Option<(u64, Reach)> {
        let (mut count, mut reach) = (0_u64, None::<Reach>);
        for cell in self.cells(ask, source) {
            let Cell::Count(rings) = cell else { continue };
            let Some(ring) = rings.of(ask.window) else { continue };
            let Some((span, own)) = ring.read(ask.at, ask.window, ask.since) else { continue };
            let [own_count, samples] = ring.lane.sum(span);
            if samples > 0 {
                (count, reach) = (count.saturating_add(own_count), Some(own.join(reach)));
            }
        }
        Some((count, reach?))
    }

    fn histogram_of_series(&self, ask: &Ask<'_>) -> Option<HistogramCount> {
        let mut layouts: BTreeMap<u32, LayoutCounts> = BTreeMap::new();
        let mut reach = None::<Reach>;
        for cell in self.sources(ask).flat_map(|(source, _)| self.cells(ask, source)) {
            let Cell::Histogram(layered) = cell else { continue };
            for layer in &layered.layouts {
                let Some(ring) = layer.rings.of(ask.window) else { continue };
                let Some((span, own)) = ring.read(ask.at, ask.window, ask.since) else { continue };
                let mut sums = vec![0; layer.bounds.len()];
                if ring.lane.sum(span, &mut sums) == 0 {
                    continue;
                }
                reach = Some(own.join(reach));
                let known = layouts
                    .entry(layer.layout)
                    .or_insert_with(|| (layer.bounds.clone(), vec![0; layer.bounds.len()]));
                known.1.iter_mut().zip(sums).for_each(|(sum, own)| *sum += own);
            }
        }
        let Reach { coverage, newest_at } = reach?;
        Some(HistogramCount::of_layouts(layouts.into_values().collect(), coverage, newest_at))
    }

    fn requests_of(
        &self,
        ask: &Ask<'_>,
        source: u32,
        mut durations: Option<&mut Vec<u64>>,
    ) -> Option<(RequestCounts, Reach)> {
        let (mut counts, mut reach) = (RequestCounts::default(), None::<Reach>);
        let versions = self.asked_versions(ask).filter(|it| self.is_counted_by(ask, it, source));
        for version in versions.filter(|version| version.has_requests) {
            let Some(ring) = version.requests.of(ask.window) else { continue };
            let Some((span, own)) = ring.read(ask.at, ask.window, ask.since) else { continue };
            let own_counts = ring.lane.sum(span, durations.as_deref_mut());
            if own_counts.requests > 0 {
                counts.add(own_counts);
                reach = Some(own.join(reach));
            }
        }
        Some((counts, reach?))
    }
}
