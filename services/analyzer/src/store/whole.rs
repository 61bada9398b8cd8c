//! What of a scrape is whole, and what becomes of the rest.
//!
//! A sender's connections lag by seconds, stand still for minutes, or lose a request. A histogram of which half the
//! buckets came, or a ratio whose total is missing, shows what never happened. Therefore:
//!
//! - The series of one target that count for one ratio (or throughput, or gauge) of one version, and the buckets of
//!   one histogram, are a **group**; groups that share a series are judged as one. A group of a scrape is whole when
//!   every live series of it has a sample there. Only whole groups are counted.
//! - A series is **live** from its first sample until its stale marker, or until it is taken to be gone.
//! - A live series whose newest sample is older than the scrape is **awaited**: its group is held, as long as it
//!   lags. When it comes, the group is counted under the scrape's own moment. A steady lag delays judgement by that
//!   lag and changes nothing else.
//! - A live series that has a newer sample and none in this scrape **skipped** it (a request got lost): nothing will
//!   come. Its next sample carries the increase of both scrapes, so what the others added is carried over to the next
//!   scrape too, and is counted when that is whole. Series that never have a moment in common are counted after four
//!   times `late` by the samples' times.
//! - An awaited series is **gone** when the scrape has waited for ten times `late`; or for `late`, if
//!   the target comes in one request a scrape, and this one and a later one came with most of the series: one
//!   connection keeps its order. Such a target's series are also gone where at least as many are new in the scrape
//!   that lacks them: they were renamed. What was held then counts without it, each scrape under its own moment.
//! - An info series is awaited by all of its target, since it names the counts, but for `late` only and not where
//!   another one that names the same is there. Names change in the order of the scrapes: while an earlier scrape is
//!   held, what would change them waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::Timestamp;

use super::{
    Store,
    cell::Part,
    join,
    role::RoleSets,
    series::SeriesState,
    slab::NONE,
    target::{Entry, Mark, Scrape},
};

/// Eight requests of one connection lost in a row, at the usual interval: what was carried over as long is not half of
/// a scrape but of series that never share a moment.
const CARRIED_LATES: u32 = 4;

/// A held scrape is looked at again after this at least.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// In a group's key: it is a histogram's.
const LADDER: u64 = 1 << 32;

/// Why a group is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Skipped,
    Awaited,
}

/// What is done with a sample of a scrape that is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Counted,
    Carried,
    Kept,
}

/// The groups of a scrape that are not whole.
#[derive(Debug, Default)]
struct Gaps {
    groups: BTreeMap<u64, Missing>,
    /// The info series that names the target's series is awaited.
    is_nameless: bool,
}

impl Gaps {
    /// Whether anything is missing, and what, for a series' groups.
    fn of(&self, series: &SeriesState, role_sets: &RoleSets) -> Option<Missing> {
        if self.is_nameless && series.roles != NONE {
            return Some(Missing::Awaited);
        }
        groups_of(series, role_sets).filter_map(|group| self.groups.get(&group).copied()).max()
    }

    /// Notes that a series' groups are not whole; whether that was news.
    fn spread(&mut self, series: &SeriesState, role_sets: &RoleSets, missing: Missing) -> bool {
        let mut is_news = false;
        for group in groups_of(series, role_sets) {
            let known = self.groups.entry(group).or_insert(Missing::Skipped);
            is_news |= *known < missing;
            *known = (*known).max(missing);
        }
        is_news
    }
}

fn groups_of(series: &SeriesState, role_sets: &RoleSets) -> impl Iterator<Item = u64> {
    let roles = if series.roles == NONE { &[][..] } else { role_sets.get(series.roles) };
    let ladder = LADDER | u64::from(series.ladder);
    roles.iter().map(move |role| if role.part == Part::Bucket { ladder } else { u64::from(role.cell) })
}

impl Store {
    /// Counts what is whole of a scrape and carries over what never will be; whether nothing is left to wait for.
    pub(super) fn weigh(&mut self, id: u32, place: usize) -> bool {
        let entries = {
            let scrape = &mut self.targets.all[id].scrapes[place];
            std::mem::take(&mut scrape.entries)
        };
        let is_named = self.name_in_order(id, place, &entries);
        self.targets.all[id].scrapes[place].entries = entries;
        if is_named {
            let gaps = self.gaps(id, place);
            self.count_whole(id, place, &gaps);
        }
        let scrape = &self.targets.all[id].scrapes[place];
        let is_done = |entry: &Entry| entry.mark == Mark::Counted;
        if scrape.entries.iter().all(is_done) && scrape.carried.is_empty() {
            let scrape = self.remove_scrape(id, place);
            self.note_settled(id, scrape.at);
            self.recycle(scrape.entries);
            return true;
        }
        self.hold(id, place);
        false
    }

