//! Decoded telemetry in columns (`ripcord.v1.BatchColumns`): how it stands in the partitions of a log of several.
//!
//! A series that follows another one is written as what differs between their labels. Scrapes list the series of one
//! metric one after another, so that is mostly one value: a third of what a sender's request would take, and reading
//! it back takes three copies and no look at any label. Written and read by a walk as remote write is, because a
//! generated decoder would build a vector a column first, at twice the cost of all the rest.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use self::{read::decode, write::Columns};

/// The numbers of the message's fields.
mod number {
    pub(super) const IS_WHOLE: u64 = 1;
    pub(super) const SHARED_FRONT: u64 = 2;
    pub(super) const SHARED_BACK: u64 = 3;
    pub(super) const OWN: u64 = 4;
    pub(super) const LABELS: u64 = 5;
    pub(super) const KINDS: u64 = 6;
    pub(super) const SAMPLE_COUNTS: u64 = 7;
    pub(super) const VALUES: u64 = 8;
    pub(super) const MS_SINCE_SAMPLE_BEFORE: u64 = 9;
    pub(super) const HAS_START: u64 = 10;
    pub(super) const MS_SINCE_START: u64 = 11;
}
