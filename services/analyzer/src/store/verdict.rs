//! What the samples of one scrape mean together.
//!
//! A sample alone does not say whether its process began anew, or whether a series that is new was born or only
//! renamed. The rest of its scrape does, so both are decided when the scrape settles: here for families, in
//! [`super::rungs`] for the buckets of a histogram.
//!
//! **Resets.** A process that restarts takes all its counters with it, also those that are above their last value
//! again. So where one series of a family falls, all began anew, unless they clearly go on: a restart would mean that
//! they counted all they show since the scrape before, and their family is known to grow by less. Then the one that
//! fell was made again by its exporter. A series that comes back lower after an absence speaks for itself alone.
//!
//! **Births.** A first value counts from zero if the process or the series began since the scrape before, by
//! `process_start_time_seconds` or the series' `_created`. Else if it is small beside how much its family grows, and
//! neither continues series that end nor repeats ones that go on. What follows a first scrape that may have been half
//! of one counts from zero only if the process is young. All series of a family that are new in one scrape are judged
//! as one: a renamed target brings large and small ones.

use std::collections::{BTreeMap, BTreeSet};

use model::{LabelBytes, Timestamp};

use super::{
    Store,
    family::Family,
    series::SeriesState,
    slab::NONE,
    target::{Entry, Mark, Scrape},
};

/// Counts below this are chance: it keeps a handful of events from looking like a trend.
const CHANCE: f64 = 10.0;

/// How many times the usual growth of an interval is still usual.
const USUAL: f64 = 2.0;

/// The same where the target's process is known to have begun anew, so that only series which do not belong to it
/// (pushed or federated ones) can have gone on.
const USUAL_AFTER_RESTART: f64 = 16.0;

/// A process is young if, at its first scrape, it had counted at most this many times what it counted in the next
/// interval. Should half of that first scrape be missing, what is counted too much is of the last moments.
const YOUNG: f64 = 2.0;

/// Seconds by which the start of one process may differ between two scrapes (exporters that compute it).
const START_TOLERANCE_S: f64 = 1.0;

/// What is known of the target's process since the scrape before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Unknown,
    GoesOn,
    Restarted,
}

/// The counters of one family in a scrape that begin at one time, as far as they say.
#[derive(Debug, Default)]
struct Tally {
    /// When those that fell were seen before, and when those that did not: the newest of each.
    fell_from: Timestamp,
    seen_at: Timestamp,
    /// Series with an earlier value.
    going_on: usize,
    /// What those show, and by how much they grew.
    value: f64,
    growth: f64,
    /// First values that are none of a birth.
    baseline: f64,
    births: Vec<u32>,
    /// Values of the births that are not part of another's.
    born: Vec<f64>,
}

/// By family and start; [`Timestamp::MIN`] where no start is known.
type Tallies = BTreeMap<(u32, Timestamp), Tally>;

/// What births are measured by.
struct Measure {
    scrapes: u32,
    is_whole: bool,
    first_sum: f64,
    growth: f64,
    usual: f64,
}

impl Store {
    /// Decides what the scrape's samples mean, before it is counted; returns the ladders of which rungs join after
    /// that.
    pub(super) fn judge(&mut self, id: u32, scrape: &mut Scrape) -> Vec<u32> {
        let target = &self.targets.all[id];
        let is_full = scrape.live >= target.live && !scrape.has_newcomers;
        let is_ordinary = target.restarted_at != scrape.at
            && !scrape.entries.iter().any(|entry| entry.mark.concerns_others());
        if is_ordinary && is_full {
            return Vec::new();
        }
        // Where several writers share a target, most of their scrapes are ordinary, but none is full.
        if !is_ordinary {
            let tallies = self.tally(scrape);
            let process = self.process_of(id, scrape);
            self.judge_resets(scrape.at, process, &tallies);
            self.judge_births(id, scrape, process, &tallies);
            self.note_first(scrape, &tallies);
        }
        self.judge_ladders(id, scrape)
    }

