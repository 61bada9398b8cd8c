//! When scrapes go into the windows.
//!
//! The series of one scrape may come in several requests and in any order between them. They are staged until the
//! scrape has **settled**:
//!
//! - at once when every live series of its target is there, when the request says that it is whole, or when a later
//!   scrape has all live series;
//! - when `settle` has run out since its first sample. Then it may be half a scrape, so only what is whole is
//!   counted and the rest is **held**: `whole` has the rules.
//!
//! A target's first scrape says which series it has. While senders lag, it is waited for as long as they do.

use std::time::Duration;

use model::Timestamp;

use super::{
    Store,
    cell::{Increase, Part},
    family::Family,
    join::InfoSample,
    series::NO_RUNG,
    slab::{NONE, Slab},
    target::{Entry, Mark, SCRAPES_MAX, Scrape},
};

/// Samples waiting in all scrapes together, 32 bytes each: 128 MB. Beyond, what the scrape that is due first added is
/// counted with the target's next one, whole or not.
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

impl Store {
    /// After a batch: settles what it has completed.
    pub(super) fn finish_batch(&mut self, is_whole: bool) {
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            let target = &mut self.targets.all[id];
            target.is_touched = false;
            target.newest_at = target.newest_at.max(target.newest_in_batch_at);
            if is_whole {
                target.scrapes.iter_mut().for_each(|scrape| scrape.is_whole = true);
                self.settle_whole(id);
            }
            self.settle_complete(id);
            self.recheck(id);
        }
        self.touched = touched;
        while self.staged > STAGED_MAX && self.fold_next() {}
    }

    /// Settles the scrapes whose time is up.
    pub(super) fn settle_due(&mut self) {
        while let Some(&(due, id, at)) = self.dues.first()
            && due <= self.now
        {
            match self.targets.all[id].scrape(at) {
                Ok(place) => self.settle_by_time(id, place),
                Err(_) => drop(self.dues.pop_first()),
            }
        }
    }

    fn settle_by_time(&mut self, id: u32, place: usize) {
        if self.is_early(id, place) {
            return;
        }
        if self.give_up(id) {
            let target = &mut self.targets.all[id];
            target.recheck_to = target.held_to;
        }
        let place = self.weigh_before(id, place);
        let renamed = self.renamed(id, place);
        self.weigh(id, place);
        self.forget_live(id, &renamed);
        self.recount(id);
        self.recheck(id);
        self.settle_complete(id);
    }

    /// Whether the scrape is one of a target's first and more is to be waited for, however others lag: not where the
    /// next scrape has the same series.
    fn is_early(&mut self, id: u32, place: usize) -> bool {
        let patience = self.patience();
        let target = &mut self.targets.all[id];
        let is_over = target.scrapes[place].arrived_at + patience <= self.now;
        // The last is the dearest to find out, and only a target's first scrapes get there.
        if target.live > 0 || is_over || target.is_confirmed(place) {
            return false;
        }
        let scrape = &mut target.scrapes[place];
        self.dues.remove(&(scrape.due, id, scrape.at));
        scrape.due = scrape.arrived_at + patience;
        self.dues.insert((scrape.due, id, scrape.at));
        true
    }

    /// How long the first scrape of a target is waited for.
    fn patience(&mut self) -> Duration {
        let lag = self.lag.recent(self.now).saturating_mul(2);
        lag.min(self.config.late).max(self.config.settle)
    }

    /// Settles every scrape that is complete, and with it those before it.
    pub(super) fn settle_complete(&mut self, id: u32) {
        loop {
            let target = &self.targets.all[id];
            match target.newest_complete() {
                Some(newest) => self.settle_until(id, target.scrapes[newest].at),
                None if target.scrapes.len() > SCRAPES_MAX => self.fold(id, 0),
                None => return,
            }
        }
    }

    /// Settles the scrapes up to the complete one of `at`.
    fn settle_until(&mut self, id: u32, at: Timestamp) {
        while let Some(scrape) = self.targets.all[id].scrapes.first()
            && scrape.at <= at
        {
            if scrape.at == at || self.targets.all[id].is_complete(scrape) {
                self.settle(id, 0);
            } else if !self.weigh(id, 0) {
                // Nothing can be waited for: the complete one has every live series.
                self.fold(id, 0);
            }
        }
        self.recount(id);
    }

    /// Settles all scrapes of a target: its sender says that nothing is missing.
    fn settle_whole(&mut self, id: u32) {
        while let Some(scrape) = self.targets.all[id].scrapes.first() {
            let is_complete = self.targets.all[id].is_complete(scrape);
            let is_newest = self.targets.all[id].scrapes.len() == 1;
            let gone = if is_newest && !is_complete { self.absent(id, 0) } else { Vec::new() };
            self.settle(id, 0);
            self.forget_live(id, &gone);
        }
        self.recount(id);
    }

    /// How many of the live series the waiting scrapes have.
    pub(super) fn recount(&mut self, id: u32) {
        let target = &mut self.targets.all[id];
        target.note_held();
        let series = &self.table.series;
        for scrape in &mut target.scrapes {
            let is_live = |it: &&Entry| it.mark != Mark::GaugeToo && series[it.series].flags.is_live;
            scrape.live = scrape.entries.iter().filter(is_live).count() as u32;
        }
    }

    /// Takes a scrape out of those that wait.
    pub(super) fn remove_scrape(&mut self, id: u32, place: usize) -> Scrape {
        let target = &mut self.targets.all[id];
        let scrape = target.scrapes.remove(place);
        self.dues.remove(&(scrape.due, id, scrape.at));
        self.staged -= scrape.staged();
        scrape
    }

    /// Notes that a scrape has settled, after the verdict on it: that asks for the one before.
    pub(super) fn note_settled(&mut self, id: u32, at: Timestamp) {
        let target = &mut self.targets.all[id];
        target.settled_at = target.settled_at.max(at);
    }

    /// Keeps an emptied list for the next scrape.
    pub(super) fn recycle(&mut self, mut entries: Vec<Entry>) {
        entries.clear();
        if self.spare.len() < SPARE_MAX {
            self.spare.push(entries);
        }
    }

    /// Counts a scrape of which nothing is missing.
    fn settle(&mut self, id: u32, place: usize) {
        let mut scrape = self.remove_scrape(id, place);
        self.targets.all[id].is_single = scrape.is_single;
        if scrape.is_held {
            scrape.entries.retain(|entry| entry.mark != Mark::Counted);
        }
        let joining = self.judge(id, &mut scrape);
        self.leave_out_copy(id, scrape.at, &mut scrape.entries, !scrape.is_held);
        self.note_settled(id, scrape.at);
        self.expect(id, &scrape.entries);
        if scrape.has_info {
            self.take_names(scrape.at, &scrape.entries);
        }
        self.count(id, scrape.at, &scrape.entries);
        self.count(id, scrape.at, &scrape.carried);
        self.let_join(&joining);
        self.recycle(scrape.entries);
    }

    /// Notes which series of a scrape are expected in the next ones.
    pub(super) fn expect(&mut self, id: u32, entries: &[Entry]) {
        let target = &mut self.targets.all[id];
        // A series by itself with a clock of its own is in no scrape of the others: they must not wait for it.
        let is_stray = |it: &Entry| {
            let flags = &self.table.series[it.series].flags;
            flags.is_moved && !flags.is_live
        };
        if target.live > 0 && entries.iter().all(is_stray) {
            return;
        }
        for entry in entries.iter().filter(|entry| entry.mark != Mark::Counted) {
            target.expect(&mut self.table.series[entry.series].flags);
        }
    }

    /// The samples of info series.
    pub(super) fn infos_of(&self, at: Timestamp, entries: &[Entry]) -> Vec<InfoSample> {
        let mut samples = Vec::new();
        for entry in entries.iter().filter(|it| !matches!(it.mark, Mark::GaugeToo | Mark::Counted)) {
            let series = &self.table.series[entry.series];
            if series.flags.is_info {
                let is_on = entry.mark != Mark::Ended && series.last == 1.0;
                samples.push(InfoSample { series: entry.series, at, is_on });
            }
        }
        samples
    }

    /// Lets the scrape's info series name others, before anything of it is counted.
    pub(super) fn take_names(&mut self, at: Timestamp, entries: &[Entry]) {
        let samples = self.infos_of(at, entries);
        self.confirm_names(&samples);
        for sample in &samples {
            let labels = self.labels_of(sample.series);
            let members = self.joins.offer(&self.config.identity, &labels, *sample, false);
            self.rebind(&members);
        }
    }

    /// Notes that the info series in force are alive or have ended.
    pub(super) fn confirm_names(&mut self, samples: &[InfoSample]) {
        for sample in samples {
            let labels = self.labels_of(sample.series);
            self.joins.confirm(&self.config.identity, &labels, *sample);
        }
    }

    /// Adds the increases to the windows, and notes a look at the services they are of.
    pub(super) fn count(&mut self, id: u32, at: Timestamp, entries: &[Entry]) {
        let interval = self.targets.all[id].note_counted(at);
        let mut versions = Vec::new();
        let mut growing = Growing::default();
        let counted = |entry: &&Entry| !matches!(entry.mark, Mark::Ended | Mark::Counted);
        for entry in entries.iter().filter(counted) {
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
            let (version, roles, ladder) = (series.version, series.roles, series.ladder);
            let layout = if ladder == NONE { NONE } else { self.layout_of(ladder) };
            let rung = self.table.series[entry.series].rung;
            let increase = Increase { at, whole, value: amount, layout, rung };
            let is_gauge = matches!(entry.mark, Mark::Gauge | Mark::GaugeToo);
            for role in self.role_sets.get(roles) {
                let is_lost = role.part == Part::Bucket && (layout == NONE || rung == NO_RUNG);
                if is_gauge == (role.part == Part::Gauge) && !is_lost {
                    self.catalog.count(version, *role, &increase, &self.ladders.layouts);
                }
            }
        }
        growing.note(&mut self.targets.families, at);
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            self.catalog.see(version, at, interval, self.now);
            self.catalog.versions[version].reports.note(id, at);
        }
    }

    /// The same for a scrape of which a part was not whole, to be counted with a later one; `None` where it is in no
    /// bucket of its histogram.
    pub(super) fn settled(&mut self, entry: Entry, at: Timestamp) -> Option<Entry> {
        let amount = self.amount_of(&entry, at, &mut Growing::default());
        let ladder = self.table.series[entry.series].ladder;
        if ladder != NONE {
            self.layout_of(ladder);
        }
        let is_lost = ladder != NONE && self.table.series[entry.series].rung == NO_RUNG;
        (!is_lost).then(|| Entry { amount, ..entry }.alone())
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

    pub(super) fn layout_of(&mut self, ladder: u32) -> u32 {
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
