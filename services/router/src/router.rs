//! The state machine: notices, deliveries and time in, messages out.

mod arrival;
mod delivery;
mod reload;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use model::{Delivery, Labels, Notice, NoticeStatus, Send, SendId, Timestamp};

use crate::{
    Config,
    entry::{Channel, Told},
    group::Group,
    inhibitor::Inhibitor,
    limits::{MAX_FINISHED_SENDS, MAX_IDLE_TICKS},
    message,
    threads::Threads,
    wiring::Wiring,
};

/// A message handed out whose delivery is not reported yet.
#[derive(Clone, Debug)]
struct Pending {
    send: Send,
    channel: Channel,
    /// The tick it belongs to: repeats are counted from here.
    tick: Timestamp,
    /// What the receiver knows once it is delivered, left-out notices included.
    told: BTreeMap<u64, Told>,
    content: String,
    /// Another try of a message that some of its recipients have: tells nothing new.
    is_rest: bool,
    /// Order in which messages were made; given when it is handed out.
    sequence: u64,
}

/// Figures for the shell's metrics. Those ending in `_total` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub groups: usize,
    pub in_flight: usize,
    pub threads: usize,
    pub inhibition_sources: usize,
    pub sends_total: u64,
    /// Groups of resolved notices dropped to make room.
    pub groups_evicted_total: u64,
    /// Notices that joined the group without labels because there were too many groups.
    pub groups_overflowed_total: u64,
    /// Resolved notices dropped to make room in their group.
    pub notices_evicted_total: u64,
    /// Firing notices that found no room in their group, counted in `truncated` of its messages.
    pub notices_refused_total: u64,
    pub inhibition_sources_refused_total: u64,
    /// Firing notices held back at a tick because their route was muted, or because of an inhibit rule.
    pub muted_total: u64,
    pub inhibited_total: u64,
    /// Deliveries of messages that this router did not make.
    pub deliveries_unknown_total: u64,
}

/// Decides who is told what, and when.
///
/// `now` is the stamp of the record that is handled and never goes back. Ticks happen at the moment they are
/// due, however late they are noticed, so the messages depend on the records only: a replay of the same
/// notices and deliveries makes the same messages with the same ids.
///
/// ```text
/// replay: handle_notices, handle_delivery, handle_timeout … ; poll_send until None, discarding; unfinished()
///         → send again
/// then:   handle_notices | handle_delivery | handle_timeout; poll_send until None; a record at poll_timeout
/// ```
#[derive(Clone, Debug)]
pub struct Router {
    wiring: Wiring,
    inhibitor: Inhibitor,
    threads: Threads,
    now: Timestamp,
    groups: BTreeMap<String, Group>,
    timers: BTreeSet<(Timestamp, String)>,
    pending: BTreeMap<SendId, Pending>,
    /// Holds no more than `pending` and what was delivered before it was polled: one message for each
    /// integration of each group.
    outbox: VecDeque<SendId>,
    finished: VecDeque<SendId>,
    finished_set: BTreeSet<SendId>,
    /// Groups that hold a notice routed elsewhere since a reload, by its fingerprint.
    leaving: BTreeMap<u64, BTreeSet<String>>,
    /// When a search for a group to drop last found none.
    crowded_at: Option<Timestamp>,
    sequence: u64,
    counts: Counts,
}

impl Router {
    /// Starts with nothing known. What [`Config::validate`] would refuse is taken as absent: a receiver that
    /// does not exist swallows its messages.
    pub fn new(config: Config) -> Self {
        let mut inhibitor = Inhibitor::default();
        let wiring = Wiring::new(&config);
        inhibitor.set_rules(config.inhibit_rules);
        Self {
            wiring,
            inhibitor,
            threads: Threads::default(),
            now: Timestamp::MIN,
            groups: BTreeMap::new(),
            timers: BTreeSet::new(),
            pending: BTreeMap::new(),
            outbox: VecDeque::new(),
            finished: VecDeque::new(),
            finished_set: BTreeSet::new(),
            leaving: BTreeMap::new(),
            crowded_at: None,
            sequence: 0,
            counts: Counts::default(),
        }
    }