    fn tally(&self, scrape: &Scrape) -> Tallies {
        let mut tallies = Tallies::new();
        for entry in scrape.entries.iter().filter(|entry| entry.mark.is_of_a_counter()) {
            let series = &self.table.series[entry.series];
            let tally = tallies.entry((series.family, series.start)).or_default();
            match entry.mark {
                Mark::Fell => tally.fell_from = tally.fell_from.max(entry.before_at),
                Mark::Increase => tally.seen_at = tally.seen_at.max(entry.before_at),
                _ => {}
            }
            if entry.mark == Mark::Birth {
                tally.births.push(entry.series);
            }
            if !series.is_summed() {
                continue;
            }
            match entry.mark {
                Mark::Birth => tally.born.push(entry.value),
                Mark::Baseline => tally.baseline += entry.value,
                Mark::Increase => {
                    tally.going_on += 1;
                    tally.value += entry.value;
                    tally.growth += entry.amount;
                }
                _ => {}
            }
        }
        tallies
    }

    fn process_of(&mut self, id: u32, scrape: &Scrape) -> Process {
        let is_start = |it: &&Entry| self.table.series[it.series].flags.is_process_start;
        let is_alive = |it: &&Entry| it.mark != Mark::Ended && it.value.is_finite();
        let mut starts = scrape.entries.iter().filter(is_start).filter(is_alive);
        let (Some(start), None) = (starts.next(), starts.next()) else { return Process::Unknown };
        let target = &mut self.targets.all[id];
        if target.restarted_at == scrape.at {
            // What of the scrape was counted before said so.
            return Process::Restarted;
        }
        let before = std::mem::replace(&mut target.process_start_s, start.value);
        if start.value - before > START_TOLERANCE_S {
            target.restarted_at = scrape.at;
        }
        match start.value - before {
            later if later > START_TOLERANCE_S => Process::Restarted,
            later if later >= -START_TOLERANCE_S => Process::GoesOn,
            _ => Process::Unknown,
        }
    }

    /// Notes which families began anew. Series that say themselves when they began need no verdict.
    fn judge_resets(&mut self, at: Timestamp, process: Process, tallies: &Tallies) {
        let unsaid = || tallies.iter().filter(|((_, start), _)| *start == Timestamp::MIN);
        let has_fallen = |family: &Family, tally: &Tally| {
            tally.fell_from > Timestamp::default() && tally.fell_from >= family.last_at.max(tally.seen_at)
        };
        let times = match process {
            Process::Restarted => USUAL_AFTER_RESTART,
            Process::GoesOn => return,
            Process::Unknown => USUAL,
        };
        let families = &mut self.targets.families;
        let mut has_restarted = process == Process::Restarted;
        for (&(family, _), tally) in unsaid() {
            if has_fallen(&families[family], tally) && is_restart(tally, &families[family], at, times) {
                families[family].began_at = at;
                has_restarted = true;
            }
        }
        // A process that restarted did so for its other families too.
        for (&(family, _), tally) in unsaid().filter(|_| has_restarted) {
            if tally.going_on > 0
                && !has_fallen(&families[family], tally)
                && is_restart(tally, &families[family], at, times)
            {
                families[family].began_at = at;
            }
        }
    }

    fn judge_births(&mut self, id: u32, scrape: &mut Scrape, process: Process, tallies: &Tallies) {
        // From what each counts: zero, or what it may go on from.
        let mut counts_from = BTreeMap::new();
        for (key, tally) in tallies.iter().filter(|(_, tally)| !tally.births.is_empty()) {
            let is_plausible = self.is_birth_plausible(id, scrape, process, *key, tallies);
            let gone_on = if is_plausible { self.gone_on(id, scrape, key.0) } else { BTreeMap::new() };
            for &series in &tally.births {
                let since = self.known_since(id, key.0);
                let is_from_zero = self.created_at(series).map_or(is_plausible, |created| created >= since);
                if is_from_zero {
                    counts_from.insert(series, gone_on.get(&series).copied().unwrap_or_default());
                }
            }
        }
        for entry in scrape.entries.iter_mut().filter(|entry| entry.mark == Mark::Birth) {
            let before = counts_from.get(&entry.series);
            let counter =
                if before.is_some() { &mut self.counters.births } else { &mut self.counters.refused_births };
            *counter += 1;
            entry.mark = if before.is_some() { Mark::Increase } else { Mark::Baseline };
            entry.amount = before.map_or(0.0, |before| entry.value - before);
        }
    }

