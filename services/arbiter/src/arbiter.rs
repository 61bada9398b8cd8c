//! The arbiter's state and its five verbs.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use model::{
    BadVersion, Command, CommandId, Decision, EventId, Halt, PolicyLoad, Proposal, ServiceKey, Timestamp,
};
use policy::{EffectivePolicy, Identity, Policy};

use crate::{
    alerts::Alerts, bad::BadVersions, bounds::MAX_EFFECTIVE, commands::Commands, exceedances::Exceedances,
    findings::Findings, firing::Firing, halts::Halts, releases::Releases, storm::Storms, timers::Timers,
};

/// When something is decided, and the record that caused it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Timestamp,
    pub(crate) cause: &'a EventId,
}

/// Sees the proposals of all services and makes commands and notices of them.
///
/// State is a function of the sequence of `(now, proposal)`: fed the same again, it decides the same again. A
/// timeout at which nothing is due changes nothing, so it need not be repeated.
#[derive(Debug, Default)]
pub struct Arbiter {
    pub(crate) policy: Option<Policy>,
    /// What that was compiled from.
    pub(crate) policy_load: Option<PolicyLoad>,
    effective: BTreeMap<ServiceKey, Arc<EffectivePolicy>>,
    pub(crate) releases: Releases,
    pub(crate) commands: Commands,
    pub(crate) bad: BadVersions,
    pub(crate) halts: Halts,
    pub(crate) exceedances: Exceedances,
    pub(crate) findings: Findings,
    pub(crate) storms: Storms,
    pub(crate) firing: Firing,
    pub(crate) alerts: Alerts,
    /// That of the policy in force.
    identity: Identity,
    pub(crate) timers: Timers,
    decisions: VecDeque<Decision>,
    pub(crate) fencing: u64,
}

impl Arbiter {
    /// Knows nothing; acts on nothing before the first policy load.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what one record says, and the time that it brings. What it shows of other services is known before
    /// that time leads to anything: a breach that was held until now is not acted on without it.
    pub fn handle_record<'a>(
        &mut self,
        now: Timestamp,
        cause: &EventId,
        proposals: impl IntoIterator<Item = &'a Proposal>,
    ) {
        let (evidence, others): (Vec<_>, Vec<_>) =
            proposals.into_iter().partition(|proposal| matches!(proposal, Proposal::Limit(_)));
        for proposal in evidence {
            self.handle_proposal(now, cause, proposal);
        }
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
        for proposal in others {
            self.handle_proposal(now, cause, proposal);
        }
    }

    /// Takes a proposal in; `cause` is the record that led to it. What follows from it is polled afterwards.
    pub fn handle_proposal(&mut self, now: Timestamp, cause: &EventId, proposal: &Proposal) {
        let at = Moment { now, cause };
        match proposal {
            Proposal::Release(release) => self.on_release(at, release),
            Proposal::Limit(limit) => self.exceedances.note(now, limit),
            Proposal::Breach(breach) => self.on_breach(at, breach),
            Proposal::BreachContinues(breach) => self.on_breach_continues(at, breach),
            Proposal::BreachEnded { key, release, trigger } => {
                self.on_breach_ended(at, key, release.as_ref(), trigger);
            }
            Proposal::Finding(finding) => self.on_finding(at, finding),
            Proposal::StagePassed { release, stage } => self.on_stage_passed(at, release, stage),
            Proposal::Alert { id, alert } => self.on_alert(at, id, alert),
            Proposal::Verb { id, verb } => self.on_verb(Moment { now, cause: id }, verb),
            Proposal::Outcome(outcome) => self.on_outcome(at, outcome),
            Proposal::Delivery(_) | Proposal::Ignored { .. } => {}
            Proposal::PolicyLoad(load) => self.on_policy_load(load),
        }
    }

    /// When [`Self::handle_timeout`] has to be called next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// The next decision, in order.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// The halt that covers a service, the one that ends last if there are several.
    pub fn is_halted(&self, service: &str, environment: &str) -> Option<&Halt> {
        self.halts.covering(service, environment)
    }

    /// Halts in force.
    pub fn halts(&self) -> impl Iterator<Item = &Halt> {
        self.halts.iter()
    }

    /// Commands remembered, in order of their ids.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }

    /// One command.
    pub fn command(&self, id: &CommandId) -> Option<&Command> {
        self.commands.get(id).map(|tracked| &tracked.command)
    }

    /// Versions that no command may lead to.
    pub fn bad_versions(&self) -> impl Iterator<Item = &BadVersion> {
        self.bad.iter()
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Puts a policy into force.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.identity = policy.identity.clone();
        self.policy = Some(policy);
        self.effective.clear();
    }

    /// Which labels name a service; the usual ones before the first load.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A policy that does not compile leaves the old one in force.
    pub(crate) fn on_policy_load(&mut self, load: &PolicyLoad) {
        if let (Some(policy), _) = policy::compile(load) {
            self.set_policy(policy);
            self.policy_load = Some(load.clone());
        }
    }

    /// What holds for a service; the policy of an empty file before the first load.
    pub(crate) fn effective(&mut self, key: &ServiceKey) -> Arc<EffectivePolicy> {
        if let Some(effective) = self.effective.get(key) {
            return Arc::clone(effective);
        }
        if self.effective.len() >= MAX_EFFECTIVE {
            self.effective.clear();
        }
        let effective = match &self.policy {
            Some(policy) => policy.effective(&key.service, &key.environment),
            None => Policy::default_policy().effective(&key.service, &key.environment),
        };
        let effective = Arc::new(effective);
        self.effective.insert(key.clone(), Arc::clone(&effective));
        effective
    }

    pub(crate) fn emit(&mut self, decision: Decision) {
        self.decisions.push_back(decision);
    }

    pub(crate) fn next_fencing(&mut self) -> u64 {
        self.fencing += 1;
        self.fencing
    }
}
