//! Watching: what happens at a look, and when nothing comes in.

pub(crate) mod look;
pub(crate) mod own;
pub(crate) mod recovery;
pub(crate) mod silence;
