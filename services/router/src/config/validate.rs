//! What a configuration may not say. Alertmanager's load errors, in the same order of importance.

use std::{collections::BTreeSet, time::Duration};

use super::{Config, GroupBy, Route};

/// Deepest nesting of routes: walking the tree is recursive, and no person keeps more levels in mind.
pub(crate) const MAX_ROUTE_DEPTH: usize = 64;

/// Why a configuration is refused. None is worth a retry: a person has to change the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("the root route has to name a receiver")]
    RootWithoutReceiver,
    #[error("the root route matches everything and may not have {0}")]
    RootWith(&'static str),
    #[error("`{path}` names the receiver `{receiver}`, which does not exist")]
    UnknownReceiver { path: String, receiver: String },
    #[error("receiver `{receiver}` has the fallback `{fallback}`, which does not exist")]
    UnknownFallback { receiver: String, fallback: String },
    #[error("receiver `{0}` is its own fallback")]
    OwnFallback(String),
    #[error("`{path}` names the time interval `{interval}`, which does not exist")]
    UnknownInterval { path: String, interval: String },
    #[error("`{path}`: {option} has to be greater than 0")]
    ZeroDuration { path: String, option: &'static str },
    #[error("`{path}` groups by `{label}` twice")]
    DuplicateGroupBy { path: String, label: String },
    #[error("`{path}` groups by `...`, which means all labels, and by other labels beside it")]
    AllAndLabels { path: String },
    #[error("`{path}` groups by an empty label name")]
    EmptyGroupBy { path: String },
    #[error("`{path}` is nested deeper than {MAX_ROUTE_DEPTH} levels")]
    TooDeep { path: String },
    #[error("inhibit rule {index} names the label `{label}` twice in equal")]
    DuplicateEqual { index: usize, label: String },
}

impl Config {
    /// The first fault, if there is one. Routes are named by their place: `route.routes[0].routes[2]`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_root()?;
        self.check_route(&self.route, "route", 0)?;
        self.check_receivers()?;
        self.check_inhibit_rules()
    }

    fn check_root(&self) -> Result<(), ConfigError> {
        let root = &self.route;
        if root.receiver.as_deref().unwrap_or("").is_empty() {
            return Err(ConfigError::RootWithoutReceiver);
        }
        for (is_set, what) in [
            (!root.matchers.is_empty(), "matchers"),
            (root.continue_matching, "continue"),
            (!root.mute_time_intervals.is_empty(), "mute_time_intervals"),
            (!root.active_time_intervals.is_empty(), "active_time_intervals"),
        ] {
            if is_set {
                return Err(ConfigError::RootWith(what));
            }
        }
        Ok(())
    }

    fn check_route(&self, route: &Route, path: &str, depth: usize) -> Result<(), ConfigError> {
        let path_owned = || path.to_owned();
        if depth >= MAX_ROUTE_DEPTH {
            return Err(ConfigError::TooDeep { path: path_owned() });
        }
        if let Some(receiver) = &route.receiver
            && !self.receivers.contains_key(receiver)
        {
            return Err(ConfigError::UnknownReceiver { path: path_owned(), receiver: receiver.clone() });
        }
        for (duration, option) in
            [(route.group_interval, "group_interval"), (route.repeat_interval, "repeat_interval")]
        {
            if duration.is_some_and(|duration| duration < Duration::from_millis(1)) {
                return Err(ConfigError::ZeroDuration { path: path_owned(), option });
            }
        }
        check_group_by(route, path)?;
        let mut intervals = route.mute_time_intervals.iter().chain(&route.active_time_intervals);
        if let Some(interval) = intervals.find(|name| !self.time_intervals.contains_key(*name)) {
            return Err(ConfigError::UnknownInterval { path: path_owned(), interval: interval.clone() });
        }
        for (at, child) in route.routes.iter().enumerate() {
            self.check_route(child, &format!("{path}.routes[{at}]"), depth + 1)?;
        }
        Ok(())
    }

    fn check_receivers(&self) -> Result<(), ConfigError> {
        for (receiver, plan) in &self.receivers {
            let Some(fallback) = &plan.fallback else { continue };
            if fallback == receiver {
                return Err(ConfigError::OwnFallback(receiver.clone()));
            }
            if !self.receivers.contains_key(fallback) {
                return Err(ConfigError::UnknownFallback {
                    receiver: receiver.clone(),
                    fallback: fallback.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_inhibit_rules(&self) -> Result<(), ConfigError> {
        for (index, rule) in self.inhibit_rules.iter().enumerate() {
            if let Some(label) = duplicate(&rule.equal) {
                return Err(ConfigError::DuplicateEqual { index, label: label.to_owned() });
            }
        }
        Ok(())
    }
}

fn check_group_by(route: &Route, path: &str) -> Result<(), ConfigError> {
    let Some(GroupBy::Labels(labels)) = &route.group_by else { return Ok(()) };
    if labels.iter().any(|label| label == "...") {
        return Err(ConfigError::AllAndLabels { path: path.to_owned() });
    }
    if labels.iter().any(String::is_empty) {
        return Err(ConfigError::EmptyGroupBy { path: path.to_owned() });
    }
    match duplicate(labels) {
        Some(label) => Err(ConfigError::DuplicateGroupBy { path: path.to_owned(), label: label.to_owned() }),
        None => Ok(()),
    }
}

fn duplicate(names: &[String]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(name.as_str())).map(String::as_str)
}

#[cfg(test)]
mod tests;
