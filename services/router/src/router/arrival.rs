//! A notice arrives: into which groups it goes, and when they tick.

use std::time::Duration;

use model::{Labels, Notice, NoticeStatus, Timestamp};

use super::Router;
use crate::{
    group::{Arrival, Group},
    limits::MAX_GROUPS,
    news::{self, FOLLOW_UP_PAUSE, Haste},
};

/// A search looks at every group: a millisecond at most, which once a second is nothing.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

impl Router {
    pub(super) fn take_in(&mut self, notice: &Notice) {
        let fingerprint = notice.labels.fingerprint();
        self.inhibitor.observe(fingerprint, notice, self.now);
        let mut reached = Vec::new();
        for node in self.wiring.tree.matching(&notice.labels) {
            if let Some(key) = self.take_into(node, fingerprint, notice) {
                reached.push(key);
            }
        }
        for key in self.leaving.get(&fingerprint).cloned().unwrap_or_default() {
            let member = self.groups.get_mut(&key).and_then(|group| group.members.get_mut(&fingerprint));
            if let Some(member) = member.filter(|_| !reached.contains(&key)) {
                member.update(notice, self.now);
            }
        }
    }

    /// Takes the notice into its group at `node`; returns the group's key unless there is none to be.
    fn take_into(&mut self, node: usize, fingerprint: u64, notice: &Notice) -> Option<String> {
        let group_labels = self.wiring.tree.nodes[node].group_labels(&notice.labels);
        let key = self.wiring.tree.nodes[node].group_key(&group_labels);
        let is_over = news::status_at(notice, self.now) == NoticeStatus::Resolved;
        let is_silent = is_over && !news::is_news(notice.kind);
        let key = match self.groups.contains_key(&key) {
            true => key,
            false => match self.overflow_key(node, fingerprint) {
                Some(overflow) => overflow,
                None if is_silent => return None,
                None => self.open(node, key, group_labels),
            },
        };
        let now = self.now;
        let group = self.groups.get_mut(&key)?;
        // A group that a reload left without a route has one again.
        group.follow(node, &self.wiring.tree.nodes[node]);
        let (arrival, evicted) = group.insert(fingerprint, notice, now);
        self.counts.notices_evicted_total += evicted;
        self.counts.notices_refused_total += u64::from(arrival == Arrival::Refused);
        self.hasten(&key, node, notice, arrival);
        Some(key)
    }

    /// The group in which the notice stands since there were too many groups.
    fn overflow_key(&self, node: usize, fingerprint: u64) -> Option<String> {
        let key = self.wiring.tree.nodes[node].group_key(&Labels::default());
        let holds = |group: &&Group| group.members.contains_key(&fingerprint);
        self.groups.get(&key).filter(holds).map(|_| key)
    }

    /// Opens a group, or finds the one to use when there are too many.
    fn open(&mut self, node: usize, key: String, labels: Labels) -> String {
        if self.groups.len() >= MAX_GROUPS && !self.make_room() {
            self.counts.groups_overflowed_total += 1;
            let overflow = self.wiring.tree.nodes[node].group_key(&Labels::default());
            if !self.groups.contains_key(&overflow) {
                self.add_group(node, overflow.clone(), Labels::default());
            }
            return overflow;
        }
        self.add_group(node, key.clone(), labels);
        key
    }

    pub(super) fn add_group(&mut self, node: usize, key: String, labels: Labels) {
        let mut group = Group::new(labels, self.now);
        let route = &self.wiring.tree.nodes[node];
        group.follow(node, route);
        let due = self.now + route.group_wait;
        self.groups.insert(key.clone(), group);
        self.set_due(&key, due);
    }

    /// Drops the group that has been over for longest. A search that found none is not repeated for a while,
    /// so that a flood of new groups costs no search each.
    fn make_room(&mut self) -> bool {
        if self.crowded_at.is_some_and(|crowded| self.now < crowded + SEARCH_INTERVAL) {
            return false;
        }
        let over = self.groups.iter().filter(|(_, group)| group.is_over(self.now));
        let Some(oldest) = over.min_by_key(|(_, group)| group.changed_at).map(|(key, _)| key.clone()) else {
            self.crowded_at = Some(self.now);
            return false;
        };
        self.counts.groups_evicted_total += 1;
        self.drop_group(&oldest);
        true
    }

    /// Moves the group's tick to now where the notice does not wait.
    fn hasten(&mut self, key: &str, node: usize, notice: &Notice, arrival: Arrival) {
        let Some(group) = self.groups.get(key) else { return };
        let route = &self.wiring.tree.nodes[node];
        let is_change = matches!(arrival, Arrival::New | Arrival::Changed | Arrival::Updated);
        let haste = match arrival {
            Arrival::New | Arrival::Changed => news::haste(notice),
            Arrival::Updated => news::haste_of_update(notice),
            Arrival::Unchanged | Arrival::Ignored | Arrival::Refused => Haste::None,
        };
        let has_waited = group.last_tick.is_none() && notice.starts_at + route.group_wait < self.now;
        // Without group_wait the first notice of a record ticks at once; the others of the record follow it
        // instead of waiting for the next interval.
        let is_together = is_change && route.group_wait.is_zero() && has_just_opened(group, self.now);
        if haste == Haste::Now || has_waited || is_together {
            self.set_due(key, self.now);
        } else if haste == Haste::Soon {
            let pause = group.last_tick.map_or(self.now, |tick| tick + FOLLOW_UP_PAUSE);
            let soon = group.due.map_or(pause, |due| due.min(pause)).max(self.now);
            self.set_due(key, soon);
        }
    }
}

fn has_just_opened(group: &Group, now: Timestamp) -> bool {
    group.created_at == now && group.last_tick == Some(now)
}
