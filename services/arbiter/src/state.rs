//! The arbiter's state as nouns: what a checkpoint keeps of it.

use model::checkpoint::ArbiterState;

use crate::{
    Arbiter, alerts::Alerts, bad::BadVersions, commands::Commands, exceedances::Exceedances,
    findings::Findings, firing::Firing, halts::Halts, releases::Releases, storm::Storms, timers::Timers,
};

impl Arbiter {
    /// What it remembers. To be asked for when every decision has been polled.
    pub fn state(&self) -> ArbiterState {
        let (places, opened) = self.releases.state();
        let (commands, made) = self.commands.state();
        let (alerts, alerts_heard) = self.alerts.state();
        ArbiterState {
            policy: self.policy_load.clone(),
            places,
            opened,
            commands,
            made,
            bad_versions: self.bad.state(),
            halts: self.halts.iter().cloned().collect(),
            exceedances: self.exceedances.state(),
            findings: self.findings.state(),
            storms: self.storms.state(),
            firing: self.firing.state(),
            alerts,
            alerts_heard,
            timers: self.timers.state(),
            fencing: self.fencing,
        }
    }

    /// One that remembers that, and decides as the one of which it is the state.
    pub fn from_state(state: ArbiterState) -> Self {
        let mut arbiter = Self::default();
        arbiter.releases = Releases::from_state(state.places, state.opened);
        arbiter.commands = Commands::from_state(state.commands, state.made);
        arbiter.bad = BadVersions::from_state(state.bad_versions);
        arbiter.halts = Halts::from_state(state.halts);
        arbiter.exceedances = Exceedances::from_state(state.exceedances);
        arbiter.findings = Findings::from_state(state.findings);
        arbiter.storms = Storms::from_state(state.storms);
        arbiter.firing = Firing::from_state(state.firing);
        arbiter.alerts = Alerts::from_state(state.alerts, state.alerts_heard);
        arbiter.timers = Timers::from_state(state.timers);
        arbiter.fencing = state.fencing;
        if let Some(load) = &state.policy {
            arbiter.on_policy_load(load);
        }
        arbiter
    }
}
