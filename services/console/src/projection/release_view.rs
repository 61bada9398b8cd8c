//! One release as people see it: what it is, what happened to it, and the verdict.

use std::collections::BTreeSet;

use model::{
    Breach, Command, CommandId, Delivery, DeliveryResult, Finding, FindingKind, Notice, NoticeStatus, Reason,
    Release, ReleaseState, Timestamp,
};

/// Lines of one release's timeline; a release that flaps for a day stays readable, the log keeps the rest.
const MAX_TIMELINE: usize = 500;

/// Reasons kept of one release, the first ones: those are what it is judged by.
const MAX_REASONS: usize = 64;

/// Alerts of one release that fire at once; more are not told apart from their repetitions, and left out.
const MAX_ALERTS: usize = 256;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct TimelineEntry {
    pub at: Timestamp,
    /// `opened`, `state`, `breach`, `breach_ended`, `command`, `outcome`, `delivery`, `finding`, `alert`, …
    pub what: String,
    pub text: String,
}

/// What a pipeline should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    Inconclusive,
    Pending,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Pending => "pending",
        }
    }
}

/// A release and all that is known of it.
#[derive(Clone, Debug)]
pub struct ReleaseView {
    pub release: Release,
    pub timeline: Vec<TimelineEntry>,
    pub commands: Vec<CommandId>,
    pub deliveries: Vec<(Timestamp, Delivery)>,
    /// The reasons given against it, oldest first.
    pub reasons: Vec<Reason>,
    broken: BTreeSet<String>,
    asks_for_rollback: bool,
    /// Alerts from elsewhere that fire, by fingerprint: senders repeat them.
    alerts: BTreeSet<u64>,
}

impl ReleaseView {
    pub(super) fn opened(at: Timestamp, release: &Release) -> Self {
        let mut view = Self {
            release: release.clone(),
            timeline: Vec::new(),
            commands: Vec::new(),
            deliveries: Vec::new(),
            reasons: Vec::new(),
            broken: BTreeSet::new(),
            asks_for_rollback: false,
            alerts: BTreeSet::new(),
        };
        view.note(at, "opened", format!("{} {}", release.key, release.version));
        view.note(at, "state", state_text(release));
        view
    }

    pub(super) fn changed(&mut self, at: Timestamp, release: &Release) {
        let moved = self.release.state != release.state || self.release.stage != release.stage;
        self.release = release.clone();
        if moved {
            self.note(at, "state", state_text(release));
        }
    }

