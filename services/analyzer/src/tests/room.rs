//! One token that announces releases of its service in more environments than there are.

use std::time::Duration;

use model::{
    DeploymentEvent, DeploymentStatus, Event, EventBody, EventId, Position, Proposal, ServiceKey, Timestamp,
};

use super::shop::at;
use crate::{Analyzer, Counters, store::PLACES_MAX};

fn announce(analyzer: &mut Analyzer, now: Timestamp, sender: &str, service: &str, environment: &str) -> bool {
    let deployment = DeploymentEvent {
        key: ServiceKey::new(service, environment),
        version: "2".to_owned(),
        status: DeploymentStatus::Deployed,
        ..DeploymentEvent::default()
    };
    let event = Event {
        id: EventId::default(),
        at: now,
        source: sender.to_owned(),
        is_copy: false,
        body: EventBody::Deployment(Box::new(deployment)),
    };
    analyzer.handle_event(now, Position(1), &event);
    let proposals: Vec<_> = std::iter::from_fn(|| analyzer.poll_proposal()).collect();
    proposals.iter().any(|it| matches!(it, Proposal::Release(_)))
}

#[test]
fn releases_of_one_token_in_every_environment_leave_room_for_the_releases_of_others() {
    let mut analyzer = Analyzer::new();
    let mut opened = 0;
    for place in 0..PLACES_MAX {
        let now = at(0) + Duration::from_millis(place as u64);
        opened += usize::from(announce(&mut analyzer, now, "cart-ci", "cart", &format!("e{place}")));
    }
    assert_eq!(opened, 15_000);
    let Counters { services, services_refused, .. } = analyzer.counters();
    assert_eq!((services, services_refused), (15_000, 5_000));
    assert_eq!(analyzer.take_refused().len(), 1, "one line for all of them");
    assert!(announce(&mut analyzer, at(30), "shop-ci", "shop", "production"));
    let mut again = Analyzer::from_snapshot(&analyzer.snapshot()).unwrap();
    assert!(!announce(&mut again, at(31), "cart-ci", "cart", "another"), "after a restart as well");
    assert!(announce(&mut again, at(31), "shop-ci", "shop", "staging"));
}
