//! Webhook: Alertmanager's body, version 4.

mod config;

pub use config::{DEFAULT_TIMEOUT, WebhookConfig, check};
