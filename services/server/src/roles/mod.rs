//! The roles of the process: each a loop of its own around a pure core or an edge, joined only by the log.

pub(crate) mod act;
pub(crate) mod halt_file;
pub(crate) mod judge;
pub(crate) mod notify;
pub(crate) mod replay;
pub(crate) mod tick;
