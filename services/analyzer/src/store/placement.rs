//! Which service in which environment a series is of, and so in which partition of the events log it stands: what
//! ingest slices telemetry by.
//!
//! The rules are the store's own (`identity`, `join`): static entries, then labels, then joins from info series. A
//! series of which they name no service or no environment goes by the values of the labels it would be joined by,
//! so that it waits where its info series is, else by a hash of its labels.
//!
//! **An info series goes to more than one partition**: to the one of the service that it names itself, and to every
//! one to which series of its groups go, for the analyzer there learns their versions from it. Mostly that is the
//! same partition. It is not for `kube_pod_labels`, whose own service is kube-state-metrics.
//!
//! **What it cannot know**: an info series that another instance of ingest receives. A series whose service only that
//! names waits here unplaced, and one whose version only that names may stand where it does not go. So where joins
//! are needed, one Prometheus sends to one instance of ingest; labels on the series themselves need no such care.
//!
//! Pure, like the store: it reads no clock, and the same batches in the same order are placed alike.

mod groups;
mod regions;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use model::{Batch, LabelBytes, Labels, Partition, Sample, Series, ServiceKey, Timestamp};
use policy::Identity;

use self::{
    groups::{Groups, SILENT, Saying, first_group},
    regions::Regions,
};
use super::{
    FUTURE_TOLERANCE,
    hash::hash_bytes,
    identity::Names,
    join,
    slab::{NONE, Slab},
};

/// Regions remembered, as many as the store takes series: at some 350 bytes each 700 MB. Beyond, a region is placed
/// anew each time it comes, at some microseconds, and nothing is joined from it.
const REGIONS_MAX: usize = 2_000_000;

/// Regions that no sample came in for are forgotten after this: three of the longest scrape intervals in use. One
/// that comes back costs a parse.
const IDLE: Duration = Duration::from_secs(900);

/// Regions looked at in one sweep: under a millisecond.
const SWEEP_CHUNK: u32 = 16_384;

/// Places series. One for all senders of an instance of ingest.
#[derive(Debug)]
pub struct Placement {
    identity: Identity,
    partitions: u32,
    /// [`REGIONS_MAX`], but in tests.
    regions_max: usize,
    regions: Regions,
    owners: Owners,
    groups: Groups,
    infos: BTreeMap<u32, Info>,
    now: Timestamp,
    sweep_cursor: u32,
    /// The regions of the batch at hand, in its order.
    batch: Vec<u32>,
    /// What its info series say.
    sayings: Vec<Saying>,
}

/// An info series.
#[derive(Debug)]
struct Info {
    /// Time of its newest sample.
    at: Timestamp,
    saying: Saying,
    /// The groups that it names.
    groups: Vec<u32>,
}

impl Placement {
    /// For a log of `partitions` partitions; none counts as one.
    pub fn new(identity: Identity, partitions: u32) -> Self {
        Self {
            identity,
            partitions: partitions.max(1),
            regions_max: REGIONS_MAX,
            regions: Regions::default(),
            owners: Owners::default(),
            groups: Groups::default(),
            infos: BTreeMap::new(),
            now: Timestamp::MIN,
            sweep_cursor: 0,
            batch: Vec::new(),
            sayings: Vec::new(),
        }
    }

    /// Puts another identity in force: every region is placed anew, at some microseconds each. A series that was no
    /// info series before names others from its next sample on.
    pub fn configure(&mut self, identity: &Identity) {
        if self.identity == *identity {
            return;
        }
        self.identity = identity.clone();
        self.owners = Owners::default();
        self.groups = Groups::default();
        let mut before = std::mem::take(&mut self.infos);
        let ids: Vec<u32> = (0..self.regions.end()).filter(|&id| self.regions.get(id).is_used).collect();
        for &id in &ids {
            let labels = self.labels_of(id);
            self.regions.get_mut(id).owner = NONE;
            if self.take_as_info(id, &labels)
                && let Some(Info { at, saying, .. }) = before.remove(&id)
            {
                self.hear(at, saying);
                self.offer(saying);
            }
        }
        for &id in &ids {
            let labels = self.labels_of(id);
            self.enter(id, &labels);
        }
    }

    /// Where the series of a batch that came in at `now` go: appends pairs of a series' place in the batch and a
    /// partition, in the order of the batch. Every series has one at least; info series may have several.
    pub fn place(&mut self, now: Timestamp, batch: &Batch, to: &mut Vec<(u32, Partition)>) {
        self.now = self.now.max(now);
        let mut ids = std::mem::take(&mut self.batch);
        ids.clear();
        ids.extend(batch.series.iter().map(|series| self.see(batch, series)));
        self.take_names();
        to.reserve(ids.len());
        for (place, &id) in ids.iter().enumerate() {
            let place = place as u32;
            if id == NONE {
                let labels = region_of(batch, &batch.series[place as usize]);
                to.push((place, self.judge(labels).1));
            } else if self.regions.get(id).is_info {
                self.add_reach(id, place, to);
            } else {
                to.push((place, self.regions.get(id).partition));
            }
        }
        self.batch = ids;
    }

