//! A message on its way to one or several channels.

use std::collections::BTreeMap;

use model::{Owner, Recipient, RecipientState, Send};

use super::{
    Place, SlackSender,
    client::{CallError, Client},
    mention,
    message::Message,
};
use crate::retry::{Attempt, Failure};

/// Most channels of one message; a group of more owners than that should be split by `group_by`.
const MAX_CHANNELS: usize = 10;

/// One channel, and how far the message got there: what is done stays done when an attempt breaks off.
#[derive(Debug)]
struct Target {
    channel: String,
    mention: String,
    place: Option<Place>,
    is_shown: bool,
    /// Blocks that Slack refused are left out: a plain text is better than none.
    is_plain: bool,
    replied: usize,
    /// How the endpoint put it in the end.
    outcome: Option<(RecipientState, String)>,
}

/// A message on its way.
pub(crate) struct Posting<'a> {
    sender: &'a SlackSender,
    message: Message,
    targets: Vec<Target>,
    /// Places of channels that this try leaves out.
    others: BTreeMap<String, Place>,
}

impl<'a> Posting<'a> {
    pub(super) fn new(sender: &'a SlackSender, send: &Send, message: Message) -> Self {
        let channels = channels(sender, send);
        let primary = channels.first().map(|(channel, _)| channel.as_str());
        let mut places = places(send.thread.as_deref(), primary);
        let left = channels.into_iter().filter(|(channel, _)| !send.settled.contains(channel));
        let target = |(channel, mention): (String, String)| Target {
            place: places.remove(&channel),
            channel,
            mention,
            is_shown: false,
            is_plain: false,
            replied: 0,
            outcome: None,
        };
        let targets = left.map(target).collect();
        Self { sender, message, targets, others: places }
    }

    /// What the next message of the thread needs; as far as this one got. One place stands for itself; several are
    /// told apart by their channels.
    pub(crate) fn thread(&self) -> Option<String> {
        let own = self.targets.iter().filter_map(|it| Some((&it.channel, it.place.as_ref()?)));
        let all: BTreeMap<&String, String> =
            self.others.iter().chain(own).map(|(channel, place)| (channel, place.to_string())).collect();
        match self.targets.as_slice() {
            [only] if self.others.is_empty() => only.place.as_ref().map(Place::to_string),
            _ => (!all.is_empty()).then(|| serde_json::to_string(&all).ok()).flatten(),
        }
    }

    /// What came of each channel, where there are several.
    pub(crate) fn recipients(&self) -> Vec<Recipient> {
        if self.targets.len() < 2 && self.others.is_empty() {
            return Vec::new();
        }
        let recipient = |target: &Target| {
            let (state, detail) = target.outcome.clone().unwrap_or((RecipientState::Waiting, String::new()));
            Recipient { to: target.channel.clone(), state, detail }
        };
        self.targets.iter().map(recipient).collect()
    }

