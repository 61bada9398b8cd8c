//! Messages: what the router hands to a receiver.

use crate::{Labels, Notice, NoticeStatus, ReleaseRef, SendId};

/// Why a message is sent now (Alertmanager's `notification_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SendReason {
    FirstNotification,
    NewAlertsAdded,
    SomeAlertsResolved,
    AllAlertsResolved,
    RepeatIntervalElapsed,
    /// The thing told about moved on: same labels, new content.
    Updated,
}

impl SendReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstNotification => "first_notification",
            Self::NewAlertsAdded => "new_alerts_added",
            Self::SomeAlertsResolved => "some_alerts_resolved",
            Self::AllAlertsResolved => "all_alerts_resolved",
            Self::RepeatIntervalElapsed => "repeat_interval_elapsed",
            Self::Updated => "updated",
        }
    }
}

/// One message to one integration of one receiver. The same id twice is the same message.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    pub id: SendId,
    pub receiver: String,
    /// `slack`, `email`, `webhook`.
    pub integration: String,
    /// Which of the receiver's integrations of that kind, from 0.
    pub index: u32,
    pub group_key: String,
    pub group_labels: Labels,
    pub common_labels: Labels,
    pub common_annotations: Labels,
    /// Firing if any of the group's notices fires, whether or not it is among `notices`.
    pub status: NoticeStatus,
    pub reason: SendReason,
    /// The group's notices, firing ones first, then by time; each with its status at the time of the send.
    pub notices: Vec<Notice>,
    /// Which of `notices` were not in the last message (indices), so that a thread gets only what is new.
    pub fresh: Vec<usize>,
    /// How many were left out by `max_alerts`.
    pub truncated: u64,
    /// What the last delivered message of this thread left behind; see [`crate::Delivery::thread`].
    pub thread: Option<String>,
    pub release: Option<ReleaseRef>,
    /// The message of which this is another try; the channel shows it under that one's id.
    pub retry_of: Option<SendId>,
    /// Recipients to leave out: they have the message already, or refused it for good.
    pub settled: Vec<String>,
}

impl Send {
    /// The id under which recipients know the message: the same on every try.
    pub fn public_id(&self) -> &SendId {
        self.retry_of.as_ref().unwrap_or(&self.id)
    }
}
