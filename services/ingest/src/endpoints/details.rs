//! How many links and facts a release takes.

use http::StatusCode;
use model::{DeploymentEvent, ReleaseState, merge_details};

use super::releases::known;
use crate::{problem::Problem, state::Shared};

/// Refuses an event whose links or facts do not fit beside those that its release has already.
pub(super) fn expect_room(ingest: &Shared, event: &DeploymentEvent) -> Result<(), Problem> {
    // One that is over is not added to: it goes out again as another release.
    let open = known(ingest, &event.release_id)
        .filter(|known| known.state == ReleaseState::Pending || known.state.is_under_watch());
    let terms = open.map(|known| known.terms).unwrap_or_default();
    for (name, mut have, new) in [("links", terms.links, &event.links), ("facts", terms.facts, &event.facts)]
    {
        merge_details(&mut have, new).map_err(|too_many| {
            let detail = format!("{name}: {too_many}");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with("field", name)
        })?;
    }
    Ok(())
}