    /// Weighs the scrapes before that of `place` that were not yet: what is skipped there has to be carried over before
    /// this one is counted. Returns where it is then.
    pub(super) fn weigh_before(&mut self, id: u32, place: usize) -> usize {
        let at = self.targets.all[id].scrapes[place].at;
        let mut before = 0;
        while let Some(scrape) = self.targets.all[id].scrapes.get(before).filter(|scrape| scrape.at < at) {
            let is_removed = !scrape.is_held && self.weigh(id, before);
            before += usize::from(!is_removed);
        }
        before
    }

    /// Weighs the held scrapes, oldest first, that the batch may have completed.
    pub(super) fn recheck(&mut self, id: u32) {
        let to = std::mem::replace(&mut self.targets.all[id].recheck_to, Timestamp::MIN);
        if to == Timestamp::MIN {
            return;
        }
        let (mut place, mut has_moved) = (0, false);
        while let Some(scrape) = self.targets.all[id].scrapes.get(place) {
            let target = &self.targets.all[id];
            let is_open = scrape.is_held || scrape.at <= target.settled_at.max(target.held_to);
            let is_concerned = scrape.at <= to || has_moved;
            if is_open && is_concerned && self.weigh(id, place) {
                has_moved = true;
            } else {
                place += 1;
            }
        }
        self.recount(id);
        self.settle_complete(id);
    }

    /// Takes awaited series that did not come for long to be gone; whether there were any.
    pub(super) fn give_up(&mut self, id: u32) -> bool {
        let target = &self.targets.all[id];
        let (late, gone) = (self.config.late, self.config.patience());
        let mut is_any = false;
        for place in 0..target.scrapes.len() {
            let scrape = &self.targets.all[id].scrapes[place];
            let waited = self.now.since(scrape.arrived_at);
            if scrape.is_held && (waited >= gone || (waited >= late && self.is_passed(id, place))) {
                is_any |= self.forget_awaited(id, place);
            }
        }
        is_any
    }

    /// Whether one connection has gone on without what is missing.
    fn is_passed(&self, id: u32, place: usize) -> bool {
        let target = &self.targets.all[id];
        let (scrape, later) = (&target.scrapes[place], &target.scrapes[place + 1..]);
        let has_most = scrape.live > target.live / 2;
        has_most && target.is_single && scrape.is_single && later.iter().any(|later| later.is_single)
    }

    fn forget_awaited(&mut self, id: u32, place: usize) -> bool {
        let at = self.targets.all[id].scrapes[place].at;
        let absent = self.absent(id, place);
        let awaited = absent.into_iter().filter(|&series| self.table.series[series].last_at < at);
        let awaited: Vec<u32> = awaited.collect();
        self.forget_live(id, &awaited);
        self.counters.gone_series += awaited.len() as u64;
        !awaited.is_empty()
    }

    /// Expects series no longer.
    pub(super) fn forget_live(&mut self, id: u32, gone: &[u32]) {
        for &series in gone {
            self.table.series[series].flags.is_live = false;
        }
        self.targets.all[id].live -= gone.len() as u32;
    }

    /// The live series that a scrape has no sample of.
    pub(super) fn absent(&mut self, id: u32, place: usize) -> Vec<u32> {
        self.weighing = self.weighing.wrapping_add(1);
        let target = &self.targets.all[id];
        for entry in &target.scrapes[place].entries {
            self.table.series[entry.series].weighed = self.weighing;
        }
        let is_absent = |id: &u32| {
            let series = &self.table.series[*id];
            let is_expected = series.flags.is_live && !series.flags.is_ended && !series.flags.is_replaced;
            is_expected && series.weighed != self.weighing && !self.has_other_spelling(*id)
        };
        let members = target.families.values().flat_map(|&family| &self.targets.families[family].members);
        members.copied().filter(is_absent).collect()
    }

    /// Whether the spelling of its bound that it took the place of is in the scrape at hand.
    fn has_other_spelling(&self, id: u32) -> bool {
        let ladder = self.table.series[id].ladder;
        let replaced = if ladder == NONE { NONE } else { self.ladders.replaced_by(ladder, id) };
        replaced != NONE && self.table.series[replaced].weighed == self.weighing
    }

