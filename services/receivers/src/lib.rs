//! The outgoing ends of notices: one folder a channel, each with its `config.rs`, a pure `message.rs` that
//! renders, and a sender. They decide nothing: whom to tell, and when, the router has decided; what came of it
//! is a [`model::Delivery`], never an error, so that each failure is visible.
//!
//! Every text that a message shows may come from an attacker (a service name, a label); each channel escapes for
//! itself. Secrets are never in a log, an error or a `Delivery`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod digest;
pub mod email;
mod links;
mod metrics;
mod receivers;
mod retry;
pub mod slack;
mod text;
pub mod webhook;

#[cfg(test)]
mod fixture;

pub use config::{Config, Receiver};
pub use email::{EmailConfig, Tls, unreadable_addresses};
pub use links::is_external_url;
pub use slack::{DEFAULT_MENTION, SlackConfig, parse_mention};
pub use webhook::{Authorization, WebhookConfig};

pub use crate::receivers::Receivers;

/// The receivers could not be set up. Nothing here is retryable: the configuration has to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("receiver {receiver:?}, {integration}_configs[{index}]: {reason}")]
    Config { receiver: String, integration: &'static str, index: usize, reason: String },
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    #[error(transparent)]
    Metrics(#[from] telemetry::metrics::MetricsError),
}
