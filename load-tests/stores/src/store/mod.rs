//! The stores, each used the way its own documentation suggests for a log that must be durable.

pub(crate) mod fjall;
mod ours;
pub(crate) mod raft_engine;
pub(crate) mod redb;
mod segments;
pub(crate) mod sqlite;

use std::path::Path;

use bytes::Bytes;

pub(crate) use self::{ours::OurLog, segments::Segments};

pub(crate) trait Store: Sized {
    fn open(dir: &Path) -> anyhow::Result<Self>;
    /// Returns once all of `records` are durable.
    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()>;
    /// Hands out every record, oldest first.
    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()>;
    fn close(self) -> anyhow::Result<()>;
}
