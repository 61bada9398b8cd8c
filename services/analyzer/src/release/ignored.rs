//! Why a deployment event changed nothing: its sender is told, for a report that nobody hears of is a report lost.

use model::{DeploymentEvent, DeploymentStatus, ReleaseId, ReleaseState};

use super::deployment::bare_id;
use crate::service::Service;

/// The release that an event names, and where it stood before the event.
type Standing = Option<(ReleaseId, ReleaseState)>;

impl Service {
    pub(crate) fn standing_of(&self, event: &DeploymentEvent) -> Standing {
        let of_id = self.newest_of(bare_id(event).bare());
        let of_version = || {
            self.releases
                .iter()
                .rposition(|it| it.release.version == event.version && it.release.cluster == event.cluster)
        };
        let release = &self.releases[of_id.or_else(of_version)?].release;
        Some((release.id.clone(), release.state))
    }

    /// The release that exists, where one does, and one sentence for the sender.
    pub(crate) fn why_ignored(
        &self,
        event: &DeploymentEvent,
        before: Standing,
    ) -> (Option<ReleaseId>, String) {
        use DeploymentStatus::{Deployed, Failed, Promoted, Removed, RolledBack, Started};
        let Some((release, state)) = before else {
            let why = match event.status {
                Started | Deployed | Promoted => {
                    format!("too many releases of {} are open: this one is not opened", self.key)
                }
                Failed | RolledBack => format!("no release of {} {} is known", self.key, event.version),
                Removed => format!("no release of {} is open", self.key),
            };
            return (None, why);
        };
        let is_open = state == ReleaseState::Pending || state.is_under_watch();
        let why = match event.status {
            _ if is_open && event.status != Removed => {
                format!("release {release} is {state}, and the event says nothing new of it")
            }
            Promoted => format!("release {release} is {state}: a promotion does not open it again"),
            Started | Deployed => {
                format!("release {release} is {state}, and the event is no newer than the last one about it")
            }
            Failed => format!("release {release} is {state}: a deployment that failed does not change that"),
            RolledBack => format!("release {release} is {state} already"),
            Removed => format!("release {release} is {state}, and none of {} is open", self.key),
        };
        (Some(release), why)
    }
}
