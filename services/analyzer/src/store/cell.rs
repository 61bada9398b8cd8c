//! The windows of one metric source for one version of one service.

use std::{sync::Arc, time::Duration};

use model::Timestamp;
use policy::MetricSource;
use serde::{Deserialize, Serialize};

use super::{
    ladder::Layouts,
    lane::{Buckets, Counts, Gauges},
    ring::{Lane, Ring, Saved, Shape, Span},
};

/// More layouts of one histogram at once than versions of a library run side by side; beyond, the one that was
/// silent longest is given up.
const LAYOUTS_MAX: usize = 16;

/// What a ring takes beside its slots: itself and the list of its pages.
const RING_BYTES: usize = 400;

/// What a cell or a layer takes beside its rings.
const CELL_BYTES: usize = 128;

/// One ring a window length, ascending.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "L: Saved", deserialize = "L: Saved"))]
pub(super) struct Rings<L>(Vec<Ring<L>>);

impl<L> Default for Rings<L> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<L: Lane> Rings<L> {
    pub(super) fn new(windows: &[Duration], ring: impl Fn(Shape) -> Ring<L>) -> Self {
        Self(windows.iter().map(|&window| ring(Shape::of(window))).collect())
    }

    /// Keeps the rings of `windows`, drops others, adds empty ones for those that are new.
    pub(super) fn reshape(&mut self, windows: &[Duration], ring: impl Fn(Shape) -> Ring<L>) {
        let mut before = std::mem::take(&mut self.0);
        for &window in windows {
            let kept = before.iter().position(|it| it.shape.window == window);
            self.0.push(kept.map_or_else(|| ring(Shape::of(window)), |at| before.swap_remove(at)));
        }
    }

    /// The ring for a window: its own, else the shortest that holds it, else the longest.
    pub(super) fn of(&self, window: Duration) -> Option<&Ring<L>> {
        self.0.iter().find(|ring| ring.shape.window >= window).or(self.0.last())
    }

    pub(super) fn for_each(&mut self, visit: impl FnMut(&mut Ring<L>)) {
        self.0.iter_mut().for_each(visit);
    }

    /// What they take now.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|ring| RING_BYTES + ring.lane.bytes()).sum()
    }

    /// What they take with every slot in use.
    fn bytes_full(&self, slot_bytes: usize) -> usize {
        self.0.iter().map(|ring| RING_BYTES + slot_bytes * ring.shape.kept()).sum()
    }
}

impl<L: Lane> Ring<L> {
    /// Its slots for a question, and what they reach.
    pub(super) fn read(
        &self,
        at: Timestamp,
        window: Duration,
        since: Option<Timestamp>,
    ) -> Option<(Span, Reach)> {
        let span = self.span(at, window, since)?;
        let from = self.first_at.max(at - window).max(since.unwrap_or(Timestamp::MIN)).max(self.kept_from());
        let covered = at.since(from).as_secs_f64() / window.as_secs_f64().max(0.001);
        Some((span, Reach { coverage: covered.min(1.0), newest_at: self.newest_at.min(at) }))
    }
}

/// How much of a window data reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) coverage: f64,
    pub(super) newest_at: Timestamp,
}

impl Reach {
    pub(super) fn join(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self { coverage: self.coverage.max(other.coverage), newest_at: self.newest_at.max(other.newest_at) }
    }
}

/// What a series counts for in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Part {
    /// Of a ratio: the part, the total, or both.
    Ratio {
        is_part: bool,
        is_total: bool,
    },
    Count,
    Bucket,
    Gauge,
}

/// What comes with an increase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Increase {
    pub(super) at: Timestamp,
    pub(super) whole: u64,
    /// The gauge's value, where it is one.
    pub(super) value: f64,
    /// The histogram's layout and which of its buckets it is.
    pub(super) layout: u32,
    pub(super) rung: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) enum Cell {
    #[default]
    Free,
    /// Part, total, samples.
    Ratio(Rings<Counts<3>>),
    /// Events, samples.
    Count(Rings<Counts<2>>),
    Gauge(Rings<Gauges>),
    Histogram(Layered),
}

impl Cell {
    /// Whether a window holds any sample.
    pub(super) fn has_data(&self, at: Timestamp, window: Duration) -> bool {
        fn samples<L: Lane>(
            rings: &Rings<L>,
            (at, window): (Timestamp, Duration),
            sum: impl Fn(&L, Span) -> u64,
        ) -> bool {
            let Some(ring) = rings.of(window) else { return false };
            ring.read(at, window, None).is_some_and(|(span, _)| sum(&ring.lane, span) > 0)
        }
        let asked = (at, window);
        match self {
            Self::Free => false,
            Self::Ratio(rings) => samples(rings, asked, |lane, span| lane.sum(span)[2]),
            Self::Count(rings) => samples(rings, asked, |lane, span| lane.sum(span)[1]),
            Self::Gauge(rings) => samples(rings, asked, |lane, span| lane.sum(span).1),
            Self::Histogram(layered) => layered.layouts.iter().any(|layer| {
                samples(&layer.rings, asked, |lane, span| lane.sum(span, &mut vec![0; layer.bounds.len()]))
            }),
        }
    }

