//! The projection: decision records in, views out.

mod answers;
mod release_view;
mod restored;
mod shared;

use std::collections::{BTreeMap, VecDeque};

use model::{
    Actor, AuditEntry, Command, CommandId, CommandState, Decision, DecisionRecord, Delivery, EventId,
    Finding, Halt, HaltId, Notice, NoticeKind, Partition, Position, Proposal, Release, ReleaseId,
    ReleaseState, ServiceKey, Standing, Timestamp, Void, proposal::FindingKind,
};

pub use answers::{Answer, MAX_ANSWERS};
pub use release_view::{ReleaseView, TimelineEntry, Verdict};
pub use shared::SharedProjection;

/// Releases kept: at ten a day for a hundred services this is ten days of history in about 100 MB at worst; the
/// log keeps the rest.
pub const MAX_RELEASES: usize = 10_000;
/// Deliveries and audit lines kept for the lists; older ones are on the log.
pub const MAX_LINES: usize = 10_000;

/// Findings shown at once; as many as the arbiter keeps in force.
pub const MAX_FINDINGS: usize = 20_000;
/// Bad versions shown; the one marked longest ago makes room. What may be a target is the arbiter's to say.
pub const MAX_BAD_VERSIONS: usize = 10_000;

/// One line of the audit.
#[derive(Clone, Debug)]
pub struct AuditLine {
    pub at: Timestamp,
    pub actor: Actor,
    /// The service that it touches; empty where there is no single one.
    pub about: ServiceKey,
    pub what: String,
    pub why: String,
    pub result: String,
}

/// One line of the delivery ledger.
#[derive(Clone, Debug)]
pub struct DeliveryLine {
    pub at: Timestamp,
    pub delivery: Delivery,
}

/// A version that no rollback may lead to.
#[derive(Clone, Debug)]
pub struct BadVersionLine {
    pub at: Timestamp,
    pub key: ServiceKey,
    pub cluster: Option<String>,
    pub version: String,
    pub why: String,
}

type BadVersionKey = (ServiceKey, Option<String>, String);

/// Everything people see, rebuilt from the decisions log.
#[derive(Debug, Default)]
pub struct Projection {
    standing: Standing,
    next: Position,
    /// Retention has taken records before the first one, or releases were forgotten.
    is_partial: bool,
    releases: BTreeMap<ReleaseId, ReleaseView>,
    /// Order in which releases were opened, oldest first.
    order: VecDeque<ReleaseId>,
    commands: BTreeMap<CommandId, Command>,
    deliveries: VecDeque<DeliveryLine>,
    audit: VecDeque<AuditLine>,
    halts: BTreeMap<HaltId, Halt>,
    bad_versions: BTreeMap<BadVersionKey, BadVersionLine>,
    answers: answers::Answers,
    findings: BTreeMap<(ServiceKey, FindingKind, Option<ReleaseId>), Finding>,
    /// Of a checkpoint, until the first record shows which of them the log does not have.
    restored_audit: Vec<AuditEntry>,
    restored_standing: Standing,
}

impl Projection {
    /// Applies the record at `at`; records come in log order. Why it does not count, if it does not.
    pub fn apply(&mut self, at: Position, record: &DecisionRecord) -> Option<Void> {
        self.is_partial |= self.next == Position::default() && at != Position::default();
        self.next = Position(at.0 + 1);
        if !self.restored_audit.is_empty() {
            self.show_restored_audit(record);
        }
        let void = self.standing.take(at, record).err();
        if void.is_none() {
            self.answers.note(record);
            record.decisions.iter().for_each(|decision| self.apply_decision(record.at, decision));
        }
        void
    }

    /// What became of an event, where that is known and not long ago.
    pub fn answer(&self, event: &EventId) -> Option<&Answer> {
        self.answers.get(event)
    }

    /// Why no rollback may lead to a version of a service.
    pub fn bad_version(&self, key: &ServiceKey, version: &str) -> Option<&BadVersionLine> {
        self.bad_versions.values().find(|line| line.key == *key && line.version == version)
    }

    /// Which records counted so far.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The last event of a partition about which something was written, also on records that retention has taken.
    pub fn decided(&self, partition: Partition) -> Option<Position> {
        self.standing.decided(partition).max(self.restored_standing.decided(partition))
    }