    /// Whose a series of these labels is, as far as is known now.
    pub fn key_of(&self, labels: &[u8]) -> Option<ServiceKey> {
        match self.regions.look_up(labels) {
            Some(id) => self.owners.key(self.regions.get(id).owner).cloned(),
            None => self.judge(labels).0,
        }
    }

    /// Forgets regions that were idle for a quarter of an hour; looks at some of all, so it is to be called every second or so.
    pub fn sweep(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let end = self.regions.end();
        let to = self.sweep_cursor.saturating_add(SWEEP_CHUNK).min(end);
        for id in self.sweep_cursor..to {
            let region = self.regions.get(id);
            if region.is_used && self.now.since(region.seen_at) > IDLE {
                self.forget(id);
            }
        }
        self.sweep_cursor = to;
        if to == end {
            self.sweep_cursor = 0;
            self.regions.compact();
        }
    }

    /// How many regions are remembered.
    pub fn regions(&self) -> usize {
        self.regions.len()
    }

    /// The region of a series, entered if it is new; [`NONE`] where it cannot be read or remembered.
    fn see(&mut self, batch: &Batch, series: &Series) -> u32 {
        let labels = region_of(batch, series);
        let id = match self.regions.find(labels) {
            Some(id) => id,
            None => self.admit(labels),
        };
        if id == NONE {
            return NONE;
        }
        let region = self.regions.get_mut(id);
        region.seen_at = self.now;
        if region.is_info {
            let (from, to) = (series.samples.start as usize, series.samples.end as usize);
            let newest = batch.samples.get(from..to).and_then(<[Sample]>::last);
            newest.into_iter().for_each(|sample| self.listen(id, sample));
        }
        id
    }

    fn admit(&mut self, bytes: &[u8]) -> u32 {
        let Some(labels) = readable(bytes).filter(|_| self.regions.len() < self.regions_max) else {
            return NONE;
        };
        let id = self.regions.insert(bytes, self.now);
        self.take_as_info(id, &labels);
        self.enter(id, &labels);
        id
    }

    /// Whether names are taken from it.
    fn take_as_info(&mut self, id: u32, labels: &Labels) -> bool {
        let is_info = join::is_info(&self.identity, labels);
        self.regions.get_mut(id).is_info = is_info;
        if is_info {
            let groups = self.groups.feed(&self.identity, labels, id);
            let saying = Saying { region: id, seen_at: self.now, is_on: false };
            self.infos.insert(id, Info { at: Timestamp::MIN, saying, groups });
        }
        is_info
    }

    /// Takes note of what an info series says; [`Self::take_names`] does the rest for the whole batch.
    fn listen(&mut self, id: u32, sample: &Sample) {
        let at = if sample.at > self.now + FUTURE_TOLERANCE { self.now } else { sample.at };
        let saying = Saying { region: id, seen_at: self.now, is_on: sample.value == 1.0 };
        if self.hear(at, saying) {
            self.sayings.push(saying);
        }
    }

    /// Whether it is newer than what the series said before.
    fn hear(&mut self, at: Timestamp, saying: Saying) -> bool {
        let Some(info) = self.infos.get_mut(&saying.region).filter(|info| at > info.at) else { return false };
        info.at = at;
        info.saying = saying;
        true
    }

    /// Lets the batch's info series name others.
    fn take_names(&mut self) {
        if self.sayings.is_empty() {
            return;
        }
        let mut sayings = std::mem::take(&mut self.sayings);
        for saying in &sayings {
            if let Some(info) = self.infos.get(&saying.region) {
                self.groups.confirm(&info.groups, *saying);
            }
        }
        for saying in sayings.drain(..) {
            self.offer(saying);
            if !saying.is_on {
                self.offer_others(saying.region);
            }
        }
        self.sayings = sayings;
    }

    /// An info series ended: one that spoke in vain before is heard now.
    fn offer_others(&mut self, ended: u32) {
        let Some(info) = self.infos.get(&ended) else { return };
        for feeder in self.groups.feeders(&info.groups) {
            let saying = self.infos.get(&feeder).map(|info| info.saying);
            if let Some(saying) = saying.filter(|it| self.now.since(it.seen_at) <= SILENT) {
                self.offer(saying);
            }
        }
    }

    /// Lets an info series name its groups where it may, and places their members anew.
    fn offer(&mut self, saying: Saying) {
        let Some(info) = self.infos.get(&saying.region) else { return };
        if !self.groups.is_news(&info.groups, saying) {
            return;
        }
        let labels = self.labels_of(saying.region);
        for id in self.groups.offer(&self.identity, &labels, &info.groups, saying) {
            self.rebind(id);
        }
    }