    fn is_birth_plausible(
        &self,
        id: u32,
        scrape: &Scrape,
        process: Process,
        key: (u32, Timestamp),
        tallies: &Tallies,
    ) -> bool {
        let (family, tally) = (&self.targets.families[key.0], &tallies[&key]);
        let says_start = key.1 != Timestamp::MIN;
        if !says_start && family.began_at == scrape.at {
            return true;
        }
        if !says_start && process == Process::Restarted && tally.going_on == 0 {
            return true;
        }
        // Of a writer that sent nothing yet this is the first scrape.
        if !family.is_trusted || (says_start && tally.going_on == 0) {
            return false;
        }
        let measure = if family.scrapes > 0 {
            Some(Measure::of(family, scrape.at, tally.growth))
        } else {
            self.measure_of_target(id, scrape.at, tallies)
        };
        let born = tally.born.iter().sum();
        measure.is_some_and(|it| it.allows(born))
            && !self.continues_what_ended(id, scrape, key.0, &tally.born)
            && !self.repeats_what_goes_on(scrape, key.0)
    }

    /// Of the target's families the one that grows most.
    fn measure_of_target(&self, id: u32, at: Timestamp, tallies: &Tallies) -> Option<Measure> {
        let known = self.targets.all[id].families.values().map(|&family| {
            let growth = tallies.range((family, Timestamp::MIN)..=(family, Timestamp::MAX));
            let growth = growth.map(|(_, tally)| tally.growth).sum();
            (&self.targets.families[family], growth)
        });
        let measures = known.filter(|(family, _)| family.scrapes > 0);
        let measures = measures.map(|(family, growth)| Measure::of(family, at, growth));
        measures.max_by(|a, b| a.most().total_cmp(&b.most()))
    }

    /// Whether series of the family end in this scrape, or are missing from it, whose values the new ones could have
    /// gone on from.
    fn continues_what_ended(&self, id: u32, scrape: &Scrape, family: u32, born: &[f64]) -> bool {
        could_go_on(descending(born.to_vec()), descending(self.what_ended(id, scrape, family)))
    }

    /// What each new series of a family may go on from, of those that do not all go on from something: the largest
    /// value that ended and is not above its own. A histogram's series are counted together, and from zero.
    fn gone_on(&self, id: u32, scrape: &Scrape, family: u32) -> BTreeMap<u32, f64> {
        let mut ended = descending(self.what_ended(id, scrape, family));
        let is_own = |it: &&Entry| {
            let series = &self.table.series[it.series];
            it.mark == Mark::Birth && series.family == family && series.is_summed() && series.ladder == NONE
        };
        let mut born: Vec<&Entry> = scrape.entries.iter().filter(is_own).collect();
        born.sort_by(|a, b| b.value.total_cmp(&a.value));
        let mut gone_on = BTreeMap::new();
        for entry in born {
            if let Some(at) = ended.iter().position(|ended| *ended <= entry.value) {
                gone_on.insert(entry.series, ended.remove(at));
            }
        }
        gone_on
    }

    /// The values of a family's series that end in the scrape, or are missing from it and were not before.
    fn what_ended(&self, id: u32, scrape: &Scrape, family: u32) -> Vec<f64> {
        let target = &self.targets.all[id];
        if scrape.at <= target.settled_at {
            return Vec::new();
        }
        let entries = scrape.entries.iter();
        let alive = entries.clone().filter(|it| it.mark != Mark::Ended).map(|it| it.series);
        let ended = entries.filter(|it| it.mark == Mark::Ended).map(|it| (it.series, it.before_at));
        let alive: BTreeSet<u32> = alive.collect();
        let ended: BTreeMap<u32, Timestamp> = ended.collect();
        let family = &self.targets.families[family];
        let gone = family.members.iter().filter(|&member| !alive.contains(member));
        let gone = gone.map(|&id| (&self.table.series[id], ended.get(&id).copied()));
        let gone = gone.filter(|(it, _)| it.is_summed());
        let gone = gone.filter(|(it, before_at)| has_gone_at(it, *before_at, family, scrape.at));
        gone.map(|(it, _)| it.last).filter(|last| *last > 0.0).collect()
    }

