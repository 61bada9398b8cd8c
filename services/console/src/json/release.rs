//! Releases, their reasons and commands.

use std::collections::BTreeMap;

use model::{BaselineKind, Command, Comparison, ErrorBound, Evidence, Reason, Test, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DeliveryJson, duration_text, finite};
use crate::projection::{Projection, ReleaseView};

/// What the metric was compared with.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineJson {
    /// `beside` (the old version running now) or `before` (the same window before the deployment).
    pub kind: &'static str,
    pub version: Option<String>,
    pub value: Option<f64>,
    pub requests: u64,
}

/// The numbers behind one comparison. Ratios 0..=1, times in seconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceJson {
    pub metric: String,
    pub value: Option<f64>,
    pub limit: Option<f64>,
    pub requests: u64,
    pub errors: u64,
    pub coverage: f64,
    pub baseline: Option<BaselineJson>,
    /// `exact` or `none`.
    pub test: &'static str,
    pub level: Option<f64>,
    pub tail_probability: Option<f64>,
    /// `exact` or `bucket`.
    pub error_bound: &'static str,
    /// The test by which the release is blamed or not; missing where there was nothing to compare it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonJson>,
}

/// A release against what runs beside it or ran before it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonJson {
    /// `beside` or `before`.
    pub kind: &'static str,
    pub version: Option<String>,
    pub errors: u64,
    pub requests: u64,
    pub baseline_errors: u64,
    pub baseline_requests: u64,
    /// By how many times the odds of an error have to be worse than the baseline's.
    pub margin: f64,
    /// How likely so many errors were, were the release worse by the margin and no more.
    pub probability: f64,
    /// The release counts as worse at or below it.
    pub level: f64,
    pub is_worse: bool,
}

impl ComparisonJson {
    fn of(comparison: &Comparison) -> Self {
        let (kind, version) = baseline_of(&comparison.baseline);
        Self {
            kind,
            version,
            errors: comparison.release.bad,
            requests: comparison.release.total,
            baseline_errors: comparison.before.bad,
            baseline_requests: comparison.before.total,
            margin: comparison.margin,
            probability: comparison.probability,
            level: comparison.level,
            is_worse: comparison.is_worse(),
        }
    }
}

fn baseline_of(kind: &BaselineKind) -> (&'static str, Option<String>) {
    match kind {
        BaselineKind::Beside { version } => ("beside", Some(version.clone())),
        BaselineKind::Before => ("before", None),
    }
}

impl EvidenceJson {
    fn of(evidence: &Evidence) -> Self {
        let (test, level, tail_probability) = match evidence.test {
            Test::None => ("none", None, None),
            Test::Exact { level, tail_probability } => ("exact", Some(level), Some(tail_probability)),
        };
        let baseline = evidence.baseline.as_ref().map(|baseline| {
            let (kind, version) = baseline_of(&baseline.kind);
            BaselineJson { kind, version, value: finite(baseline.value), requests: baseline.requests }
        });
        Self {
            metric: evidence.metric.clone(),
            value: finite(evidence.value),
            limit: finite(evidence.limit),
            requests: evidence.requests,
            errors: evidence.errors,
            coverage: evidence.coverage,
            baseline,
            test,
            level,
            tail_probability,
            error_bound: error_bound_text(evidence.error_bound),
            comparison: evidence.comparison.as_ref().map(ComparisonJson::of),
        }
    }
}

pub(super) fn error_bound_text(bound: ErrorBound) -> &'static str {
    match bound {
        ErrorBound::Exact => "exact",
        ErrorBound::Bucket => "bucket",
    }
}

/// One rule that was broken.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonJson {
    pub trigger: String,
    pub condition: String,
    pub version: Option<String>,
    pub window: String,
    #[serde(rename = "for")]
    pub hold: String,
    pub evidence: Vec<EvidenceJson>,
    /// Event time of the newest sample that counted.
    pub evidence_at: String,
    /// Id of the record that tipped it.
    pub cause: String,
}

impl ReasonJson {
    pub(crate) fn of(reason: &Reason) -> Self {
        Self {
            trigger: reason.trigger.clone(),
            condition: reason.condition.clone(),
            version: reason.version.clone(),
            window: duration_text(reason.window),
            hold: duration_text(reason.hold),
            evidence: reason.evidence.iter().map(EvidenceJson::of).collect(),
            evidence_at: reason.evidence_at.to_string(),
            cause: reason.cause.to_string(),
        }
    }
}

/// A command and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandJson {
    pub id: String,
    pub verb: &'static str,
    pub release: String,
    pub service: String,
    pub environment: String,
    pub cluster: Option<String>,
    /// The version to be rolled back.
    pub version: String,
    pub to_version: Option<String>,
    pub to_digest: Option<String>,
    /// `immediate` or `approved`.
    pub mode: &'static str,
    pub state: &'static str,
    pub state_reason: String,
    pub targets: Vec<String>,
    pub reasons: Vec<ReasonJson>,
    pub attempt: u32,
    pub fencing: u64,
    pub approvals_needed: u32,
    pub approved_by: Vec<String>,
    pub decided_at: String,
    pub deadline: String,
}

