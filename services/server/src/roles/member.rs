//! A role's place in its group, which says in the readiness whether the group lets this process in: a process that was
//! refused does nothing, and nobody would see it until something is missing.

use std::time::Duration;

use bus::{Change, Membership};
use model::{Partition, Position};
use tokio::time::{Interval, MissedTickBehavior};

use crate::readiness::Readiness;

/// How often it is looked whether the group refuses this process.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// A place in a group, under the name of the role that takes it.
pub(crate) struct Member {
    membership: Membership,
    role: &'static str,
    readiness: Readiness,
    look: Interval,
}

impl Member {
    pub(crate) fn new(membership: Membership, role: &'static str, readiness: Readiness) -> Self {
        Self { membership, role, readiness, look: look_interval() }
    }

    /// As [`Membership::next`]; to be called again and again, as it is this that looks whether the group refuses.
    pub(crate) async fn next(&mut self) -> Option<Change> {
        loop {
            tokio::select! {
                biased;
                change = self.membership.next() => {
                    // Whoever is told that there is no way to join does not call again.
                    self.tell();
                    return change;
                }
                _ = self.look.tick() => self.tell(),
            }
        }
    }

    /// As [`Membership::commit`].
    pub(crate) fn commit(&self, partition: Partition, next: Position) {
        self.membership.commit(partition, next);
    }

    /// As [`Membership::leave`].
    pub(crate) async fn leave(self) {
        self.membership.leave().await;
    }

    fn tell(&self) {
        say(&self.readiness, self.role, self.membership.refusal());
    }
}

/// When to look whether a group refuses this process.
pub(crate) fn look_interval() -> Interval {
    let mut look = tokio::time::interval(LOOK_PERIOD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look
}

/// Says in the readiness what a group refuses `role` for, or that it does not.
pub(crate) fn say(readiness: &Readiness, role: &str, refusal: Option<String>) {
    readiness.set(role, refusal.map_or(Ok(()), Err));
}
