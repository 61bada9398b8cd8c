//! Names taken from info series.
//!
//! The series that share the values of a join's `on` labels are a **group**. An info series of the group gives
//! its names to all members; it may come before, with or after them. Its first value holds at once; a changed
//! one from the scrape on that carries it, so that what is still unsettled of earlier scrapes is not moved to
//! the new version. While the info series in force is alive, another one changes nothing. One that another sender
//! brings changes nothing either until the one in force has been silent for long: two senders that name the same
//! group differently contradict each other, and the first one is believed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Labels, Timestamp};
use policy::{Identity, IdentityField, Join};
use serde::{Deserialize, Serialize};

use super::{
    identity::Names,
    slab::{InUse, NONE, Slab},
};

type GroupKey = (usize, Vec<String>);
type Taken = Vec<(IdentityField, String)>;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Group {
    key: GroupKey,
    info: Option<Info>,
    members: Vec<u32>,
}

/// The info series in force.
#[derive(Debug, Serialize, Deserialize)]
struct Info {
    series: u32,
    /// Its newest sample.
    at: Timestamp,
    is_ended: bool,
    taken: Taken,
}

/// Another sender's word counts once the info series in force has been silent for so long: five of the slowest usual
/// scrapes. A sender's own next version takes over at once.
const FIRST_SENDER_HOLDS: Duration = Duration::from_secs(300);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Joins {
    groups: Slab<Group>,
    /// Who brought each info series.
    senders: BTreeMap<u32, Arc<str>>,
    /// Words of other senders that did not count.
    pub(super) conflicts: u64,
    #[serde(skip)]
    by_key: BTreeMap<GroupKey, u32>,
}

/// A sample of an info series.
#[derive(Clone, Copy, Debug)]
pub(super) struct InfoSample {
    pub(super) series: u32,
    pub(super) at: Timestamp,
    /// False for a stale marker and for any value but 1.
    pub(super) is_on: bool,
}

impl Joins {
    /// Completes `names` from the joins in force.
    pub(super) fn fill(&self, identity: &Identity, labels: &Labels, names: &mut Names) {
        for (at, join) in identity.join.iter().enumerate() {
            let Some(key) = key_of(at, join, labels) else { continue };
            let info = self.by_key.get(&key).and_then(|&id| self.groups[id].info.as_ref());
            for (field, value) in info.iter().flat_map(|info| &info.taken) {
                names.fill(*field, value);
            }
        }
    }

    /// Makes a series a member of the groups that could name what its own labels do not.
    pub(super) fn enter(&mut self, identity: &Identity, labels: &Labels, series: u32) {
        for key in memberships(identity, labels) {
            let id = self.group(key);
            self.groups[id].members.push(series);
        }
    }

    /// Notes who brought an info series.
    pub(super) fn note_sender(&mut self, series: u32, sender: &Arc<str>) {
        self.senders.insert(series, Arc::clone(sender));
    }

    /// To be filled anew from the same series.
    pub(super) fn emptied(self) -> Self {
        Self { senders: self.senders, conflicts: self.conflicts, ..Self::default() }
    }

    /// Undoes [`Self::enter`], and ends what the series gave to others.
    pub(super) fn leave(&mut self, identity: &Identity, labels: &Labels, series: u32) {
        for key in memberships(identity, labels) {
            let Some(&id) = self.by_key.get(&key) else { continue };
            let members = &mut self.groups[id].members;
            if let Some(at) = members.iter().rposition(|it| *it == series) {
                members.swap_remove(at);
            }
            self.drop_if_empty(id);
        }
        self.senders.remove(&series);
        for (at, join) in feeds(identity, labels) {
            let Some(&id) = key_of(at, join, labels).and_then(|key| self.by_key.get(&key)) else { continue };
            if let Some(info) = self.groups[id].info.as_mut().filter(|info| info.series == series) {
                info.series = NONE;
                info.is_ended = true;
            }
            self.drop_if_empty(id);
        }
    }

    /// Takes note that the info series in force are alive or have ended. To be called for all info samples of
    /// a scrape before any of them is offered.
    pub(super) fn confirm(&mut self, identity: &Identity, labels: &Labels, sample: InfoSample) {
        for (at, join) in feeds(identity, labels) {
            let Some(&id) = key_of(at, join, labels).and_then(|key| self.by_key.get(&key)) else { continue };
            if let Some(info) = self.groups[id].info.as_mut().filter(|info| info.series == sample.series) {
                info.at = info.at.max(sample.at);
                info.is_ended = !sample.is_on;
            }
        }
    }

