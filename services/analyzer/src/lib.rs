//! Judges one service at a time and proposes.
//!
//! Telemetry, deployment events, alerts, outcomes and policy loads come in as events; what comes out are
//! [`model::Proposal`]s: releases and their states, limits exceeded where nothing was released, findings about
//! the data, and breaches, each with its complete [`model::Reason`]. Events that concern the arbiter pass
//! through, so that its only input is proposals.
//!
//! ```text
//!  samples ──▶ store: series, scrapes, windows ──▶ looks ──▶ judge: conditions, guard, hold ──▶ breaches
//!  deployments, outcomes, verbs ──▶ release: life cycle ───────▲                        └─────▶ limits
//!  alerts ─────────────────────────────────────────────────────┘   watch: silence, recovery ──▶ findings
//! ```
//!
//! **Never here:** I/O, a clock, a random number, a thread. Time is an argument and `now` never goes back; the
//! same events give the same proposals, byte for byte. Nothing is decided here either: budgets, storms, freezes,
//! halts and commands are the `arbiter`'s, which sees the proposals of all services. How events look on the wire
//! is `proto`'s business, and who hands them in is `server`'s analyze role.
//!
//! A restart goes on from a [`Analyzer::snapshot`] with the events that came after it, or, without one, from both
//! logs by [`Past`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agenda;
mod analyzer;
mod counters;
mod judge;
mod keeper;
mod outbox;
mod past;
mod release;
mod restore;
mod room;
mod service;
mod snapshot;
pub mod statistics;
pub mod store;
mod text;
mod values;
mod watch;

pub use analyzer::Analyzer;
pub use counters::Counters;
pub use keeper::Keeper;
pub use past::Past;
pub use snapshot::SnapshotError;

#[cfg(test)]
mod tests;