    pub(super) fn new(source: &MetricSource, windows: &[Duration]) -> Self {
        match source {
            MetricSource::Ratio { .. } => Self::Ratio(Rings::new(windows, Counts::ring)),
            MetricSource::Throughput(_) => Self::Count(Rings::new(windows, Counts::ring)),
            MetricSource::Gauge(_) => Self::Gauge(Rings::new(windows, Gauges::ring)),
            MetricSource::Histogram(_) => {
                Self::Histogram(Layered { windows: windows.to_vec(), layouts: Vec::new() })
            }
            // Counted by version, not by series.
            MetricSource::RequestErrors
            | MetricSource::RequestDurations
            | MetricSource::RequestThroughput => Self::Free,
        }
    }

    /// What it takes with every slot in use. Series fill all slots within two windows, and their counts must not
    /// be refused then: half of a ratio is worse than none.
    pub(super) fn bytes(&self) -> usize {
        let rings = match self {
            Self::Free => 0,
            Self::Ratio(rings) => rings.bytes_full(size_of::<[u64; 3]>()),
            Self::Count(rings) => rings.bytes_full(size_of::<[u64; 2]>()),
            Self::Gauge(rings) => rings.bytes_full(size_of::<(f64, u64)>()),
            Self::Histogram(layered) => layered.layouts.iter().map(Layer::bytes).sum(),
        };
        CELL_BYTES + rings
    }

    pub(super) fn reshape(&mut self, windows: &[Duration]) {
        match self {
            Self::Free => {}
            Self::Ratio(rings) => rings.reshape(windows, Counts::ring),
            Self::Count(rings) => rings.reshape(windows, Counts::ring),
            Self::Gauge(rings) => rings.reshape(windows, Gauges::ring),
            Self::Histogram(layered) => layered.reshape(windows),
        }
    }

    /// Counts an increase; by how much the cell has grown.
    pub(super) fn add(&mut self, part: Part, by: &Increase, layouts: &Layouts) -> isize {
        match (self, part) {
            (Self::Ratio(rings), Part::Ratio { is_part, is_total }) => {
                let amounts = [by.whole * u64::from(is_part), by.whole * u64::from(is_total), 1];
                rings.for_each(|ring| {
                    if let Some(place) = ring.place(by.at) {
                        ring.lane.add(place, amounts);
                    }
                });
            }
            (Self::Count(rings), Part::Count) => rings.for_each(|ring| {
                if let Some(place) = ring.place(by.at) {
                    ring.lane.add(place, [by.whole, 1]);
                }
            }),
            (Self::Gauge(rings), Part::Gauge) => rings.for_each(|ring| {
                if let Some(place) = ring.place(by.at) {
                    ring.lane.add(place, by.value);
                }
            }),
            (Self::Histogram(layered), Part::Bucket) => return layered.add(by, layouts),
            _ => {}
        }
        0
    }
}

/// A histogram's rings, one set a layout of bounds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Layered {
    windows: Vec<Duration>,
    pub(super) layouts: Vec<Layer>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Layer {
    pub(super) layout: u32,
    /// Not in a snapshot: the layout says them.
    #[serde(skip)]
    pub(super) bounds: Arc<[f64]>,
    newest_at: Timestamp,
    pub(super) rings: Rings<Buckets>,
}

impl Layered {
    fn reshape(&mut self, windows: &[Duration]) {
        self.windows = windows.to_vec();
        for layer in &mut self.layouts {
            let buckets = layer.bounds.len();
            layer.rings.reshape(windows, |shape| Buckets::ring(shape, buckets));
        }
    }

    fn add(&mut self, by: &Increase, layouts: &Layouts) -> isize {
        let (at, grown) = match self.layouts.iter().position(|it| it.layout == by.layout) {
            Some(at) => (at, 0),
            None => self.open(by.layout, layouts),
        };
        let layer = &mut self.layouts[at];
        layer.newest_at = layer.newest_at.max(by.at);
        layer.rings.for_each(|ring| {
            if let Some(place) = ring.place(by.at) {
                ring.lane.add(place, usize::from(by.rung), by.whole);
            }
        });
        grown
    }

    /// Where the new layer stands, and by how much the layers have grown.
    fn open(&mut self, layout: u32, layouts: &Layouts) -> (usize, isize) {
        let mut given_up = 0;
        if self.layouts.len() >= LAYOUTS_MAX {
            let oldest = self.layouts.iter().enumerate().min_by_key(|it| it.1.newest_at).map_or(0, |it| it.0);
            given_up = self.layouts.swap_remove(oldest).bytes();
        }
        let bounds = layouts.bounds_of(layout);
        let buckets = bounds.len();
        let rings = Rings::new(&self.windows, |shape| Buckets::ring(shape, buckets));
        let layer = Layer { layout, bounds, newest_at: Timestamp::MIN, rings };
        let grown = layer.bytes() as isize - given_up as isize;
        self.layouts.push(layer);
        (self.layouts.len() - 1, grown)
    }
}

impl Layer {
    fn bytes(&self) -> usize {
        let row = size_of::<Box<[u32]>>() + (self.bounds.len() + 1) * size_of::<u32>();
        CELL_BYTES + self.rings.bytes_full(row)
    }
}

impl Cell {
    /// After a snapshot: histograms get their bounds again; `None` where they do not fit what was counted.
    pub(super) fn take_bounds(&mut self, layouts: &Layouts) -> Option<()> {
        let Self::Histogram(layered) = self else { return Some(()) };
        layered.layouts.iter_mut().try_for_each(|layer| {
            layer.bounds = layouts.bounds_of(layer.layout);
            let columns = layer.bounds.len() + 1;
            layer.rings.0.iter().all(|ring| ring.lane.columns() == columns).then_some(())
        })
    }
}
