//! After a restart: what the decisions log says was proposed.

use model::{Breach, Finding, FindingKind, LimitState, Proposal, Release, ReleaseRef, ServiceKey};

use crate::{
    analyzer::Analyzer,
    judge::hold::Phase,
    release::tracked::{Tracked, TriggerState},
    service::Service,
};

impl Analyzer {
    /// Takes back a proposal of the decisions log, in the log's order: releases stand where they stood, and what
    /// was told is not told again. Proposals that passed through say nothing here; windows and alerts come back
    /// by [`Self::replay_event`].
    pub fn restore(&mut self, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => self.restore_release((**release).clone()),
            Proposal::Breach(breach) => self.restore_breach(breach),
            Proposal::BreachEnded { key, release, trigger } => {
                self.restore_breach_ended(key, release.as_ref(), trigger);
            }
            Proposal::Limit(limit) => self.restore_limit(limit),
            Proposal::Finding(finding) => self.restore_finding(finding),
            _ => {}
        }
    }

    /// Takes back a release as it stands now; a later one of the same id takes its place.
    pub fn restore_release(&mut self, release: Release) {
        let service = self.service_to_restore(&release.key);
        let id = release.id.clone();
        match service.releases.iter_mut().find(|it| it.release.id == id) {
            Some(tracked) => tracked.release = release,
            None => {
                service.releases.push(Tracked { release, ..Tracked::default() });
                service.sort_releases();
            }
        }
        let Some(index) = service.releases.iter().position(|it| it.release.id == id) else { return };
        let tracked = &mut service.releases[index];
        tracked.recall_extension();
        if !tracked.is_under_watch() {
            tracked.findings.clear();
        }
        service.note_traces(index);
        service.forget_old();
    }

    fn restore_breach(&mut self, breach: &Breach) {
        let service = self.service_to_restore(&breach.key);
        let name = breach.reason.trigger.clone();
        let state = TriggerState {
            phase: Phase::Firing,
            condition: breach.reason.condition.clone(),
            whole_since: None,
        };
        match &breach.release {
            None => service.own.entry(name).or_default().state = state,
            Some(release) => {
                if let Some(tracked) = service.tracked_mut(release) {
                    tracked.broke.insert(name.clone());
                    tracked.triggers.insert(name, state);
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
        self.services.entry(key.clone()).or_insert_with(|| Service::new(key.clone()))
    }
}

impl Service {
    fn tracked_mut(&mut self, release: &ReleaseRef) -> Option<&mut Tracked> {
        self.releases.iter_mut().rfind(|it| it.release.id == release.id)
    }
}
