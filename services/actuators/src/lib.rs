//! Executes the arbiter's commands: one folder a target kind.
//!
//! Decides nothing. Whether a command may go out is the [`Gate`]'s word, asked again immediately before each
//! attempt; to which version is written in the command, and so are the names of its targets; how it gets there comes
//! from this process's own configuration; what came of it is returned as [`model::Outcome`]s, one a target, which the
//! act role of `server` appends to the events log. Executing the
//! same command again is harmless: its id is the idempotency key of every attempt.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actuators;
mod body;
mod breaker;
pub mod exec;
mod fencing;
pub mod kafka;
mod metrics;
mod retry;
mod text;
pub mod webhook;

#[cfg(test)]
mod fixture;

use model::{Command, TargetRef};
use policy::{Target, Unresolved};
use secrecy::SecretString;

pub use crate::actuators::Actuators;

/// Says immediately before each attempt whether the command may still go out: halts, the `HALT` file, the age of
/// the evidence.
pub trait Gate: Send + Sync {
    fn check(&self, command: &Command) -> Result<(), Refusal>;
}

/// Why a command does not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence for a person.
    pub reason: String,
    /// The evidence is too old: the arbiter prepares the command instead.
    pub is_stale: bool,
}

/// Secrets by the file that a target names; loaded and kept fresh by the server.
pub trait SecretSource: Send + Sync {
    /// `None`: the file is not known or could not be read; nothing is sent then.
    fn secret(&self, file: &str) -> Option<SecretString>;
}

/// How commands are carried out here, by the policy of this process's own file. The server keeps it fresh.
pub trait TargetSource: Send + Sync {
    /// What the command means by this reference.
    fn target(&self, command: &Command, named: &TargetRef) -> Result<Target, Unresolved>;
}

/// The actuators could not be set up. Nothing here is retryable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    #[error(transparent)]
    Metrics(#[from] telemetry::metrics::MetricsError),
}
