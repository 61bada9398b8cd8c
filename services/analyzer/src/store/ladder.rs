//! Which bucket series belong together, and what bounds they have.
//!
//! The `_bucket` series that differ in `le` alone are the rungs of one **ladder**: one histogram of one
//! target. The bounds that its scrapes are counted with are its **layout**; equal layouts share one number. A
//! bound that comes or ends gives the ladder another layout, and what was counted before stays under the old one.
//!
//! A rung belongs to a bound, not to a series: a series with another spelling of the number takes it over. All
//! increases that are counted together are of the same time: a rung that comes, or comes back, is counted from its
//! second scrape on, unless the whole ladder began anew.

use std::{collections::BTreeMap, sync::Arc};

use model::{LabelBytes, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    series::NO_RUNG,
    slab::{InUse, NONE, Slab},
    table::SeriesTable,
};

/// Bounds of one histogram. Classic ones have ten to thirty; this many is a mistake.
pub(super) const RUNGS_MAX: usize = 512;

/// Different layouts in the whole store: one or a few a library. Beyond, buckets are not counted.
const LAYOUTS_MAX: usize = 4096;

/// The name of the label with a bucket's upper bound.
const BOUND: &str = "le";

/// Interned bounds, ascending.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Layouts {
    all: Vec<Arc<[f64]>>,
    #[serde(skip)]
    by_bits: BTreeMap<Vec<u64>, u32>,
}

impl Layouts {
    pub(super) fn bounds_of(&self, layout: u32) -> Arc<[f64]> {
        self.all.get(layout as usize).cloned().unwrap_or_default()
    }

    fn intern(&mut self, bounds: &[f64]) -> u32 {
        let bits = bits_of(bounds);
        if let Some(&layout) = self.by_bits.get(&bits) {
            return layout;
        }
        if self.all.len() >= LAYOUTS_MAX {
            return NONE;
        }
        let layout = self.all.len() as u32;
        self.all.push(Arc::from(bounds));
        self.by_bits.insert(bits, layout);
        layout
    }

    /// After a snapshot; `None` unless all differ and none is longer than a ladder may be.
    fn reindex(&mut self) -> Option<()> {
        let numbered = self.all.iter().zip(0..).filter(|(bounds, _)| bounds.len() <= RUNGS_MAX);
        self.by_bits = numbered.map(|(bounds, layout)| (bits_of(bounds), layout)).collect();
        (self.by_bits.len() == self.all.len()).then_some(())
    }
}

fn bits_of(bounds: &[f64]) -> Vec<u64> {
    bounds.iter().map(|bound| bound.to_bits()).collect()
}

/// Whether a rung is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// Its series ended, is missing for good, or was not settled yet.
    Out,
    /// In the scrape at hand it has its baseline: it is counted from the next on.
    Joining,
    In,
}

