//! A fixed number of values of which most were never written.
//!
//! The values stand in pages of `P`. A page exists while one of its values is not the default, so that a window in
//! which one slot was counted costs a page and not all of its slots. Whether a page exists follows from the values
//! alone: values read from a snapshot take as much memory as those that were written to it.

#[derive(Debug)]
pub(super) struct Pages<T, const P: usize> {
    len: usize,
    /// Empty while nothing is written.
    pages: Box<[Option<Box<[T; P]>>]>,
    /// How many pages exist.
    used: usize,
}

impl<T: Default + PartialEq, const P: usize> Pages<T, P> {
    pub(super) fn new(len: usize) -> Self {
        Self { len, pages: Box::default(), used: 0 }
    }

    /// The values as they are given, as many as `len`.
    pub(super) fn of(len: usize, values: impl IntoIterator<Item = T>) -> Self {
        let mut pages = Self::new(len);
        let blank = T::default();
        for (index, value) in values.into_iter().take(len).enumerate() {
            if value != blank {
                *pages.entry(index) = value;
            }
        }
        pages
    }

    /// A value; `None`: it is the default.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        Some(&self.pages.get(index / P)?.as_ref()?[index % P])
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Some(&mut self.pages.get_mut(index / P)?.as_mut()?[index % P])
    }

    /// A value to be written; its page is made if need be.
    pub(super) fn entry(&mut self, index: usize) -> &mut T {
        if self.pages.is_empty() {
            self.pages = (0..self.len.div_ceil(P)).map(|_| None).collect();
        }
        let page = self.pages[index / P].get_or_insert_with(|| {
            self.used += 1;
            Box::new(std::array::from_fn(|_| T::default()))
        });
        &mut page[index % P]
    }

    /// Makes a value the default again.
    pub(super) fn clear(&mut self, index: usize) {
        if let Some(value) = self.get_mut(index) {
            *value = T::default();
            self.trim(index);
        }
    }

    /// Drops a value's page if nothing but defaults is on it.
    pub(super) fn trim(&mut self, index: usize) {
        let Some(page) = self.pages.get_mut(index / P) else { return };
        let blank = T::default();
        if page.as_ref().is_some_and(|values| values.iter().all(|value| *value == blank)) {
            *page = None;
            self.used -= 1;
            if self.used == 0 {
                self.pages = Box::default();
            }
        }
    }

    /// All values in order; `None` for each that is on no page.
    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&T>> {
        (0..self.len).map(|index| self.get(index))
    }

    /// The values that are on a page, with their places.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, &T)> {
        let pages = self.pages.iter().enumerate();
        pages.filter_map(|(at, page)| Some((at, page.as_ref()?))).flat_map(|(at, page)| {
            page.iter().enumerate().map(move |(offset, value)| (at * P + offset, value))
        })
    }

    /// What its pages take.
    pub(super) fn bytes(&self) -> usize {
        self.used * size_of::<[T; P]>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The model: a list of all values.
        #[test]
        fn pages_hold_what_a_list_holds_and_exist_only_where_something_is(
            steps in prop::collection::vec((0_usize..50, 0_u64..3), 0..200),
        ) {
            let (mut pages, mut list) = (Pages::<u64, 8>::new(50), [0_u64; 50]);
            for (index, value) in steps {
                list[index] = value;
                match value {
                    0 => pages.clear(index),
                    value => *pages.entry(index) = value,
                }
            }
            let values: Vec<u64> = pages.iter().map(|it| it.copied().unwrap_or_default()).collect();
            prop_assert_eq!(&values, &list);
            let written = list.chunks(8).filter(|page| page.iter().any(|value| *value > 0)).count();
            prop_assert_eq!(pages.bytes(), written * 64);
            prop_assert_eq!(Pages::<u64, 8>::of(50, values).bytes(), pages.bytes());
        }
    }
}
