//! The notification log's entry: what one integration of a receiver has been told of a group, and whether it
//! has to be told something now.

use std::{collections::BTreeMap, time::Duration};

use model::{Delivery, Notice, NoticeId, NoticeStatus, Send, SendId, SendReason, Timestamp, id::stable_hash};

use crate::{limits::MAX_TRIES_PER_TICK, news};

/// One integration of one receiver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Channel {
    pub(crate) receiver: String,
    pub(crate) kind: String,
    /// Its place among the receiver's integrations of that kind.
    pub(crate) index: u32,
}

/// What a receiver knows of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: NoticeStatus,
    pub(crate) id: NoticeId,
    /// Heard in another group before a reload: known here, its end owed there.
    pub(crate) is_elsewhere: bool,
}

/// The last failures, as long as they are in a row.
#[derive(Clone, Debug)]
struct Failing {
    content: String,
    tries: u32,
    at: Timestamp,
    retry: Retry,
}

/// What another try of a message has to know of the earlier ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retry {
    /// The first try's id, under which recipients know the message.
    pub(crate) of: Option<SendId>,
    /// Recipients to leave out.
    pub(crate) settled: Vec<String>,
}

impl Retry {
    /// What is to be known after `send` ended as `delivery` says.
    fn after(send: &Send, delivery: &Delivery) -> Self {
        let mut settled = send.settled.clone();
        settled.extend(delivery.settled().map(|recipient| recipient.to.clone()));
        Self { of: Some(send.public_id().clone()), settled }
    }
}

/// A message that some of its recipients have, and that is tried again for the others.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    /// The last try.
    send: Send,
    retry: Retry,
    tries: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// By fingerprint. `Firing` means that the receiver is owed the resolved, unless it is owed elsewhere.
    pub(crate) told: BTreeMap<u64, Told>,
    /// Tick of the last delivered message.
    pub(crate) last: Option<Timestamp>,
    pub(crate) in_flight: Option<SendId>,
    /// A tick passed while a message was in flight.
    pub(crate) is_due_after_flight: bool,
    failing: Option<Failing>,
    partial: Option<Partial>,
}

/// A notice of the group as it stands at a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) fingerprint: u64,
    pub(crate) notice: &'a Notice,
    pub(crate) status: NoticeStatus,
    /// Neither muted nor inhibited nor on its way out of the group.
    pub(crate) is_visible: bool,
}

/// On what terms an integration is told of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) send_resolved: bool,
    /// `false`: the integration only gets the resolved of what it was told before (a fallback, or a receiver
    /// that a reload took the group away from).
    pub(crate) is_full: bool,
    pub(crate) repeat_interval: Duration,
    /// Most notices in one message; 0 means all.
    pub(crate) max_alerts: usize,
}

/// A message to be: which of the views it is about, and what the receiver knows once it is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) reason: SendReason,
    pub(crate) status: NoticeStatus,
    pub(crate) shown: Vec<View<'a>>,
    pub(crate) told: BTreeMap<u64, Told>,
    /// Hash by which a failed message is known again.
    pub(crate) content: String,
    /// Where this content failed before: what its next try has to know.
    pub(crate) retry: Retry,
}

/// What became of the group since the integration was last told.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    is_firing_new: bool,
    is_resolved: bool,
    is_updated: bool,
    is_repeating: bool,
    fires: bool,
    still_owed: bool,
}

