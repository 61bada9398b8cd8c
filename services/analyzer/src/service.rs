//! One service in one environment: its releases, and what its triggers stand at.

use std::{collections::BTreeMap, sync::Arc};

use model::{EventId, Position, ServiceKey, Timestamp};
use policy::{EffectivePolicy, Policy};
use serde::{Deserialize, Serialize};

use crate::{judge::subject::Sources, release::tracked::Tracked, watch::own::OwnTrigger};

/// What handling one event reads: the sources, and which record it is.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) sources: Sources<'a>,
    /// The record that is being handled: the cause of whatever follows.
    pub(crate) cause: &'a EventId,
    pub(crate) position: Position,
    /// The record was decided upon before a restart: stretches are rebuilt, nothing begins or ends.
    pub(crate) is_replay: bool,
}

impl Context<'_> {
    pub(crate) fn now(&self) -> Timestamp {
        self.sources.now
    }
}

/// Which triggers a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    /// An alert came or went, or has held long enough: telemetry says nothing new.
    Alerts,
}

/// A service and its releases, the newest last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    /// By whose event it was first heard of.
    pub(crate) sender: Arc<str>,
    pub(crate) releases: Vec<Tracked>,
    /// Triggers judged for the service as a whole, while no release is under watch.
    pub(crate) own: BTreeMap<String, OwnTrigger>,
    pub(crate) is_torn: bool,
    pub(crate) last_look_at: Option<Timestamp>,
    /// Since when the service as a whole may be judged: what came before was a bad release's.
    pub(crate) quiet_since: Option<Timestamp>,
    /// When time alone next changes something; the analyzer's agenda has it.
    pub(crate) due_at: Option<Timestamp>,
    #[serde(skip)]
    effective: Option<Arc<EffectivePolicy>>,
}

impl Service {
    pub(crate) fn new(key: ServiceKey, sender: Arc<str>) -> Self {
        Self {
            key,
            sender,
            releases: Vec::new(),
            own: BTreeMap::new(),
            is_torn: false,
            last_look_at: None,
            quiet_since: None,
            due_at: None,
            effective: None,
        }
    }

    /// What the policy says for this service; merged once a load.
    pub(crate) fn effective(&mut self, policy: &Policy) -> Arc<EffectivePolicy> {
        let merge = || Arc::new(policy.effective(&self.key.service, &self.key.environment));
        Arc::clone(self.effective.get_or_insert_with(merge))
    }

    /// A new policy is in force.
    pub(crate) fn forget_policy(&mut self) {
        self.effective = None;
    }

    pub(crate) fn has_release_under_watch(&self) -> bool {
        self.releases.iter().any(Tracked::is_under_watch)
    }

    /// Time alone can change something: an announced release, a watch, a recovery that is waited for.
    pub(crate) fn needs_time(&self) -> bool {
        use model::ReleaseState::RolledBack;
        self.releases.iter().any(|it| it.is_open() || it.state() == RolledBack && !it.gave_up)
            || self.own.values().any(|own| own.is_pending())
    }
}
