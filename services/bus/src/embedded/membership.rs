//! A group of one: the data directory's lock sees to it that there is no other.

use model::{Partition, Position};

use crate::embedded::Change;

/// Has every partition from the start to the end.
#[derive(Debug)]
pub(crate) struct Membership {
    is_told: bool,
}

impl Membership {
    pub(crate) fn new() -> Self {
        Self { is_told: false }
    }

    pub(crate) async fn next(&mut self) -> Option<Change> {
        if std::mem::replace(&mut self.is_told, true) {
            return std::future::pending().await;
        }
        Some(Change::Assigned(vec![Partition(0)]))
    }

    #[expect(clippy::unused_self, reason = "the port's shape; nobody looks at the lag of a group of one")]
    pub(crate) fn commit(&self, _: Partition, _: Position) {}
}