impl CommandJson {
    pub(crate) fn of(command: &Command) -> Self {
        Self {
            id: command.id.to_string(),
            verb: command.verb.as_str(),
            release: command.release.id.to_string(),
            service: command.release.key.service.clone(),
            environment: command.release.key.environment.clone(),
            cluster: command.release.cluster.clone(),
            version: command.release.version.clone(),
            to_version: command.to_version.clone(),
            to_digest: command.to_digest.clone(),
            mode: command.mode.as_str(),
            state: command.state.as_str(),
            state_reason: command.state_reason.clone(),
            targets: command.targets.iter().map(|target| target.name.clone()).collect(),
            reasons: command.reasons.iter().map(ReasonJson::of).collect(),
            attempt: command.attempt,
            fencing: command.fencing,
            approvals_needed: command.approvals_needed,
            approved_by: command.approved_by.clone(),
            decided_at: command.decided_at.to_string(),
            deadline: command.deadline.to_string(),
        }
    }
}

/// What a pipeline should do.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerdictJson {
    /// `pass`, `fail`, `inconclusive` or `pending`.
    pub status: &'static str,
    pub reasons: Vec<ReasonJson>,
}

/// One thing that happened to a release.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineJson {
    pub at: String,
    pub what: String,
    pub text: String,
}

/// A release in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseJson {
    pub id: String,
    pub service: String,
    pub environment: String,
    pub cluster: Option<String>,
    pub version: String,
    pub previous_version: Option<String>,
    pub state: &'static str,
    pub state_reason: String,
    pub stage: Option<String>,
    pub traffic_percentage: Option<f64>,
    pub started_at: String,
    pub watch_until: Option<String>,
    pub verdict: VerdictJson,
}

impl ReleaseJson {
    pub fn of(projection: &Projection, view: &ReleaseView) -> Self {
        let release = &view.release;
        Self {
            id: release.id.to_string(),
            service: release.key.service.clone(),
            environment: release.key.environment.clone(),
            cluster: release.cluster.clone(),
            version: release.version.clone(),
            previous_version: release.previous_version.clone(),
            state: projection.state_of(view).as_str(),
            state_reason: release.state_reason.clone(),
            stage: release.stage.clone(),
            traffic_percentage: release.traffic_percentage,
            started_at: release.started_at.to_string(),
            watch_until: release.watch_until.as_ref().map(Timestamp::to_string),
            verdict: VerdictJson {
                status: projection.verdict_of(view).as_str(),
                reasons: view.reasons.iter().map(ReasonJson::of).collect(),
            },
        }
    }
}

/// A release with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseDetailJson {
    #[serde(flatten)]
    pub release: ReleaseJson,
    pub artifact: Option<String>,
    pub digest: Option<String>,
    pub commit: Option<String>,
    pub change_id: Option<String>,
    pub revertible: bool,
    pub rollback_floor: Option<String>,
    pub links: BTreeMap<String, String>,
    pub facts: BTreeMap<String, String>,
    /// Triggers broken right now.
    pub broken_triggers: Vec<String>,
    pub timeline: Vec<TimelineJson>,
    pub commands: Vec<CommandJson>,
    pub deliveries: Vec<DeliveryJson>,
}

impl ReleaseDetailJson {
    pub fn of(projection: &Projection, view: &ReleaseView) -> Self {
        let release = &view.release;
        let line = |entry: &crate::TimelineEntry| TimelineJson {
            at: entry.at.to_string(),
            what: entry.what.clone(),
            text: entry.text.clone(),
        };
        Self {
            release: ReleaseJson::of(projection, view),
            artifact: release.artifact.as_ref().map(|artifact| artifact.reference.clone()),
            digest: release.artifact.as_ref().and_then(|artifact| artifact.digest.clone()),
            commit: release.commit.clone(),
            change_id: release.change_id.clone(),
            revertible: release.revertible,
            rollback_floor: release.rollback_floor.clone(),
            links: release.links.clone(),
            facts: release.facts.clone(),
            broken_triggers: view.broken_triggers().map(str::to_owned).collect(),
            timeline: view.timeline.iter().map(line).collect(),
            commands: projection.commands_of(view).map(CommandJson::of).collect(),
            deliveries: view
                .deliveries
                .iter()
                .map(|(at, delivery)| DeliveryJson::of(*at, delivery))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Counts;

    use super::*;

    #[test]
    fn a_comparison_shows_both_sides_and_how_likely_chance_is() {
        let comparison = Comparison {
            baseline: BaselineKind::Beside { version: "2.4.0".into() },
            release: Counts { bad: 45, total: 100 },
            before: Counts { bad: 5, total: 100 },
            margin: 1.25,
            level: 1e-4,
            probability: 1e-9,
        };
        let shown = serde_json::to_value(ComparisonJson::of(&comparison)).unwrap();
        let expected = serde_json::json!({
            "kind": "beside", "version": "2.4.0", "errors": 45, "requests": 100,
            "baseline_errors": 5, "baseline_requests": 100,
            "margin": 1.25, "probability": 1e-9, "level": 1e-4, "is_worse": true,
        });
        assert_eq!(shown, expected);
    }
}
