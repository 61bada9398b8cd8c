//! Series seen for the first time, and what each is bound to.

use std::time::Duration;

use model::{LabelBytes, Labels, Sample, SeriesKind, ServiceKey, Timestamp};
use policy::Identity;

use super::{
    Store,
    cell::Part,
    clock,
    identity::{Names, first_present},
    join::{self, InfoSample},
    ladder,
    ledger::{LABEL_BYTES_MAX, Refusal, bytes_of_series},
    role::{Candidate, Role},
    series::{Flags, SeriesState},
    slab::NONE,
    target::TargetKey,
};

/// Series of one service: 20 instances with a thousand each. Beyond, new ones are dropped and counted, so that
/// one service's labels cannot take the memory of all.
const SERVICE_SERIES_MAX: u32 = 20_000;

/// Series without service or environment: kept so that `discover` can show them and a join can place them.
const UNPLACED_SERIES_MAX: usize = 100_000;

/// What these may take together: 640 bytes each, or fewer of them.
const UNPLACED_BYTES_MAX: usize = 64 << 20;

/// All series, at under 1 KB each 2 GB.
const SERIES_MAX: usize = 2_000_000;

const NAME: &str = "__name__";

/// When a target's process began, in seconds since 1970, as the client libraries of Prometheus name it.
const PROCESS_START: &str = "process_start_time_seconds";

impl Store {
    /// Enters a series; `None` if it cannot be read or a limit forbids it.
    pub(super) fn admit(&mut self, bytes: &[u8], kind: SeriesKind, first: &Sample) -> Option<u32> {
        let Some(labels) = LabelBytes::parse(bytes).map(Labels::from_pairs).filter(|it| !it.is_empty())
        else {
            self.counters.unreadable += 1;
            return None;
        };
        let names = self.names_of(&labels);
        if !self.has_room(&names) || !self.is_affordable(&names, bytes.len()) {
            return None;
        }
        let replica = first_present(&self.config.identity.replica, &labels);
        let target = self.targets.enter(target_key(&self.config.identity, &labels), replica);
        let name = labels.get(NAME).unwrap_or_default();
        let (now, patience) = (self.now, self.config.patience());
        let first = clock::moved(first, self.targets.all[target].offset_ms(first.at, now, patience, None));
        let at = first.at;
        let (family, may_be_born) = self.targets.enter_family(target, name, at);
        let is_info = join::is_info(&self.config.identity, &labels);
        let is_process_start = name == PROCESS_START;
        let flags = Flags { is_used: true, may_be_born, is_info, is_process_start, ..Flags::default() };
        let start = first.start.filter(|_| kind != SeriesKind::Delta).unwrap_or(Timestamp::MIN);
        let state = SeriesState { target, family, start, kind, flags, ..SeriesState::default() };
        let id = self.table.insert(bytes, state);
        self.targets.families[family].enter(id);
        self.joins.enter(&self.config.identity, &labels, id);
        self.bind(id, &labels);
        if self.table.series[id].version == NONE && !is_info {
            self.counters.unplaced += 1;
        }
        if is_info {
            self.joins.note_sender(id, &self.sender);
            let sample = InfoSample { series: id, at, is_on: first.value == 1.0 };
            let members = self.joins.offer(&self.config.identity, &labels, sample, true);
            self.rebind(&members);
        }
        Some(id)
    }

    pub(super) fn has_room(&self, names: &Names) -> bool {
        if self.table.series.len() >= SERIES_MAX {
            return false;
        }
        match names.key() {
            None => self.unplaced < UNPLACED_SERIES_MAX && self.unplaced_bytes < UNPLACED_BYTES_MAX,
            Some(key) => self.catalog.service(&key).is_none_or(|it| it.series < SERVICE_SERIES_MAX),
        }
    }

    /// Whether the budgets leave room for the series; what they do not is counted.
    fn is_affordable(&mut self, names: &Names, label_bytes: usize) -> bool {
        let key = names.key();
        let room = if label_bytes > LABEL_BYTES_MAX {
            Err(Refusal::Labels)
        } else {
            key.as_ref().map_or(Ok(()), |key| match self.catalog.known(key, names.version.as_deref()) {
                Some(_) => self.catalog.may_grow(key),
                None => self.catalog.may_open(key, &self.sender),
            })
        };
        room.map_err(|refusal| self.refuse(refusal, &key.unwrap_or_default())).is_ok()
    }

    /// Whether an info series' sample changes names that are in force.
    pub(super) fn would_rename(&self, sample: InfoSample) -> bool {
        self.joins.would_rename(&self.config.identity, &self.labels_of(sample.series), sample)
    }

    pub(super) fn names_of(&self, labels: &Labels) -> Names {
        let mut names = Names::of(&self.config.identity, labels);
        self.joins.fill(&self.config.identity, labels, &mut names);
        names
    }

    /// The series' labels, parsed anew.
    pub(super) fn labels_of(&self, id: u32) -> Labels {
        self.table.parsed_labels_of(id)
    }

