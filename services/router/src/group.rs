//! One group: its notices, its clock, and what each integration has been told.

use std::{collections::BTreeMap, time::Duration};

use model::{Labels, Notice, NoticeKind, NoticeStatus, Timestamp};

use crate::{
    entry::{Channel, Entry, View},
    limits::MAX_NOTICES_PER_GROUP,
    news,
    tree::Node,
};

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) notice: Notice,
    /// Seen resolved at a tick and not changed since: gone as soon as nobody is owed anything.
    is_settled: bool,
    /// Routed elsewhere since a reload: stays only until its resolved is delivered.
    pub(crate) is_leaving: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) labels: Labels,
    /// Index of the route's node; `None` when a reload left the group without a route.
    pub(crate) node: Option<usize>,
    pub(crate) interval: Duration,
    pub(crate) repeat_interval: Duration,
    pub(crate) created_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) last_tick: Option<Timestamp>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) members: BTreeMap<u64, Member>,
    pub(crate) entries: BTreeMap<Channel, Entry>,
    /// Firing notices that found no room since the last tick.
    pub(crate) refused: u64,
    /// Messages made so far: part of the id of the next.
    pub(crate) sends: u64,
}

/// What an arriving notice did to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    New,
    /// Known, with another status.
    Changed,
    /// Known, with other content.
    Updated,
    Unchanged,
    /// Resolved, and nobody heard of it.
    Ignored,
    /// No room.
    Refused,
}

impl Group {
    pub(crate) fn new(labels: Labels, now: Timestamp) -> Self {
        Self {
            labels,
            node: None,
            interval: Duration::ZERO,
            repeat_interval: Duration::ZERO,
            created_at: now,
            changed_at: now,
            last_tick: None,
            due: None,
            members: BTreeMap::new(),
            entries: BTreeMap::new(),
            refused: 0,
            sends: 0,
        }
    }

    /// Makes the group one of this route.
    pub(crate) fn follow(&mut self, at: usize, route: &Node) {
        self.node = Some(at);
        self.interval = route.group_interval;
        self.repeat_interval = route.repeat_interval;
    }

    /// Takes a notice in; returns what it did and how many resolved ones made room for it.
    pub(crate) fn insert(&mut self, fingerprint: u64, notice: &Notice, now: Timestamp) -> (Arrival, u64) {
        self.changed_at = now;
        if let Some(member) = self.members.get_mut(&fingerprint) {
            member.is_leaving = false;
            return (member.update(notice, now), 0);
        }
        if news::status_at(notice, now) == NoticeStatus::Resolved && !news::is_news(notice.kind) {
            return (Arrival::Ignored, 0);
        }
        let mut evicted = 0;
        if self.members.len() >= MAX_NOTICES_PER_GROUP {
            evicted = self.evict(now);
        }
        if self.members.len() >= MAX_NOTICES_PER_GROUP {
            self.refused += 1;
            return (Arrival::Refused, evicted);
        }
        let mut notice = notice.clone();
        close(&mut notice, now);
        self.members.insert(fingerprint, Member { notice, is_settled: false, is_leaving: false });
        (Arrival::New, evicted)
    }

    /// Drops the oldest notice that does not ask for anything any more.
    fn evict(&mut self, now: Timestamp) -> u64 {
        if self.is_in_flight() {
            return 0;
        }
        let over = self.members.iter().filter(|(_, member)| member.is_over(now));
        let oldest = over.min_by_key(|(fingerprint, member)| (member.notice.starts_at, **fingerprint));
        let Some(fingerprint) = oldest.map(|(&fingerprint, _)| fingerprint) else { return 0 };
        self.members.remove(&fingerprint);
        self.forget_told_without_member();
        1
    }

