//! The store in a snapshot, and set up again.
//!
//! What follows from something else is not in it: counts of series and samples, indexes by name, running totals,
//! bounds. Numbers of the slabs are, for the order of everything follows from them. Setting up checks whatever is
//! relied upon later, so that bytes that were made up are refused here and do not stop the analyzer afterwards.

use std::{collections::BTreeSet, sync::Arc};

use model::Timestamp;
use policy::Policy;
use serde::{Deserialize, Serialize};

use super::{
    Counters, Store,
    beside::{self, Beside},
    catalog::Catalog,
    config::Config,
    expire::Sweep,
    join::Joins,
    ladder::Ladders,
    lag::Lag,
    ledger::bytes_of_series,
    role::RoleSets,
    room::Room,
    scrape::Scrape,
    slab::{NONE, Slab},
    table::SeriesTable,
    target::Targets,
};

/// What a snapshot holds of a store.
#[derive(Serialize)]
pub(crate) struct StoreImage<'a> {
    config_hash: u64,
    table: &'a SeriesTable,
    targets: &'a Targets,
    ladders: &'a Ladders,
    beside: &'a Slab<Beside>,
    joins: &'a Joins,
    role_sets: &'a RoleSets,
    catalog: &'a Catalog,
    counters: Counters,
    now: Timestamp,
    last_arrival: Option<Timestamp>,
    batch: u32,
    lag: Lag,
    sweep: &'a Sweep,
    room: Room,
}

/// The same, read: field by field what [`StoreImage`] has.
#[derive(Deserialize)]
pub(crate) struct StoreParts {
    config_hash: u64,
    table: SeriesTable,
    targets: Targets,
    ladders: Ladders,
    beside: Slab<Beside>,
    joins: Joins,
    role_sets: RoleSets,
    catalog: Catalog,
    counters: Counters,
    now: Timestamp,
    last_arrival: Option<Timestamp>,
    batch: u32,
    lag: Lag,
    sweep: Sweep,
    room: Room,
}

/// Why a store could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    /// The policy comes out with other windows or names than the snapshot was taken with.
    OtherConfig,
    /// Its parts do not fit together.
    Damaged,
}

