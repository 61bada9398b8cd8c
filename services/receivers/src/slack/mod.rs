//! Slack: one message per release, updated in place, with a thread of what happened.

mod config;

pub use config::{DEFAULT_API_URL, SlackConfig, check};
