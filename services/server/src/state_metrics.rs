//! What an operator needs to see of this process on `/metrics`: which build runs, whether its configuration is the
//! one on disk, and how many releases, commands and halts there are in which state.

use std::collections::BTreeMap;

use console::SharedProjection;
use model::{CommandState, ReleaseState};
use prometheus::{IntGauge, IntGaugeVec, Registry, process_collector::ProcessCollector};
use telemetry::metrics::{gauge, gauges};

/// States of commands that something still has to happen to.
const OPEN: [CommandState; 3] = [CommandState::Prepared, CommandState::Ready, CommandState::Accepted];

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct StateMetrics {
    reload_succeeded: IntGauge,
    reload_succeeded_at: IntGauge,
    releases: IntGaugeVec,
    commands: IntGaugeVec,
    halts: IntGauge,
    bad_versions: IntGauge,
    policies: IntGaugeVec,
}

impl StateMetrics {
    /// Until [`Self::note_reload`] the configuration counts as not loaded.
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let help = "Always 1; the label says which version runs.";
        let build = gauges(registry, "ripcord_build_info", help, &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            reload_succeeded: gauge(
                registry,
                "ripcord_config_last_reload_successful",
                "1 while the configuration in force is the one that was read last, 0 after a reload that failed or a policy file that was refused.",
            )?,
            reload_succeeded_at: gauge(
                registry,
                "ripcord_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read, Unix time.",
            )?,
            releases: gauges(
                registry,
                "ripcord_releases",
                "Releases remembered, by state; the same in every process.",
                &["state"],
            )?,
            commands: gauges(
                registry,
                "ripcord_open_commands",
                "Commands that are not over: prepared ones wait for approval, ready ones are being sent.",
                &["state"],
            )?,
            halts: gauge(registry, "ripcord_halts", "Halts in force.")?,
            policies: gauges(
                registry,
                "ripcord_policy_info",
                "Always 1; the labels say what the policy in force and this process's own file hash to.",
                &["source", "hash"],
            )?,
            bad_versions: gauge(registry, "ripcord_bad_versions", "Versions that no rollback leads to.")?,
        })
    }

    pub(crate) fn note_reload(&self, is_success: bool) {
        self.reload_succeeded.set(i64::from(is_success));
        if is_success {
            self.reload_succeeded_at.set(telemetry::clock::now().as_millis() / 1000);
        }
    }

    /// Hashes of the policy in force, if there is one, and of this process's own.
    pub(crate) fn note_policies(&self, in_force: Option<&str>, own: &str) {
        self.policies.reset();
        for (source, hash) in [("in_force", in_force), ("own_file", Some(own))] {
            if let Some(hash) = hash {
                self.policies.with_label_values(&[source, hash]).set(1);
            }
        }
    }

    /// Reads what the projection shows; called right before a scrape is answered.
    pub(crate) fn refresh(&self, projection: &SharedProjection) {
        let projection = projection.read();
        let mut releases: BTreeMap<&str, i64> = ReleaseState::ALL.map(|it| (it.as_str(), 0)).into();
        let mut commands: BTreeMap<&str, i64> = OPEN.map(|it| (it.as_str(), 0)).into();
        for view in projection.releases() {
            *releases.entry(projection.state_of(view).as_str()).or_default() += 1;
            let newest = projection.commands_of(view).last().map(|command| command.state);
            if let Some(count) = newest.and_then(|state| commands.get_mut(state.as_str())) {
                *count += 1;
            }
        }
        let set = |gauges: &IntGaugeVec, counts: BTreeMap<&str, i64>| {
            counts.iter().for_each(|(state, count)| gauges.with_label_values(&[*state]).set(*count));
        };
        set(&self.releases, releases);
        set(&self.commands, commands);
        self.halts.set(count(projection.halts()));
        self.bad_versions.set(count(projection.bad_versions()));
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
