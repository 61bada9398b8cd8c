//! A model of group membership: who of several processes has which partition. Two processes may believe for a
//! while that they have the same one: the group takes a member it does not hear of for dead, and the member
//! learns of that only when it is heard again.

use std::collections::{BTreeMap, BTreeSet};

use model::Partition;

use crate::random::Random;

/// What a member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Revoked(Partition),
    Assigned(Partition),
}

#[derive(Debug)]
pub(crate) struct Group {
    partitions: Vec<Partition>,
    session_seconds: u32,
    /// When each member was heard last, by the number of its process.
    heard: BTreeMap<usize, u32>,
    owners: BTreeMap<Partition, usize>,
}

impl Group {
    pub(crate) fn new(partitions: u32, session_seconds: u32) -> Self {
        Self {
            partitions: (0..partitions).map(Partition).collect(),
            session_seconds,
            heard: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// A member is heard; one that is new joins. One that died and is back in time keeps what it had.
    pub(crate) fn hear(&mut self, member: usize, second: u32) {
        self.heard.insert(member, second);
    }

    /// Members that were not heard for too long are out; what nobody has goes to whoever has least.
    pub(crate) fn settle(&mut self, second: u32) {
        let session = self.session_seconds;
        self.heard.retain(|_, heard| *heard + session > second);
        self.owners.retain(|_, owner| self.heard.contains_key(owner));
        for partition in &self.partitions {
            if !self.owners.contains_key(partition)
                && let Some(least) = self.least()
            {
                self.owners.insert(*partition, least);
            }
        }
    }

    /// Partitions change hands for no reason that anybody sees.
    pub(crate) fn shuffle(&mut self, random: &mut Random) {
        let members: Vec<usize> = self.heard.keys().copied().collect();
        if members.is_empty() {
            return;
        }
        for partition in &self.partitions {
            if random.chance(0.6) {
                self.owners.insert(*partition, *random.pick(&members));
            }
        }
    }

    /// What has to be told to a member that believes to have `own`.
    pub(crate) fn changes(&self, member: usize, own: &[Partition]) -> Vec<Change> {
        let has: BTreeSet<Partition> = self
            .owners
            .iter()
            .filter(|(_, owner)| **owner == member)
            .map(|(partition, _)| *partition)
            .collect();
        let own: BTreeSet<Partition> = own.iter().copied().collect();
        let revoked = own.difference(&has).map(|it| Change::Revoked(*it));
        let assigned = has.difference(&own).map(|it| Change::Assigned(*it));
        revoked.chain(assigned).collect()
    }

    fn least(&self) -> Option<usize> {
        let load = |member: usize| self.owners.values().filter(|owner| **owner == member).count();
        self.heard.keys().copied().min_by_key(|member| load(*member))
    }
}