    /// Whether [`Self::offer`] would change a name that is in force.
    pub(super) fn would_rename(&self, identity: &Identity, labels: &Labels, sample: InfoSample) -> bool {
        let mut keys = feeds(identity, labels).filter(|_| sample.is_on).filter_map(|(at, join)| {
            let info = self.groups[*self.by_key.get(&key_of(at, join, labels)?)?].info.as_ref()?;
            Some((info, join))
        });
        keys.any(|(info, join)| {
            let is_open = info.is_ended || (info.at < sample.at && !self.is_held_against(info, sample));
            is_open && info.series != sample.series && info.taken != taken_by(join, labels)
        })
    }

    /// Lets an info series name its groups; returns the members whose names may have changed. `only_first`:
    /// where nothing is in force yet.
    pub(super) fn offer(
        &mut self,
        identity: &Identity,
        labels: &Labels,
        sample: InfoSample,
        only_first: bool,
    ) -> Vec<u32> {
        let mut changed = Vec::new();
        for (at, join) in feeds(identity, labels).filter(|_| sample.is_on) {
            let Some(key) = key_of(at, join, labels) else { continue };
            let id = self.group(key);
            let is_held = self.groups[id].info.as_ref().is_some_and(|info| {
                !info.is_ended && info.taken != taken_by(join, labels) && self.is_held_against(info, sample)
            });
            self.conflicts += u64::from(is_held && !only_first);
            let group = &mut self.groups[id];
            let is_open = match &group.info {
                None => true,
                Some(info) => !only_first && !is_held && (info.is_ended || info.at < sample.at),
            };
            if is_open && group.info.as_ref().is_none_or(|info| info.series != sample.series) {
                let taken = taken_by(join, labels);
                let is_same = group.info.as_ref().is_some_and(|info| info.taken == taken);
                group.info = Some(Info { series: sample.series, at: sample.at, is_ended: false, taken });
                changed.extend(group.members.iter().filter(|_| !is_same));
            }
        }
        changed
    }

    /// After a snapshot: groups differ and name series that are there.
    pub(super) fn reindex(&mut self, series: &InUse) -> Option<()> {
        for (id, group) in self.groups.used() {
            let info = group.info.as_ref().map_or(NONE, |info| info.series);
            let is_sound = series.has_or_none(info) && group.members.iter().all(|&it| series.has(it));
            if !is_sound || self.by_key.insert(group.key.clone(), id).is_some() {
                return None;
            }
        }
        Some(())
    }

    /// Whether the sample is another sender's than that of the info series in force, which was heard of lately.
    fn is_held_against(&self, info: &Info, sample: InfoSample) -> bool {
        let (first, other) = (self.senders.get(&info.series), self.senders.get(&sample.series));
        let is_foreign = first.zip(other).is_some_and(|(first, other)| first != other);
        is_foreign && sample.at.since(info.at) < FIRST_SENDER_HOLDS
    }

    fn group(&mut self, key: GroupKey) -> u32 {
        if let Some(&id) = self.by_key.get(&key) {
            return id;
        }
        let id = self.groups.insert(Group { key: key.clone(), ..Group::default() });
        self.by_key.insert(key, id);
        id
    }

    fn drop_if_empty(&mut self, id: u32) {
        let group = &self.groups[id];
        let is_silent = group.info.as_ref().is_none_or(|info| info.series == NONE);
        if is_silent && group.members.is_empty() {
            let group = self.groups.remove(id);
            self.by_key.remove(&group.key);
        }
    }
}

/// Whether two info series name the same group.
pub(super) fn name_alike(identity: &Identity, one: &Labels, other: &Labels) -> bool {
    let mut keys = feeds(identity, one).filter_map(|(at, join)| Some((join, key_of(at, join, one)?)));
    keys.any(|(join, key)| join.info.matches(other) && key_of(key.0, join, other) == Some(key))
}

/// Whether names are taken from this series.
pub(super) fn is_info(identity: &Identity, labels: &Labels) -> bool {
    feeds(identity, labels).next().is_some()
}

/// The joins that take from this series.
fn feeds<'a>(identity: &'a Identity, labels: &'a Labels) -> impl Iterator<Item = (usize, &'a Join)> {
    identity.join.iter().enumerate().filter(|(_, join)| join.info.matches(labels))
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
    let joins = identity.join.iter().enumerate();
    let wanted = joins.filter(|(_, join)| join.take.iter().any(|(field, _)| names.lacks(*field)));
    wanted.filter_map(|(at, join)| key_of(at, join, labels)).collect()
}

fn taken_by(join: &Join, labels: &Labels) -> Taken {
    let values = join.take.iter().map(|(field, label)| Some((*field, labels.get(label)?.to_owned())));
    values.flatten().collect()
}