impl Entry {
    /// What has to be sent at `tick`, if anything.
    pub(crate) fn decide<'a>(
        &mut self,
        views: &[View<'a>],
        terms: &Terms,
        tick: Timestamp,
    ) -> Option<Draft<'a>> {
        if !terms.send_resolved {
            self.note_unsent_resolutions(views);
        }
        let (changes, shown) = self.compare(views, terms);
        let reason = self.reason(&changes, terms, tick)?;
        let status =
            if changes.fires || changes.still_owed { NoticeStatus::Firing } else { NoticeStatus::Resolved };
        let told = shown.iter().map(|view| (view.fingerprint, view.told())).collect();
        let content = content(&shown);
        if self.is_given_up(&content, terms, tick) {
            return None;
        }
        let retry = self.retry_of(&content);
        Some(Draft { reason, status, content, shown, told, retry })
    }

    /// Without `send_resolved` the receiver is taken to know that a notice is resolved, so that the same
    /// notice firing again is a new one.
    fn note_unsent_resolutions(&mut self, views: &[View<'_>]) {
        for view in views.iter().filter(|view| view.status == NoticeStatus::Resolved) {
            if let Some(told) = self.told.get_mut(&view.fingerprint) {
                *told = view.told();
            }
        }
    }

    fn compare<'a>(&self, views: &[View<'a>], terms: &Terms) -> (Changes, Vec<View<'a>>) {
        let (mut changes, mut shown) = (Changes::default(), Vec::new());
        for view in views {
            let told = self.told.get(&view.fingerprint);
            let is_known = told.is_some_and(|told| told.status == NoticeStatus::Firing);
            let is_other = told.is_none_or(|told| told.id != view.notice.id);
            let kind = view.notice.kind;
            let is_shown = match view.status {
                NoticeStatus::Firing if view.is_visible && (terms.is_full || is_known) => {
                    changes.fires = true;
                    changes.is_firing_new |= !is_known;
                    changes.is_updated |= terms.is_full && is_other && news::tells_updates(kind);
                    changes.is_repeating |= terms.is_full && news::repeats(kind);
                    true
                }
                NoticeStatus::Firing => {
                    changes.still_owed |= self.owes_resolved(view.fingerprint);
                    false
                }
                // Muted or not: who heard the alarm hears its end.
                NoticeStatus::Resolved if self.owes_resolved(view.fingerprint) => {
                    changes.is_resolved = true;
                    true
                }
                NoticeStatus::Resolved => {
                    let is_untold = terms.is_full && view.is_visible && is_other && news::is_news(kind);
                    changes.is_updated |= is_untold;
                    is_untold
                }
            };
            if is_shown {
                shown.push(*view);
            }
        }
        (changes, shown)
    }

    fn reason(&self, changes: &Changes, terms: &Terms, tick: Timestamp) -> Option<SendReason> {
        let has_told_firing = self.told.values().any(|told| told.status == NoticeStatus::Firing);
        if changes.is_firing_new {
            let is_first = !has_told_firing;
            return Some(if is_first { SendReason::FirstNotification } else { SendReason::NewAlertsAdded });
        }
        if changes.is_resolved {
            let is_all = !changes.fires && !changes.still_owed;
            return Some(if is_all { SendReason::AllAlertsResolved } else { SendReason::SomeAlertsResolved });
        }
        if changes.is_updated {
            return Some(if self.told.is_empty() {
                SendReason::FirstNotification
            } else {
                SendReason::Updated
            });
        }
        let is_due =
            changes.is_repeating && self.last.is_none_or(|last| last + terms.repeat_interval <= tick);
        is_due.then_some(SendReason::RepeatIntervalElapsed)
    }

    /// Whether this content failed so often that it waits for `repeat_interval`.
    fn is_given_up(&self, content: &str, terms: &Terms, tick: Timestamp) -> bool {
        self.failing.as_ref().is_some_and(|failing| {
            failing.content == content
                && failing.tries >= MAX_TRIES_PER_TICK
                && tick < failing.at + terms.repeat_interval
        })
    }

    /// A message of this content that failed is tried again under its first id, without those who refused it. After
    /// a long pause it is a new one, for all: an address may have been mended.
    fn retry_of(&self, content: &str) -> Retry {
        let failing = self.failing.as_ref().filter(|failing| failing.content == content);
        failing
            .filter(|failing| failing.tries < MAX_TRIES_PER_TICK)
            .map_or_else(Retry::default, |it| it.retry.clone())
    }

    pub(crate) fn note_delivery(&mut self, told: &BTreeMap<u64, Told>, tick: Timestamp) {
        self.in_flight = None;
        self.failing = None;
        self.partial = None;
        self.last = Some(tick);
        self.told.extend(told.iter().map(|(&fingerprint, told)| (fingerprint, told.clone())));
    }

    /// The message was delivered, but not to all of its recipients.
    pub(crate) fn note_partial(&mut self, send: &Send, delivery: &Delivery) {
        if delivery.has_waiting() {
            self.partial =
                Some(Partial { send: send.clone(), retry: Retry::after(send, delivery), tries: 1 });
        }
    }

    /// The try for those who are left over failed again.
    pub(crate) fn note_partial_failure(&mut self, send: &Send, delivery: &Delivery) {
        self.in_flight = None;
        self.is_due_after_flight = false;
        let Some(partial) = &mut self.partial else { return };
        partial.retry = Retry::after(send, delivery);
        partial.tries += 1;
        if partial.tries >= MAX_TRIES_PER_TICK || delivery.is_refused_by_all() {
            self.partial = None;
        }
    }

    /// The message that is left to deliver to some of its recipients, as another try.
    pub(crate) fn rest(&self) -> Option<Send> {
        let Partial { send, retry, tries } = self.partial.as_ref()?;
        let id = SendId::of(&[send.public_id().as_str(), "rest", &tries.to_string()]);
        Some(Send { id, retry_of: retry.of.clone(), settled: retry.settled.clone(), ..send.clone() })
    }

    pub(crate) fn has_rest(&self) -> bool {
        self.partial.is_some()
    }

    pub(crate) fn note_failure(
        &mut self,
        (send, content): (&Send, &str),
        delivery: &Delivery,
        now: Timestamp,
    ) {
        self.in_flight = None;
        self.is_due_after_flight = false;
        let before = self.failing.take().filter(|failing| failing.content == content);
        let tries = before.map_or(0, |failing| failing.tries).saturating_add(1);
        // What everyone refuses for good is not asked for again at each tick.
        let tries = if delivery.is_refused_by_all() { tries.max(MAX_TRIES_PER_TICK) } else { tries };
        let retry = Retry::after(send, delivery);
        self.failing = Some(Failing { content: content.to_owned(), tries, at: now, retry });
    }

    /// A new configuration may have mended what failed.
    pub(crate) fn forget_failures(&mut self) {
        self.failing = None;
    }

    /// Whether the receiver heard of the notice firing and not of its end.
    pub(crate) fn owes_resolved(&self, fingerprint: u64) -> bool {
        let told = self.told.get(&fingerprint);
        told.is_some_and(|told| told.status == NoticeStatus::Firing && !told.is_elsewhere)
    }

    /// Whether the receiver would learn something from this notice.
    pub(crate) fn is_fresh(&self, view: &View<'_>) -> bool {
        self.told.get(&view.fingerprint).is_none_or(|told| {
            told.status != view.status || (news::tells_updates(view.notice.kind) && told.id != view.notice.id)
        })
    }

    /// The next moment after `tick` at which time alone makes the entry due.
    pub(crate) fn next_repeat(&self, repeat_interval: Duration, tick: Timestamp) -> Option<Timestamp> {
        let moments = [self.last, self.failing.as_ref().map(|failing| failing.at)];
        let repeats = moments.into_iter().flatten().map(|moment| moment + repeat_interval);
        repeats.filter(|&moment| moment > tick).min()
    }
}

impl View<'_> {
    fn told(&self) -> Told {
        Told { status: self.status, id: self.notice.id.clone(), is_elsewhere: false }
    }
}

/// Alerts count by labels and status only: a sender that repeats them gives each repetition an id of its own.
fn content(shown: &[View<'_>]) -> String {
    let parts: Vec<String> = shown
        .iter()
        .map(|view| {
            let id = if news::tells_updates(view.notice.kind) { view.notice.id.as_str() } else { "" };
            format!("{:016x} {:?} {id}", view.fingerprint, view.status)
        })
        .collect();
    stable_hash(&parts.iter().map(String::as_str).collect::<Vec<&str>>())
}
