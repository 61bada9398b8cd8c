//! A new configuration: every notice is routed anew, and nothing is told twice for it.

use std::collections::BTreeMap;

use model::{Labels, Notice, Timestamp};

use super::Router;
use crate::{
    Config,
    entry::{Channel, Entry, Told},
    wiring::Wiring,
};

/// What each integration knows, whichever group it heard it in.
type Heard = BTreeMap<Channel, (BTreeMap<u64, Told>, Option<Timestamp>)>;

impl Router {
    pub(super) fn rewire(&mut self, config: Config) {
        self.wiring = Wiring::new(&config);
        self.inhibitor.set_rules(config.inhibit_rules);
        let heard = self.heard();
        let notices = self.detach();
        for (fingerprint, notice) in &notices {
            for node in self.wiring.tree.matching(&notice.labels) {
                self.attach(node, *fingerprint, notice, &heard);
            }
        }
        self.note_leaving();
        for key in self.groups.keys().cloned().collect::<Vec<String>>() {
            self.tidy(&key);
        }
    }

    fn heard(&self) -> Heard {
        let mut heard = Heard::new();
        for group in self.groups.values() {
            for (channel, entry) in &group.entries {
                let (told, last) = heard.entry(channel.clone()).or_default();
                told.extend(entry.told.iter().map(|(&fingerprint, told)| (fingerprint, told.clone())));
                *last = (*last).max(entry.last);
            }
        }
        heard
    }

    /// Takes every notice and integration off its group, and gives back the notices. What is left in the
    /// groups waits for its resolved, to be told to who is still there to hear it.
    fn detach(&mut self) -> BTreeMap<u64, Notice> {
        let mut notices = BTreeMap::new();
        for group in self.groups.values_mut() {
            group.node = None;
            group.entries.retain(|channel, _| self.wiring.settings(channel).is_some());
            group.entries.values_mut().for_each(Entry::forget_failures);
            for (fingerprint, member) in &mut group.members {
                notices.insert(*fingerprint, member.notice.clone());
                member.is_leaving = true;
            }
        }
        notices
    }

    fn attach(&mut self, node: usize, fingerprint: u64, notice: &Notice, heard: &Heard) {
        let route = &self.wiring.tree.nodes[node];
        let group_labels: Labels = route.group_labels(&notice.labels);
        let key = route.group_key(&group_labels);
        let channels: Vec<Channel> =
            self.wiring.channels(&route.receiver).iter().map(|(channel, _)| channel.clone()).collect();
        if !self.groups.contains_key(&key) {
            self.add_group(node, key.clone(), group_labels);
        }
        let now = self.now;
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.follow(node, &self.wiring.tree.nodes[node]);
        match group.members.get_mut(&fingerprint) {
            Some(member) => member.is_leaving = false,
            None => {
                group.insert(fingerprint, notice, now);
            }
        }
        if !group.members.contains_key(&fingerprint) {
            return;
        }
        for channel in channels {
            let Some((told, last)) = heard.get(&channel) else { continue };
            let Some(known) = told.get(&fingerprint) else { continue };
            let entry = group.entries.entry(channel).or_default();
            entry.told.entry(fingerprint).or_insert_with(|| Told { is_elsewhere: true, ..known.clone() });
            entry.last = entry.last.max(*last);
        }
    }

    fn note_leaving(&mut self) {
        self.leaving.clear();
        for (key, group) in &self.groups {
            for (fingerprint, _) in group.members.iter().filter(|(_, member)| member.is_leaving) {
                self.leaving.entry(*fingerprint).or_default().insert(key.clone());
            }
        }
    }
}
