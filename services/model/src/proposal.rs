//! What the analyzer emits: findings about one service at a time, and what it would do about them.

use serde::{Deserialize, Serialize};

use crate::{
    Alert, Delivery, EventId, Outcome, PolicyLoad, Reason, Release, ReleaseId, ReleaseRef, Rise, ServiceKey,
    Verb,
};

/// What a trigger asks for when its condition is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    AlertTeam,
    Hold,
    PrepareRollback,
    AlertAndPrepareRollback,
    ImmediateRollback,
    /// Stages only.
    Promote,
}

impl Action {
    /// The action's name in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlertTeam => "alert_team",
            Self::Hold => "hold",
            Self::PrepareRollback => "prepare_rollback",
            Self::AlertAndPrepareRollback => "alert_and_prepare_rollback",
            Self::ImmediateRollback => "immediate_rollback",
            Self::Promote => "promote",
        }
    }

    /// Whether it ends in a rollback, at once or after approval.
    pub fn is_rollback(self) -> bool {
        matches!(self, Self::PrepareRollback | Self::AlertAndPrepareRollback | Self::ImmediateRollback)
    }
}

/// Whether the release is no worse than what it is compared with, and so not to blame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedBlame {
    /// What the metric was in the window before the deployment; set where the release is not proven worse.
    pub before: Option<f64>,
    /// What the metric is for the version beside the release; set where the release is not proven worse.
    pub beside: Option<f64>,
    /// Telemetry does not tell the release by its version, so the whole service was judged: it is prepared at most,
    /// unless the policy says more.
    pub is_unversioned: bool,
    /// When and by how much the release's bad requests rose above its baseline; `None` where it cannot be counted.
    pub rise: Option<Rise>,
    /// Telemetry carries versions, and the release's own is not among them.
    pub names_others: bool,
}

/// A trigger's condition is broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    pub key: ServiceKey,
    /// The release judged; `None`: a service without a release under watch.
    pub release: Option<ReleaseRef>,
    pub action: Action,
    pub reason: Reason,
    pub blame: SharedBlame,
}

/// A limit that a service without a release under watch, or the old versions of one with, exceed or stop
/// exceeding; the arbiter's ground for telling a shared cause from a bad release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitState {
    pub key: ServiceKey,
    /// The trigger's name.
    pub trigger: String,
    pub condition: String,
    pub is_exceeded: bool,
    pub value: f64,
    /// Against its own past; `None` where it cannot be counted.
    pub rise: Option<Rise>,
}

/// Something about the data itself that a person should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingKind {
    /// Nothing came in for a watched service, and its sender is silent altogether.
    SenderSilent,
    /// The sender is alive, the release's traffic or series are gone.
    ReleaseSilent,
    /// More errors than requests: two halves of different scrapes.
    Torn,
    /// One version name with two digests.
    AmbiguousVersion,
    /// A trigger has nothing by which it could show a breach: no series, a selector that cannot match, or buckets
    /// without a bound at the limit.
    Unmeasured,
}

/// A finding begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub key: ServiceKey,
    pub release: Option<ReleaseRef>,
    pub kind: FindingKind,
    pub is_active: bool,
    pub text: String,
}

/// What the analyzer emits, in the order in which the arbiter has to see it. Events that concern the arbiter
/// pass through the analyzer as they are, so that decisions have one total order and one input.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// A release was opened or changed state; the whole of it as it now stands.
    Release(Box<Release>),
    /// `a limit is exceeded` where no release is under watch.
    Limit(LimitState),
    /// A condition is broken; once when it begins to be and never again while it stays so.
    Breach(Box<Breach>),
    /// A condition of a release is still broken, with the evidence of now: repeated at a bounded rate, so that what
    /// did not happen at the first time (a target was down, an approval expired) is decided again.
    BreachContinues(Box<Breach>),
    /// A condition that was broken holds again.
    BreachEnded {
        key: ServiceKey,
        release: Option<ReleaseRef>,
        trigger: String,
    },
    Finding(Finding),
    /// A stage's criteria were met for its whole duration.
    StagePassed {
        release: ReleaseRef,
        stage: String,
    },
    /// Passed through.
    Alert {
        id: EventId,
        alert: Box<Alert>,
    },
    Verb {
        id: EventId,
        verb: Box<Verb>,
    },
    Outcome(Box<Outcome>),
    Delivery(Box<Delivery>),
    PolicyLoad(Box<PolicyLoad>),
    /// A deployment event changed nothing: a repeat, or it is about no release known.
    Ignored {
        /// The release that the event names, where one exists.
        release: Option<ReleaseId>,
        /// One sentence for the sender.
        why: String,
    },
}
