//! The arbiter: proposals of all services in, commands and notices out.
//!
//! The analyzer judges one service at a time and only proposes; this crate sees all of them, and only it makes
//! commands. It weighs what one service cannot know: whether others suffer too, how many rollbacks are wanted at
//! once, what was halted, frozen, approved, or marked bad, and where a rollback may lead to.
//!
//! It does no I/O, reads no clock, draws no random number and spawns nothing: the same proposals at the same
//! times give the same decisions, which is how a restart rebuilds it from the decisions log. Whether a command
//! may still go out is looked at once more right before each send, by `actuators`' caller; who is told of a
//! notice, when and by which channel is `router`'s business.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod again;
mod alerts;
mod arbiter;
mod attribution;
mod bad;
mod bounds;
mod breaches;
mod chair;
mod commands;
mod destination;
mod exceedances;
mod findings;
mod firing;
mod freezes;
mod halts;
mod judgement;
mod lifecycle;
mod notices;
mod outcomes;
mod releases;
mod state;
mod storm;
mod stormy;
#[cfg(test)]
mod tests;
mod text;
mod timeouts;
mod timers;
mod transitions;
mod unversioned;
mod verbs;
mod version;
mod wording;

pub use arbiter::Arbiter;
pub use chair::Chair;
pub use model::BadVersion;