    /// One connection brought a scrape in which as many series are new as are missing: those are what became of these
    /// (other labels, other bounds), and no marker will come. Returns the series to forget once it is counted.
    pub(super) fn renamed(&mut self, id: u32, place: usize) -> Vec<u32> {
        let target = &self.targets.all[id];
        let scrape = &target.scrapes[place];
        if scrape.is_held || !scrape.is_single || !target.is_single || target.is_complete(scrape) {
            return Vec::new();
        }
        let is_new = |entry: &&Entry| entry.before_at == Timestamp::MIN && entry.mark != Mark::GaugeToo;
        let newcomers = scrape.entries.iter().filter(is_new).count();
        let absent = if newcomers > 0 { self.absent(id, place) } else { Vec::new() };
        if absent.is_empty() || newcomers < absent.len() {
            return Vec::new();
        }
        self.targets.all[id].scrapes[place].is_whole = true;
        absent
    }

    /// Lets the scrape's info series name others; false if that has to wait for an earlier scrape.
    fn name_in_order(&mut self, id: u32, place: usize, entries: &[Entry]) -> bool {
        let target = &self.targets.all[id];
        let scrape = &target.scrapes[place];
        if !scrape.has_info {
            return true;
        }
        let (at, is_behind_held) = (scrape.at, target.scrapes[..place].iter().any(|it| it.is_held));
        if is_behind_held {
            let samples = self.infos_of(at, entries);
            self.confirm_names(&samples);
            if samples.into_iter().any(|it| self.would_rename(it)) {
                return false;
            }
        }
        self.take_names(at, entries);
        true
    }

    fn gaps(&mut self, id: u32, place: usize) -> Gaps {
        let mut gaps = Gaps::default();
        if self.targets.all[id].scrapes[place].is_whole {
            return gaps;
        }
        let absent = self.absent(id, place);
        let target = &self.targets.all[id];
        let scrape = &target.scrapes[place];
        let waits_for_names = self.now.since(scrape.arrived_at) < self.config.late;
        for (absent, series) in absent.into_iter().map(|id| (id, &self.table.series[id])) {
            if series.last_at < scrape.at {
                let is_name = series.flags.is_info && waits_for_names;
                gaps.is_nameless |= is_name && !self.has_other_name(absent, &scrape.entries);
                gaps.spread(series, &self.role_sets, Missing::Awaited);
            } else {
                gaps.spread(series, &self.role_sets, Missing::Skipped);
            }
        }
        if gaps.groups.is_empty() {
            return gaps;
        }
        let open = || scrape.entries.iter().filter(|it| it.mark != Mark::Counted).chain(&scrape.carried);
        while open().any(|entry| {
            let series = &self.table.series[entry.series];
            let missing = gaps.of(series, &self.role_sets);
            missing.is_some_and(|missing| gaps.spread(series, &self.role_sets, missing))
        }) {}
        gaps
    }

    /// Whether another info series is there that names the same group.
    fn has_other_name(&self, info: u32, entries: &[Entry]) -> bool {
        let labels = self.labels_of(info);
        let mut others = entries.iter().filter(|it| self.table.series[it.series].flags.is_info);
        others.any(|it| join::name_alike(&self.config.identity, &labels, &self.labels_of(it.series)))
    }

