//! What the judging half counts about itself.

use serde::{Deserialize, Serialize};

/// How much was judged, and what was not taken. The store counts its own: [`crate::store::Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Services remembered now.
    pub services: u64,
    /// Releases remembered now.
    pub releases: u64,
    /// Looks at settled data.
    pub looks: u64,
    /// Deployment events that were repeats or concerned no release known.
    pub deployments_ignored: u64,
    /// Policy loads that did not compile; the policy before stayed in force.
    pub policies_refused: u64,
    /// Services that there was no room for: they are not judged.
    pub services_refused: u64,
}
