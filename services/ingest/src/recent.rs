//! What was accepted a moment ago and the projections may not show yet: a release posted and asked for again, a
//! halt made and ended at once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A projection is milliseconds behind; this is minutes' worth of deployments of a large shop.
const ENTRIES_MAX: usize = 4096;

/// The last things accepted, by id; the oldest make room.
#[derive(Debug)]
pub(crate) struct Recent<V>(Mutex<Entries<V>>);

#[derive(Debug)]
struct Entries<V> {
    values: BTreeMap<String, V>,
    order: VecDeque<String>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self(Mutex::new(Entries { values: BTreeMap::new(), order: VecDeque::new() }))
    }
}

impl<V: Clone> Recent<V> {
    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: &str) -> Option<V> {
        self.entries().values.get(id).cloned()
    }

    /// Keeps what does not exist yet; `false`: something of this id was accepted before.
    pub(crate) fn insert_new(&self, id: &str, value: V) -> bool {
        // Looked at and kept under one lock: of two senders at once one is first.
        let mut entries = self.entries();
        let is_new = !entries.values.contains_key(id);
        if is_new {
            entries.insert(id, value);
        }
        is_new
    }

    /// Forgets what came to nothing.
    pub(crate) fn remove(&self, id: &str) {
        let mut entries = self.entries();
        entries.values.remove(id);
        entries.order.retain(|it| it != id);
    }

    pub(crate) fn insert(&self, id: &str, value: V) {
        self.entries().insert(id, value);
    }
}

impl<V> Entries<V> {
    fn insert(&mut self, id: &str, value: V) {
        if self.values.insert(id.to_owned(), value).is_some() {
            return;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > ENTRIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_a_repeat_takes_none() {
        let recent = Recent::default();
        for _ in 0..2 {
            recent.insert("first", 0);
        }
        (1..ENTRIES_MAX).for_each(|index| recent.insert(&index.to_string(), index));
        assert_eq!(recent.get("first"), Some(0));
        recent.insert("last", 1);
        assert_eq!((recent.get("first"), recent.get("1"), recent.get("last")), (None, Some(1), Some(1)));
    }
}