    /// Counts the scrape's whole groups; carries over those of which a series skipped it.
    fn count_whole(&mut self, id: u32, place: usize, gaps: &Gaps) {
        let before = self.staged_around(id, place);
        let target = &mut self.targets.all[id];
        let has_next = place + 1 < target.scrapes.len();
        let scrape = &mut target.scrapes[place];
        let (at, from) = (scrape.at, scrape.carried_from);
        // What was carried for long is counted now, with all that it belongs to.
        let is_old = !has_next || at.since(from) >= self.config.late * CARRIED_LATES;
        let carried = scrape.carried.iter().filter(|_| is_old);
        let stuck: BTreeSet<u64> =
            carried.flat_map(|entry| groups_of(&self.table.series[entry.series], &self.role_sets)).collect();
        let can_carry = |entry: &Entry| {
            let mut groups = groups_of(&self.table.series[entry.series], &self.role_sets);
            has_next && entry.mark.is_of_a_counter() && !groups.any(|group| stuck.contains(&group))
        };
        let fate = |entry: &Entry| match gaps.of(&self.table.series[entry.series], &self.role_sets) {
            _ if entry.mark == Mark::Counted => Fate::Kept,
            // An end adds nothing whose name could be in doubt.
            _ if entry.mark == Mark::Ended && gaps.is_nameless => Fate::Counted,
            Some(Missing::Awaited) => Fate::Kept,
            Some(Missing::Skipped) if can_carry(entry) => Fate::Carried,
            _ => Fate::Counted,
        };
        let mut part = Scrape { is_whole: scrape.is_whole, live: scrape.live, ..scrape.part() };
        let mut fates = Vec::new();
        for entry in std::mem::take(&mut scrape.entries) {
            match fate(&entry) {
                Fate::Kept => scrape.entries.push(entry),
                fate => {
                    fates.push(fate);
                    part.entries.push(entry);
                }
            }
        }
        let (mut counted, mut carried) = (Vec::new(), Vec::new());
        for entry in std::mem::take(&mut scrape.carried) {
            match fate(&entry) {
                Fate::Kept => scrape.carried.push(entry),
                Fate::Carried => carried.push(entry),
                Fate::Counted => counted.push(entry),
            }
        }
        let from = if carried.is_empty() { at } else { from };
        if scrape.carried.is_empty() {
            scrape.carried_from = at;
        }
        let done = part.entries.iter().filter(|entry| entry.mark != Mark::GaugeToo);
        scrape.entries.extend(done.map(|entry| Entry { mark: Mark::Counted, ..*entry }));
        let joining = self.judge(id, &mut part);
        self.leave_out_copy(id, at, &mut part.entries, false);
        self.expect(id, &part.entries);
        let (whole, skipped): (Vec<_>, Vec<_>) =
            part.entries.into_iter().zip(fates).partition(|(_, fate)| *fate == Fate::Counted);
        counted.extend(whole.into_iter().map(|(entry, _)| entry));
        self.count(id, at, &counted);
        for (entry, _) in skipped {
            carried.extend(self.settled(entry, at));
        }
        self.let_join(&joining);
        if let Some(next) = self.targets.all[id].scrapes.get_mut(place + 1) {
            next.carry(from, carried);
        }
        self.staged = self.staged + self.staged_around(id, place) - before;
    }

    fn staged_around(&self, id: u32, place: usize) -> usize {
        self.targets.all[id].scrapes[place..].iter().take(2).map(Scrape::staged).sum()
    }

    /// What is left of a scrape goes on waiting.
    fn hold(&mut self, id: u32, place: usize) {
        let (late, gone) = (self.config.late, self.config.patience());
        let target = &mut self.targets.all[id];
        let scrape = &mut target.scrapes[place];
        // Its series may be late or gone. How late is known when they come.
        if !scrape.is_held {
            self.counters.incomplete_scrapes += 1;
            self.lag.note(self.now, self.now.since(scrape.arrived_at));
        }
        scrape.is_held = true;
        self.dues.remove(&(scrape.due, id, scrape.at));
        let next = [late, gone].into_iter().map(|wait| scrape.arrived_at + wait).find(|due| *due > self.now);
        scrape.due = next.unwrap_or(self.now + RETRY_AFTER);
        self.dues.insert((scrape.due, id, scrape.at));
        target.note_held();
    }

    /// Counts what a scrape added with the target's next one, or as it is if there is none.
    pub(super) fn fold(&mut self, id: u32, place: usize) {
        let mut scrape = self.remove_scrape(id, place);
        scrape.entries.retain(|entry| entry.mark != Mark::Counted);
        let joining = self.judge(id, &mut scrape);
        self.leave_out_copy(id, scrape.at, &mut scrape.entries, !scrape.is_held);
        self.note_settled(id, scrape.at);
        self.expect(id, &scrape.entries);
        if scrape.has_info {
            self.take_names(scrape.at, &scrape.entries);
        }
        let (at, from) = (scrape.at, scrape.carried_from);
        if self.targets.all[id].scrapes.len() > place {
            let (counters, others) =
                scrape.entries.drain(..).partition::<Vec<_>, _>(|entry| entry.mark.is_of_a_counter());
            scrape.entries = others;
            let mut carried = std::mem::take(&mut scrape.carried);
            for entry in counters {
                carried.extend(self.settled(entry, at));
            }
            let next = &mut self.targets.all[id].scrapes[place];
            let before = next.staged();
            next.carry(from, carried);
            self.staged += next.staged() - before;
        }
        self.count(id, at, &scrape.entries);
        self.count(id, at, &scrape.carried);
        self.let_join(&joining);
        self.recycle(scrape.entries);
        self.recount(id);
    }

    /// Makes room by the scrape that is due first; false if there is none.
    pub(super) fn fold_next(&mut self) -> bool {
        let Some(&(_, id, at)) = self.dues.first() else { return false };
        match self.targets.all[id].scrape(at) {
            Ok(place) => self.fold(id, place),
            Err(_) => drop(self.dues.pop_first()),
        }
        true
    }
}
