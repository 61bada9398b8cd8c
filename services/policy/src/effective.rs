//! What holds for one service in one environment: the base, overridden by every policy that matches.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::Owner;

use crate::{
    EffectivePolicy, Expression, MetricDefinition, MetricSource, Operand, Policy, Rules, Safety, Shape,
    Trigger, Unversioned,
    default::{ERROR_RATE, RESPONSE_TIME, THROUGHPUT, built_in_sources, built_in_words},
};

/// The window over which the API shows rolling values when it is asked for none.
pub const VALUES_WINDOW: Duration = Duration::from_secs(5 * 60);

impl Policy {
    /// Merges the base and every policy that matches, least specific first; among equally specific ones the
    /// later in the file wins. Costs a clone of what holds: callers keep the result per service.
    pub fn effective(&self, service: &str, environment: &str) -> EffectivePolicy {
        let mut merged = EffectivePolicy {
            mode: None,
            unversioned: Unversioned::default(),
            owner: Owner::default(),
            triggers: Vec::new(),
            stages: Vec::new(),
            gates: Vec::new(),
            targets: Vec::new(),
            safety: Safety::default(),
            defaults: self.defaults.clone(),
        };
        merged.override_with(&self.base);
        for rules in self.policies.iter().filter(|rules| rules.matching.covers(service, environment)) {
            merged.override_with(rules);
        }
        merged
    }

    /// What kind of number a metric is: the same wherever it is defined. `None`: it is defined nowhere.
    pub fn shape(&self, metric: &str) -> Option<Shape> {
        let of_some = || self.policies.iter().find_map(|rules| rules.metrics.get(metric));
        let definition = self.metrics.get(metric).or_else(of_some)?;
        definition.sources.first().map(MetricSource::shape)
    }

    /// The names of all metrics, of those too that only some services have.
    pub fn metric_names(&self) -> BTreeSet<&str> {
        let of_some = self.policies.iter().flat_map(|rules| rules.metrics.keys());
        self.metrics.keys().chain(of_some).map(String::as_str).collect()
    }

    /// The definition that holds for a service.
    pub fn metric(&self, service: &str, environment: &str, name: &str) -> Option<&MetricDefinition> {
        let own = self.policies.iter().rev().filter(|rules| rules.metrics.contains_key(name));
        let mut covering = own.filter(|rules| rules.matching.covers(service, environment));
        covering.next().and_then(|rules| rules.metrics.get(name)).or_else(|| self.metrics.get(name))
    }

    /// The metrics that some trigger reads and no file defines, with what their built-in definitions count.
    pub fn built_in_only(&self) -> BTreeMap<&'static str, &'static str> {
        let is_read = |name: &str| {
            let mut found = false;
            self.triggers().for_each(|it| it.condition.for_each_metric(&mut |read| found |= read == name));
            found
        };
        let is_built_in = |name: &str| {
            let is_own = self.policies.iter().any(|rules| rules.metrics.contains_key(name));
            !is_own && self.metrics.get(name).is_some_and(|it| it.sources == built_in_sources(name))
        };
        let names = [ERROR_RATE, RESPONSE_TIME, THROUGHPUT].into_iter();
        let names = names.filter(|name| is_read(name) && is_built_in(name));
        names.filter_map(|name| Some((name, built_in_words(name)?))).collect()
    }

    /// Of whichever policy.
    fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        std::iter::once(&self.base).chain(&self.policies).flat_map(|rules| &rules.triggers)
    }

    /// Every window over which some trigger, of whichever policy, computes a metric, and [`VALUES_WINDOW`] for
    /// the built-in metrics: what has to be kept for it all to be answered.
    pub fn windows(&self) -> BTreeMap<String, BTreeSet<Duration>> {
        let mut windows: BTreeMap<String, BTreeSet<Duration>> = BTreeMap::new();
        for name in [ERROR_RATE, RESPONSE_TIME, THROUGHPUT] {
            windows.entry(name.to_owned()).or_default().insert(VALUES_WINDOW);
        }
        for trigger in self.triggers() {
            trigger.condition.for_each_metric(&mut |name| {
                windows.entry(name.to_owned()).or_default().insert(trigger.window);
            });
        }
        windows
    }
}

impl Expression {
    /// Calls `visit` with the name of every metric that a comparison reads.
    pub fn for_each_metric(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Compare { left, right, .. } => {
                for operand in [left, right] {
                    if let Operand::Metric { name, .. } = operand {
                        visit(name);
                    }
                }
            }
            Self::Alert(_) | Self::Fact(_) => {}
            Self::And(left, right) | Self::Or(left, right) => {
                left.for_each_metric(visit);
                right.for_each_metric(visit);
            }
        }
    }
}

impl EffectivePolicy {
    fn override_with(&mut self, rules: &Rules) {
        if let Some(min_requests) = rules.min_requests {
            self.set_min_requests(min_requests);
        }
        for trigger in &rules.triggers {
            self.set_trigger(trigger);
        }
        self.mode = rules.mode.or(self.mode);
        self.unversioned = rules.unversioned.unwrap_or(self.unversioned);
        self.defaults.watch = rules.watch.unwrap_or(self.defaults.watch);
        self.defaults.warmup = rules.warmup.unwrap_or(self.defaults.warmup);
        replace(&mut self.owner, rules.owner.as_ref());
        replace(&mut self.stages, rules.stages.as_ref());
        replace(&mut self.gates, rules.gates.as_ref());
        replace(&mut self.targets, rules.targets.as_ref());
        replace(&mut self.safety, rules.safety.as_ref());
        replace(&mut self.defaults.attribution, rules.attribution.as_ref());
    }

    /// A trigger that follows the default so far goes on following it; one with a number of its own keeps it.
    fn set_min_requests(&mut self, min_requests: u64) {
        let before = self.defaults.min_requests;
        for trigger in self.triggers.iter_mut().filter(|trigger| trigger.min_requests == before) {
            trigger.min_requests = min_requests;
        }
        self.defaults.min_requests = min_requests;
    }

    fn set_trigger(&mut self, trigger: &Trigger) {
        match self.triggers.iter_mut().find(|have| have.name == trigger.name) {
            Some(have) => have.clone_from(trigger),
            None => self.triggers.push(trigger.clone()),
        }
    }
}

fn replace<T: Clone>(have: &mut T, with: Option<&T>) {
    if let Some(with) = with {
        have.clone_from(with);
    }
}
