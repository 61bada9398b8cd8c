//! Slack: the newest message of a release says where it stands. Progress changes it in place and adds to its thread;
//! an alarm is a new message, with a mention, because an edit calls nobody.

mod client;
mod config;
pub mod double;
pub(crate) mod mention;
mod message;
mod posting;
#[cfg(test)]
mod tests;

use std::fmt;

use model::Send;
use outbound::Outbound;

use self::client::Client;
pub(crate) use self::posting::Posting;
pub use self::{
    config::{DEFAULT_API_URL, SlackConfig, check},
    mention::{DEFAULT_MENTION, parse as parse_mention},
};
use crate::digest::Digest;

/// The message of its own that Slack would get, for tests to read.
#[cfg(test)]
pub(crate) fn as_json(send: &Send, external_url: &str) -> serde_json::Value {
    let message = message::render(&Digest::of(send, external_url)).mentioning(DEFAULT_MENTION);
    serde_json::json!({ "text": message.text, "blocks": message.blocks })
}

/// A bot in a workspace.
#[derive(Debug)]
pub(crate) struct SlackSender {
    client: Client,
    channel: Option<String>,
    /// As Slack takes it; empty: nobody.
    mention: String,
    notify_owner: bool,
}

/// Where a message stands: what [`model::Delivery::thread`] keeps, as `channel|ts`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The channel's id, which `chat.update` wants; not its name.
    channel: String,
    ts: String,
}

impl Place {
    fn parse(thread: &str) -> Option<Self> {
        let (channel, ts) = thread.split_once('|')?;
        let is_whole = !channel.is_empty() && !ts.is_empty();
        is_whole.then(|| Self { channel: channel.to_owned(), ts: ts.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.channel, self.ts)
    }
}

impl SlackSender {
    pub(crate) fn new(config: SlackConfig, outbound: &Outbound) -> Self {
        Self {
            channel: config.channel.clone(),
            mention: mention::parse(&config.mention).unwrap_or_default(),
            notify_owner: config.notify_owner,
            client: Client::new(config, outbound),
        }
    }

    pub(crate) fn posting(&self, send: &Send, external_url: &str) -> Posting<'_> {
        Posting::new(self, send, message::render(&Digest::of(send, external_url)))
    }
}
