//! After a restart: what the decisions log says was proposed.

use std::sync::Arc;

use model::{
    Breach, Finding, FindingKind, LimitState, Proposal, Release, ReleaseRef, ReleaseState, ServiceKey,
    Timestamp,
};

use crate::{
    analyzer::Analyzer,
    judge::hold::Phase,
    release::tracked::{Tracked, TriggerState, slot_of},
    service::Service,
};

impl Analyzer {
    /// Takes back a proposal that was made at `at`, in the log's order: releases stand where they stood, and what
    /// was told is not told again. What passed through stands for an event that is not read again; in a replay,
    /// where it is, the event itself tells.
    pub(crate) fn restore(&mut self, at: Timestamp, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => self.restore_release((**release).clone()),
            Proposal::Breach(breach) => self.restore_breach(breach),
            Proposal::BreachEnded { key, release, trigger } => {
                self.restore_breach_ended(key, release.as_ref(), trigger);
            }
            Proposal::Limit(limit) => self.restore_limit(limit),
            Proposal::Finding(finding) => self.restore_finding(finding),
            Proposal::Outcome(outcome) => {
                self.service_to_restore(&outcome.release.key).recall_outcome(outcome)
            }
            Proposal::Alert { alert, .. } if !self.is_replay => {
                self.alerts.handle(at, alert, &self.policy.identity);
            }
            Proposal::PolicyLoad(load) if !self.is_replay => self.put_in_force(load),
            _ => {}
        }
    }

    /// Takes back a release as it stands now; a later one of the same id takes its place.
    fn restore_release(&mut self, release: Release) {
        let service = self.service_to_restore(&release.key);
        let id = release.id.clone();
        match service.releases.iter_mut().find(|it| it.release.id == id) {
            Some(tracked) => tracked.release = release,
            None => {
                // What is older than its beginning was said before it, whoever repeats it.
                let last_word_at = Some(release.started_at);
                service.releases.push(Tracked { release, last_word_at, ..Tracked::default() });
                service.sort_releases();
            }
        }
        let Some(index) = service.releases.iter().position(|it| it.release.id == id) else { return };
        service.releases[index].recall_extension();
        service.releases[index].recall_end();
        service.note_traces(index);
        service.forget_old();
    }

    fn restore_breach(&mut self, breach: &Breach) {
        let service = self.service_to_restore(&breach.key);
        let name = breach.reason.trigger.clone();
        let state = |before: &TriggerState| TriggerState {
            phase: Phase::Firing,
            condition: breach.reason.condition.clone(),
            whole_since: None,
            slot: slot_of(breach.reason.evidence_at),
            eyes: before.eyes.clone(),
            waits_since: None,
        };
        match &breach.release {
            None => {
                let own = &mut service.own.entry(name).or_default().state;
                *own = state(own);
            }
            Some(release) => {
                if let Some(tracked) = service.tracked_mut(release) {
                    tracked.broke.insert(name.clone());
                    let own = tracked.triggers.entry(name).or_default();
                    *own = state(own);
                }
            }
        }
    }

    fn restore_breach_ended(&mut self, key: &ServiceKey, release: Option<&ReleaseRef>, trigger: &str) {
        let service = self.service_to_restore(key);
        let state = match release {
            None => service.own.get_mut(trigger).map(|own| &mut own.state),
            Some(release) => service.tracked_mut(release).and_then(|it| it.triggers.get_mut(trigger)),
        };
        if let Some(state) = state {
            state.phase = Phase::Inactive;
        }
    }

    fn restore_limit(&mut self, limit: &LimitState) {
        let service = self.service_to_restore(&limit.key);
        let own = service.own.entry(limit.trigger.clone()).or_default();
        own.is_exceeded = limit.is_exceeded;
        if !own.state.phase.is_firing() {
            own.state.condition.clone_from(&limit.condition);
        }
    }

    fn restore_finding(&mut self, finding: &Finding) {
        let service = self.service_to_restore(&finding.key);
        match &finding.release {
            None if finding.kind == FindingKind::Torn => service.is_torn = finding.is_active,
            None => {}
            Some(release) => {
                let Some(tracked) = service.tracked_mut(release) else { return };
                if finding.kind == FindingKind::Unmeasured {
                    tracked.unmeasured = if finding.is_active { finding.text.clone() } else { String::new() };
                }
                if finding.is_active {
                    tracked.findings.insert(finding.kind);
                } else {
                    tracked.findings.remove(&finding.kind);
                }
            }
        }
    }

    fn service_to_restore(&mut self, key: &ServiceKey) -> &mut Service {
        self.wake();
        if !self.services.contains_key(key) {
            self.enter_service(key, Arc::default());
        }
        self.services.entry(key.clone()).or_insert_with(|| Service::new(key.clone(), Arc::default()))
    }
}

impl Tracked {
    /// What does not outlive the watch; that it ended is told apart.
    fn recall_end(&mut self) {
        match self.state() {
            _ if self.is_open() => return,
            ReleaseState::RolledBack | ReleaseState::RollbackFailed => {
                self.triggers.retain(|_, it| it.phase.is_firing());
            }
            _ => self.triggers.clear(),
        }
        self.findings.clear();
    }
}

impl Service {
    fn tracked_mut(&mut self, release: &ReleaseRef) -> Option<&mut Tracked> {
        self.releases.iter_mut().rfind(|it| it.release.id == release.id)
    }
}
