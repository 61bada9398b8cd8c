//! Slack: one message per release, updated in place, with a thread of what happened.

mod client;
mod config;
pub mod double;
mod message;
#[cfg(test)]
mod tests;

use model::Send;
use outbound::Outbound;

pub use self::config::{DEFAULT_API_URL, SlackConfig, check};
use self::{
    client::{CallError, Client},
    message::Message,
};
use crate::{
    digest::Digest,
    retry::{Attempt, Failure},
};

/// A bot in a workspace.
#[derive(Debug)]
pub(crate) struct SlackSender {
    client: Client,
    channel: Option<String>,
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

/// A message on its way: what is done stays done when an attempt breaks off.
pub(crate) struct Posting<'a> {
    sender: &'a SlackSender,
    channel: Option<String>,
    message: Message,
    place: Option<Place>,
    is_shown: bool,
    /// Blocks that Slack refused are left out: a plain text is better than none.
    is_plain: bool,
    replied: usize,
}

impl SlackSender {
    pub(crate) fn new(config: SlackConfig, outbound: &Outbound) -> Self {
        Self { channel: config.channel.clone(), client: Client::new(config, outbound) }
    }

    pub(crate) fn posting(&self, send: &Send, external_url: &str) -> Posting<'_> {
        let place = send.thread.as_deref().and_then(Place::parse);
        Posting {
            sender: self,
            channel: self.channel.clone().or_else(|| owners_channel(send)),
            message: message::render(&Digest::of(send, external_url)),
            place,
            is_shown: false,
            is_plain: false,
            replied: 0,
        }
    }
}

/// The channel that the owner of the service names.
fn owners_channel(send: &Send) -> Option<String> {
    let of_notices = send.notices.iter().filter_map(|notice| notice.owner.as_ref());
    let of_releases = send.notices.iter().filter_map(|notice| notice.release.as_ref()?.owner.as_ref());
    of_notices.chain(of_releases).find_map(|owner| owner.slack.clone()).filter(|channel| !channel.is_empty())
}

impl Posting<'_> {
    /// What the next message of the thread needs; as far as this one got.
    pub(crate) fn thread(&self) -> Option<String> {
        self.place.as_ref().map(|place| format!("{}|{}", place.channel, place.ts))
    }

    /// Updates the message in place, or posts it where there is none (any more).
    async fn show(&mut self) -> Result<(), Failure> {
        let client = &self.sender.client;
        if let Some(place) = &self.place {
            match client.update(place, &self.message, self.is_plain).await {
                Ok(()) => return Ok(()),
                Err(CallError::Gone(_)) => self.place = None,
                Err(CallError::BadBlocks(_)) if !self.is_plain => return self.show_plain().await,
                Err(error) => return Err(error.into_failure()),
            }
        }
        let Some(channel) = self.channel.as_deref() else {
            return Err(Failure::last(
                "no channel: neither the receiver nor the owner of the service names one",
            ));
        };
        match client.post(channel, &self.message, self.is_plain).await {
            Ok(place) => {
                self.place = Some(place);
                // A new message shows everything; its thread begins with the next one.
                self.replied = self.message.replies.len();
                Ok(())
            }
            Err(CallError::BadBlocks(_)) if !self.is_plain => self.show_plain().await,
            Err(error) => Err(error.into_failure()),
        }
    }

    async fn show_plain(&mut self) -> Result<(), Failure> {
        self.is_plain = true;
        Box::pin(self.show()).await
    }
}

impl Attempt for Posting<'_> {
    async fn attempt(&mut self) -> Result<String, Failure> {
        let was_there = self.place.clone();
        if !self.is_shown {
            self.show().await?;
            self.is_shown = true;
        }
        let Some(place) = self.place.clone() else {
            return Err(Failure::last("Slack gave the message no place"));
        };
        while let Some(reply) = self.message.replies.get(self.replied) {
            self.sender.client.reply(&place, reply).await.map_err(CallError::into_failure)?;
            self.replied += 1;
        }
        let how = if was_there.as_ref() == Some(&place) { "updated" } else { "posted" };
        Ok(format!("{how} in {} at {}", place.channel, place.ts))
    }
}
