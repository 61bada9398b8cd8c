//! Which buckets of its histogram a scrape is counted with.
//!
//! Cumulative buckets mean something only together: all increases of a scrape have to be of the same time. A rung of
//! which nothing is known in between would hold its count back while the others grow, and requests would look slower
//! than they were.

use std::collections::BTreeMap;

use model::{SeriesKind, Timestamp};

use super::{
    Store,
    ladder::Place,
    slab::NONE,
    target::{Mark, Scrape},
};

/// The bucket samples of a scrape: by ladder and series, what they mean and when the series was seen before.
type Climbers = BTreeMap<u32, BTreeMap<u32, (Mark, Timestamp)>>;

impl Store {
    /// Lets rungs come and go; returns the ladders of which rungs join once the scrape is counted.
    pub(super) fn judge_ladders(&mut self, id: u32, scrape: &Scrape) -> Vec<u32> {
        let mut climbers = Climbers::new();
        for entry in scrape.entries.iter().filter(|it| it.mark != Mark::GaugeToo) {
            let series = &self.table.series[entry.series];
            if series.ladder != NONE {
                let own = climbers.entry(series.ladder).or_default();
                own.insert(entry.series, (entry.mark, entry.before_at));
            }
        }
        let mut joining = Vec::new();
        for (ladder, own) in climbers {
            if self.judge_ladder(id, scrape, ladder, &own) {
                joining.push(ladder);
            }
        }
        joining
    }

    /// Whether rungs of the ladder join.
    fn judge_ladder(
        &mut self,
        id: u32,
        scrape: &Scrape,
        ladder_id: u32,
        own: &BTreeMap<u32, (Mark, Timestamp)>,
    ) -> bool {
        let gone_before = self.targets.all[id].newest_at - self.config.late;
        let ladder = &mut self.ladders.ladders[ladder_id];
        let is_newest = scrape.at > ladder.settled_at;
        let is_fresh = ladder.rungs.iter().all(|rung| rung.place != Place::In);
        let found = |series: u32| own.get(&series).copied();
        let has_fallen =
            ladder.rungs.iter().filter(|rung| rung.place == Place::In).any(|rung| {
                found(rung.series).is_some_and(|(mark, _)| matches!(mark, Mark::Fell | Mark::Began))
            });
        let families = &self.targets.families;
        let has_restarted = own.keys().next().is_some_and(|&series| {
            let series = &self.table.series[series];
            series.start == Timestamp::MIN && families[series.family].began_at == scrape.at
        });
        let is_anew = is_newest && (has_fallen || has_restarted);
        if is_anew {
            ladder.began_at = scrape.at;
        }
        // The total is there whenever anything is: what is counted with it is of the same time as it.
        let in_time = ladder.rungs.iter().rev().find_map(|rung| found(rung.series)).map(|it| it.1);
        // Delta points stand for themselves.
        let is_delta = own.keys().next().is_some_and(|&it| self.table.series[it].kind == SeriesKind::Delta);
        let is_new = |mark: Mark, before_at: Timestamp| mark.is_of_a_counter() && before_at == Timestamp::MIN;
        let has_new = own.values().any(|(mark, before_at)| is_new(*mark, *before_at));
        let (mut has_changed, mut has_joining) = (false, false);
        for rung in &mut ladder.rungs {
            if found(rung.series).is_none() && rung.replaced != NONE {
                let replaced = &mut self.table.series[rung.replaced];
                if found(rung.replaced).is_some_and(|(mark, _)| mark == Mark::Alive)
                    && replaced.flags.is_replaced
                {
                    // The later spelling is missing, and the one before it goes on.
                    replaced.flags.is_replaced = false;
                    std::mem::swap(&mut rung.series, &mut rung.replaced);
                    self.table.series[rung.replaced].flags.is_replaced = true;
                    rung.place = Place::Joining;
                    (has_changed, has_joining) = (true, true);
                    continue;
                }
            }
            let series = &self.table.series[rung.series];
            let is_gone = scrape.is_whole || (is_anew && has_new) || series.last_at < gone_before;
            let place = match (rung.place, found(rung.series).or_else(|| found(rung.replaced))) {
                (Place::In, Some((Mark::Ended, _))) => Place::Out,
                (Place::In, None) if is_newest && is_gone && series.last_at < scrape.at => Place::Out,
                (Place::In, _) => Place::In,
                (_, Some((mark, before_at))) if mark.is_increase() => {
                    let is_in_time = is_anew || (is_fresh && Some(before_at) == in_time);
                    if is_delta || (is_newest && is_in_time) { Place::In } else { Place::Joining }
                }
                (_, Some((Mark::Baseline, _))) => Place::Joining,
                (place, _) => place,
            };
            has_changed |= place != rung.place;
            has_joining |= place == Place::Joining;
            rung.place = place;
        }
        if ladder.rungs.iter().all(|rung| rung.place != Place::In) {
            // A first scrape adds nothing, but it is where the windows begin.
            for rung in &mut ladder.rungs {
                if found(rung.series).is_some_and(|(mark, _)| mark == Mark::Baseline) {
                    rung.place = Place::In;
                }
            }
        }
        if has_changed {
            ladder.layout = None;
        }
        has_joining
    }

    /// After the scrape was counted: its newcomers are counted from the next one on.
    pub(super) fn let_join(&mut self, ladders: &[u32]) {
        for &ladder in ladders {
            let ladder = &mut self.ladders.ladders[ladder];
            for rung in ladder.rungs.iter_mut().filter(|rung| rung.place == Place::Joining) {
                rung.place = Place::In;
                ladder.layout = None;
            }
        }
    }
}
