//! From label bytes to the series they name.
//!
//! Senders repeat their series in one order, so each series remembers which one came after it last time: a
//! right guess costs one comparison of bytes (36 ns at 100 k series), a wrong one a hash and a comparison.
//! Nothing is ever decided by a hash alone.

mod image;

use hashbrown::HashTable;
use model::{LabelBytes, Labels};

use super::{
    arena::Arena,
    hash::hash_bytes,
    series::SeriesState,
    slab::{NONE, Slab},
};

#[derive(Debug)]
pub(super) struct SeriesTable {
    pub(super) series: Slab<SeriesState>,
    index: HashTable<u32>,
    arena: Arena,
    /// The series found last, whose successor is the guess for the next.
    cursor: u32,
}

impl Default for SeriesTable {
    fn default() -> Self {
        Self { series: Slab::default(), index: HashTable::new(), arena: Arena::default(), cursor: NONE }
    }
}

impl SeriesTable {
    /// The series with exactly these label bytes. Every region is looked for here first; one that is not
    /// found is added by [`Self::insert`] or nowhere.
    pub(super) fn find(&mut self, labels: &[u8]) -> Option<u32> {
        // A removed series has no labels either; it must not be found.
        if labels.is_empty() {
            return None;
        }
        if let Some(guess) = self.guess(labels) {
            self.cursor = guess;
            return Some(guess);
        }
        let (series, arena) = (&self.series, &self.arena);
        let id = *self.index.find(hash_bytes(labels), |&id| arena.get(series[id].labels) == labels)?;
        self.follow(id);
        Some(id)
    }

    /// The same for labels that no sender sends now: it says nothing about which series comes next.
    pub(super) fn look_up(&self, labels: &[u8]) -> Option<u32> {
        let (series, arena) = (&self.series, &self.arena);
        self.index.find(hash_bytes(labels), |&id| arena.get(series[id].labels) == labels).copied()
    }

    fn guess(&self, labels: &[u8]) -> Option<u32> {
        let guess = if self.cursor == NONE { NONE } else { self.series[self.cursor].next };
        let is_right = guess != NONE && self.arena.get(self.series[guess].labels) == labels;
        is_right.then_some(guess)
    }

    fn follow(&mut self, id: u32) {
        if self.cursor != NONE {
            self.series[self.cursor].next = id;
        }
        self.cursor = id;
    }

    /// Adds a series that [`Self::find`] did not find.
    pub(super) fn insert(&mut self, labels: &[u8], mut state: SeriesState) -> u32 {
        state.labels = self.arena.add(labels);
        state.hash = hash_bytes(labels);
        let hash = state.hash;
        let id = self.series.insert(state);
        let series = &self.series;
        self.index.insert_unique(hash, id, |&other| series[other].hash);
        self.follow(id);
        id
    }

    /// Adds another series of labels that are there: [`Self::find`] finds the first one only.
    pub(super) fn insert_beside(&mut self, labels: &[u8], mut state: SeriesState) -> u32 {
        state.labels = self.arena.add(labels);
        state.hash = hash_bytes(labels);
        self.series.insert(state)
    }

    /// Lets `heir` be found by the labels that it shares with `id`, which is about to be removed.
    pub(super) fn put_in_place_of(&mut self, id: u32, heir: u32) {
        let hash = self.series[id].hash;
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        self.series[heir].flags.is_beside = false;
        let series = &self.series;
        self.index.insert_unique(hash, heir, |&other| series[other].hash);
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Ok(entry) = self.index.find_entry(self.series[id].hash, |&other| other == id) {
            entry.remove();
        }
        if self.cursor == id {
            self.cursor = NONE;
        }
        let state = self.series.remove(id);
        self.arena.forget(state.labels);
    }

    pub(super) fn labels_of(&self, id: u32) -> &[u8] {
        self.arena.get(self.series[id].labels)
    }

    /// The same, parsed anew.
    pub(super) fn parsed_labels_of(&self, id: u32) -> Labels {
        LabelBytes::parse(self.labels_of(id)).map(Labels::from_pairs).unwrap_or_default()
    }

    /// Gives back the memory of removed label sets, once most of it is theirs.
    pub(super) fn compact(&mut self) {
        if !self.arena.is_mostly_garbage() {
            return;
        }
        let mut arena = Arena::default();
        for id in 0..self.series.end() {
            if self.series[id].is_used() {
                self.series[id].labels = arena.add(self.arena.get(self.series[id].labels));
            }
        }
        self.arena = arena;
    }
}
