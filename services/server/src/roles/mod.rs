//! What runs: one loop a file around each pure core, and the readers and writers they share.

pub(crate) mod act;
pub(crate) mod analyze;
pub(crate) mod arbitrate;
pub(crate) mod ask;
pub(crate) mod checkpoints;
pub(crate) mod clock;
pub(crate) mod counts;
mod crowding;
pub(crate) mod fit;
pub(crate) mod follow;
pub(crate) mod halt_file;
pub(crate) mod inlet;
pub(crate) mod keep;
pub(crate) mod member;
pub(crate) mod notify;
pub(crate) mod records;
pub(crate) mod restore;
pub(crate) mod scrutiny;
pub(crate) mod shadow;
pub(crate) mod story;
pub(crate) mod tick;
pub(crate) mod unseen;
pub(crate) mod vetting;
pub(crate) mod writer;
