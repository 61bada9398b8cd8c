//! Who takes care of which partitions.

use bus::{Change, Share};
use model::{Partition, Position};

use crate::backend::{Backend, P0, is_waiting};

pub(crate) async fn a_member_alone_has_all_partitions(backend: Backend) {
    let bus = backend.open().await;
    let mut member = bus.join("analyzers", Share::Events);
    let Some(Change::Assigned(mut assigned)) = member.next().await else { panic!("nothing assigned") };
    assigned.sort_unstable();
    let all: Vec<_> = (0..bus.events.partitions()).map(Partition).collect();
    assert_eq!(assigned, all);
    member.commit(P0, Position(0));
    assert!(is_waiting(member.next()).await, "and nothing changes");
    member.leave().await;
}

pub(crate) async fn the_decisions_go_to_one_member(backend: Backend) {
    let bus = backend.open().await;
    let mut member = bus.join("arbiters", Share::Decisions);
    let Some(Change::Assigned(assigned)) = member.next().await else { panic!("nothing assigned") };
    assert_eq!(assigned, [P0]);
    member.leave().await;
}
