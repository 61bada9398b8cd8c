//! What a release carries beside what it is judged by.

use model::{
    DETAIL_BYTES_MAX, DETAIL_ENTRIES_MAX, DeploymentEvent, Event, EventBody, EventId, Position, Proposal,
    ServiceKey, Timestamp,
};

use super::shop::release_id;
use crate::Analyzer;

#[test]
fn updates_without_end_add_no_more_to_a_release_than_it_may_hold() {
    let mut analyzer = Analyzer::new();
    let mut held = (0, 0);
    for n in 0..1_000_u64 {
        let now = Timestamp::from_millis(1_000 * n as i64);
        let values = |bytes: usize| [(format!("build-{n}"), "x".repeat(bytes))].into();
        let event = DeploymentEvent {
            release_id: release_id("checkout", "2.4.1", ""),
            key: ServiceKey::new("checkout", "production"),
            version: "2.4.1".to_owned(),
            links: values(2_000),
            facts: values(1),
            ..DeploymentEvent::default()
        };
        let body = EventBody::Deployment(Box::new(event));
        let id = EventId::from_text(format!("evt_{n}"));
        let event = Event { id, at: now, source: "ci".to_owned(), is_copy: false, body };
        analyzer.handle_event(now, Position(n), &event);
        while let Some(proposal) = analyzer.poll_proposal() {
            if let Proposal::Release(release) = proposal {
                let bytes: usize = release.links.iter().map(|(name, url)| name.len() + url.len()).sum();
                assert!(bytes <= DETAIL_BYTES_MAX);
                held = (release.links.len(), release.facts.len());
            }
        }
    }
    assert_eq!(
        held,
        (DETAIL_BYTES_MAX / 2_010, DETAIL_ENTRIES_MAX),
        "as many links as fit, and as many facts"
    );
}
