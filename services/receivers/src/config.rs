//! What the receivers are told: plain structs that the config reader fills in and checks with
//! [`Config::check`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Error,
    email::{self, EmailConfig},
    slack::{self, SlackConfig},
    webhook::{self, WebhookConfig},
};

/// All receivers by name.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub receivers: BTreeMap<String, Receiver>,
    /// Where people reach Ripcord, e.g. `https://ripcord.example.org`; links in messages begin with it. Empty:
    /// no such links.
    pub external_url: String,
    /// Hosts that may resolve to link-local or metadata addresses all the same; normally none.
    pub allowed_hosts: BTreeSet<String>,
}

/// One receiver: any number of integrations of each kind. None at all is a valid black hole.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    pub slack: Vec<SlackConfig>,
    pub email: Vec<EmailConfig>,
    pub webhook: Vec<WebhookConfig>,
}

impl Config {
    /// Checks everything that can be wrong without a connection; the error names receiver and integration.
    pub fn check(&self) -> Result<(), Error> {
        for (name, receiver) in &self.receivers {
            let wrong = |kind: &'static str, index: usize| {
                move |reason: String| Error::Config {
                    receiver: name.clone(),
                    integration: kind,
                    index,
                    reason,
                }
            };
            for (index, config) in receiver.slack.iter().enumerate() {
                slack::check(config).map_err(wrong("slack", index))?;
            }
            for (index, config) in receiver.email.iter().enumerate() {
                email::check(config).map_err(wrong("email", index))?;
            }
            for (index, config) in receiver.webhook.iter().enumerate() {
                webhook::check(config).map_err(wrong("webhook", index))?;
            }
        }
        Ok(())
    }
}
