//! Whether a static member's name is free again.
//!
//! Who is shut out as another member has its name may wait for nobody: a coordinator that moves to another broker can
//! take a member that joins again for its own successor. Such a ghost sends no heartbeats and is gone when its session
//! is over; a process that does run under the name stays.

use std::{sync::Arc, thread, time::Duration};

use rdkafka::{consumer::Consumer, error::KafkaResult};
use tokio::time::Instant;

use super::{
    cluster::Cluster,
    probe::{self, Client},
};

/// How long the brokers may take to say who is in a group.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Between two looks, and how many have to agree: while a group's coordinator moves, no broker may know of its members.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOKS: u32 = 3;

/// How often somebody who waits looks whether it still has to.
const PAUSE: Duration = Duration::from_millis(100);

/// Characters of what a broker puts behind the name, a UUID.
const SUFFIX_CHARS: usize = 36;

/// A name that somebody wants back.
#[derive(Debug)]
pub(crate) struct Name<'a> {
    pub(crate) group: &'a str,
    /// `group.instance.id`.
    pub(crate) name: &'a str,
}

impl Name<'_> {
    /// Blocks until nobody is in the group under this name, or until `is_over`.
    pub(crate) fn wait_until_free(&self, cluster: &Arc<Cluster>, is_over: impl Fn() -> bool) {
        let mut client = None;
        let mut looks = 0;
        while looks < LOOKS && !is_over() {
            client = client.or_else(|| probe::new_client(cluster).ok());
            pause(client.as_ref(), &is_over);
            looks = match client.as_ref().map(|client| self.is_taken(client)) {
                Some(Ok(false)) => looks + 1,
                // Who cannot be asked says nothing.
                Some(Ok(true) | Err(_)) | None => 0,
            };
        }
    }

    fn is_taken(&self, client: &Client) -> KafkaResult<bool> {
        let groups = client.fetch_group_list(Some(self.group), ANSWER_MAX)?;
        let mut members = groups.groups().iter().flat_map(|group| group.members());
        Ok(members.any(|member| self.is_of(member.id())))
    }

    /// Whether a broker would call a member of this name so.
    fn is_of(&self, member: &str) -> bool {
        let suffix = member.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('-'));
        suffix.is_some_and(|suffix| suffix.len() == SUFFIX_CHARS)
    }
}

/// Until the next look is due, or until `is_over`.
fn pause(client: Option<&Client>, is_over: &impl Fn() -> bool) {
    let due = Instant::now() + LOOK_EVERY;
    while Instant::now() < due && !is_over() {
        match client {
            // It has no assignment: what it is polled for are its logs and statistics, which would pile up.
            Some(client) => drop(client.poll(PAUSE)),
            None => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_known_by_its_name_and_not_by_one_that_only_begins_so() {
        let name = Name { group: "ripcord-act", name: "ripcord-act-one" };
        let id = "0b1e4a52-6f0d-4c9e-9d3e-3a1f6f0e9b11";
        for (member, is_of_it) in [
            (format!("ripcord-act-one-{id}"), true),
            (format!("ripcord-act-one-2-{id}"), false),
            (format!("ripcord-act-two-{id}"), false),
            ("ripcord-act-one".to_owned(), false),
        ] {
            assert_eq!(name.is_of(&member), is_of_it, "{member}");
        }
    }
}
