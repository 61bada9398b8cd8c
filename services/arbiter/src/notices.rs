//! How notices are made: labels, owner, id, and the resolved one that each firing one gets.

use model::{
    Alert, CommandId, CommandState, Decision, EventId, HaltScope, Labels, Notice, NoticeId, NoticeKind,
    NoticeStatus, Owner, Reason, Release, ReleaseId, ReleaseRef, ReleaseState, ServiceKey, Severity,
    Timestamp,
};

use crate::{
    Arbiter,
    alerts::{first_of, without_own},
    arbiter::Moment,
    firing::{Scope, Subject},
    releases::Record,
};

/// A notice before labels, owner and id are added.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) subject: Subject,
    pub(crate) severity: Severity,
    pub(crate) alertname: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) command: Option<CommandId>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) ends_at: Option<Timestamp>,
    /// How a release is named that is not known here.
    pub(crate) named: Option<ReleaseRef>,
}

impl Draft {
    pub(crate) fn new(subject: Subject, severity: Severity, summary: String) -> Self {
        let alertname =
            if subject.about.is_empty() { subject.kind.as_str().to_owned() } else { subject.about.clone() };
        let description = summary.clone();
        Self {
            subject,
            severity,
            alertname,
            summary,
            description,
            command: None,
            reasons: Vec::new(),
            ends_at: None,
            named: None,
        }
    }
}

impl Arbiter {
    /// Tells, or tells anew what was told; the same content twice is told once.
    pub(crate) fn fire(&mut self, at: Moment<'_>, draft: Draft) {
        let subject = draft.subject.clone();
        let mut notice = self.notice_of(at, draft);
        if self.firing.get(&subject).is_some_and(|earlier| earlier.labels != notice.labels) {
            self.resolve(at, &subject, None);
        }
        if let Some(earlier) = self.firing.get(&subject) {
            notice.starts_at = earlier.starts_at;
            if is_same_content(earlier, &notice) {
                return;
            }
        }
        notice.id = id_of(at, &notice);
        let crowded_out = self.firing.insert(subject, notice.clone());
        self.emit(Decision::Notice(Box::new(notice)));
        if let Some(oldest) = crowded_out {
            self.resolve(
                at,
                &oldest,
                Some("too many notices fire at once: this oldest one is forgotten".to_owned()),
            );
        }
    }

    fn notice_of(&mut self, at: Moment<'_>, draft: Draft) -> Notice {
        let release = self.release_of(&draft.subject.scope);
        let named = release.as_ref().map(Release::reference).or_else(|| draft.named.clone());
        let owner = self.owner_of(&draft.subject.scope, named.as_ref(), release.as_ref());
        let labels = self.labels(&draft, named.as_ref(), owner.as_ref());
        Notice {
            id: NoticeId::default(),
            kind: draft.subject.kind,
            severity: draft.severity,
            status: NoticeStatus::Firing,
            labels,
            annotations: Labels::from_pairs([("summary", draft.summary), ("description", draft.description)]),
            starts_at: at.now,
            ends_at: draft.ends_at,
            generator_url: url_of(&draft.subject.scope),
            release: release.map(Box::new),
            command: draft.command.and_then(|id| self.command(&id).cloned()).map(Box::new),
            reasons: draft.reasons,
            owner,
            cause: at.cause.clone(),
        }
    }

    /// Tells of good news once: it is over as soon as it is said, so that no end follows that says it again.
    pub(crate) fn announce(&mut self, at: Moment<'_>, draft: Draft) {
        let mut notice = self.notice_of(at, draft);
        notice.status = NoticeStatus::Resolved;
        notice.ends_at = Some(at.now);
        notice.id = id_of(at, &notice);
        self.emit(Decision::Notice(Box::new(notice)));
    }

    /// Ends what fires, under the labels it was told with; nothing where nothing fires.
    pub(crate) fn resolve(&mut self, at: Moment<'_>, subject: &Subject, summary: Option<String>) {
        let Some(mut notice) = self.firing.remove(subject) else { return };
        notice.status = NoticeStatus::Resolved;
        notice.ends_at = Some(at.now);
        notice.cause = at.cause.clone();
        if let Some(summary) = summary {
            notice.annotations.set("summary", summary);
        }
        if let Some(release) = self.release_of(&subject.scope) {
            notice.release = Some(Box::new(release));
        }
        let command = notice.command.as_ref().and_then(|command| self.command(&command.id)).cloned();
        if let Some(command) = command {
            notice.reasons.clone_from(&command.reasons);
            notice.command = Some(Box::new(command));
        }
        notice.id = id_of(at, &notice);
        self.emit(Decision::Notice(Box::new(notice)));
    }

