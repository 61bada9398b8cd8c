//! The parts of the files that hold for one service, and where a key stands in them.

use crate::{
    Place, Policy, Rules,
    yaml::{Entry, Node},
};

/// A policy that matches, as it was compiled and as it stands in its file.
pub(super) struct Layer<'a> {
    pub(super) rules: &'a Rules,
    pub(super) node: Option<&'a Node>,
}

pub(super) struct Layers<'a> {
    main: Option<&'a Node>,
    /// The main file is the first.
    pub(super) files: &'a [Node],
    /// The least specific first.
    policies: Vec<Layer<'a>>,
}

impl<'a> Layers<'a> {
    pub(super) fn of(policy: &'a Policy, files: &'a [Node], service: &str, environment: &str) -> Self {
        let covering = policy.policies.iter().filter(|rules| rules.matching.covers(service, environment));
        let policies = covering.map(|rules| Layer { rules, node: node_of(rules, files) }).collect();
        Self { main: files.first(), files, policies }
    }

    /// The most specific first.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Layer<'a>> {
        self.policies.iter().rev()
    }

    /// Where the first of the keys stands in the most specific policy that has one of them.
    pub(super) fn of_policy(&self, keys: &[&str]) -> Option<Place> {
        let mut found =
            self.policies().filter_map(|layer| keys.iter().find_map(|key| entry(layer.node?, key)));
        found.next().map(place)
    }

    /// Where `key` stands in the `section` of the most specific policy that has this section.
    pub(super) fn of_policy_within(&self, section: &str, key: &str) -> Option<Place> {
        let mut sections = self.policies().filter_map(|layer| entry(layer.node?, section));
        entry(&sections.next()?.value, key).map(place)
    }

    /// Where a key stands in the most specific policy that has it, else under `defaults`.
    pub(super) fn of_policy_or_defaults(&self, key: &str) -> Option<Place> {
        self.of_policy(&[key]).or_else(|| self.of_main(&["defaults", key]))
    }

    /// `watch: 30m` and `watch: { time: 30m }` are the same.
    pub(super) fn of_watch(&self) -> Option<Place> {
        let of = |node: &Node| {
            let watch = entry(node, "watch")?;
            if watch.value.text().is_some() {
                Some(place(watch))
            } else {
                entry(&watch.value, "time").map(place)
            }
        };
        let mut of_policies = self.policies().filter_map(|layer| of(layer.node?));
        of_policies.next().or_else(|| of(self.main?.get("defaults")?))
    }

    /// Where the last of these keys, each within the one before, stands in the main file.
    pub(super) fn of_main(&self, path: &[&str]) -> Option<Place> {
        let (last, sections) = path.split_last()?;
        let within = sections.iter().try_fold(self.main?, |node, section| node.get(section))?;
        entry(within, last).map(place)
    }

    pub(super) fn main(&self) -> Option<&'a Node> {
        self.main
    }
}

fn node_of<'a>(rules: &Rules, files: &'a [Node]) -> Option<&'a Node> {
    let place = rules.place.as_ref()?;
    let mut policies = files.iter().filter_map(|root| root.get("policies")?.items()).flatten();
    policies.find(|node| node.place == *place)
}

/// A key that says something; nothing is as if the key were not there.
pub(super) fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.entries()?.iter().find(|entry| entry.key.name == key && !entry.value.is_null())
}

pub(super) fn place(entry: &Entry) -> Place {
    entry.key.place.clone()
}
