//! Policy files to a [`Policy`]: every section read strictly, every fault reported with its place.

mod condition;
mod defaults;
mod freezes;
mod identity;
mod inert;
mod lint;
mod matching;
mod metrics;
mod policies;
mod sections;
mod stages;
mod targets;
mod time_intervals;
mod triggers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::PolicyLoad;

use crate::{
    Defaults, Diagnostic, MetricDefinition, Policy, Rules,
    default::built_in_metrics,
    diagnostic::{Diagnostics, Place},
    yaml::{Node, Reader, parse},
};

pub(crate) use metrics::source_of;
pub use sections::{PIPELINE_STAGES, POLICY_SECTIONS, SERVER_SECTIONS, is_policy_section, policy_sections};
use triggers::PlacedTrigger;
pub(crate) use triggers::percent;

/// What is read against: where faults go, and what conditions may name.
#[derive(Clone, Copy)]
struct Scope<'a> {
    diagnostics: &'a Diagnostics,
    metrics: &'a BTreeMap<String, MetricDefinition>,
    defaults: &'a Defaults,
}

/// Compiles the texts of a load. `None` iff the main file, the first, has an error; another file with an error
/// is left out as a whole, and its errors are among the diagnostics. No file at all is the default policy.
pub fn compile(load: &PolicyLoad) -> (Option<Policy>, Vec<Diagnostic>) {
    compile_beside(load, &Diagnostics::default())
}

/// As [`compile`]; which keys were read is recorded where `diagnostics` records, and no fault is added to them.
pub fn compile_beside(load: &PolicyLoad, diagnostics: &Diagnostics) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut files = load.files.iter();
    let nothing = (String::from("(no file)"), String::new());
    let (name, text) = files.next().unwrap_or(&nothing);
    let mut found = Vec::new();
    let main = read_file(name, text, diagnostics, &mut found, read_main);
    let Some(mut policy) = main else { return (None, found) };
    for (name, text) in files {
        let team = |root: &Node, diagnostics: &Diagnostics| read_team(root, &policy, diagnostics);
        if let Some(extended) = read_file(name, text, diagnostics, &mut found, team) {
            policy = extended;
        }
    }
    // Stable: among equally specific policies the later one in the files stays the later one.
    policy.policies.sort_by_key(|rules| rules.matching.specificity());
    if !has_triggers(&policy) {
        found.push(lint::no_trigger(&Place::start_of(name)));
    }
    (Some(policy), found)
}

fn has_triggers(policy: &Policy) -> bool {
    std::iter::once(&policy.base).chain(&policy.policies).any(|rules| !rules.triggers.is_empty())
}

/// `None` where the file has an error.
fn read_file(
    name: &str,
    text: &str,
    beside: &Diagnostics,
    found: &mut Vec<Diagnostic>,
    read: impl FnOnce(&Node, &Diagnostics) -> Option<Policy>,
) -> Option<Policy> {
    let root = match parse(name, text) {
        Ok(root) => root,
        Err(faults) => {
            found.extend(faults);
            return None;
        }
    };
    let diagnostics = beside.apart();
    let policy = read(&root, &diagnostics);
    let is_accepted = !diagnostics.has_errors();
    found.extend(diagnostics.into_vec());
    policy.filter(|_| is_accepted)
}

fn read_main(root: &Node, diagnostics: &Diagnostics) -> Option<Policy> {
    let mut reader = Reader::open(root, "a policy file", diagnostics)?;
    let mut policy = Policy::default_policy();
    policy.identity = identity::read(&mut reader);
    policy.metrics = metrics::read(&mut reader, &built_in_metrics());
    policy.defaults = defaults::read(&mut reader);
    policy.storm = defaults::read_storm(&mut reader);
    policy.time_intervals = time_intervals::read(&mut reader);
    policy.freezes = freezes::read(&mut reader, &policy.time_intervals);
    let scope = Scope { diagnostics, metrics: &policy.metrics, defaults: &policy.defaults };
    let (base, triggers) = base_rules(&mut reader, scope);
    let policies = policies::read(&mut reader, scope, &base.triggers, &[]);
    inert::read(&mut reader, scope);
    reader.texts("policy_files");
    lint::contradictions(&triggers, diagnostics);
    reader.finish_with(sections::misplaced);
    policy.base = base;
    policy.policies = policies;
    Some(policy)
}

/// The top level's own triggers, stages and gates, gates of its pipeline stages included.
fn base_rules(reader: &mut Reader<'_, '_>, scope: Scope<'_>) -> (Rules, Vec<PlacedTrigger>) {
    let triggers = triggers::read(reader, scope, &[]);
    let mut gates = stages::read_gates(reader, scope);
    stages::read_pipeline(reader, scope, &mut gates);
    let rules = Rules {
        triggers: triggers.iter().map(|placed| placed.trigger.clone()).collect(),
        stages: stages::read(reader, scope),
        gates,
        ..Rules::default()
    };
    (rules, triggers)
}

/// A team's file: policies, and what they need.
fn read_team(root: &Node, policy: &Policy, diagnostics: &Diagnostics) -> Option<Policy> {
    let mut reader = Reader::open(root, "a policy file", diagnostics)?;
    let mut extended = policy.clone();
    metrics::refuse_redefined(&mut reader, &policy.metrics);
    extended.metrics = metrics::read(&mut reader, &policy.metrics);
    for (interval, ranges) in time_intervals::read(&mut reader) {
        if extended.time_intervals.insert(interval.clone(), ranges).is_some() {
            diagnostics.error(&reader, format!("the time interval `{interval}` is defined in another file"));
        }
    }
    let freezes = freezes::read(&mut reader, &extended.time_intervals);
    let scope = Scope { diagnostics, metrics: &extended.metrics, defaults: &policy.defaults };
    let policies = policies::read(&mut reader, scope, &policy.base.triggers, &policy.policies);
    reader.finish_with(sections::misplaced_in_team_file);
    extended.freezes.extend(freezes);
    extended.policies.extend(policies);
    Some(extended)
}