    /// Whether the family's series that go on all have a twin among the new ones: one that counts for the same and
    /// shows the same, give or take what was counted since the scrape before.
    fn repeats_what_goes_on(&self, scrape: &Scrape, family: u32) -> bool {
        let is_own = |it: &&Entry| {
            let series = &self.table.series[it.series];
            series.family == family && series.is_summed() && it.value > 0.0
        };
        let roles = |it: &Entry| self.table.series[it.series].roles;
        let own: Vec<&Entry> = scrape.entries.iter().filter(is_own).collect();
        let mut going_on = own.iter().filter(|it| it.mark == Mark::Increase).peekable();
        let has_twin = |old: &Entry| {
            own.iter().any(|new| {
                let is_near = (new.value - old.value).abs() <= old.amount;
                new.mark == Mark::Birth && roles(new) == roles(old) && is_near
            })
        };
        going_on.peek().is_some() && going_on.all(|old| has_twin(old))
    }

    /// Until when the family, or else its target, was seen without the series that are new.
    fn known_since(&self, id: u32, family: u32) -> Timestamp {
        let family = &self.targets.families[family];
        if family.scrapes > 0 { family.last_at } else { self.targets.all[id].settled_at }
    }

    /// When a counter was created, as its `_created` series says (OpenMetrics).
    fn created_at(&self, series: u32) -> Option<Timestamp> {
        let mut labels = self.labels_of(series);
        let name = labels.get("__name__")?;
        let base = ["_total", "_bucket", "_count", "_sum"].iter().find_map(|it| name.strip_suffix(it));
        let created = format!("{}_created", base.unwrap_or(name));
        labels.set("__name__", created);
        let mut bytes = Vec::new();
        LabelBytes::encode(labels.iter().filter(|(name, _)| *name != "le"), &mut bytes);
        let seconds = self.table.series[self.table.look_up(&bytes)?].last;
        seconds.is_finite().then(|| Timestamp::from_millis((seconds * 1000.0) as i64))
    }

    /// Notes what families show that are new.
    fn note_first(&mut self, scrape: &Scrape, tallies: &Tallies) {
        for (&(family, _), tally) in tallies {
            let family = &mut self.targets.families[family];
            let is_first = family.scrapes == 0 || (family.scrapes == 1 && family.last_at == scrape.at);
            if is_first {
                family.first_sum += tally.baseline;
                family.is_whole |= scrape.is_whole;
            }
        }
    }
}

impl Measure {
    fn of(family: &Family, at: Timestamp, growth: f64) -> Self {
        Self {
            scrapes: family.scrapes,
            is_whole: family.is_whole,
            first_sum: family.first_sum,
            growth,
            usual: family.expected(at).unwrap_or_default(),
        }
    }

    fn most(&self) -> f64 {
        self.growth.max(self.usual)
    }

    /// Whether so much can have been counted since the scrape before.
    fn allows(&self, born: f64) -> bool {
        let is_known = self.scrapes > 1 || self.is_whole || self.first_sum == 0.0;
        let is_young = self.first_sum <= YOUNG * self.growth;
        let chance = if is_known { CHANCE } else { 0.0 };
        (is_known || is_young) && born <= USUAL * self.most() + chance
    }
}

/// Whether the series that did not fall can have counted all they show since the scrape before: of that and of their
/// growth, the one that is nearer to what is usual is what happened.
fn is_restart(tally: &Tally, family: &Family, at: Timestamp, times: f64) -> bool {
    let Some(usual) = family.expected(at) else { return true };
    (tally.value + CHANCE) * (tally.growth + CHANCE) <= (times * (usual + CHANCE)).powi(2)
}

/// Whether a series ends at `at`, with a value of `before_at`, or is missing there and was not missing before. What was
/// last seen before its family began anew ended with that.
fn has_gone_at(series: &SeriesState, before_at: Option<Timestamp>, family: &Family, at: Timestamp) -> bool {
    if series.flags.is_ended {
        return before_at.map_or(series.last_at == at, |before_at| before_at >= family.began_at);
    }
    let was_there = series.flags.is_live || series.last_at >= family.last_at;
    (family.began_at..at).contains(&series.last_at) && was_there
}

/// Whether the `born` can all have gone on from the `ended`, each from a value of its own, or the other way round
/// where fewer ended. Of more that ended, some did so for good. Which of them is not known, so the smallest stand for the rest.
fn could_go_on(born: Vec<f64>, ended: Vec<f64>) -> bool {
    let surplus = ended.len().saturating_sub(born.len());
    !ended.is_empty() && born.iter().zip(&ended[surplus..]).all(|(born, ended)| born >= ended)
}

fn descending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(|a, b| b.total_cmp(a));
    values
}
