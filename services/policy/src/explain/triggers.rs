//! Each trigger's condition, window and action.

use crate::{
    EffectivePolicy, GuardTest, Place, Trigger,
    yaml::{Entry, Node, format_duration},
};

use super::{
    Rows,
    layers::{Layers, entry, place},
};

/// The keys that hold a condition, beside `METRIC_drop` and `METRIC_increase`.
const LIMITS: [&str; 2] = ["threshold", "condition"];

impl Rows {
    pub(super) fn triggers(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        if effective.triggers.is_empty() {
            self.add("triggers", "none, so that nothing is watched for", None);
        }
        for trigger in &effective.triggers {
            let written = Written::of(trigger, layers);
            let test = match trigger.test {
                GuardTest::Exact => "exact",
                GuardTest::None => "none",
            };
            let minimum = written
                .saying("min_requests", &trigger.min_requests.to_string())
                .or_else(|| layers.of_policy_or_defaults("min_requests"));
            for (field, value, from) in [
                ("", trigger.text.clone(), written.condition()),
                (".window", format_duration(trigger.window), written.key(&["window"])),
                (".duration", format_duration(trigger.hold), written.key(&["duration", "for"])),
                (".min_requests", trigger.min_requests.to_string(), minimum),
                (".test", test.to_owned(), written.key(&["test"])),
                (".action", trigger.action.as_str().to_owned(), written.key(&["action"])),
            ] {
                self.add(format!("triggers.{}{field}", trigger.name), value, from);
            }
        }
    }
}

/// A trigger as the files have it: the policy's own entry first, then the top level's, which it overrides.
struct Written<'a> {
    name: &'a str,
    nodes: Vec<&'a Node>,
}

impl<'a> Written<'a> {
    fn of(trigger: &'a Trigger, layers: &'a Layers<'_>) -> Self {
        let is_its = |have: &Trigger| have.name == trigger.name;
        let mut owns = layers.policies().filter(|layer| layer.rules.triggers.iter().any(is_its));
        let own = owns.next().and_then(|layer| layer.node);
        let roots = own.into_iter().chain(layers.main());
        Self { name: &trigger.name, nodes: roots.filter_map(|root| written(root, &trigger.name)).collect() }
    }

    fn key(&self, keys: &[&str]) -> Option<Place> {
        let mut found = self.nodes.iter().filter_map(|node| keys.iter().find_map(|key| entry(node, key)));
        found.next().map(place)
    }

    /// Where `key` stands, if it says `value`: a trigger that says the default's number follows the default.
    fn saying(&self, key: &str, value: &str) -> Option<Place> {
        let first = self.nodes.iter().find_map(|node| entry(node, key))?;
        (first.value.text() == Some(value)).then(|| place(first))
    }

    fn condition(&self) -> Option<Place> {
        let change = self.name.rsplit_once('.').map(|(_, change)| change);
        let is_change = |entry: &&Entry| {
            let key = entry.key.name.as_str();
            change.map_or(key.ends_with("_drop") || key.ends_with("_increase"), |change| key == change)
        };
        let limit = |node: &&'a Node| LIMITS.iter().find_map(|key| entry(node, key));
        let change = |node: &&'a Node| node.entries()?.iter().find(is_change);
        self.nodes.iter().find_map(|node| limit(node).or_else(|| change(node))).map(place)
    }
}

/// The mapping that says what a trigger is. One of several changes of a trigger is called `TRIGGER.CHANGE`.
fn written<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    let of_section = |name: &str| Some(&entry(root.get("rollback_triggers")?, name)?.value);
    let of_change = || {
        let (trigger, change) = name.rsplit_once('.')?;
        of_section(trigger).filter(|node| entry(node, change).is_some())
    };
    let of_list = || {
        let is_its = |node: &&Node| node.get("name").and_then(Node::text) == Some(name);
        root.get("alerts")?.items()?.iter().find(is_its)
    };
    of_section(name).or_else(of_change).or_else(of_list)
}
