//! Batches of series in.

use model::{Batch, Sample, Series, SeriesKind, Timestamp};

use super::{
    Store, clock,
    slab::NONE,
    target::{Election, Entry, Mark, Scrape},
    value,
};

impl Store {
    /// Takes in one request's series. The whole batch is taken in before any of its scrapes settles.
    pub fn handle_batch(&mut self, now: Timestamp, batch: &Batch) {
        self.now = self.now.max(now);
        self.last_arrival = Some(self.now);
        self.catalog.ledger.begin();
        self.batch = self.batch.wrapping_add(1);
        self.settle_due();
        self.late_before = self.now - self.config.settle;
        for series in &batch.series {
            self.take_series(batch, series);
        }
        self.finish_batch(batch.is_whole);
        self.sweep.ensure(self.now, &self.config);
    }

    fn take_series(&mut self, batch: &Batch, series: &Series) {
        let labels = batch.bytes.get(series.labels.start as usize..series.labels.end as usize);
        let samples = batch.samples.get(series.samples.start as usize..series.samples.end as usize);
        let (Some(labels), Some([first, rest @ ..])) = (labels, samples) else { return };
        self.counters.samples += 1 + rest.len() as u64;
        let id = match self.table.find(labels) {
            Some(id) => Some(id),
            None => self.admit(labels, series.kind, first),
        };
        let Some(id) = id else {
            self.counters.dropped_series += 1 + rest.len() as u64;
            return;
        };
        if self.table.series[id].kind != series.kind {
            self.learn_kind(id, series.kind);
        }
        self.take_sample(id, first);
        rest.iter().for_each(|sample| self.take_sample(id, sample));
    }

    /// A sender that says what a series is knows better than one that says nothing.
    fn learn_kind(&mut self, id: u32, kind: SeriesKind) {
        if self.table.series[id].kind == SeriesKind::Unknown {
            self.table.series[id].kind = kind;
            self.rebind(&[id]);
        }
    }

    fn take_sample(&mut self, id: u32, sample: &Sample) {
        let series = &mut self.table.series[id];
        let target = &mut self.targets.all[series.target];
        if !target.is_ahead(sample.at, self.now) {
            return self.take_timed(id, sample);
        }
        let moved_before = series.flags.is_moved.then_some(series.last_at);
        let offset_ms = target.offset_ms(sample.at, self.now, self.config.patience(), moved_before);
        series.flags.is_moved = offset_ms != 0;
        self.counters.future += u64::from(offset_ms != 0);
        self.take_timed(id, &clock::moved(sample, offset_ms));
    }

    /// Takes a sample whose time is by our clock.
    fn take_timed(&mut self, id: u32, sample: &Sample) {
        let id = match sample.start {
            Some(start) if self.table.series[id].kind != SeriesKind::Delta => self.stream_of(id, start),
            _ => id,
        };
        let (now, at) = (self.now, sample.at);
        let series = &mut self.table.series[id];
        let target_id = series.target;
        let target = &mut self.targets.all[target_id];
        target.arrived_at = now;
        let is_delta = series.kind == SeriesKind::Delta;
        if at <= series.last_at && !is_delta {
            self.counters.out_of_order += 1;
            return;
        }
        let horizon = target.newest_at - self.config.idle;
        if at.as_millis() < 0 || at < horizon {
            self.counters.late += 1;
            return;
        }
        if is_delta && !self.is_new_point(id, sample.at, sample.start, horizon) {
            self.counters.out_of_order += 1;
            return;
        }
        let (series, target) = (&mut self.table.series[id], &mut self.targets.all[target_id]);
        if series.last_at < target.held_to {
            target.recheck_to = target.recheck_to.max(at);
        }
        target.newest_in_batch_at = target.newest_in_batch_at.max(at);
        if !target.is_touched {
            target.is_touched = true;
            self.touched.push(target_id);
        }
        let replicas = target.replicas;
        let election = match replicas {
            NONE => Election::Counts,
            replicas => self.targets.replicas[replicas].elect(target_id, now),
        };
        if let Election::Succeeds(before) = election {
            self.succeed(before, target_id, at);
        }
        let series = &mut self.table.series[id];
        let zero_from = at - self.config.start_reach;
        let before_at = series.last_at;
        let (mark, amount) = value::read(series, sample, at, zero_from, &mut self.counters);
        if election == Election::StandsBy {
            self.counters.standby += 1;
            return;
        }
        let entry = Entry { series: id, mark, amount, value: sample.value, before_at };
        self.stage(target_id, at, entry);
        if mark.is_of_a_counter() && self.table.series[id].flags.has_gauge_role {
            self.stage(target_id, at, Entry { mark: Mark::GaugeToo, amount: sample.value, ..entry });
        }
    }

    fn stage(&mut self, target_id: u32, at: Timestamp, entry: Entry) {
        let series = &self.table.series[entry.series];
        let target = &mut self.targets.all[target_id];
        let place = match target.scrape(at) {
            Ok(place) => place,
            Err(place) if target.is_carried_past(at, place) && entry.mark.is_of_a_counter() => {
                target.scrapes[place].carried.push(entry.alone());
                self.staged += 1;
                return;
            }
            Err(place) => {
                let mut scrape = Scrape::new(at, self.now, self.config.settle, self.batch);
                scrape.entries = self.spare.pop().unwrap_or_default();
                self.dues.insert((scrape.due, target_id, at));
                target.scrapes.insert(place, scrape);
                if at <= target.settled_at {
                    target.recheck_to = target.recheck_to.max(at);
                }
                place
            }
        };
        let scrape = &mut target.scrapes[place];
        if scrape.arrived_at < self.late_before {
            self.lag.note(self.now, self.now.since(scrape.arrived_at));
        }
        scrape.live += u32::from(series.flags.is_live && entry.mark != Mark::GaugeToo);
        scrape.is_single &= scrape.batch == self.batch;
        scrape.has_info |= series.flags.is_info;
        scrape.has_newcomers |= !series.flags.is_live;
        scrape.entries.push(entry);
        self.staged += 1;
    }
}
