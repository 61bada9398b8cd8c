//! What the actuators count.

use prometheus::{HistogramVec, IntCounterVec, IntGauge, Registry};
use telemetry::metrics::{self, MetricsError};

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) attempts: IntCounterVec,
    pub(crate) outcomes: IntCounterVec,
    pub(crate) unresolved: IntCounterVec,
    pub(crate) seconds: HistogramVec,
    pub(crate) open_circuits: IntGauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            attempts: metrics::counter(
                registry,
                "ripcord_actuator_attempts_total",
                "Attempts at targets, by target kind and result.",
                &["kind", "result"],
            )?,
            outcomes: metrics::counter(
                registry,
                "ripcord_actuator_outcomes_total",
                "Outcomes of commands, by target kind and status.",
                &["kind", "status"],
            )?,
            unresolved: metrics::counter(
                registry,
                "ripcord_actuator_unresolved_targets_total",
                "Targets of commands that this process's configuration did not have, by target kind.",
                &["kind"],
            )?,
            seconds: metrics::seconds(
                registry,
                "ripcord_actuator_command_seconds",
                "Time from the start of a command to its outcome, pauses included.",
                &["kind"],
            )?,
            open_circuits: metrics::gauge(
                registry,
                "ripcord_actuator_open_circuits",
                "Targets that are left alone for a while after consecutive failures.",
            )?,
        })
    }
}
