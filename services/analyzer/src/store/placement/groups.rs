//! The groups of `join`, as far as they decide on service and environment, and where their series go.
//!
//! The same rules as there, with one difference: an info series that falls silent without a stale marker gives way
//! after [`SILENT`] of arrival time and not with the next scrape, because a request holds any part of a scrape and
//! there is no waiting for the rest here.

use std::{collections::BTreeMap, time::Duration};

use model::{Labels, Partition, Timestamp};
use policy::{Identity, IdentityField, Join};

use crate::store::{
    identity::Names,
    slab::{NONE, Slab},
};

/// As long as Prometheus looks back for a value.
pub(super) const SILENT: Duration = Duration::from_secs(300);

type GroupKey = (usize, Vec<String>);
type Taken = Vec<(IdentityField, String)>;

#[derive(Debug, Default)]
struct Group {
    key: GroupKey,
    info: Option<Info>,
    /// Series whose service or environment this group could name.
    members: Vec<u32>,
    /// Where the series of the group go, and how many go there; its info series not counted.
    reach: Vec<(Partition, u32)>,
    /// Info series that name this group, in force or not.
    feeders: Vec<u32>,
}

/// The info series in force.
#[derive(Debug)]
struct Info {
    region: u32,
    seen_at: Timestamp,
    is_ended: bool,
    taken: Taken,
}

/// What an info series says now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saying {
    pub(super) region: u32,
    /// When it came in.
    pub(super) seen_at: Timestamp,
    /// False for a stale marker and for any value but 1.
    pub(super) is_on: bool,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Slab<Group>,
    by_key: BTreeMap<GroupKey, u32>,
}

impl Groups {
    /// Completes `names` from the joins in force.
    pub(super) fn fill(&self, identity: &Identity, labels: &Labels, names: &mut Names) {
        for key in keys(identity, labels) {
            let info = self.by_key.get(&key).and_then(|&id| self.all[id].info.as_ref());
            for (field, value) in info.iter().flat_map(|info| &info.taken) {
                names.fill(*field, value);
            }
        }
    }

    /// Makes a series a member of the groups that could name what its own labels do not.
    pub(super) fn enter(&mut self, identity: &Identity, labels: &Labels, region: u32) {
        for key in memberships(identity, labels) {
            let id = self.group(key);
            self.all[id].members.push(region);
        }
    }

    /// Undoes [`Self::enter`].
    pub(super) fn leave(&mut self, identity: &Identity, labels: &Labels, region: u32) {
        for key in memberships(identity, labels) {
            let Some(&id) = self.by_key.get(&key) else { continue };
            let members = &mut self.all[id].members;
            if let Some(at) = members.iter().rposition(|it| *it == region) {
                members.swap_remove(at);
            }
            self.drop_if_empty(id);
        }
    }

    /// Takes note that a series of these labels goes to `partition` from now on.
    pub(super) fn reach(&mut self, identity: &Identity, labels: &Labels, partition: Partition) {
        for key in keys(identity, labels) {
            let id = self.group(key);
            let reach = &mut self.all[id].reach;
            match reach.iter_mut().find(|it| it.0 == partition) {
                Some((_, count)) => *count += 1,
                None => reach.push((partition, 1)),
            }
        }
    }

    /// Undoes one [`Self::reach`].
    pub(super) fn unreach(&mut self, identity: &Identity, labels: &Labels, partition: Partition) {
        for key in keys(identity, labels) {
            let Some(&id) = self.by_key.get(&key) else { continue };
            let reach = &mut self.all[id].reach;
            if let Some(at) = reach.iter().position(|it| it.0 == partition) {
                reach[at].1 -= 1;
                if reach[at].1 == 0 {
                    reach.swap_remove(at);
                }
            }
            self.drop_if_empty(id);
        }
    }

    /// The groups that an info series of these labels names, to be given back by [`Self::unfeed`].
    pub(super) fn feed(&mut self, identity: &Identity, labels: &Labels, region: u32) -> Vec<u32> {
        let keys = feeds(identity, labels).filter_map(|(at, join)| key_of(at, join, labels));
        let groups: Vec<u32> = keys.map(|key| self.group(key)).collect();
        groups.iter().for_each(|&id| self.all[id].feeders.push(region));
        groups
    }

    /// What the info series said stays in force until another one speaks.
    pub(super) fn unfeed(&mut self, groups: &[u32], region: u32) {
        for &id in groups {
            self.all[id].feeders.retain(|feeder| *feeder != region);
            if let Some(info) = self.all[id].info.as_mut().filter(|info| info.region == region) {
                info.region = NONE;
                info.is_ended = true;
            }
            self.drop_if_empty(id);
        }
    }