impl Store {
    /// To be called between events.
    pub(crate) fn image(&self) -> StoreImage<'_> {
        let Self {
            config,
            table,
            targets,
            ladders,
            beside,
            joins,
            role_sets,
            catalog,
            counters,
            now,
            last_arrival,
            dues: _,
            staged: _,
            batch,
            weighing: _,
            lag,
            touched,
            late_before: _,
            spare: _,
            unplaced: _,
            unplaced_bytes: _,
            sweep,
            room,
            sender: _,
            refused: _,
        } = self;
        debug_assert!(touched.is_empty(), "a batch is at hand");
        StoreImage {
            config_hash: config.hash(),
            table,
            targets,
            ladders,
            beside,
            joins,
            role_sets,
            catalog,
            counters: *counters,
            now: *now,
            last_arrival: *last_arrival,
            batch: *batch,
            lag: *lag,
            sweep,
            room: *room,
        }
    }

    /// The store that the parts were taken from, under the policy that was in force then.
    pub(crate) fn of_parts(parts: StoreParts, policy: &Policy) -> Result<Self, StoreFault> {
        let config = Config::of(policy);
        if config.hash() != parts.config_hash {
            return Err(StoreFault::OtherConfig);
        }
        let StoreParts {
            config_hash: _,
            table,
            targets,
            ladders,
            beside,
            joins,
            role_sets,
            catalog,
            counters,
            now,
            last_arrival,
            batch,
            lag,
            sweep,
            room,
        } = parts;
        let mut store = Self {
            config,
            table,
            targets,
            ladders,
            beside,
            joins,
            role_sets,
            catalog,
            counters,
            now,
            last_arrival,
            dues: BTreeSet::new(),
            staged: 0,
            batch,
            weighing: 0,
            lag,
            touched: Vec::new(),
            late_before: Timestamp::MIN,
            spare: Vec::new(),
            unplaced: 0,
            unplaced_bytes: 0,
            sweep,
            room,
            sender: Arc::default(),
            refused: Vec::new(),
        };
        store.complete().ok_or(StoreFault::Damaged)?;
        Ok(store)
    }

    /// Finds what was not in the snapshot; `None` where the parts do not fit together.
    fn complete(&mut self) -> Option<()> {
        self.targets.reindex()?;
        self.catalog.reindex(self.config.sources.len())?;
        self.check_series()?;
        self.ladders.reindex(&self.table)?;
        beside::is_sound(&self.beside, &self.table).then_some(())?;
        self.joins.reindex(&self.table.series.in_use())?;
        let users = self.table.series.used().map(|(_, series)| series.roles);
        self.role_sets.reindex(users, &self.catalog.cells.in_use())?;
        for (_, cell) in self.catalog.cells.used_mut() {
            cell.take_bounds(&self.ladders.layouts)?;
        }
        self.catalog.book_all();
        self.count_series();
        self.count_scrapes()
    }

    /// Whether all that series refer to is there.
    fn check_series(&self) -> Option<()> {
        let (targets, versions) = (self.targets.all.in_use(), self.catalog.versions.in_use());
        let (ladders, families) = (self.ladders.in_use(), self.targets.families.in_use());
        let mut series = self.table.series.used().map(|(_, series)| series);
        let is_sound = series.all(|it| {
            targets.has(it.target)
                && families.has(it.family)
                && versions.has_or_none(it.version)
                && ladders.has_or_none(it.ladder)
        });
        is_sound.then_some(())
    }

    fn count_series(&mut self) {
        for (id, series) in self.table.series.used() {
            self.targets.families[series.family].enter(id);
            let target = &mut self.targets.all[series.target];
            target.series += 1;
            target.live += u32::from(series.flags.is_live);
            let label_bytes = self.table.labels_of(id).len();
            if series.version == NONE {
                self.unplaced += 1;
                self.unplaced_bytes += bytes_of_series(label_bytes);
                continue;
            }
            self.catalog.enter_series(series.version, label_bytes);
        }
    }

    /// Counts what waits to settle and notes when it is due; `None` where a scrape has another target's series or
    /// is out of order.
    fn count_scrapes(&mut self) -> Option<()> {
        for (id, target) in self.targets.all.used() {
            let is_in_order = target.scrapes.is_sorted_by(|a, b| a.at < b.at);
            let mut entries = target.scrapes.iter().flat_map(|it| it.entries.iter().chain(&it.carried));
            let is_own =
                |series: u32| self.table.series.get(series).is_some_and(|it| it.is_used() && it.target == id);
            if !is_in_order || !entries.all(|entry| is_own(entry.series)) {
                return None;
            }
            self.dues.extend(target.scrapes.iter().map(|scrape| (scrape.due, id, scrape.at)));
            self.staged += target.scrapes.iter().map(Scrape::staged).sum::<usize>();
        }
        Some(())
    }
}

#[cfg(test)]
impl StoreImage<'_> {
    /// Without what depends on how other crates print a policy.
    pub(crate) fn without_config(self) -> Self {
        Self { config_hash: 0, ..self }
    }
}

#[cfg(test)]
impl Store {
    /// Everything that has to come out of a snapshot as it was, what follows from something else included.
    pub(crate) fn shown(&self) -> String {
        use super::{arena::LabelRef, series::SeriesState};
        let parts =
            (&self.targets, (&self.ladders, &self.beside), &self.joins, &self.role_sets, &self.catalog);
        let own = (
            &self.config,
            &self.dues,
            self.staged,
            (self.unplaced, self.unplaced_bytes),
            self.now,
            self.last_arrival,
            &self.sweep,
            self.room,
        );
        let series = self.table.series.used().map(|(id, series)| {
            let series =
                SeriesState { next: NONE, labels: LabelRef::default(), weighed: 0, ..series.clone() };
            format!("{id} {series:?} {}", self.labels_of(id))
        });
        format!("{parts:?}\n{own:?}\n{}", series.collect::<Vec<_>>().join("\n"))
    }
}
