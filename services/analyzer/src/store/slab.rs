//! Values under small reusable numbers.

use std::ops::{Index, IndexMut};

/// The number of nothing.
pub(super) const NONE: u32 = u32::MAX;

/// Values by number; a removed value's number is given to the next one. Reading a removed number gives the
/// type's default, so a value has to know by itself whether it is in use.
#[derive(Debug)]
pub(super) struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }
}

impl<T: Default> Slab<T> {
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.items[id as usize] = item;
            return id;
        }
        self.items.push(item);
        (self.items.len() - 1) as u32
    }

    pub(super) fn remove(&mut self, id: u32) -> T {
        self.free.push(id);
        std::mem::take(&mut self.items[id as usize])
    }

    /// One more than the highest number given so far.
    pub(super) fn end(&self) -> u32 {
        self.items.len() as u32
    }

    /// How many are in use.
    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.items[id as usize]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.items[id as usize]
    }
}
