//! Deterministic simulation: the analyzer, the arbiter and the router in a model of everything around them, from
//! one seed.
//!
//! A seed draws services, releases, traffic, people, outages and faults ([`run`]); models of both logs, of the
//! deployment tool and of the receivers carry the cores through it, let them die at any point and start again as
//! `server` does; after every step the promises of the README are checked from outside. The same seed is the same
//! run, to the byte: a failure is repeated with `SEED=… cargo test -p sim one_seed -- --nocapture`.
//!
//! **Never here:** I/O, a clock, randomness that is not the seed's. What only real parts show (sockets, disks,
//! threads) is tested by `server`'s integration tests. [`Sabotage`] breaks the world around the cores on purpose,
//! to show that the promises notice.

mod act;
mod channel;
mod judge;
mod notify;
mod outside;
mod people;
mod plan;
mod promises;
mod random;
mod simulation;
mod story;
mod world;

pub use promises::Violation;
pub use simulation::{Figures, Options, Report, Sabotage, run};
