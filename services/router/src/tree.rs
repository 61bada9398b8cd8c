//! The route tree with its options inherited, and the walk through it.

use std::time::Duration;

use model::{Labels, Timestamp};

use crate::{
    Config, GroupBy, Matcher, Route, TimeInterval,
    config::{DEFAULT_GROUP_INTERVAL, DEFAULT_GROUP_WAIT, DEFAULT_REPEAT_INTERVAL},
    interval,
    limits::MAX_ROUTE_DEPTH,
    matcher,
};

/// A node of the tree that takes notices with these labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    pub receiver: String,
    /// The matchers from the root to the node: `{}/{service="checkout"}`.
    pub path: String,
    /// Key of the group the notice falls into: path, colon, group labels.
    pub group_key: String,
    pub group_labels: Labels,
    pub group_wait: Duration,
    pub group_interval: Duration,
    pub repeat_interval: Duration,
}

/// Which nodes take notices with these labels, in the order in which they are found.
pub fn route_for(config: &Config, labels: &Labels) -> Vec<RouteMatch> {
    let tree = Tree::new(config);
    tree.matching(labels).into_iter().map(|node| tree.nodes[node].describe(labels)).collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Path of matcher sets from the root; unique in its tree.
    pub(crate) path: String,
    pub(crate) receiver: String,
    pub(crate) group_wait: Duration,
    pub(crate) group_interval: Duration,
    pub(crate) repeat_interval: Duration,
    group_by: GroupBy,
    mute: Vec<TimeInterval>,
    active: Vec<TimeInterval>,
    is_always_inactive: bool,
    matchers: Vec<Matcher>,
    continue_matching: bool,
    children: Vec<usize>,
}

/// Nodes by index; the root is 0.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    pub(crate) fn new(config: &Config) -> Self {
        let defaults = Node {
            path: String::new(),
            receiver: String::new(),
            group_wait: DEFAULT_GROUP_WAIT,
            group_interval: DEFAULT_GROUP_INTERVAL,
            repeat_interval: DEFAULT_REPEAT_INTERVAL,
            group_by: GroupBy::Labels(Vec::new()),
            mute: Vec::new(),
            active: Vec::new(),
            is_always_inactive: false,
            matchers: Vec::new(),
            continue_matching: false,
            children: Vec::new(),
        };
        let mut tree = Self { nodes: Vec::new() };
        let path = matcher::canonical(&config.route.matchers);
        tree.add(config, &config.route, &defaults, path, 0);
        tree
    }

    fn add(&mut self, config: &Config, route: &Route, parent: &Node, path: String, depth: usize) -> usize {
        let named = |names: &[String]| -> Vec<TimeInterval> {
            names.iter().filter_map(|name| config.time_intervals.get(name).cloned()).collect()
        };
        let active = named(&route.active_time_intervals);
        let node = Node {
            path,
            receiver: route.receiver.clone().unwrap_or_else(|| parent.receiver.clone()),
            group_wait: route.group_wait.unwrap_or(parent.group_wait),
            group_interval: route
                .group_interval
                .unwrap_or(parent.group_interval)
                .max(Duration::from_millis(1)),
            repeat_interval: route.repeat_interval.unwrap_or(parent.repeat_interval),
            group_by: route.group_by.clone().unwrap_or_else(|| parent.group_by.clone()),
            mute: named(&route.mute_time_intervals),
            is_always_inactive: active.is_empty() && !route.active_time_intervals.is_empty(),
            active,
            matchers: route.matchers.clone(),
            continue_matching: route.continue_matching,
            children: Vec::new(),
        };
        let at = self.nodes.len();
        self.nodes.push(node.clone());
        if depth >= MAX_ROUTE_DEPTH {
            return at;
        }
        let mut taken: Vec<String> = Vec::new();
        for child in &route.routes {
            let path = unique(format!("{}/{}", node.path, matcher::canonical(&child.matchers)), &mut taken);
            let child = self.add(config, child, &node, path, depth + 1);
            self.nodes[at].children.push(child);
        }
        at
    }

    /// Depth first, left to right; a node takes a notice only if none of its children does.
    pub(crate) fn matching(&self, labels: &Labels) -> Vec<usize> {
        let mut found = Vec::new();
        self.walk(0, labels, &mut found);
        found
    }

    fn walk(&self, at: usize, labels: &Labels, found: &mut Vec<usize>) -> bool {
        let node = &self.nodes[at];
        if !node.matchers.iter().all(|matcher| matcher.matches(labels)) {
            return false;
        }
        let before = found.len();
        for &child in &node.children {
            if self.walk(child, labels, found) && !self.nodes[child].continue_matching {
                break;
            }
        }
        if found.len() == before {
            found.push(at);
        }
        true
    }
}

/// Siblings with equal matchers would share keys and so each other's notification log; the later ones are
/// numbered, which leaves every other key as Alertmanager writes it.
fn unique(path: String, taken: &mut Vec<String>) -> String {
    let same = taken.iter().filter(|other| **other == path).count();
    taken.push(path.clone());
    if same == 0 { path } else { format!("{path}#{}", same + 1) }
}

impl Node {
    /// The labels by which a notice is grouped here: only those it has.
    pub(crate) fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let present = names.iter().filter_map(|name| Some((name.as_str(), labels.get(name)?)));
                Labels::from_pairs(present)
            }
        }
    }

    pub(crate) fn group_key(&self, group_labels: &Labels) -> String {
        format!("{}:{group_labels}", self.path)
    }

    fn describe(&self, labels: &Labels) -> RouteMatch {
        let group_labels = self.group_labels(labels);
        RouteMatch {
            receiver: self.receiver.clone(),
            path: self.path.clone(),
            group_key: self.group_key(&group_labels),
            group_labels,
            group_wait: self.group_wait,
            group_interval: self.group_interval,
            repeat_interval: self.repeat_interval,
        }
    }

    /// Whether a mute interval holds, or active ones exist and none does.
    pub(crate) fn is_muted(&self, at: Timestamp) -> bool {
        let holds = |interval: &TimeInterval| interval.contains(at);
        let is_inactive = !self.active.is_empty() && !self.active.iter().any(holds);
        self.is_always_inactive || is_inactive || self.mute.iter().any(holds)
    }

    /// When [`Node::is_muted`] next changes, if it does by `until`.
    pub(crate) fn next_mute_change(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let intervals: Vec<&TimeInterval> = self.mute.iter().chain(&self.active).collect();
        if intervals.is_empty() {
            return None;
        }
        interval::next_change(&intervals, after, until, |at| self.is_muted(at))
    }
}

#[cfg(test)]
mod tests;