    /// Takes a new configuration. Groups, their clocks and what was told stay; nothing is told again that its
    /// integration was told before, whichever group it is in now.
    pub fn reload(&mut self, config: Config, now: Timestamp) {
        self.advance(now);
        self.rewire(config);
        self.run_due();
    }

    /// Something to tell, or its end.
    pub fn handle_notice(&mut self, now: Timestamp, notice: &Notice) {
        self.handle_notices(now, [notice]);
    }

    /// What one decision has to tell: a group that gets several of these tells them in one message.
    pub fn handle_notices<'a>(&mut self, now: Timestamp, notices: impl IntoIterator<Item = &'a Notice>) {
        self.advance(now);
        for notice in notices {
            self.take_in(notice);
        }
        self.run_due();
    }

    /// How a message went. Every message has to be reported, or its integration hears no more of its group.
    pub fn handle_delivery(&mut self, now: Timestamp, delivery: &Delivery) {
        self.advance(now);
        self.take_delivery(delivery);
        self.run_due();
    }

    /// Time has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// When [`Router::handle_timeout`] has to be called, if no record comes before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The next message to send.
    pub fn poll_send(&mut self) -> Option<Send> {
        while let Some(id) = self.outbox.pop_front() {
            // Not pending any more: a replay brought its delivery.
            if let Some(pending) = self.pending.get(&id) {
                return Some(pending.send.clone());
            }
        }
        None
    }

    /// Messages made whose delivery is not reported yet, oldest first: after a replay exactly these are sent
    /// again, under the same ids.
    pub fn unfinished(&self) -> Vec<Send> {
        let mut pending: Vec<&Pending> = self.pending.values().collect();
        pending.sort_by_key(|pending| pending.sequence);
        pending.into_iter().map(|pending| pending.send.clone()).collect()
    }

    /// Figures for metrics.
    pub fn counts(&self) -> Counts {
        Counts {
            groups: self.groups.len(),
            in_flight: self.pending.len(),
            threads: self.threads.len(),
            inhibition_sources: self.inhibitor.len(),
            inhibition_sources_refused_total: self.inhibitor.refused,
            ..self.counts
        }
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.run_due();
    }

    fn run_due(&mut self) {
        while let Some((due, key)) = self.timers.first().cloned() {
            if due > self.now {
                return;
            }
            self.timers.pop_first();
            self.tick(&key, due);
        }
    }

    fn set_due(&mut self, key: &str, due: Timestamp) {
        let Some(group) = self.groups.get_mut(key) else { return };
        if let Some(before) = group.due.replace(due) {
            self.timers.remove(&(before, key.to_owned()));
        }
        self.timers.insert((due, key.to_owned()));
    }

    fn tick(&mut self, key: &str, tick: Timestamp) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.last_tick = Some(tick);
        group.due = None;
        group.settle(tick);
        let is_idle = !self.tell(key, None, tick);
        self.tidy(key);
        if let Some(due) = self.next_due(key, tick, is_idle) {
            self.set_due(key, due);
        }
    }

    /// Makes the messages that are due at `tick`, for one integration or for all; returns whether there were
    /// any.
    fn tell(&mut self, key: &str, only: Option<&Channel>, tick: Timestamp) -> bool {
        let Some(group) = self.groups.get_mut(key) else { return false };
        let mut entries = std::mem::take(&mut group.entries);
        let is_muted = self.wiring.node(group).is_some_and(|node| node.is_muted(tick));
        let is_hidden = |labels: &Labels| is_muted || self.inhibitor.is_inhibited(labels, tick);
        let views = Group::views(&group.members, tick, is_hidden);
        let mut facts = group.facts();
        let mut made = Vec::new();
        for (channel, terms) in self.wiring.terms(group, &entries) {
            if only.is_some_and(|only| *only != channel) {
                continue;
            }
            let entry = entries.entry(channel.clone()).or_default();
            entry.is_due_after_flight = entry.in_flight.is_some();
            if entry.is_due_after_flight {
                continue;
            }
            let Some(draft) = entry.decide(&views, &terms, tick) else {
                if let Some(mut rest) = entry.rest() {
                    rest.thread = message::standing_thread(&self.threads, &channel, key, &rest);
                    entry.in_flight = Some(rest.id.clone());
                    facts.sends += 1;
                    made.push((rest, channel, None));
                }
                continue;
            };
            let to = (&channel, &*entry, terms.max_alerts);
            let send = message::compose(&draft, to, (key, facts), &self.threads, tick);
            facts.sends += 1;
            entry.in_flight = Some(send.id.clone());
            made.push((send, channel, Some((draft.told, draft.content))));
        }
        let hidden = views.iter().filter(|view| view.status == NoticeStatus::Firing && !view.is_visible);
        let count = if is_muted { &mut self.counts.muted_total } else { &mut self.counts.inhibited_total };
        *count += hidden.count() as u64;
        group.sends = facts.sends;
        group.entries = entries;
        if only.is_none() {
            group.refused = 0;
        }
        let has_made = !made.is_empty();
        for (send, channel, news) in made {
            let is_rest = news.is_none();
            let (told, content) = news.unwrap_or_default();
            self.hand_out(Pending { send, channel, tick, told, content, is_rest, sequence: 0 });
        }
        has_made
    }

    fn hand_out(&mut self, pending: Pending) {
        self.sequence += 1;
        self.counts.sends_total += 1;
        let id = pending.send.id.clone();
        self.outbox.push_back(id.clone());
        self.pending.insert(id, Pending { sequence: self.sequence, ..pending });
    }

    /// Removes what nobody has to hear about any more, and the group with it when that was all.
    fn tidy(&mut self, key: &str) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let receiver =
            group.node.and_then(|at| self.wiring.tree.nodes.get(at)).map(|node| node.receiver.as_str());
        group.tidy(receiver);
        if group.members.is_empty() && !group.is_in_flight() && !group.has_rest() {
            self.drop_group(key);
        }
    }

    fn drop_group(&mut self, key: &str) {
        if let Some(group) = self.groups.remove(key)
            && let Some(due) = group.due
        {
            self.timers.remove(&(due, key.to_owned()));
        }
    }

    /// The group's next tick: one interval on, or the end of the mute that holds it back now.
    fn next_due(&self, key: &str, tick: Timestamp, is_idle: bool) -> Option<Timestamp> {
        let group = self.groups.get(key)?;
        let regular = tick + group.interval;
        let node = self.wiring.node(group);
        let unmuted =
            node.filter(|node| node.is_muted(tick)).and_then(|node| node.next_mute_change(tick, regular));
        if let Some(unmuted) = unmuted {
            return Some(unmuted);
        }
        let is_behind = regular + group.interval.saturating_mul(MAX_IDLE_TICKS) < self.now;
        if !is_idle || !is_behind {
            return Some(regular);
        }
        Some(self.skip_idle_ticks(group, tick))
    }

    /// The first tick at which something may differ from `tick`, none after the first one in the future.
    fn skip_idle_ticks(&self, group: &Group, tick: Timestamp) -> Timestamp {
        let repeats =
            group.entries.values().filter_map(|entry| entry.next_repeat(group.repeat_interval, tick));
        let ends = [group.next_end(tick), self.inhibitor.next_end(tick)];
        let node = self.wiring.node(group);
        let mute = node.and_then(|node| node.next_mute_change(tick, self.now + group.interval));
        let changes = repeats.chain(ends.into_iter().flatten()).chain(mute);
        let target = changes.chain([self.now]).min().unwrap_or(self.now);
        let interval = group.interval.as_millis().max(1);
        let ticks = target.since(tick).as_millis().div_ceil(interval).max(1);
        let ahead = u64::try_from(ticks.saturating_mul(interval)).unwrap_or(u64::MAX);
        let due = tick + Duration::from_millis(ahead);
        // The end of a mute is a tick by itself.
        let unmuted = mute.filter(|_| node.is_some_and(|node| node.is_muted(tick)));
        unmuted.map_or(due, |unmuted| unmuted.min(due))
    }

    fn finish(&mut self, id: &SendId) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        self.finished.push_back(id.clone());
        self.finished_set.insert(id.clone());
        if self.finished.len() > MAX_FINISHED_SENDS
            && let Some(oldest) = self.finished.pop_front()
        {
            self.finished_set.remove(&oldest);
        }
        Some(pending)
    }
}

#[cfg(test)]
pub(crate) mod tests;
