//! Alerts, exactly as in Alertmanager.

use crate::{Labels, Timestamp};

/// One alert as a sender last described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    pub labels: Labels,
    pub annotations: Labels,
    pub starts_at: Timestamp,
    /// `None` while it fires and the sender names no end.
    pub ends_at: Option<Timestamp>,
    pub generator_url: String,
}

impl Alert {
    /// Resolved = its end is not after `now` (Alertmanager's rule).
    pub fn is_resolved_at(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }

    /// `alertname`, which is not required to exist.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or("")
    }
}