    /// Finds out whose a new region is and where it goes.
    fn enter(&mut self, id: u32, labels: &Labels) {
        self.groups.enter(&self.identity, labels, id);
        self.bind(id, labels);
    }

    /// As [`Self::enter`], of a region whose names may have changed.
    fn rebind(&mut self, id: u32) {
        let labels = self.labels_of(id);
        self.unbind(id, &labels);
        self.bind(id, &labels);
    }

    fn forget(&mut self, id: u32) {
        let labels = self.labels_of(id);
        self.unbind(id, &labels);
        self.groups.leave(&self.identity, &labels, id);
        if let Some(info) = self.infos.remove(&id) {
            self.groups.unfeed(&info.groups, id);
        }
        self.regions.remove(id);
    }

    fn bind(&mut self, id: u32, labels: &Labels) {
        let (key, partition) = self.judge_labels(labels, self.regions.labels_of(id));
        let region = self.regions.get_mut(id);
        region.owner = key.map_or(NONE, |key| self.owners.enter(key));
        region.partition = partition;
        if !region.is_info {
            self.groups.reach(&self.identity, labels, partition);
        }
    }

    fn unbind(&mut self, id: u32, labels: &Labels) {
        let region = self.regions.get_mut(id);
        self.owners.leave(std::mem::replace(&mut region.owner, NONE));
        if !region.is_info {
            self.groups.unreach(&self.identity, labels, region.partition);
        }
    }

    /// Where an info series goes: its own partition if it is placed, and wherever its groups go; else where they
    /// would wait for it.
    fn add_reach(&self, id: u32, place: u32, to: &mut Vec<(u32, Partition)>) {
        let (region, begin) = (self.regions.get(id), to.len());
        if region.owner != NONE {
            to.push((place, region.partition));
        }
        let groups = self.infos.get(&id).map_or(&[][..], |info| &info.groups);
        for partition in self.groups.reached(groups) {
            if !to[begin..].contains(&(place, partition)) {
                to.push((place, partition));
            }
        }
        if to.len() == begin {
            to.push((place, region.partition));
        }
    }

    /// Whose a series of these labels is, and where it goes.
    fn judge(&self, bytes: &[u8]) -> (Option<ServiceKey>, Partition) {
        match readable(bytes) {
            Some(labels) => self.judge_labels(&labels, bytes),
            None => (None, self.partition_of(bytes)),
        }
    }

    fn judge_labels(&self, labels: &Labels, bytes: &[u8]) -> (Option<ServiceKey>, Partition) {
        let mut names = Names::of(&self.identity, labels);
        self.groups.fill(&self.identity, labels, &mut names);
        let key = names.key();
        let partition = match (&key, first_group(&self.identity, labels)) {
            (Some(key), _) => Partition::of(key, self.partitions),
            (None, Some(group)) => self.partition_of(group.as_bytes()),
            (None, None) => self.partition_of(bytes),
        };
        (key, partition)
    }

    fn partition_of(&self, bytes: &[u8]) -> Partition {
        Partition((hash_bytes(bytes) % u64::from(self.partitions)) as u32)
    }

    fn labels_of(&self, id: u32) -> Labels {
        readable(self.regions.labels_of(id)).unwrap_or_default()
    }
}

/// The keys that regions are of, each once.
#[derive(Debug, Default)]
struct Owners {
    all: Slab<Owner>,
    by_key: BTreeMap<ServiceKey, u32>,
}

#[derive(Debug, Default)]
struct Owner {
    key: ServiceKey,
    regions: u32,
}

impl Owners {
    fn enter(&mut self, key: ServiceKey) -> u32 {
        let known = self.by_key.get(&key).copied();
        let id = known.unwrap_or_else(|| {
            let id = self.all.insert(Owner { key: key.clone(), regions: 0 });
            self.by_key.insert(key, id);
            id
        });
        self.all[id].regions += 1;
        id
    }

    /// Undoes one [`Self::enter`].
    fn leave(&mut self, id: u32) {
        if id == NONE {
            return;
        }
        self.all[id].regions -= 1;
        if self.all[id].regions == 0 {
            let owner = self.all.remove(id);
            self.by_key.remove(&owner.key);
        }
    }

    fn key(&self, id: u32) -> Option<&ServiceKey> {
        (id != NONE).then(|| &self.all[id].key)
    }
}

fn region_of<'a>(batch: &'a Batch, series: &Series) -> &'a [u8] {
    batch.bytes.get(series.labels.start as usize..series.labels.end as usize).unwrap_or_default()
}

/// `None` for what the store does not take either.
fn readable(bytes: &[u8]) -> Option<Labels> {
    LabelBytes::parse(bytes).map(Labels::from_pairs).filter(|labels| !labels.is_empty())
}
