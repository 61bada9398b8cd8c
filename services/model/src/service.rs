//! The key of one order of events: a service in an environment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One service in one environment: what the log is keyed by and what the analyzer judges.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    pub service: String,
    pub environment: String,
}

impl ServiceKey {
    pub fn new(service: impl Into<String>, environment: impl Into<String>) -> Self {
        Self { service: service.into(), environment: environment.into() }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.service, self.environment)
    }
}
