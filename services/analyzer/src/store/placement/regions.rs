//! The label regions seen and where each goes. Found as in `table`: a guess from the order of the last batch, else
//! a hash, and equality always by the bytes.

use hashbrown::HashTable;
use model::{Partition, Timestamp};

use crate::store::{
    arena::{Arena, LabelRef},
    hash::hash_bytes,
    slab::{NONE, Slab},
};

/// What is remembered of a region, besides its bytes. There may be two million: a hit touches one cache line.
#[derive(Clone, Debug)]
pub(super) struct Region {
    hash: u64,
    labels: LabelRef,
    /// Which region followed this one in the last batch.
    next: u32,
    /// Whose series it is; [`NONE`]: nobody knows.
    pub(super) owner: u32,
    pub(super) partition: Partition,
    /// When a sample of it last came in.
    pub(super) seen_at: Timestamp,
    /// Names are taken from it.
    pub(super) is_info: bool,
    pub(super) is_used: bool,
}

impl Default for Region {
    fn default() -> Self {
        Self {
            hash: 0,
            labels: LabelRef::default(),
            next: NONE,
            owner: NONE,
            partition: Partition::HOME,
            seen_at: Timestamp::MIN,
            is_info: false,
            is_used: false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Regions {
    all: Slab<Region>,
    index: HashTable<u32>,
    arena: Arena,
    /// The region found last, whose successor is the guess for the next.
    cursor: u32,
}

impl Default for Regions {
    fn default() -> Self {
        Self { all: Slab::default(), index: HashTable::new(), arena: Arena::default(), cursor: NONE }
    }
}

impl Regions {
    /// The region of exactly these bytes. Every region of a batch is looked for here, in order.
    pub(super) fn find(&mut self, labels: &[u8]) -> Option<u32> {
        let guess = if self.cursor == NONE { NONE } else { self.all[self.cursor].next };
        // A removed region has no bytes either; it must not be found.
        if guess != NONE && !labels.is_empty() && self.labels_of(guess) == labels {
            self.cursor = guess;
            return Some(guess);
        }
        let id = self.look_up(labels)?;
        self.follow(id);
        Some(id)
    }

    /// As [`Self::find`], without taking note of the order.
    pub(super) fn look_up(&self, labels: &[u8]) -> Option<u32> {
        self.index.find(hash_bytes(labels), |&id| self.labels_of(id) == labels).copied()
    }

    /// Adds a region that [`Self::find`] did not find.
    pub(super) fn insert(&mut self, labels: &[u8], seen_at: Timestamp) -> u32 {
        let hash = hash_bytes(labels);
        let labels = self.arena.add(labels);
        let id = self.all.insert(Region { hash, labels, seen_at, is_used: true, ..Region::default() });
        let all = &self.all;
        self.index.insert_unique(hash, id, |&other| all[other].hash);
        self.follow(id);
        id
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Ok(entry) = self.index.find_entry(self.all[id].hash, |&other| other == id) {
            entry.remove();
        }
        if self.cursor == id {
            self.cursor = NONE;
        }
        let region = self.all.remove(id);
        self.arena.forget(region.labels);
    }

    fn follow(&mut self, id: u32) {
        if self.cursor != NONE {
            self.all[self.cursor].next = id;
        }
        self.cursor = id;
    }

    pub(super) fn labels_of(&self, id: u32) -> &[u8] {
        self.arena.get(self.all[id].labels)
    }

    pub(super) fn get(&self, id: u32) -> &Region {
        &self.all[id]
    }

    pub(super) fn get_mut(&mut self, id: u32) -> &mut Region {
        &mut self.all[id]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// One more than the highest number given so far.
    pub(super) fn end(&self) -> u32 {
        self.all.end()
    }

    /// Gives back the memory of removed regions' bytes, once most of it is theirs.
    pub(super) fn compact(&mut self) {
        if !self.arena.is_mostly_garbage() {
            return;
        }
        let mut arena = Arena::default();
        for id in 0..self.all.end() {
            if self.all[id].is_used {
                self.all[id].labels = arena.add(self.arena.get(self.all[id].labels));
            }
        }
        self.arena = arena;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_small() {
        assert!(size_of::<Region>() <= 48, "{}", size_of::<Region>());
    }
}
