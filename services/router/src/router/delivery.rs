//! A delivery is reported: what was told is noted, a failure goes to the fallback.

use std::collections::BTreeMap;

use model::{Delivery, DeliveryResult, Notice, NoticeId, NoticeStatus, Send, SendId, SendReason};

use super::{Pending, Router};
use crate::{
    entry::{Channel, Entry, Told},
    group::Group,
    message, news,
    wiring::Settings,
};

impl Router {
    pub(super) fn take_delivery(&mut self, delivery: &Delivery) {
        let Some(pending) = self.finish(&delivery.send) else {
            return self.take_unknown(delivery);
        };
        match delivery.result {
            DeliveryResult::Delivered => self.note_delivered(&pending, delivery),
            DeliveryResult::Failed => self.note_failed(&pending, delivery, true),
            DeliveryResult::Suppressed => self.note_failed(&pending, delivery, false),
        }
    }

    fn note_delivered(&mut self, pending: &Pending, delivery: &Delivery) {
        let key = &pending.send.group_key;
        self.remember_thread(pending, delivery);
        let Some(entry) = self.entry(key, &pending.channel) else { return };
        let tick = if pending.is_rest { entry.last.unwrap_or(pending.tick) } else { pending.tick };
        entry.note_delivery(&pending.told, tick);
        entry.note_partial(&pending.send, delivery);
        if entry.is_due_after_flight {
            self.tell(key, Some(&pending.channel), self.now);
        }
        self.tidy(key);
    }

    fn entry(&mut self, key: &str, channel: &Channel) -> Option<&mut Entry> {
        self.groups.get_mut(key)?.entries.get_mut(channel)
    }

    fn remember_thread(&mut self, pending: &Pending, delivery: &Delivery) {
        let subject = message::subject(&pending.send.group_key, pending.send.release.as_ref());
        let is_over = pending.send.release.is_none() && pending.send.reason == SendReason::AllAlertsResolved;
        match &delivery.thread {
            _ if is_over => self.threads.forget(pending.channel.clone(), subject),
            Some(thread) => self.threads.remember(pending.channel.clone(), subject, thread.clone()),
            None => {}
        }
    }

    /// The content stays untold and is tried again at the next tick, which is now if it passed in the
    /// meantime; the fallback gets the message, once. What some have already is only tried again for the others.
    fn note_failed(&mut self, pending: &Pending, delivery: &Delivery, asks_fallback: bool) {
        let key = &pending.send.group_key;
        let now = self.now;
        let Some(entry) = self.entry(key, &pending.channel) else { return };
        let is_due = entry.is_due_after_flight;
        if pending.is_rest {
            entry.note_partial_failure(&pending.send, delivery);
        } else {
            entry.note_failure((&pending.send, &pending.content), delivery, now);
        }
        let asks_fallback = asks_fallback && !pending.is_rest;
        let receiver =
            self.groups.get(key).and_then(|group| self.wiring.node(group)).map(|node| &node.receiver);
        if asks_fallback && receiver == Some(&pending.channel.receiver) {
            for (channel, settings) in self.wiring.fallback(&pending.channel.receiver).to_vec() {
                self.forward(pending, channel, settings);
            }
        }
        if is_due {
            self.tell(key, Some(&pending.channel), now);
        }
        self.tidy(key);
    }

    /// Hands the message of another receiver to `channel`, unless it knows all of it.
    fn forward(&mut self, failed: &Pending, channel: Channel, settings: Settings) {
        let key = &failed.send.group_key;
        let Some(group) = self.groups.get_mut(key) else { return };
        let repeat_interval = group.repeat_interval;
        let mut entry = group.entries.get(&channel).cloned().unwrap_or_default();
        let told: BTreeMap<u64, Told> = failed
            .told
            .iter()
            .filter(|(_, told)| settings.send_resolved || told.status == NoticeStatus::Firing)
            .map(|(&fingerprint, told)| (fingerprint, told.clone()))
            .collect();
        let is_repeat = failed.send.reason == SendReason::RepeatIntervalElapsed
            && entry.last.is_none_or(|last| last + repeat_interval <= failed.tick);
        let is_news = told.iter().any(|(fingerprint, told)| is_unknown(&entry, *fingerprint, told, failed));
        if entry.in_flight.is_some() || told.is_empty() || !(is_news || is_repeat) {
            return;
        }
        let shows = |notice: &&Notice| told.contains_key(&notice.labels.fingerprint());
        let mut notices: Vec<Notice> = failed.send.notices.iter().filter(shows).cloned().collect();
        if settings.max_alerts > 0 {
            notices.truncate(settings.max_alerts);
        }
        let cut = (told.len() - notices.len().min(told.len())) as u64;
        let send = Send {
            id: message::forwarded_id((key, group.facts()), &channel, &notices),
            receiver: channel.receiver.clone(),
            integration: channel.kind.clone(),
            index: channel.index,
            fresh: (0..notices.len()).collect(),
            truncated: cut,
            thread: message::thread(
                &self.threads,
                &channel,
                key,
                failed.send.release.as_ref(),
                failed.send.reason,
            ),
            notices,
            retry_of: None,
            settled: Vec::new(),
            ..failed.send.clone()
        };
        entry.in_flight = Some(send.id.clone());
        group.entries.insert(channel.clone(), entry);
        group.sends += 1;
        let (tick, content) = (failed.tick, failed.content.clone());
        self.hand_out(Pending { send, channel, tick, told, content, is_rest: false, sequence: 0 });
    }