    fn summary(&self) -> String {
        let each = self.targets.iter().map(|target| match (&target.outcome, self.targets.len()) {
            (Some((RecipientState::Refused, detail)), 2..) => format!("{}: {detail}", target.channel),
            (Some((_, detail)), _) => detail.clone(),
            (None, _) => format!("{} is tried again", target.channel),
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

/// The receiver's own channel, and the owners'; each once, each with whom it mentions.
fn channels(sender: &SlackSender, send: &Send) -> Vec<(String, String)> {
    let own = sender.channel.clone().map(|channel| (channel, sender.mention.clone()));
    let asks_owners = sender.notify_owner || own.is_none();
    // Whom a release names is not asked here: the arbiter has put the policy first and left out who is not listed.
    let of_notices = send.notices.iter().filter_map(|notice| notice.owner.as_ref());
    let mention_of = |owner: &Owner| {
        let own = owner.mention.as_deref().and_then(|text| mention::parse(text).ok());
        own.unwrap_or_else(|| sender.mention.clone())
    };
    let owners = of_notices.filter(|_| asks_owners);
    let owners = owners.filter_map(|owner| Some((owner.slack.clone()?, mention_of(owner))));
    let mut channels: Vec<(String, String)> = Vec::new();
    for (channel, mention) in own.into_iter().chain(owners).filter(|(channel, _)| !channel.is_empty()) {
        if !channels.iter().any(|(known, _)| is_same(known, &channel)) && channels.len() < MAX_CHANNELS {
            channels.push((channel, mention));
        }
    }
    channels
}

/// `#payments` and `payments` are one channel.
fn is_same(left: &str, right: &str) -> bool {
    left.trim_start_matches('#') == right.trim_start_matches('#')
}

fn places(thread: Option<&str>, primary: Option<&str>) -> BTreeMap<String, Place> {
    let Some(thread) = thread else { return BTreeMap::new() };
    if let Ok(places) = serde_json::from_str::<BTreeMap<String, String>>(thread) {
        let parsed = places.into_iter().map(|(channel, place)| Some((channel, Place::parse(&place)?)));
        return parsed.flatten().collect();
    }
    let only = primary.and_then(|channel| Some((channel.to_owned(), Place::parse(thread)?)));
    only.into_iter().collect()
}

impl Target {
    async fn deliver(&mut self, client: &Client, message: &Message) -> Result<String, Failure> {
        let before = self.place.clone();
        if !self.is_shown {
            match message.is_loud {
                true => self.show_anew(client, message).await?,
                false => self.show(client, message).await?,
            }
            self.is_shown = true;
        }
        let Some(place) = self.place.clone() else {
            return Err(Failure::last("Slack gave the message no place"));
        };
        while let Some(reply) = message.replies.get(self.replied) {
            client.reply(&place, reply).await.map_err(CallError::into_failure)?;
            self.replied += 1;
        }
        let how = if before.as_ref() == Some(&place) { "updated" } else { "posted" };
        Ok(format!("{how} in {} at {}", place.channel, place.ts))
    }

    /// Updates the message in place, or posts it where there is none (any more).
    async fn show(&mut self, client: &Client, message: &Message) -> Result<(), Failure> {
        let Some(place) = self.place.clone() else { return self.post(client, message).await };
        loop {
            match client.update(&place, message, self.is_plain).await {
                Ok(()) => return Ok(()),
                Err(CallError::BadBlocks(_)) if !self.is_plain => self.is_plain = true,
                Err(CallError::Gone(_)) => return self.post(client, message).await,
                Err(error) => return Err(error.into_failure()),
            }
        }
    }

    /// Posts a message of its own, since nobody is called by a change of an old one; the old one then says where the
    /// story goes on, so that nobody acts on what it said.
    async fn show_anew(&mut self, client: &Client, message: &Message) -> Result<(), Failure> {
        let old = self.place.clone();
        self.post(client, message).await?;
        if let Some(old) = old
            && let Err(error) = client.update(&old, &message.continued(), false).await
        {
            tracing::debug!(?error, "an old message stays as it was");
        }
        Ok(())
    }

    async fn post(&mut self, client: &Client, message: &Message) -> Result<(), Failure> {
        let message = message.mentioning(&self.mention);
        loop {
            match client.post(&self.channel, &message, self.is_plain).await {
                Ok(place) => {
                    self.place = Some(place);
                    // A new message shows everything; its thread begins with the next one.
                    self.replied = message.replies.len();
                    return Ok(());
                }
                Err(CallError::BadBlocks(_)) if !self.is_plain => self.is_plain = true,
                Err(error) => return Err(error.into_failure()),
            }
        }
    }
}

impl Attempt for Posting<'_> {
    async fn attempt(&mut self) -> Result<String, Failure> {
        if self.targets.is_empty() && self.others.is_empty() {
            return Err(Failure::last(
                "no channel: neither the receiver nor the owner of the service names one",
            ));
        }
        let mut waiting = None;
        for target in self.targets.iter_mut().filter(|target| target.outcome.is_none()) {
            match target.deliver(&self.sender.client, &self.message).await {
                Ok(detail) => target.outcome = Some((RecipientState::Reached, detail)),
                Err(Failure::Final { detail }) => target.outcome = Some((RecipientState::Refused, detail)),
                Err(failure) => waiting = Some(failure),
            }
        }
        if let Some(failure) = waiting {
            return Err(failure);
        }
        let mut outcomes = self.targets.iter().filter_map(|target| target.outcome.as_ref());
        let is_reached = outcomes.any(|(state, _)| *state == RecipientState::Reached);
        if is_reached || self.targets.is_empty() {
            Ok(self.summary())
        } else {
            Err(Failure::last(self.summary()))
        }
    }
}
