//! A configuration, ready for use: the tree with its options inherited, and each receiver's integrations.

use std::collections::BTreeMap;

use crate::{
    Config,
    entry::{Channel, Entry, Terms},
    group::Group,
    tree::{Node, Tree},
};

#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    pub(crate) tree: Tree,
    receivers: BTreeMap<String, Vec<(Channel, Settings)>>,
    fallbacks: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) send_resolved: bool,
    pub(crate) max_alerts: usize,
}

impl Wiring {
    pub(crate) fn new(config: &Config) -> Self {
        let mut receivers = BTreeMap::new();
        let mut fallbacks = BTreeMap::new();
        for (name, plan) in &config.receivers {
            let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
            let mut channels = Vec::new();
            for integration in &plan.integrations {
                let count = seen.entry(&integration.kind).or_default();
                let channel =
                    Channel { receiver: name.clone(), kind: integration.kind.clone(), index: *count };
                *count += 1;
                let settings =
                    Settings { send_resolved: integration.send_resolved, max_alerts: integration.max_alerts };
                channels.push((channel, settings));
            }
            receivers.insert(name.clone(), channels);
            if let Some(fallback) = &plan.fallback {
                fallbacks.insert(name.clone(), fallback.clone());
            }
        }
        Self { tree: Tree::new(config), receivers, fallbacks }
    }

    pub(crate) fn node(&self, group: &Group) -> Option<&Node> {
        group.node.and_then(|at| self.tree.nodes.get(at))
    }

    pub(crate) fn channels(&self, receiver: &str) -> &[(Channel, Settings)] {
        self.receivers.get(receiver).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn settings(&self, channel: &Channel) -> Option<Settings> {
        let mut channels = self.channels(&channel.receiver).iter();
        channels.find(|(known, _)| known == channel).map(|(_, settings)| *settings)
    }

    /// The integrations that get what `receiver` failed to deliver.
    pub(crate) fn fallback(&self, receiver: &str) -> &[(Channel, Settings)] {
        let fallback = self.fallbacks.get(receiver).filter(|fallback| *fallback != receiver);
        fallback.map_or(&[], |fallback| self.channels(fallback))
    }

    /// Who is told of a group and on what terms: its route's receiver in full, and who else was told of it
    /// before of its end only.
    pub(crate) fn terms(&self, group: &Group, entries: &BTreeMap<Channel, Entry>) -> Vec<(Channel, Terms)> {
        let receiver = self.node(group).map(|node| node.receiver.as_str());
        let own = receiver.map_or(&[][..], |receiver| self.channels(receiver)).iter().cloned();
        let others = entries.keys().filter(|channel| Some(channel.receiver.as_str()) != receiver);
        let others = others.filter_map(|channel| Some((channel.clone(), self.settings(channel)?)));
        let all = own.chain(others).map(|(channel, settings)| {
            let terms = Terms {
                send_resolved: settings.send_resolved,
                is_full: Some(channel.receiver.as_str()) == receiver,
                repeat_interval: group.repeat_interval,
                max_alerts: settings.max_alerts,
            };
            (channel, terms)
        });
        all.collect()
    }
}
