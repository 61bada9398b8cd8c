//! Answers from the windows.
//!
//! A metric's sources are alternatives: the first that has data in the window answers. No data at all is
//! `None`, and so is a source that never was seen; samples that add up to nothing are an answer of 0.

use std::collections::BTreeMap;

use policy::{MetricSource, RatioKind};

use super::{
    Ask, GaugeValue, HistogramCount, RatioCount, Store, ThroughputValue,
    catalog::Version,
    cell::{Cell, Reach},
    durations::RequestCounts,
    histogram::LayoutCounts,
};

impl Store {
    /// How many of how many.
    pub fn ratio(&self, ask: &Ask<'_>) -> Option<RatioCount> {
        self.sources(ask).find_map(|(source, definition)| {
            let (kind, (part, total, reach)) = match definition {
                MetricSource::Ratio { kind, .. } => (*kind, self.ratio_of_series(ask, source)?),
                MetricSource::RequestErrors => {
                    let (counts, reach) = self.requests_of(ask, None)?;
                    (RatioKind::Bad, (counts.errors, counts.requests, reach))
                }
                _ => return None,
            };
            let Reach { coverage, newest_at } = reach;
            Some(RatioCount { part, total, kind, coverage, newest_at })
        })
    }

    /// How long requests took, or whatever the histogram observes.
    pub fn histogram(&self, ask: &Ask<'_>) -> Option<HistogramCount> {
        self.sources(ask).find_map(|(source, definition)| match definition {
            MetricSource::Histogram(_) => self.histogram_of_series(ask, source),
            MetricSource::RequestDurations => {
                let mut durations = Vec::new();
                let (counts, reach) = self.requests_of(ask, Some(&mut durations))?;
                let histogram = HistogramCount::of_durations(&durations, reach.coverage, reach.newest_at);
                (counts.timed > 0).then_some(histogram)
            }
            _ => None,
        })
    }

    /// The mean over series and window.
    pub fn gauge(&self, ask: &Ask<'_>) -> Option<GaugeValue> {
        self.sources(ask).find_map(|(source, _)| {
            let (mut sum, mut samples, mut reach) = (0.0, 0, None::<Reach>);
            for cell in self.cells(ask, source) {
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
        })
    }

    /// Events per second.
    pub fn throughput(&self, ask: &Ask<'_>) -> Option<ThroughputValue> {
        self.sources(ask).find_map(|(source, definition)| {
            let (count, reach) = match definition {
                MetricSource::Throughput(_) => self.count_of_series(ask, source)?,
                MetricSource::RequestThroughput => {
                    let (counts, reach) = self.requests_of(ask, None)?;
                    (counts.requests, reach)
                }
                _ => return None,
            };
            let Reach { coverage, newest_at } = reach;
            let covered_s = (coverage * ask.window.as_secs_f64()).max(1.0);
            Some(ThroughputValue { per_second: count as f64 / covered_s, count, coverage, newest_at })
        })
    }

    fn sources<'a>(&'a self, ask: &Ask<'_>) -> impl Iterator<Item = (u32, &'a MetricSource)> + use<'a> {
        let places = self.config.metrics.get(ask.metric).into_iter().flatten();
        places.map(|&place| (place, &self.config.sources[place as usize].definition))
    }

    fn asked_versions<'a>(&'a self, ask: &'a Ask<'_>) -> impl Iterator<Item = &'a Version> {
        let versions = self.catalog.service(ask.key).into_iter().flat_map(|service| service.versions.iter());
        let asked = versions.filter(|(name, _)| ask.versions.include(name.as_deref()));
        asked.map(|(_, &id)| &self.catalog.versions[id])
    }

    fn cells<'a>(&'a self, ask: &'a Ask<'_>, source: u32) -> impl Iterator<Item = &'a Cell> {
        let cells = self.asked_versions(ask).filter_map(move |version| version.cells.get(&source));
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

    fn histogram_of_series(&self, ask: &Ask<'_>, source: u32) -> Option<HistogramCount> {
        let mut layouts: BTreeMap<u32, LayoutCounts> = BTreeMap::new();
        let mut reach = None::<Reach>;
        for cell in self.cells(ask, source) {
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
        mut durations: Option<&mut Vec<u64>>,
    ) -> Option<(RequestCounts, Reach)> {
        let (mut counts, mut reach) = (RequestCounts::default(), None::<Reach>);
        for version in self.asked_versions(ask).filter(|version| version.has_requests) {
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
