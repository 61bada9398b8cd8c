//! Values under small reusable numbers.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeSeq};

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
}

impl<T> Slab<T> {
    /// One more than the highest number given so far.
    pub(super) fn end(&self) -> u32 {
        self.items.len() as u32
    }

    /// How many are in use.
    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// What stands under a number that may never have been given.
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.items.get(id as usize)
    }

    /// Which numbers are in use. Goes through all: not for every sample.
    pub(super) fn in_use(&self) -> InUse {
        let mut in_use = vec![true; self.items.len()];
        self.free.iter().for_each(|&id| in_use[id as usize] = false);
        InUse(in_use)
    }

    /// What is in use, in the order of numbers.
    pub(super) fn used(&self) -> impl Iterator<Item = (u32, &T)> {
        let in_use = self.in_use();
        let numbered = (0..).zip(&self.items);
        numbered.filter(move |(id, _)| in_use.has(*id))
    }

    /// The same, to be changed.
    pub(super) fn used_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let in_use = self.in_use();
        let numbered = (0..).zip(&mut self.items);
        numbered.filter(move |(id, _)| in_use.has(*id))
    }
}

/// The numbers of a slab that stand for something.
#[derive(Debug)]
pub(super) struct InUse(Vec<bool>);

impl InUse {
    pub(super) fn has(&self, id: u32) -> bool {
        self.0.get(id as usize).is_some_and(|is_used| *is_used)
    }

    pub(super) fn has_or_none(&self, id: u32) -> bool {
        id == NONE || self.has(id)
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

/// The free numbers in the order in which they will be given, and the values in use in the order of theirs: a
/// slab set up again gives the same numbers as the one taken down.
#[derive(Serialize, Deserialize)]
struct SlabImage<F, U> {
    free: F,
    used: U,
}

/// The values in use.
struct Used<'a, T>(&'a Slab<T>);

impl<T: Serialize> Serialize for Used<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.used().try_for_each(|(_, value)| values.serialize_element(value))?;
        values.end()
    }
}

impl<T: Serialize> Serialize for Slab<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SlabImage { free: &self.free, used: Used(self) }.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Slab<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let SlabImage::<Vec<u32>, Vec<T>> { free, used } = SlabImage::deserialize(deserializer)?;
        with_gaps(free, used).ok_or_else(|| D::Error::custom("a free number is none of the slab's"))
    }
}

/// Spreads the values over the numbers that are not free; `None` where a free number is out of range or given
/// twice.
fn with_gaps<T: Default>(free: Vec<u32>, used: Vec<T>) -> Option<Slab<T>> {
    let end = used.len() + free.len();
    let mut is_free = vec![false; end];
    for &id in &free {
        let is_new = !std::mem::replace(is_free.get_mut(id as usize)?, true);
        if !is_new {
            return None;
        }
    }
    if free.is_empty() {
        return Some(Slab { items: used, free });
    }
    let mut used = used.into_iter();
    let items = is_free.into_iter().map(|is_free| if is_free { Some(T::default()) } else { used.next() });
    Some(Slab { items: items.collect::<Option<_>>()?, free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_set_up_again_gives_the_same_numbers() {
        let mut slab = Slab::default();
        (1..=5_u8).for_each(|value| _ = slab.insert(value));
        [3, 1, 4].into_iter().for_each(|id| _ = slab.remove(id));
        let bytes = postcard::to_allocvec(&slab).unwrap();
        let mut again: Slab<u8> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(again.used().map(|(id, value)| (id, *value)).collect::<Vec<_>>(), [(0, 1), (2, 3)]);
        for value in 6..10 {
            assert_eq!(again.insert(value), slab.insert(value));
        }
    }

    #[test]
    fn free_numbers_that_cannot_be_are_refused() {
        for free in [vec![2], vec![0, 0], vec![7]] {
            assert!(with_gaps(free, vec![1_u8]).is_none());
        }
        assert!(with_gaps(vec![0], vec![1_u8]).is_some());
    }
}