    pub(super) fn breach_began(&mut self, at: Timestamp, breach: &Breach) {
        self.broken.insert(breach.reason.trigger.clone());
        self.asks_for_rollback |= breach.action.is_rollback();
        self.note(at, "breach", reason_text(&breach.reason));
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(breach.reason.clone());
        }
    }

    /// What could not be judged stays among the reasons of the verdict: a watch of it is no pass.
    pub(super) fn found(&mut self, at: Timestamp, finding: &Finding) {
        const UNMEASURED: &str = "unmeasured";
        self.note(at, if finding.is_active { "finding" } else { "finding_ended" }, finding.text.clone());
        if finding.kind != FindingKind::Unmeasured || !finding.is_active {
            return;
        }
        self.reasons.retain(|reason| reason.trigger != UNMEASURED);
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(Reason {
                trigger: UNMEASURED.to_owned(),
                condition: finding.text.clone(),
                key: finding.key.clone(),
                version: finding.release.as_ref().map(|release| release.version.clone()),
                evidence_at: at,
                ..Reason::default()
            });
        }
    }

    pub(super) fn breach_ended(&mut self, at: Timestamp, trigger: &str) {
        self.broken.remove(trigger);
        self.note(at, "breach_ended", trigger.to_owned());
    }

    pub(super) fn command_changed(&mut self, at: Timestamp, before: Option<&Command>, command: &Command) {
        if !self.commands.contains(&command.id) {
            self.commands.push(command.id.clone());
        }
        if before.is_none_or(|before| before.state != command.state) {
            let to = command.to_version.as_deref().unwrap_or("a version that a person must name");
            let why = if command.state_reason.is_empty() {
                String::new()
            } else {
                format!(": {}", command.state_reason)
            };
            let text = format!("{} to {to} {}{why}", command.verb.as_str(), command.state.as_str());
            self.note(at, "command", text);
        }
    }

    /// An alert from elsewhere about this release began to fire, or is over.
    pub(super) fn alerted(&mut self, at: Timestamp, notice: &Notice) {
        let fingerprint = notice.labels.fingerprint();
        let name = notice.labels.get("alertname").unwrap_or("an alert without a name");
        let summary = notice.annotations.get("summary").map(|text| format!(": {text}")).unwrap_or_default();
        if notice.status == NoticeStatus::Resolved {
            if self.alerts.remove(&fingerprint) {
                self.note(at, "alert_ended", name.to_owned());
            }
        } else if self.alerts.len() < MAX_ALERTS && self.alerts.insert(fingerprint) {
            self.note(at, "alert", format!("{name}{summary}"));
        }
    }

    pub(super) fn delivered(&mut self, at: Timestamp, delivery: &Delivery) {
        if delivery.result != DeliveryResult::Suppressed {
            let to = format!("{} by {}", delivery.receiver, delivery.integration);
            let is_failed = delivery.result == DeliveryResult::Failed && !delivery.detail.is_empty();
            let why = if is_failed { format!(": {}", delivery.detail) } else { String::new() };
            self.note(at, "delivery", format!("{to} {}{why}", delivery.result.as_str()));
        }
        if self.deliveries.len() < MAX_TIMELINE {
            self.deliveries.push((at, delivery.clone()));
        }
    }

    pub(super) fn note(&mut self, at: Timestamp, what: &str, text: String) {
        if self.timeline.len() < MAX_TIMELINE {
            self.timeline.push(TimelineEntry { at, what: what.to_owned(), text });
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.release.state.is_final()
    }

    /// 1 for the first time this release went out, `n` for `rel_…-n`.
    pub fn sequence(&self) -> u32 {
        let after_bare = self.release.id.as_str().strip_prefix(self.release.id.bare());
        after_bare.and_then(|rest| rest.strip_prefix('-')?.parse().ok()).unwrap_or(1)
    }

    /// Triggers broken right now.
    pub fn broken_triggers(&self) -> impl Iterator<Item = &str> {
        self.broken.iter().map(String::as_str)
    }

    pub(super) fn verdict(&self, state: ReleaseState) -> Verdict {
        match state {
            ReleaseState::Succeeded => Verdict::Pass,
            ReleaseState::RollbackPrepared
            | ReleaseState::RollingBack
            | ReleaseState::RolledBack
            | ReleaseState::Recovered
            | ReleaseState::RollbackFailed => Verdict::Fail,
            ReleaseState::Unproven | ReleaseState::Superseded | ReleaseState::Cancelled => {
                Verdict::Inconclusive
            }
            ReleaseState::Pending | ReleaseState::Progressing | ReleaseState::Watching => {
                if self.asks_for_rollback && !self.broken.is_empty() {
                    Verdict::Fail
                } else {
                    Verdict::Pending
                }
            }
        }
    }
}

fn state_text(release: &Release) -> String {
    let stage = release.stage.as_deref().map(|stage| format!(" (stage {stage})")).unwrap_or_default();
    let why =
        if release.state_reason.is_empty() { String::new() } else { format!(": {}", release.state_reason) };
    format!("{}{stage}{why}", release.state)
}

/// One line with the numbers: `error_rate > 1%: 0.083 over 300 s, 1513 of 18231`.
fn reason_text(reason: &Reason) -> String {
    let Some(evidence) = reason.evidence.first() else { return reason.condition.clone() };
    format!(
        "{}: {:.4} against {:.4} over {} s, {} of {} requests",
        reason.condition,
        evidence.value,
        evidence.limit,
        reason.window.as_secs(),
        evidence.errors,
        evidence.requests
    )
}