    /// The first record that was not applied.
    pub fn next(&self) -> Position {
        self.next
    }

    /// Whether every release that the log ever had is known.
    pub fn is_whole(&self) -> bool {
        !self.is_partial
    }

    fn apply_decision(&mut self, at: Timestamp, decision: &Decision) {
        match decision {
            Decision::Proposal(proposal) => self.apply_proposal(at, proposal),
            Decision::Command(command) => self.apply_command(at, command),
            Decision::Notice(notice) => self.apply_notice(at, notice),
            Decision::Halt { halt, is_active: true } => {
                drop(self.halts.insert(halt.id.clone(), halt.clone()))
            }
            Decision::Halt { halt, is_active: false } => drop(self.halts.remove(&halt.id)),
            Decision::BadVersion { service, environment, cluster, version, is_bad, why, .. } => {
                let key = ServiceKey::new(service, environment);
                let id = (key.clone(), cluster.clone(), version.clone());
                if *is_bad {
                    let (version, why) = (version.clone(), why.clone());
                    self.bad_versions
                        .insert(id, BadVersionLine { at, key, cluster: cluster.clone(), version, why });
                    self.forget_old_bad_versions();
                } else {
                    self.bad_versions.remove(&id);
                }
            }
            Decision::Audit { actor, about, what, why, result } => {
                let (actor, about, what) = (actor.clone(), about.clone(), what.clone());
                let (why, result) = (why.clone(), result.clone());
                push_bounded(&mut self.audit, AuditLine { at, actor, about, what, why, result });
            }
        }
    }

    /// Of what is told, only alerts from elsewhere are news to a release: the rest is told of it by its own records.
    fn apply_notice(&mut self, at: Timestamp, notice: &Notice) {
        let release = notice.release.as_ref().filter(|_| notice.kind == NoticeKind::Alert);
        if let Some(view) = release.and_then(|release| self.releases.get_mut(&release.id)) {
            view.alerted(at, notice);
        }
    }

