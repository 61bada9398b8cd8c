//! What of one partition was handed over, what of it is done, and so what may be committed.

use std::collections::BTreeSet;

/// One partition from its assignment to its revocation.
#[derive(Debug)]
pub(super) struct Progress {
    /// Which assignment this is: a message of an earlier one says nothing about this one.
    pub(super) epoch: u64,
    /// Handed over and not done.
    undone: BTreeSet<i64>,
    /// One after the last one handed over.
    next: i64,
    /// What the group knows.
    committed: Option<i64>,
}

impl Progress {
    /// Begins at `next`, if it is known before the first message comes; `committed`: what the group knows.
    pub(super) fn new(epoch: u64, next: i64, committed: Option<i64>) -> Self {
        Self { epoch, undone: BTreeSet::new(), next, committed }
    }

    /// Whether the offset comes before what this assignment has begun with or handed over: the partition is another one.
    pub(super) fn is_before(&self, offset: i64) -> bool {
        offset < self.next
    }

    /// Begins again: what was handed over stands on a partition that is gone.
    pub(super) fn begin_again(&mut self, epoch: u64, offset: i64) {
        *self = Self::new(epoch, offset, None);
    }

    pub(super) fn hand_over(&mut self, offset: i64) {
        self.undone.insert(offset);
        self.next = self.next.max(offset + 1);
    }

    pub(super) fn done(&mut self, offset: i64) {
        self.undone.remove(&offset);
    }

    /// What was handed over from `offset` on was dropped again: whoever begins there anew gets it.
    pub(super) fn recall(&mut self, offset: i64) {
        self.undone.split_off(&offset);
        self.next = self.next.min(offset);
    }

    pub(super) fn is_all_done(&self) -> bool {
        self.undone.is_empty()
    }

    /// Everything before this is done.
    pub(super) fn done_before(&self) -> i64 {
        self.undone.first().copied().unwrap_or(self.next)
    }

    /// What the group should know and does not.
    pub(super) fn to_commit(&self) -> Option<i64> {
        let done_before = self.done_before();
        (done_before >= 0 && self.committed != Some(done_before)).then_some(done_before)
    }

    pub(super) fn committed(&mut self, offset: i64) {
        self.committed = Some(offset);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_behind_an_undone_message_is_committed() {
        let mut progress = Progress::new(1, 5, Some(5));
        assert_eq!(progress.to_commit(), None);
        // 7 is not there: topics have gaps.
        [5, 6, 8].into_iter().for_each(|offset| progress.hand_over(offset));
        for (done, to_commit, why) in [
            (6, None, "5 is not done"),
            (5, Some(8), "5 and 6 are, and there is no 7"),
            (8, Some(9), "all are"),
            (8, Some(9), "twice is once"),
        ] {
            progress.done(done);
            assert_eq!(progress.to_commit(), to_commit, "{why}");
        }
        progress.committed(9);
        assert_eq!((progress.to_commit(), progress.is_all_done()), (None, true));
    }

    #[test]
    fn what_is_recalled_is_neither_waited_for_nor_committed() {
        let mut progress = Progress::new(1, 5, Some(5));
        (5..9).for_each(|offset| progress.hand_over(offset));
        progress.recall(7);
        progress.done(5);
        assert_eq!((progress.to_commit(), progress.is_all_done()), (Some(6), false));
        progress.done(6);
        assert_eq!((progress.to_commit(), progress.is_all_done()), (Some(7), true));
    }

    #[test]
    fn a_place_to_begin_that_the_group_does_not_know_is_committed_before_any_message() {
        assert_eq!(Progress::new(1, 5, None).to_commit(), Some(5));
        assert_eq!(Progress::new(1, -1, None).to_commit(), None, "nobody knows it yet");
    }

    proptest! {
        #[test]
        fn what_is_committed_is_done_and_all_before_it(steps in proptest::collection::vec(0_usize..20, 0..60)) {
            let mut progress = Progress::new(1, 0, Some(0));
            let (mut handed, mut done) = (Vec::new(), BTreeSet::new());
            for step in steps {
                if step < 10 || handed.is_empty() {
                    let next = handed.last().map_or(0, |last| last + 1 + (step % 2) as i64);
                    progress.hand_over(next);
                    handed.push(next);
                } else {
                    let offset = handed[step % handed.len()];
                    progress.done(offset);
                    done.insert(offset);
                }
                let before = progress.done_before();
                prop_assert!(handed.iter().all(|offset| (*offset >= before) || done.contains(offset)));
                prop_assert!(handed.iter().all(|offset| *offset >= before) || before > handed[0]);
            }
        }
    }
}
