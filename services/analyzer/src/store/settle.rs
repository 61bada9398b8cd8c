//! Scrapes that are whole, or whose time is up, go into the windows.

use std::time::Duration;

use model::Timestamp;

use super::{
    Store,
    cell::{Increase, Part},
    family::Family,
    join::InfoSample,
    series::{NO_RUNG, SeriesState},
    slab::{NONE, Slab},
    target::{Entry, Mark, SCRAPES_MAX, Scrape},
};

/// Samples waiting in all scrapes together, 24 bytes each: 100 MB. Beyond, all of them are settled.
const STAGED_MAX: usize = 4_000_000;

/// Emptied lists kept for the next scrapes.
const SPARE_MAX: usize = 64;

/// How much the series of one family grow, which stand together in a scrape.
struct Growing {
    family: u32,
    began_at: Timestamp,
    amount: f64,
}

impl Default for Growing {
    fn default() -> Self {
        Self { family: NONE, began_at: Timestamp::MIN, amount: 0.0 }
    }
}

impl Growing {
    fn note(&self, families: &mut Slab<Family>, at: Timestamp) {
        if self.family != NONE {
            families[self.family].grow(at, self.amount);
        }
    }
}

impl Scrape {
    fn count_live(&mut self, epoch: u32, series: &Slab<SeriesState>) {
        let is_live = |it: &&Entry| it.mark != Mark::GaugeToo && series[it.series].live_epoch == epoch;
        self.live = self.entries.iter().filter(is_live).count() as u32;
    }
}

