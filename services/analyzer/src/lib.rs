//! Judges one service at a time and proposes; decides nothing and does nothing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod statistics;
pub mod store;
