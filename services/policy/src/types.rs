//! The policy as validated types.

use std::{collections::BTreeMap, time::Duration};

use model::{Owner, proposal::Action};
use serde::{Deserialize, Serialize};

use crate::{Expression, Match, MetricDefinition, Place, ReleaseOwners, Selector, Target, TimeInterval};

/// Which label names what; the first present wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub service: Vec<String>,
    pub environment: Vec<String>,
    pub version: Vec<String>,
    pub cluster: Vec<String>,
    pub region: Vec<String>,
    pub replica: Vec<String>,
    pub route: Vec<String>,
    pub join: Vec<Join>,
    pub fixed: Vec<StaticIdentity>,
}

/// A name of the identity; what [`Join`] takes and [`StaticIdentity`] sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IdentityField {
    Service,
    Environment,
    Version,
    Cluster,
    Region,
    Route,
}

/// Take names from an info series (value 1) that shares the labels `on`.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub info: Selector,
    pub on: Vec<String>,
    /// Field -> label of the info series.
    pub take: Vec<(IdentityField, String)>,
}

/// Series that match are of this service, environment, version.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticIdentity {
    pub matching: Selector,
    pub set: Vec<(IdentityField, String)>,
}

/// Values that hold where nothing more specific is said (DESIGN, section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    pub watch: Duration,
    pub watch_max: Duration,
    pub warmup: Duration,
    pub settle: Duration,
    pub late: Duration,
    pub max_decision_age: Duration,
    pub min_requests: u64,
    /// How long a prepared command waits for approval.
    pub approval_expiry: Duration,
    /// Whom a release event may name.
    pub release_owners: ReleaseOwners,
    pub attribution: Attribution,
}

/// When a release counts as the cause of what it shows, and what excuses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// By how many times the odds of a bad request have to be worse than the baseline's, 1 or more.
    pub margin: f64,
    /// Whose simultaneous rise excuses a release that has no old version beside it.
    pub neighbours: Neighbours,
    /// How large their rise has to be, in parts of the release's.
    pub min_rise: f64,
    /// How many bad requests a second they have to add up to, in parts of the release's.
    pub min_traffic: f64,
    /// How far apart the two rises may begin.
    pub within: Duration,
}

/// Services whose trouble may excuse a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Neighbours {
    All,
    None,
    /// By name.
    Only(Vec<String>),
}

impl Neighbours {
    pub fn include(&self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|name| name == service),
        }
    }
}

/// How far Ripcord may go by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Decide and record.
    Observe,
    /// And tell.
    Advise,
    /// And prepare a command.
    Approve,
    /// And send it.
    Auto,
}

/// How far Ripcord may go by itself where telemetry carries no version, so that the whole service is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unversioned {
    /// Prepare the command.
    #[default]
    Prepare,
    /// Send it, where nothing else than the release explains what the service shows.
    Auto,
}

/// How a comparison is guarded against chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardTest {
    /// Exact binomial tail: 0.1 % a look to notify, 0.01 % to act; at least 4 events.
    Exact,
    /// The bare number.
    None,
}

/// A condition, how long, and what then.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// `error_rate`, `High Error Rate`.
    pub name: String,
    pub condition: Expression,
    /// The condition as written, or as a person would have written it.
    pub text: String,
    pub window: Duration,
    /// How long the condition must hold without a break.
    pub hold: Duration,
    pub min_requests: u64,
    pub test: GuardTest,
    pub action: Action,
}

/// A stage of a progressive rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub name: String,
    pub traffic_percentage: f64,
    /// `None`: the last one, for as long as the watch lasts.
    pub duration: Option<Duration>,
    pub criteria: Vec<(String, Expression)>,
}

/// Limits of automatic action per service.
#[derive(Clone, Debug, PartialEq)]
pub struct Safety {
    /// No second automatic rollback of the same service within this time.
    pub cooldown: Duration,
    pub approvals: u32,
}

/// What holds for one service in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectivePolicy {
    /// `None`: `auto` for triggers with a rollback action and a target, `advise` otherwise.
    pub mode: Option<Mode>,
    pub unversioned: Unversioned,
    pub owner: Owner,
    pub triggers: Vec<Trigger>,
    pub stages: Vec<Stage>,
    pub gates: Vec<(String, Expression)>,
    pub targets: Vec<Target>,
    pub safety: Safety,
    pub defaults: Defaults,
}

/// What a part of the policy says for the services it matches; what it does not say comes from less specific
/// parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Where it stands; `None`: what holds for all services.
    pub place: Option<Place>,
    pub matching: Match,
    /// By name; each replaces the one that holds for all services.
    pub metrics: BTreeMap<String, MetricDefinition>,
    pub mode: Option<Mode>,
    pub unversioned: Option<Unversioned>,
    pub owner: Option<Owner>,
    /// By trigger name: overrides one of the same name.
    pub triggers: Vec<Trigger>,
    pub stages: Option<Vec<Stage>>,
    pub gates: Option<Vec<(String, Expression)>>,
    pub targets: Option<Vec<Target>>,
    pub safety: Option<Safety>,
    pub attribution: Option<Attribution>,
    pub watch: Option<Duration>,
    pub warmup: Option<Duration>,
    pub min_requests: Option<u64>,
}

/// More rollbacks than this at once are a shared cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Storm {
    pub max_rollbacks: usize,
    pub per: Duration,
    /// How long to gather breaches where a storm is possible before acting on the first.
    pub settle: Duration,
}

/// What a freeze does to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreezeEffect {
    Allow,
    /// Needs approval.
    Approve,
    Deny,
}

/// Times in which less is done automatically.
#[derive(Clone, Debug, PartialEq)]
pub struct Freeze {
    pub place: Option<Place>,
    pub matching: Match,
    /// Names of time intervals; empty = always.
    pub time_intervals: Vec<String>,
    pub promote: FreezeEffect,
    pub rollback: FreezeEffect,
}

/// The whole policy in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub identity: Identity,
    pub metrics: BTreeMap<String, MetricDefinition>,
    pub defaults: Defaults,
    /// The top level's own triggers, stages, gates: what holds where no policy says otherwise.
    pub base: Rules,
    /// Least specific first, so that later ones override.
    pub policies: Vec<Rules>,
    pub storm: Storm,
    pub freezes: Vec<Freeze>,
    /// What the freezes' time intervals are, by name.
    pub time_intervals: BTreeMap<String, TimeInterval>,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Legal but wrong, or parsed but not acting yet.
    Warning,
    /// The file is not accepted.
    Error,
}

/// One fault of a file: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub level: Level,
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}