/// One bound of a histogram.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rung {
    bound: f64,
    pub(super) series: u32,
    /// The series that had the bound before, in another spelling.
    pub(super) replaced: u32,
    pub(super) place: Place,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ladder {
    /// Not in a snapshot: the labels of any of its series say it.
    #[serde(skip)]
    key: Box<[u8]>,
    /// When its first series began; [`Timestamp::MIN`] where that is not known.
    start: Timestamp,
    /// Ascending by bound.
    pub(super) rungs: Vec<Rung>,
    /// `None`: bounds came or went since it was looked up.
    pub(super) layout: Option<u32>,
    /// When its counts began anew.
    pub(super) began_at: Timestamp,
    /// The newest scrape of it that has settled.
    pub(super) settled_at: Timestamp,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            key: Box::default(),
            start: Timestamp::MIN,
            rungs: Vec::new(),
            layout: None,
            began_at: Timestamp::MIN,
            settled_at: Timestamp::MIN,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ladders {
    pub(super) ladders: Slab<Ladder>,
    #[serde(skip)]
    by_key: BTreeMap<Box<[u8]>, u32>,
    pub(super) layouts: Layouts,
}

/// The upper bound of a bucket series, in seconds where its name says that it is a time; `None` if it has none or
/// one that is no number.
pub(super) fn bound_of(labels: &Labels) -> Option<f64> {
    let bound: f64 = labels.get(BOUND)?.parse().ok()?;
    let bound = bound / units_per_second(labels.get("__name__").unwrap_or_default());
    (!bound.is_nan() && bound != f64::NEG_INFINITY).then_some(bound)
}

/// Limits and answers are in seconds; a histogram's unit stands at the end of its name, as Prometheus' conventions
/// have it.
fn units_per_second(bucket_name: &str) -> f64 {
    let family = bucket_name.strip_suffix("_bucket").unwrap_or(bucket_name);
    match family.rsplit('_').next() {
        Some("milliseconds") => 1e3,
        Some("microseconds") => 1e6,
        Some("nanoseconds") => 1e9,
        _ => 1.0,
    }
}

/// What came of putting a series on a ladder.
pub(super) struct Joined {
    pub(super) ladder: u32,
    /// The series whose bound it takes over, or [`NONE`].
    pub(super) replaced: u32,
    /// The one that had been taken over by that, or [`NONE`]: it is on no ladder any more.
    pub(super) dropped: u32,
}

impl Ladders {
    /// Puts a bucket series on its ladder; `None` if that is full.
    ///
    /// Streams that share their labels have ladders of their own, by when they began.
    pub(super) fn join(
        &mut self,
        labels: &Labels,
        start: Timestamp,
        bound: f64,
        series: u32,
    ) -> Option<Joined> {
        let key = key_of(labels, start);
        let id = match self.by_key.get(&key) {
            Some(&id) => id,
            None => {
                let id = self.ladders.insert(Ladder { key: key.clone(), start, ..Ladder::default() });
                self.by_key.insert(key, id);
                id
            }
        };
        let ladder = &mut self.ladders[id];
        let at = ladder.rungs.partition_point(|rung| rung.bound < bound);
        if let Some(rung) = ladder.rungs.get_mut(at).filter(|rung| rung.bound == bound) {
            let replaced = std::mem::replace(&mut rung.series, series);
            let dropped = std::mem::replace(&mut rung.replaced, replaced);
            ladder.layout = None;
            return Some(Joined { ladder: id, replaced, dropped });
        }
        if ladder.rungs.len() >= RUNGS_MAX {
            return None;
        }
        ladder.rungs.insert(at, Rung { bound, series, replaced: NONE, place: Place::Out });
        Some(Joined { ladder: id, replaced: NONE, dropped: NONE })
    }

    /// Takes a series off its ladder; the one that gets its bound back, or [`NONE`].
    pub(super) fn leave(&mut self, id: u32, series: u32) -> u32 {
        let ladder = &mut self.ladders[id];
        let mut heir = NONE;
        for rung in &mut ladder.rungs {
            if rung.series == series {
                rung.series = std::mem::replace(&mut rung.replaced, NONE);
                rung.place = Place::Out;
                heir = rung.series;
            } else if rung.replaced == series {
                rung.replaced = NONE;
            }
        }
        ladder.rungs.retain(|rung| rung.series != NONE);
        ladder.layout = None;
        if ladder.rungs.is_empty() {
            let ladder = self.ladders.remove(id);
            self.by_key.remove(&ladder.key);
        }
        heir
    }

    /// The ladder's layout if nothing changed since it was looked up.
    pub(super) fn layout_of(&self, id: u32) -> Option<u32> {
        self.ladders[id].layout
    }

    /// The spelling of its bound that a series took the place of; [`NONE`] if there is none.
    pub(super) fn replaced_by(&self, id: u32, series: u32) -> u32 {
        let rung = self.ladders[id].rungs.iter().find(|rung| rung.series == series);
        rung.map_or(NONE, |rung| rung.replaced)
    }

    /// Looks the layout up anew; returns it and each series with its place in it.
    pub(super) fn relayout(&mut self, id: u32) -> (u32, impl Iterator<Item = (u32, u16)>) {
        let ladder = &mut self.ladders[id];
        let is_in = |rung: &&Rung| rung.place == Place::In;
        let bounds: Vec<f64> = ladder.rungs.iter().filter(is_in).map(|rung| rung.bound).collect();
        let layout = self.layouts.intern(&bounds);
        ladder.layout = Some(layout);
        let mut next = 0;
        let places = ladder.rungs.iter().flat_map(move |rung| {
            let place = if rung.place == Place::In { next } else { NO_RUNG };
            next += u16::from(rung.place == Place::In);
            [(rung.series, place), (rung.replaced, place)]
        });
        (layout, places.filter(|(series, _)| *series != NONE))
    }
}

impl Ladders {
    /// After a snapshot: every ladder has rungs, whose series know it, and a key that no other has.
    pub(super) fn reindex(&mut self, table: &SeriesTable) -> Option<()> {
        self.layouts.reindex()?;
        let layouts = self.layouts.all.len();
        for (id, ladder) in self.ladders.used_mut() {
            let is_own = |series: u32| table.series.get(series).is_some_and(|it| it.ladder == id);
            let is_rung = |it: &Rung| is_own(it.series) && (it.replaced == NONE || is_own(it.replaced));
            let is_layout = |layout: u32| layout == NONE || (layout as usize) < layouts;
            if !ladder.rungs.iter().all(is_rung) || !ladder.layout.is_none_or(is_layout) {
                return None;
            }
            ladder.key = key_of(&table.parsed_labels_of(ladder.rungs.first()?.series), ladder.start);
            if self.by_key.insert(ladder.key.clone(), id).is_some() {
                return None;
            }
        }
        Some(())
    }

    pub(super) fn in_use(&self) -> InUse {
        self.ladders.in_use()
    }
}

/// The start, and all labels but the bound.
fn key_of(labels: &Labels, start: Timestamp) -> Box<[u8]> {
    let mut key = start.as_millis().to_le_bytes().to_vec();
    LabelBytes::encode(labels.iter().filter(|(name, _)| *name != BOUND), &mut key);
    key.into()
}