    fn apply_proposal(&mut self, at: Timestamp, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => self.apply_release(at, release),
            Proposal::Breach(breach) => {
                if let Some(view) = breach.release.as_ref().and_then(|it| self.releases.get_mut(&it.id)) {
                    view.breach_began(at, breach);
                }
            }
            Proposal::BreachEnded { release: Some(release), trigger, .. } => {
                if let Some(view) = self.releases.get_mut(&release.id) {
                    view.breach_ended(at, trigger);
                }
            }
            Proposal::Finding(finding) => self.apply_finding(at, finding),
            Proposal::StagePassed { release, stage } => {
                if let Some(view) = self.releases.get_mut(&release.id) {
                    view.note(at, "stage_passed", format!("stage {stage} met its criteria"));
                }
            }
            Proposal::Delivery(delivery) => self.apply_delivery(at, delivery),
            Proposal::Outcome(outcome) => {
                if let Some(view) = self.releases.get_mut(&outcome.release.id) {
                    let text =
                        format!("{}: {} ({})", outcome.target, outcome.status.as_str(), outcome.detail);
                    view.note(at, "outcome", text);
                }
            }
            Proposal::BreachEnded { release: None, .. }
            | Proposal::BreachContinues(_)
            | Proposal::Ignored { .. }
            | Proposal::Limit(_)
            | Proposal::Alert { .. }
            | Proposal::Verb { .. }
            | Proposal::PolicyLoad(_) => {}
        }
    }

    fn apply_release(&mut self, at: Timestamp, release: &Release) {
        if let Some(view) = self.releases.get_mut(&release.id) {
            view.changed(at, release);
            return;
        }
        self.releases.insert(release.id.clone(), ReleaseView::opened(at, release));
        self.order.push_back(release.id.clone());
        self.forget_old_releases();
    }

    /// Drops the oldest releases that are over; one that is not is never dropped.
    fn forget_old_releases(&mut self) {
        while self.order.len() > MAX_RELEASES {
            let Some(at) =
                self.order.iter().position(|id| self.releases.get(id).is_none_or(ReleaseView::is_over))
            else {
                return;
            };
            self.is_partial = true;
            let Some(view) = self.order.remove(at).and_then(|id| self.releases.remove(&id)) else { continue };
            for id in view.commands {
                self.commands.remove(&id);
            }
        }
    }

    fn forget_old_bad_versions(&mut self) {
        if self.bad_versions.len() <= MAX_BAD_VERSIONS {
            return;
        }
        let oldest = self.bad_versions.iter().min_by_key(|(_, line)| line.at).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            self.bad_versions.remove(&oldest);
        }
    }

    fn apply_command(&mut self, at: Timestamp, command: &Command) {
        let before = self.commands.insert(command.id.clone(), command.clone());
        if let Some(view) = self.releases.get_mut(&command.release.id) {
            view.command_changed(at, before.as_ref(), command);
        }
    }

    fn apply_delivery(&mut self, at: Timestamp, delivery: &Delivery) {
        if let Some(view) = delivery.release.as_ref().and_then(|it| self.releases.get_mut(&it.id)) {
            view.delivered(at, delivery);
        }
        push_bounded(&mut self.deliveries, DeliveryLine { at, delivery: delivery.clone() });
    }

    fn apply_finding(&mut self, at: Timestamp, finding: &Finding) {
        let id = finding.release.as_ref().map(|it| it.id.clone());
        if let Some(view) = id.as_ref().and_then(|id| self.releases.get_mut(id)) {
            view.found(at, finding);
        }
        let key = (finding.key.clone(), finding.kind, id);
        if !finding.is_active {
            self.findings.remove(&key);
        } else if self.findings.len() < MAX_FINDINGS || self.findings.contains_key(&key) {
            self.findings.insert(key, finding.clone());
        }
    }

    /// A release by its id; the bare id means the newest of that name.
    pub fn release(&self, id: &ReleaseId) -> Option<&ReleaseView> {
        let newest = self
            .releases
            .range(ReleaseId::from_text(id.bare())..)
            .take_while(|(have, _)| have.bare() == id.bare())
            .map(|(_, view)| view)
            .max_by_key(|view| (view.release.started_at, view.sequence()));
        if id.as_str() == id.bare() { newest } else { self.releases.get(id) }
    }

    /// Releases, newest first.
    pub fn releases(&self) -> impl Iterator<Item = &ReleaseView> {
        self.order.iter().rev().filter_map(|id| self.releases.get(id))
    }

    /// Commands of all releases, those of the newest release first, the newest of one release first.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.releases().flat_map(|view| view.commands.iter().rev().filter_map(|id| self.commands.get(id)))
    }

    pub fn command(&self, id: &CommandId) -> Option<&Command> {
        self.commands.get(id)
    }

    /// Commands of one release, oldest first.
    pub fn commands_of<'a>(&'a self, view: &'a ReleaseView) -> impl Iterator<Item = &'a Command> {
        view.commands.iter().filter_map(|id| self.commands.get(id))
    }

    /// Deliveries, newest first.
    pub fn deliveries(&self) -> impl Iterator<Item = &DeliveryLine> {
        self.deliveries.iter().rev()
    }

    /// Audit lines, newest first.
    pub fn audit(&self) -> impl Iterator<Item = &AuditLine> {
        self.audit.iter().rev()
    }

    pub fn halts(&self) -> impl Iterator<Item = &Halt> {
        self.halts.values()
    }

    pub fn halt(&self, id: &HaltId) -> Option<&Halt> {
        self.halts.get(id)
    }

    pub fn bad_versions(&self) -> impl Iterator<Item = &BadVersionLine> {
        self.bad_versions.values()
    }

    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }

    /// The state to show: what the analyzer says, unless a command says more.
    pub fn state_of(&self, view: &ReleaseView) -> ReleaseState {
        if !view.release.state.is_under_watch() {
            return view.release.state;
        }
        match self.commands_of(view).last().map(|command| command.state) {
            Some(CommandState::Prepared) => ReleaseState::RollbackPrepared,
            Some(CommandState::Ready | CommandState::Accepted) => ReleaseState::RollingBack,
            Some(CommandState::Failed) => ReleaseState::RollbackFailed,
            _ => view.release.state,
        }
    }

    /// What a pipeline that waits for this release should do.
    pub fn verdict_of(&self, view: &ReleaseView) -> Verdict {
        view.verdict(self.state_of(view))
    }
}

fn push_bounded<T>(lines: &mut VecDeque<T>, line: T) {
    lines.push_back(line);
    if lines.len() > MAX_LINES {
        lines.pop_front();
    }
}
