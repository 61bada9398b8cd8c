//! Findings about the data that are in force.

use std::collections::BTreeSet;

use model::{Finding, FindingKind, ReleaseId, ServiceKey, checkpoint::FindingRecord};

use crate::bounds::MAX_FINDINGS;

#[derive(Debug, Default)]
pub(crate) struct Findings {
    active: BTreeSet<(ServiceKey, FindingKind, Option<ReleaseId>)>,
}

impl Findings {
    pub(crate) fn state(&self) -> Vec<FindingRecord> {
        let record = |(key, kind, release): &(ServiceKey, FindingKind, Option<ReleaseId>)| FindingRecord {
            key: key.clone(),
            kind: *kind,
            release: release.clone(),
        };
        self.active.iter().map(record).collect()
    }

    pub(crate) fn from_state(state: Vec<FindingRecord>) -> Self {
        Self { active: state.into_iter().map(|it| (it.key, it.kind, it.release)).collect() }
    }

    pub(crate) fn note(&mut self, finding: &Finding) {
        let release = finding.release.as_ref().map(|release| release.id.clone());
        let entry = (finding.key.clone(), finding.kind, release);
        if !finding.is_active {
            self.active.remove(&entry);
        } else if self.active.len() < MAX_FINDINGS {
            self.active.insert(entry);
        }
    }

    /// Whether `kind` is found of the service as a whole or of this release.
    pub(crate) fn is_active(&self, key: &ServiceKey, kind: FindingKind, release: &ReleaseId) -> bool {
        [None, Some(release.clone())].into_iter().any(|of| self.active.contains(&(key.clone(), kind, of)))
    }

    /// Forgets what was found of a release that is over.
    pub(crate) fn forget(&mut self, key: &ServiceKey, release: &ReleaseId) {
        use FindingKind::{AmbiguousVersion, ReleaseSilent, SenderSilent, Torn, Unmeasured};
        for kind in [SenderSilent, ReleaseSilent, Torn, AmbiguousVersion, Unmeasured] {
            self.active.remove(&(key.clone(), kind, Some(release.clone())));
        }
    }
}