impl Store {
    /// After a batch: settles what it has completed.
    pub(super) fn finish_batch(&mut self, is_whole: bool) {
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            let target = &mut self.targets.all[id];
            target.is_touched = false;
            target.newest_at = target.newest_at.max(target.newest_in_batch_at);
            let waiting = if is_whole { target.scrapes.len() } else { 0 };
            target.scrapes.iter_mut().for_each(|scrape| scrape.is_whole |= is_whole);
            self.settle_first(id, waiting);
            self.settle_complete(id);
        }
        self.touched = touched;
        while self.staged > STAGED_MAX && self.settle_next() {}
    }

    /// Settles the scrapes whose time is up.
    pub(super) fn settle_due(&mut self) {
        while self.dues.first().is_some_and(|due| due.0 <= self.now) {
            self.settle_next();
        }
    }

    /// Settles the scrape that is due first.
    fn settle_next(&mut self) -> bool {
        let Some(&(_, id, at)) = self.dues.first() else { return false };
        match self.targets.all[id].scrape(at) {
            Ok(place) => self.settle(id, place),
            Err(_) => drop(self.dues.pop_first()),
        }
        self.recount(id);
        self.settle_complete(id);
        true
    }

    /// Settles every scrape that is complete, and with it those before it.
    fn settle_complete(&mut self, id: u32) {
        loop {
            let target = &self.targets.all[id];
            let waiting = match target.newest_complete() {
                Some(newest) => newest + 1,
                None => target.scrapes.len().saturating_sub(SCRAPES_MAX),
            };
            if waiting == 0 {
                return;
            }
            self.settle_first(id, waiting);
        }
    }

    fn settle_first(&mut self, id: u32, scrapes: usize) {
        for place in 0..scrapes {
            if place > 0 {
                self.recount_first(id);
            }
            self.settle(id, 0);
        }
        if scrapes > 0 {
            self.recount(id);
        }
    }

    /// How many of the series now live the scrapes still waiting have.
    fn recount(&mut self, id: u32) {
        let target = &mut self.targets.all[id];
        for scrape in &mut target.scrapes {
            scrape.count_live(target.epoch, &self.table.series);
        }
    }

    fn recount_first(&mut self, id: u32) {
        let target = &mut self.targets.all[id];
        if let Some(first) = target.scrapes.first_mut() {
            first.count_live(target.epoch, &self.table.series);
        }
    }

    fn settle(&mut self, id: u32, place: usize) {
        let target = &mut self.targets.all[id];
        let mut scrape = target.scrapes.remove(place);
        self.dues.remove(&(scrape.due, id, scrape.at));
        self.staged -= scrape.entries.len();
        let joining = self.judge(id, &mut scrape);
        let target = &mut self.targets.all[id];
        let interval = match target.settled_at {
            Timestamp::MIN => Duration::ZERO,
            before => scrape.at.since(before),
        };
        if scrape.at > target.settled_at {
            self.counters.incomplete_scrapes += u64::from(scrape.live < target.live);
            target.settled_at = scrape.at;
            target.epoch += 1;
            target.live = 0;
        }
        self.mark_live(id, &scrape);
        if scrape.has_info {
            self.take_names(&scrape);
        }
        for version in self.count(scrape.at, &scrape.entries) {
            self.catalog.see(version, scrape.at, interval, self.now);
        }
        self.let_join(&joining);
        scrape.entries.clear();
        if self.spare.len() < SPARE_MAX {
            self.spare.push(scrape.entries);
        }
    }

    /// Notes which series the newest settled scrape had; one that came after it settled is added.
    fn mark_live(&mut self, id: u32, scrape: &Scrape) {
        let target = &mut self.targets.all[id];
        if scrape.at != target.settled_at {
            return;
        }
        for entry in &scrape.entries {
            let series = &mut self.table.series[entry.series];
            let was_live = series.live_epoch == target.epoch;
            if entry.mark == Mark::Ended {
                series.live_epoch = 0;
                target.live -= u32::from(was_live);
            } else {
                series.live_epoch = target.epoch;
                target.live += u32::from(!was_live);
            }
        }
    }

    /// Lets the scrape's info series name others, before anything of it is counted.
    fn take_names(&mut self, scrape: &Scrape) {
        let mut samples = Vec::new();
        for entry in scrape.entries.iter().filter(|it| it.mark != Mark::GaugeToo) {
            let series = &self.table.series[entry.series];
            if series.flags.is_info {
                let is_on = entry.mark != Mark::Ended && series.last == 1.0;
                samples.push(InfoSample { series: entry.series, at: scrape.at, is_on });
            }
        }
        for sample in &samples {
            let labels = self.labels_of(sample.series);
            self.joins.confirm(&self.config.identity, &labels, *sample);
        }
        for sample in &samples {
            let labels = self.labels_of(sample.series);
            let members = self.joins.offer(&self.config.identity, &labels, *sample, false);
            self.rebind(&members);
        }
    }

    /// Adds the increases to the windows; returns the versions they are of, a version once a run of its series.
    fn count(&mut self, at: Timestamp, entries: &[Entry]) -> Vec<u32> {
        let mut versions = Vec::new();
        let mut growing = Growing::default();
        for entry in entries.iter().filter(|entry| entry.mark != Mark::Ended) {
            let amount = self.amount_of(entry, at, &mut growing);
            let series = &mut self.table.series[entry.series];
            if series.version == NONE {
                continue;
            }
            if versions.last() != Some(&series.version) {
                versions.push(series.version);
            }
            if series.roles == NONE || entry.mark == Mark::Alive {
                continue;
            }
            let whole = if entry.mark.is_increase() { series.whole(amount) } else { 0 };
            let (roles, ladder) = (series.roles, series.ladder);
            let layout = if ladder == NONE { NONE } else { self.layout_of(ladder) };
            let rung = self.table.series[entry.series].rung;
            let increase = Increase { at, whole, value: amount, layout, rung };
            let is_gauge = matches!(entry.mark, Mark::Gauge | Mark::GaugeToo);
            for role in self.role_sets.get(roles) {
                let is_lost = role.part == Part::Bucket && (layout == NONE || rung == NO_RUNG);
                if is_gauge == (role.part == Part::Gauge) && !is_lost {
                    self.catalog.cells[role.cell].add(role.part, &increase, &self.ladders.layouts);
                }
            }
        }
        growing.note(&mut self.targets.families, at);
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// What an entry adds, after the verdict on its family and its histogram.
    fn amount_of(&mut self, entry: &Entry, at: Timestamp, growing: &mut Growing) -> f64 {
        if !entry.mark.is_of_a_counter() {
            return entry.amount;
        }
        let series = &self.table.series[entry.series];
        if series.family != growing.family {
            growing.note(&mut self.targets.families, at);
            let began_at = self.targets.families[series.family].began_at;
            *growing = Growing { family: series.family, began_at, amount: 0.0 };
        }
        let mut began_at = if series.start == Timestamp::MIN { growing.began_at } else { Timestamp::MIN };
        if series.ladder != NONE {
            let ladder = &mut self.ladders.ladders[series.ladder];
            ladder.settled_at = ladder.settled_at.max(at);
            began_at = began_at.max(ladder.began_at);
        }
        let is_hidden = entry.mark == Mark::Increase
            && entry.before_at != Timestamp::MIN
            && entry.before_at < began_at
            && began_at <= at;
        self.counters.resets += u64::from(is_hidden);
        let amount = if is_hidden { entry.value } else { entry.amount };
        growing.amount += if series.is_summed() { amount } else { 0.0 };
        amount
    }

    fn layout_of(&mut self, ladder: u32) -> u32 {
        if let Some(layout) = self.ladders.layout_of(ladder) {
            return layout;
        }
        let (layout, places) = self.ladders.relayout(ladder);
        for (series, rung) in places {
            self.table.series[series].rung = rung;
        }
        layout
    }
}
