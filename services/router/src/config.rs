//! The configuration as plain values; the shell builds them from `ripcord.yml` or `alertmanager.yml`.

mod validate;

use std::{collections::BTreeMap, time::Duration};

use crate::{Matcher, TimeInterval};

pub use validate::ConfigError;
pub(crate) use validate::MAX_ROUTE_DEPTH;

/// How long a new group waits for company, unless its route says otherwise (Alertmanager's default).
pub const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);

/// Time between two ticks of a group, unless its route says otherwise (Alertmanager's default).
pub const DEFAULT_GROUP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Time after which an unchanged firing group is told again, unless its route says otherwise (Alertmanager's
/// default).
pub const DEFAULT_REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 3600);

/// Everything the router follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The root: matches everything and names a receiver.
    pub route: Route,
    pub receivers: BTreeMap<String, ReceiverPlan>,
    pub inhibit_rules: Vec<InhibitRule>,
    /// `time_intervals` and the older `mute_time_intervals`, which share one set of names.
    pub time_intervals: BTreeMap<String, TimeInterval>,
}

/// One node of the route tree. `None` means "as the parent"; muting and active intervals are never inherited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    pub receiver: Option<String>,
    /// All have to match; none means everything.
    pub matchers: Vec<Matcher>,
    pub group_by: Option<GroupBy>,
    /// May be zero.
    pub group_wait: Option<Duration>,
    pub group_interval: Option<Duration>,
    pub repeat_interval: Option<Duration>,
    /// Whether the siblings after this one are tried too when this one matched.
    pub continue_matching: bool,
    /// Muted while any of these holds.
    pub mute_time_intervals: Vec<String>,
    /// Muted while none of these holds, if there are any.
    pub active_time_intervals: Vec<String>,
    pub routes: Vec<Route>,
}

/// What makes two notices one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Equal values of these labels; with none, everything of the route is one group.
    Labels(Vec<String>),
    /// `['...']`: equal labels altogether.
    All,
}

/// Where a receiver's messages go; without integrations it swallows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverPlan {
    pub integrations: Vec<Integration>,
    /// The receiver that gets a message which this one failed to deliver. Its own fallback is not asked.
    pub fallback: Option<String>,
}

/// One channel of a receiver; told from others of its kind by its place among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integration {
    /// `slack`, `email`, `webhook`.
    pub kind: String,
    pub send_resolved: bool,
    /// Most notices in one message; 0 means all.
    pub max_alerts: usize,
}

/// While a notice that matches `source` fires, notices that match `target` and have the same values of the
/// labels in `equal` are not told. A missing label has the empty value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InhibitRule {
    pub name: Option<String>,
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
}

impl Config {
    /// Puts a configuration together and checks it.
    pub fn try_new(
        route: Route,
        receivers: BTreeMap<String, ReceiverPlan>,
        inhibit_rules: Vec<InhibitRule>,
        time_intervals: BTreeMap<String, TimeInterval>,
    ) -> Result<Self, ConfigError> {
        let config = Self { route, receivers, inhibit_rules, time_intervals };
        config.validate()?;
        Ok(config)
    }
}
