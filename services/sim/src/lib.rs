//! Deterministic simulation: keepers, chairs and desks in a model of everything around them, from one seed.
//!
//! A seed draws services, releases, traffic, people, outages, processes and faults ([`run`]); models of the log,
//! of the groups that share its partitions, of the deployment tool and of the receivers carry the cores through
//! it, let processes die at any point, be taken for dead while they go on, and start again as `server` does; after
//! every step the promises of the README are checked from outside. The same seed is the same run, to the byte: a
//! failure is repeated with `SEED=… cargo test -p sim one_seed -- --nocapture`.
//!
//! ```text
//!  plan: layout, faults ─▶ run: ingest ─▶ log ─▶ judge ─▶ log ─▶ seat ─▶ log ─▶ act, notify ─▶ outside
//!                           │    every record, command and message is shown to │
//!                           └──────────────────────▶ promises ◀────────────────┘
//!                                     reference: the same events without a crash
//! ```
//!
//! **Never here:** I/O, a clock, randomness that is not the seed's. What only real parts show (sockets, disks,
//! threads) is tested by `server`'s integration tests. [`Sabotage`] breaks the world around the cores on purpose,
//! to show that the promises notice.

mod act;
mod channel;
mod faults;
mod figures;
mod group;
mod hostile;
mod judge;
mod layout;
mod lines;
mod log;
mod notify;
mod outside;
mod page;
mod people;
mod placing;
mod plan;
mod process;
mod projection;
mod promises;
mod random;
mod reading;
mod reference;
mod restore;
mod run;
mod seat;
mod senders;
mod story;
mod world;

pub use figures::{Figures, Options, Report, Sabotage};
pub use promises::Violation;
pub use run::run;