    /// Ends everything that fires about a release.
    pub(crate) fn resolve_all(&mut self, at: Moment<'_>, release: &ReleaseId, summary: &str) {
        for subject in self.firing.of_release(release) {
            self.resolve(at, &subject, Some(summary.to_owned()));
        }
    }

    /// Passes an alert on under its own labels and those of the release that it is about; who sent it also ends it.
    pub(crate) fn on_alert(&mut self, at: Moment<'_>, id: &EventId, alert: &Alert) {
        if self.alerts.is_late_end(at.now, alert) {
            return;
        }
        let is_resolved = alert.is_resolved_at(at.now);
        let status = if is_resolved { NoticeStatus::Resolved } else { NoticeStatus::Firing };
        let state = if is_resolved { "resolved" } else { "firing" };
        let known = self.alerts.known(at.now, alert);
        let known = known.map(|passed| (passed.labels.clone(), passed.release.clone()));
        let (labels, release) = known.unwrap_or_else(|| self.labels_of_alert(alert));
        match is_resolved {
            true => self.alerts.forget(alert),
            false => self.alerts.note(alert, labels.clone(), release.clone()),
        }
        let release = release.and_then(|id| self.release_of(&Scope::Release(id)));
        let fingerprint = format!("{:016x}", alert.labels.fingerprint());
        let starts_at = alert.starts_at.to_string();
        let owner = self.owner_of_alert(alert, release.as_ref());
        self.emit(Decision::Notice(Box::new(Notice {
            id: NoticeId::of(&[NoticeKind::Alert.as_str(), &fingerprint, &starts_at, state]),
            kind: NoticeKind::Alert,
            severity: severity_of(alert.labels.get("severity")),
            status,
            labels,
            annotations: alert.annotations.clone(),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: alert.generator_url.clone(),
            release: release.map(Box::new),
            command: None,
            reasons: Vec::new(),
            owner,
            cause: id.clone(),
        })));
    }

    /// The labels under which an alert is passed on while it fires, and the release under watch that it is about, if
    /// it names the service of exactly one.
    fn labels_of_alert(&self, alert: &Alert) -> (Labels, Option<ReleaseId>) {
        let mut labels = without_own(&alert.labels);
        let Some(release) = self.release_of_alert(&labels) else { return (labels, None) };
        labels.set("release", release.id.as_str());
        if first_of(&alert.labels, &self.identity().version).is_none() {
            labels.set("version", release.version.as_str());
        }
        (labels, Some(release.id))
    }

    fn release_of_alert(&self, labels: &Labels) -> Option<ReleaseRef> {
        let identity = self.identity();
        let service = first_of(labels, &identity.service)?;
        let environment = first_of(labels, &identity.environment);
        let (version, cluster) = (first_of(labels, &identity.version), first_of(labels, &identity.cluster));
        let is_it = |record: &&Record| {
            version.is_none_or(|version| version == record.release.version)
                && cluster
                    .is_none_or(|cluster| record.release.cluster.as_deref().is_none_or(|of| of == cluster))
        };
        let mut found = self.releases.newest_under_watch(service, environment).filter(is_it);
        let only = found.next().filter(|_| found.next().is_none());
        only.map(|record| record.release.reference())
    }

    fn owner_of_alert(&mut self, alert: &Alert, release: Option<&Release>) -> Option<Owner> {
        let identity = self.identity();
        let service = first_of(&alert.labels, &identity.service);
        let named = service.zip(first_of(&alert.labels, &identity.environment));
        let key = match (release, named) {
            (Some(release), _) => release.key.clone(),
            (None, named) => named.map(|(service, environment)| ServiceKey::new(service, environment))?,
        };
        self.owner_of(&Scope::Service(key), None, release)
    }