    /// Finds out whose a series is and what it counts for.
    pub(super) fn bind(&mut self, id: u32, labels: &Labels) {
        let names = self.names_of(labels);
        let key = names.key();
        let mut parts = self.parts_of(id, labels, key.as_ref());
        if parts.iter().any(|(_, part)| *part == Part::Bucket) && !self.climb(id, labels) {
            parts.retain(|(_, part)| *part != Part::Bucket);
        }
        let version = key.and_then(|key| {
            self.catalog.version(&key, names.version.as_deref(), (&self.sender, self.now), &self.config)
        });
        let series = &mut self.table.series[id];
        series.flags.has_gauge_role = parts.iter().any(|(_, part)| *part == Part::Gauge);
        series.flags.has_counter_role = parts.iter().any(|(_, part)| *part != Part::Gauge);
        let label_bytes = self.table.labels_of(id).len();
        let Some(version) = version else {
            self.unplaced += 1;
            self.unplaced_bytes += bytes_of_series(label_bytes);
            return;
        };
        self.table.series[id].version = version;
        self.catalog.enter_series(version, label_bytes);
        if parts.is_empty() {
            return;
        }
        let roles = parts.into_iter().map(|(source, part)| Role {
            cell: self.catalog.cell(version, source, &self.config.sources[source as usize]),
            part,
        });
        self.table.series[id].roles = self.role_sets.acquire(roles.collect());
    }

    /// What a series counts for, by source: of those that count its service's series.
    fn parts_of(&self, id: u32, labels: &Labels, key: Option<&ServiceKey>) -> Vec<(u32, Part)> {
        let candidate = Candidate::new(labels, self.table.series[id].kind);
        let counting = key.and_then(|key| self.config.sources_of(key));
        let sources = (0..).zip(&self.config.sources);
        let sources = sources.filter(|(at, _)| counting.as_ref().is_none_or(|it| it.contains(at)));
        sources.filter_map(|(at, it)| Some((at, candidate.part_in(&it.definition)?))).collect()
    }

    /// Puts a bucket on its ladder; whether it is on one.
    fn climb(&mut self, id: u32, labels: &Labels) -> bool {
        if self.table.series[id].ladder != NONE {
            return true;
        }
        let Some(bound) = ladder::bound_of(labels) else { return false };
        let start = self.table.series[id].start;
        let Some(joined) = self.ladders.join(labels, start, bound, id) else { return false };
        self.table.series[id].ladder = joined.ladder;
        self.table.series[id].flags.is_part = bound.is_finite();
        if joined.dropped != NONE {
            self.table.series[joined.dropped].ladder = NONE;
        }
        if joined.replaced != NONE {
            self.take_over(id, joined.replaced);
        }
        true
    }

    /// Another spelling of a bound goes on where the one before it stood.
    fn take_over(&mut self, id: u32, replaced: u32) {
        let before = &mut self.table.series[replaced];
        before.flags.is_replaced = true;
        // Its stale marker stands in the scrape that its successor begins with.
        let ended = Duration::from_millis(u64::from(before.flags.is_ended));
        let (last, last_at, carry) = (before.last, before.last_at - ended, before.carry);
        let series = &mut self.table.series[id];
        if series.last.is_nan() && !last.is_nan() {
            (series.last, series.last_at, series.carry) = (last, last_at, carry);
        }
    }

    pub(super) fn unbind(&mut self, id: u32) {
        let series = &mut self.table.series[id];
        let version = std::mem::replace(&mut series.version, NONE);
        let roles = std::mem::replace(&mut series.roles, NONE);
        if roles != NONE {
            self.role_sets.release(roles);
        }
        let label_bytes = self.table.labels_of(id).len();
        if version == NONE {
            self.unplaced -= 1;
            self.unplaced_bytes -= bytes_of_series(label_bytes);
            return;
        }
        self.catalog.leave_series(version, label_bytes, self.now);
    }

    /// Binds series anew whose names or kind may have changed.
    pub(super) fn rebind(&mut self, ids: &[u32]) {
        for &id in ids {
            let labels = self.labels_of(id);
            self.unbind(id);
            self.bind(id, &labels);
        }
    }

    /// Binds all series anew: joins first, so that each is bound once.
    pub(super) fn rebind_all(&mut self) {
        let ids: Vec<u32> =
            (0..self.table.series.end()).filter(|&id| self.table.series[id].is_used()).collect();
        self.joins = std::mem::take(&mut self.joins).emptied();
        for &id in &ids {
            let labels = self.labels_of(id);
            let series = &mut self.table.series[id];
            series.flags.is_info = join::is_info(&self.config.identity, &labels);
            let is_on = series.last == 1.0 && !series.flags.is_ended;
            let sample = InfoSample { series: id, at: series.last_at, is_on };
            if series.flags.is_info {
                self.joins.offer(&self.config.identity, &labels, sample, false);
            }
        }
        for &id in &ids {
            let labels = self.labels_of(id);
            self.joins.enter(&self.config.identity, &labels, id);
        }
        self.rebind(&ids);
    }
}

/// What tells the series' target from others: job and instance, with the labels that tell the senders of two
/// clusters apart; else what its own labels say about whose it is.
pub(super) fn target_key(identity: &Identity, labels: &Labels) -> TargetKey {
    let own = |candidates: &[String]| first_present(candidates, labels).unwrap_or_default().to_owned();
    let (job, instance) = (labels.get("job").unwrap_or_default(), labels.get("instance").unwrap_or_default());
    let mut key = vec![job.to_owned(), instance.to_owned()];
    key.extend([own(&identity.environment), own(&identity.cluster), own(&identity.region)]);
    if job.is_empty() || instance.is_empty() {
        key.extend([own(&identity.service), own(&identity.version)]);
    }
    key
}
