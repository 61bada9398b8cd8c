//! A model of group membership: who of several processes has which partition. Two processes may believe for a
//! while that they have the same one: the group takes a member it does not hear of for dead, and the member
//! learns of that only when it is heard again.

use std::collections::BTreeMap;

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
    owners: BTreeMap<Partition, Owner>,
    /// Grows whenever a partition changes hands.
    generation: u64,
    /// Under which generation each member was last told that a partition is its own.
    told: BTreeMap<(usize, Partition), u64>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    member: usize,
    generation: u64,
}

impl Group {
    pub(crate) fn new(partitions: u32, session_seconds: u32) -> Self {
        Self {
            partitions: (0..partitions).map(Partition).collect(),
            session_seconds,
            heard: BTreeMap::new(),
            owners: BTreeMap::new(),
            generation: 0,
            told: BTreeMap::new(),
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
        self.owners.retain(|_, owner| self.heard.contains_key(&owner.member));
        for partition in self.partitions.clone() {
            if !self.owners.contains_key(&partition)
                && let Some(least) = self.least()
            {
                self.give(partition, least);
            }
        }
    }

    /// Partitions change hands for no reason that anybody sees.
    pub(crate) fn shuffle(&mut self, random: &mut Random) {
        let members: Vec<usize> = self.heard.keys().copied().collect();
        if members.is_empty() {
            return;
        }
        for partition in self.partitions.clone() {
            if random.chance(0.6) {
                self.give(partition, *random.pick(&members));
            }
        }
    }

    fn give(&mut self, partition: Partition, member: usize) {
        if self.owners.get(&partition).is_some_and(|owner| owner.member == member) {
            return;
        }
        self.generation += 1;
        self.owners.insert(partition, Owner { member, generation: self.generation });
    }

    /// What has to be told to a member that believes to have `own`. What went to another one and came back is
    /// told too: a member that was out learns that it was.
    pub(crate) fn changes(&mut self, member: usize, own: &[Partition]) -> Vec<Change> {
        let mut changes = Vec::new();
        for partition in self.partitions.clone() {
            let has = self.owners.get(&partition).filter(|owner| owner.member == member);
            let is_told = self.told.get(&(member, partition)).copied();
            let is_own = own.contains(&partition);
            let is_same = is_own && has.is_some_and(|owner| is_told == Some(owner.generation));
            if is_own && !is_same {
                changes.push(Change::Revoked(partition));
            }
            if let Some(owner) = has.filter(|_| !is_same) {
                self.told.insert((member, partition), owner.generation);
                changes.push(Change::Assigned(partition));
            }
        }
        changes
    }

    fn least(&self) -> Option<usize> {
        let load = |member: usize| self.owners.values().filter(|owner| owner.member == member).count();
        self.heard.keys().copied().min_by_key(|member| load(*member))
    }
}