    fn labels(&self, draft: &Draft, release: Option<&ReleaseRef>, owner: Option<&Owner>) -> Labels {
        let mut labels = Labels::from_pairs([
            ("alertname", draft.alertname.as_str()),
            ("kind", draft.subject.kind.as_str()),
            ("severity", draft.severity.as_str()),
        ]);
        match &draft.subject.scope {
            Scope::Release(id) => labels.set("release", id.as_str()),
            Scope::Service(key) => {
                labels.set("service", key.service.as_str());
                labels.set("environment", key.environment.as_str());
            }
            Scope::Environment(environment) => labels.set("environment", environment.as_str()),
            Scope::Halt(id) => {
                labels.set("halt", id.as_str());
                self.set_halt_labels(&mut labels, id);
            }
        }
        if let Some(release) = release {
            labels.set("service", release.key.service.as_str());
            labels.set("environment", release.key.environment.as_str());
            labels.set("cluster", release.cluster.as_deref().unwrap_or_default());
            labels.set("version", release.version.as_str());
        }
        // Another label is another alert: an edit of the first request would reach nobody who missed that one.
        if draft.subject.kind == NoticeKind::RollbackPrepared
            && let Scope::Release(id) = &draft.subject.scope
            && let Some(expired) = self.releases.get(id).map(|record| record.expired).filter(|it| *it > 0)
        {
            labels.set("escalation", expired.to_string());
        }
        labels.set("team", owner.and_then(|owner| owner.team.as_deref()).unwrap_or_default());
        labels
    }

    fn set_halt_labels(&self, labels: &mut Labels, id: &model::HaltId) {
        let Some(halt) = self.halts.iter().find(|halt| halt.id == *id) else { return };
        match &halt.scope {
            HaltScope::All => {}
            HaltScope::Environment(environment) => labels.set("environment", environment.as_str()),
            HaltScope::Service { service, environment } => {
                labels.set("service", service.as_str());
                labels.set("environment", environment.as_deref().unwrap_or_default());
            }
        }
    }

    fn release_of(&self, scope: &Scope) -> Option<Release> {
        let Scope::Release(id) = scope else { return None };
        let record = self.releases.get(id)?;
        let mut release = record.release.clone();
        let newest = record.newest_command.as_ref().and_then(|id| self.command(id));
        if record.is_rolled_back && release.state.is_under_watch() {
            release.state = ReleaseState::RolledBack;
        } else if release.state.is_under_watch() {
            release.state = match newest.map(|command| command.state) {
                Some(CommandState::Prepared) => ReleaseState::RollbackPrepared,
                Some(CommandState::Ready | CommandState::Accepted) => ReleaseState::RollingBack,
                Some(CommandState::Failed) => ReleaseState::RollbackFailed,
                _ => release.state,
            };
        }
        Some(release)
    }

    /// Whom the policy names; what it leaves open, the release may fill in with those whom the policy lists.
    fn owner_of(
        &mut self,
        scope: &Scope,
        named: Option<&ReleaseRef>,
        release: Option<&Release>,
    ) -> Option<Owner> {
        let key = match (scope, named) {
            (_, Some(named)) => named.key.clone(),
            (Scope::Service(key), None) => key.clone(),
            _ => return None,
        };
        let policy = self.effective(&key);
        let (by_policy, listed) = (policy.owner.clone(), &policy.defaults.release_owners);
        let by_release = release.and_then(|release| release.owner.as_ref());
        let by_release = by_release.map(|owner| listed.allowed(owner)).unwrap_or_default();
        let owner = Owner {
            team: by_policy.team.or(by_release.team),
            slack: by_policy.slack.or(by_release.slack),
            email: by_policy.email.or(by_release.email),
            mention: by_policy.mention,
        };
        (owner != Owner::default()).then_some(owner)
    }
}

/// Where the console's API shows what a notice is about.
fn url_of(scope: &Scope) -> String {
    match scope {
        Scope::Release(id) => format!("/api/v1/releases/{id}"),
        Scope::Service(key) => format!("/api/v1/services/{}/metrics", key.service),
        Scope::Environment(_) | Scope::Halt(_) => String::new(),
    }
}

fn id_of(at: Moment<'_>, notice: &Notice) -> NoticeId {
    let state = if notice.status == NoticeStatus::Firing { "firing" } else { "resolved" };
    let fingerprint = format!("{:016x}", notice.labels.fingerprint());
    let summary = notice.annotations.get("summary").unwrap_or_default();
    let description = notice.annotations.get("description").unwrap_or_default();
    let now = at.now.to_string();
    NoticeId::of(&[notice.kind.as_str(), &fingerprint, state, at.cause.as_str(), &now, summary, description])
}

fn is_same_content(left: &Notice, right: &Notice) -> bool {
    let state = |notice: &Notice| notice.command.as_ref().map(|command| (command.id.clone(), command.state));
    (&left.annotations, left.ends_at, left.severity) == (&right.annotations, right.ends_at, right.severity)
        && state(left) == state(right)
}

fn severity_of(label: Option<&str>) -> Severity {
    match label {
        Some("critical" | "page") => Severity::Critical,
        Some("warning") => Severity::Warning,
        _ => Severity::Info,
    }
}