    /// Takes note that an info series in force is alive or has ended. To be called for all of a batch before any
    /// of them is offered.
    pub(super) fn confirm(&mut self, groups: &[u32], saying: Saying) {
        for &id in groups {
            if let Some(info) = self.all[id].info.as_mut().filter(|info| info.region == saying.region) {
                info.seen_at = saying.seen_at;
                info.is_ended = !saying.is_on;
            }
        }
    }

    /// Whether the info series has something to say that is not in force and may be.
    pub(super) fn is_news(&self, groups: &[u32], saying: Saying) -> bool {
        saying.is_on && groups.iter().any(|&id| self.all[id].is_open_to(saying))
    }

    /// Lets an info series name its groups; returns the members whose names may have changed.
    pub(super) fn offer(
        &mut self,
        identity: &Identity,
        labels: &Labels,
        groups: &[u32],
        saying: Saying,
    ) -> Vec<u32> {
        let mut changed = Vec::new();
        for &id in groups.iter().filter(|_| saying.is_on) {
            let group = &mut self.all[id];
            if !group.is_open_to(saying) {
                continue;
            }
            let taken = identity.join.get(group.key.0).map(|join| taken_by(join, labels)).unwrap_or_default();
            let is_same = group.info.as_ref().is_some_and(|info| info.taken == taken);
            let Saying { region, seen_at, .. } = saying;
            group.info = Some(Info { region, seen_at, is_ended: false, taken });
            changed.extend(group.members.iter().filter(|_| !is_same));
        }
        changed
    }

    /// The info series that name these groups, in the order in which they were first seen.
    pub(super) fn feeders(&self, groups: &[u32]) -> Vec<u32> {
        groups.iter().flat_map(|&id| &self.all[id].feeders).copied().collect()
    }

    /// The partitions to which series of these groups go.
    pub(super) fn reached<'a>(&'a self, groups: &'a [u32]) -> impl Iterator<Item = Partition> + 'a {
        groups.iter().flat_map(|&id| &self.all[id].reach).map(|it| it.0)
    }

    fn group(&mut self, key: GroupKey) -> u32 {
        if let Some(&id) = self.by_key.get(&key) {
            return id;
        }
        let id = self.all.insert(Group { key: key.clone(), ..Group::default() });
        self.by_key.insert(key, id);
        id
    }

    fn drop_if_empty(&mut self, id: u32) {
        let group = &self.all[id];
        if group.feeders.is_empty() && group.members.is_empty() && group.reach.is_empty() {
            let group = self.all.remove(id);
            self.by_key.remove(&group.key);
        }
    }
}

impl Group {
    fn is_open_to(&self, saying: Saying) -> bool {
        match &self.info {
            None => true,
            Some(info) if info.region == saying.region => false,
            Some(info) => info.is_ended || saying.seen_at.since(info.seen_at) > SILENT,
        }
    }
}

/// Text that is the same for all series of the first group that these labels name, and for no others.
pub(super) fn first_group(identity: &Identity, labels: &Labels) -> Option<String> {
    let (at, values) = keys(identity, labels).next()?;
    Some(format!("{at}\u{0}{}", values.join("\u{0}")))
}

/// The joins that take from this series.
fn feeds<'a>(identity: &'a Identity, labels: &'a Labels) -> impl Iterator<Item = (usize, &'a Join)> {
    identity.join.iter().enumerate().filter(|(_, join)| join.info.matches(labels))
}

fn keys<'a>(identity: &'a Identity, labels: &'a Labels) -> impl Iterator<Item = GroupKey> + 'a {
    identity.join.iter().enumerate().filter_map(|(at, join)| key_of(at, join, labels))
}

/// `None` if the series lacks one of the labels to join on.
fn key_of(at: usize, join: &Join, labels: &Labels) -> Option<GroupKey> {
    let values: Option<Vec<String>> =
        join.on.iter().map(|name| labels.get(name).map(str::to_owned)).collect();
    Some((at, values.filter(|values| !values.is_empty())?))
}

fn memberships(identity: &Identity, labels: &Labels) -> Vec<GroupKey> {
    if identity.join.is_empty() {
        return Vec::new();
    }
    let mut names = Names::of(identity, labels);
    let mut lacks = |join: &Join| join.take.iter().any(|(field, _)| decides(*field) && names.lacks(*field));
    let wanted = identity.join.iter().enumerate().filter(|(_, join)| lacks(join));
    wanted.filter_map(|(at, join)| key_of(at, join, labels)).collect()
}

fn taken_by(join: &Join, labels: &Labels) -> Taken {
    let deciding = join.take.iter().filter(|(field, _)| decides(*field));
    deciding.filter_map(|(field, label)| Some((*field, labels.get(label)?.to_owned()))).collect()
}

/// Whether the field is part of the key. A version does not move a series.
fn decides(field: IdentityField) -> bool {
    matches!(field, IdentityField::Service | IdentityField::Environment)
}
