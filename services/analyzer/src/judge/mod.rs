//! Judging: from windows to true, false or unknown, with the numbers that say why.

pub(crate) mod alerts;
pub(crate) mod baseline;
pub(crate) mod blame;
pub(crate) mod compare;
pub(crate) mod condition;
pub(crate) mod count;
pub(crate) mod hold;
pub(crate) mod rise;
pub(crate) mod sight;
pub(crate) mod signal;
pub(crate) mod subject;
pub(crate) mod truth;