    /// The members as they stand at `tick`.
    pub(crate) fn views<'a>(
        members: &'a BTreeMap<u64, Member>,
        tick: Timestamp,
        is_hidden: impl Fn(&Labels) -> bool,
    ) -> Vec<View<'a>> {
        let view = |(&fingerprint, member): (&u64, &'a Member)| {
            let status = news::status_at(&member.notice, tick);
            let is_visible = !member.is_leaving && !is_hidden(&member.notice.labels);
            View { fingerprint, notice: &member.notice, status, is_visible }
        };
        members.iter().map(view).collect()
    }

    /// Marks what is resolved at a tick; [`Group::tidy`] may remove it from then on.
    pub(crate) fn settle(&mut self, tick: Timestamp) {
        for member in self.members.values_mut() {
            member.is_settled = news::status_at(&member.notice, tick) == NoticeStatus::Resolved;
        }
    }

    /// Removes the settled notices that no receiver has to hear about, and those that left and owe nothing.
    /// Nothing is removed while a message is in flight: its delivery may make something owed.
    pub(crate) fn tidy(&mut self, receiver: Option<&str>) {
        if self.is_in_flight() {
            return;
        }
        let entries = &self.entries;
        self.members.retain(|&fingerprint, member| {
            if entries.values().any(|entry| entry.owes_resolved(fingerprint)) {
                return true;
            }
            !member.is_leaving
                && (!member.is_settled || is_untold_news(entries, receiver, fingerprint, member))
        });
        self.forget_told_without_member();
    }

    fn forget_told_without_member(&mut self) {
        for entry in self.entries.values_mut() {
            entry.told.retain(|fingerprint, _| self.members.contains_key(fingerprint));
        }
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.entries.values().any(|entry| entry.in_flight.is_some())
    }

    /// Whether a message is still owed to some of its recipients.
    pub(crate) fn has_rest(&self) -> bool {
        self.entries.values().any(Entry::has_rest)
    }

    /// Whether the group may be dropped to make room.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        !self.is_in_flight() && self.members.values().all(|member| member.is_over(now))
    }

    /// The next moment after `tick` at which a notice ends by itself.
    pub(crate) fn next_end(&self, tick: Timestamp) -> Option<Timestamp> {
        self.members.values().filter_map(|member| member.notice.ends_at).filter(|&end| end > tick).min()
    }
}

fn is_untold_news(
    entries: &BTreeMap<Channel, Entry>,
    receiver: Option<&str>,
    fingerprint: u64,
    member: &Member,
) -> bool {
    let mut own = entries.iter().filter(|(channel, _)| Some(channel.receiver.as_str()) == receiver);
    news::is_news(member.notice.kind)
        && own.any(|(_, entry)| entry.told.get(&fingerprint).is_none_or(|told| told.id != member.notice.id))
}

impl Member {
    pub(crate) fn update(&mut self, notice: &Notice, now: Timestamp) -> Arrival {
        let before = (news::status_at(&self.notice, now), &self.notice.id);
        let is_same_status = before.0 == news::status_at(notice, now);
        let is_same_content = *before.1 == notice.id;
        let starts_at = match (notice.kind, before.0) {
            // Two descriptions of one stretch: it began when the earlier of them says.
            (NoticeKind::Alert, NoticeStatus::Firing) => notice.starts_at.min(self.notice.starts_at),
            _ => notice.starts_at,
        };
        self.notice = Notice { starts_at, ..notice.clone() };
        close(&mut self.notice, now);
        self.is_settled = false;
        match (is_same_status, is_same_content) {
            (true, true) => Arrival::Unchanged,
            (true, false) => Arrival::Updated,
            (false, _) => Arrival::Changed,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        news::status_at(&self.notice, now) == NoticeStatus::Resolved || !news::repeats(self.notice.kind)
    }
}

/// A resolved notice without an end ended when it was said to be.
fn close(notice: &mut Notice, now: Timestamp) {
    if notice.status == NoticeStatus::Resolved && notice.ends_at.is_none() {
        notice.ends_at = Some(now);
    }
}
