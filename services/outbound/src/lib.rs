//! The way out over HTTP, one for all who send: only to what is configured, never after a redirect, never to a
//! link-local or metadata address, trusting the machine's authorities; and what comes back made fit to be shown.
//!
//! `actuators` and `receivers` build on it. What is sent, and what an answer means, is theirs.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod client;
pub mod text;

pub use address::{Denied, check_host, check_literal, find_denied};
pub use client::{Connector, Outbound, Resolver};