    /// A delivery of a message that this router did not make: the log was cut, or the configuration changed
    /// over a restart, so that the replay made other messages. What it told counts wherever its integration is
    /// told of the same notices.
    fn take_unknown(&mut self, delivery: &Delivery) {
        if self.finished_set.contains(&delivery.send) {
            return;
        }
        self.counts.deliveries_unknown_total += 1;
        let channel = Channel {
            receiver: delivery.receiver.clone(),
            kind: delivery.integration.clone(),
            index: delivery.index,
        };
        if delivery.result != DeliveryResult::Delivered || self.wiring.settings(&channel).is_none() {
            return;
        }
        if let Some(thread) = &delivery.thread {
            let subject = message::subject(&delivery.group_key, delivery.release.as_ref());
            self.threads.remember(channel.clone(), subject, thread.clone());
        }
        for id in self.learn(&channel, delivery) {
            if let Some(pending) = self.finish(&id) {
                self.note_delivered(&pending, delivery);
            }
        }
    }

    /// Notes what was told; returns the messages in flight that would tell nothing more.
    fn learn(&mut self, channel: &Channel, delivery: &Delivery) -> Vec<SendId> {
        let mut pointless = Vec::new();
        for (key, group) in &mut self.groups {
            let is_own = self.wiring.node(group).is_some_and(|node| node.receiver == channel.receiver);
            let learnt = learnt(group, delivery);
            if learnt.is_empty() || !(is_own || *key == delivery.group_key) {
                continue;
            }
            let entry = group.entries.entry(channel.clone()).or_default();
            entry.told.extend(learnt);
            entry.last.get_or_insert(self.now);
            let knows = |fingerprint: &u64, told: &Told| {
                entry.told.get(fingerprint).is_some_and(|known| known.status == told.status)
            };
            let flying = entry.in_flight.as_ref().and_then(|id| self.pending.get(id));
            if let Some(flying) = flying.filter(|flying| flying.told.iter().all(|(at, told)| knows(at, told)))
            {
                pointless.push(flying.send.id.clone());
            }
        }
        pointless
    }
}

/// What a delivery says about the members of a group.
fn learnt(group: &Group, delivery: &Delivery) -> BTreeMap<u64, Told> {
    let prints = |status: NoticeStatus, prints: &[u64]| -> Vec<(u64, NoticeStatus)> {
        prints.iter().map(|&fingerprint| (fingerprint, status)).collect()
    };
    let firing = prints(NoticeStatus::Firing, &delivery.firing);
    let resolved = prints(NoticeStatus::Resolved, &delivery.resolved);
    let known = firing.into_iter().chain(resolved).filter_map(|(fingerprint, status)| {
        let notice = &group.members.get(&fingerprint)?.notice;
        let is_same = delivery.notices.contains(&notice.id);
        let id = if is_same { notice.id.clone() } else { NoticeId::default() };
        Some((fingerprint, Told { status, id, is_elsewhere: false }))
    });
    known.collect()
}

fn is_unknown(entry: &Entry, fingerprint: u64, told: &Told, failed: &Pending) -> bool {
    let mut notices = failed.send.notices.iter();
    let kind = notices.find(|notice| notice.labels.fingerprint() == fingerprint).map(|notice| notice.kind);
    entry.told.get(&fingerprint).is_none_or(|known| {
        known.status != told.status || (kind.is_some_and(news::tells_updates) && known.id != told.id)
    })
}
