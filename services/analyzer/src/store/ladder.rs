//! Which bucket series belong together, and what bounds they have.
//!
//! The `_bucket` series that differ in `le` alone are the rungs of one **ladder**: one histogram of one
//! target. Its bounds, kept as sent, are its **layout**; equal layouts share one number. A ladder that gains a
//! bound gets another layout, and what was counted before stays under the old one.

use std::{collections::BTreeMap, sync::Arc};

use model::{LabelBytes, Labels};
use serde::{Deserialize, Serialize};

use super::{
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

#[derive(Debug, Default, Serialize, Deserialize)]
struct Ladder {
    /// Not in a snapshot: the labels of any of its series say it.
    #[serde(skip)]
    key: Box<[u8]>,
    /// Bound and series, ascending by bound.
    rungs: Vec<(f64, u32)>,
    /// `None`: bounds came or went since it was looked up.
    layout: Option<u32>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ladders {
    ladders: Slab<Ladder>,
    #[serde(skip)]
    by_key: BTreeMap<Box<[u8]>, u32>,
    pub(super) layouts: Layouts,
}

/// The upper bound of a bucket series; `None` if it has none or one that is no number.
pub(super) fn bound_of(labels: &Labels) -> Option<f64> {
    let bound: f64 = labels.get(BOUND)?.parse().ok()?;
    (!bound.is_nan() && bound != f64::NEG_INFINITY).then_some(bound)
}

impl Ladders {
    /// Puts a bucket series on its ladder; `None` if it is full or has that bound already (`1` and `1.0`).
    pub(super) fn join(&mut self, labels: &Labels, bound: f64, series: u32) -> Option<u32> {
        let key = key_of(labels);
        let id = match self.by_key.get(&key) {
            Some(&id) => id,
            None => {
                let id = self.ladders.insert(Ladder { key: key.clone(), ..Ladder::default() });
                self.by_key.insert(key, id);
                id
            }
        };
        let ladder = &mut self.ladders[id];
        let at = ladder.rungs.partition_point(|rung| rung.0 < bound);
        let is_taken = ladder.rungs.get(at).is_some_and(|rung| rung.0 == bound);
        if is_taken || ladder.rungs.len() >= RUNGS_MAX {
            return None;
        }
        ladder.rungs.insert(at, (bound, series));
        ladder.layout = None;
        Some(id)
    }

    pub(super) fn leave(&mut self, id: u32, series: u32) {
        let ladder = &mut self.ladders[id];
        ladder.rungs.retain(|rung| rung.1 != series);
        ladder.layout = None;
        if ladder.rungs.is_empty() {
            let ladder = self.ladders.remove(id);
            self.by_key.remove(&ladder.key);
        }
    }

    /// The ladder's layout if nothing changed since it was looked up.
    pub(super) fn layout_of(&self, id: u32) -> Option<u32> {
        self.ladders[id].layout
    }

    /// Looks the layout up anew; returns it and each series with its place in it.
    pub(super) fn relayout(&mut self, id: u32) -> (u32, impl Iterator<Item = (u32, u16)>) {
        let ladder = &mut self.ladders[id];
        let bounds: Vec<f64> = ladder.rungs.iter().map(|rung| rung.0).collect();
        let layout = self.layouts.intern(&bounds);
        ladder.layout = Some(layout);
        (layout, ladder.rungs.iter().enumerate().map(|(at, rung)| (rung.1, at as u16)))
    }
}

impl Ladders {
    /// After a snapshot: every ladder has rungs, whose series know it, and a key that no other has.
    pub(super) fn reindex(&mut self, table: &SeriesTable) -> Option<()> {
        self.layouts.reindex()?;
        let layouts = self.layouts.all.len();
        for (id, ladder) in self.ladders.used_mut() {
            let is_rung = |rung: &(f64, u32)| table.series.get(rung.1).is_some_and(|it| it.ladder == id);
            let is_layout = |layout: u32| layout == NONE || (layout as usize) < layouts;
            if !ladder.rungs.iter().all(is_rung) || !ladder.layout.is_none_or(is_layout) {
                return None;
            }
            ladder.key = key_of(&table.parsed_labels_of(ladder.rungs.first()?.1));
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

/// All labels but the bound.
fn key_of(labels: &Labels) -> Box<[u8]> {
    let mut key = Vec::new();
    LabelBytes::encode(labels.iter().filter(|(name, _)| *name != BOUND), &mut key);
    key.into()
}
