//! What was silent for two of the longest windows is forgotten.
//!
//! Series are looked through a chunk at a time, so that a store of a million of them never stops for long and
//! an idle tick costs one comparison.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, config::Config, slab::NONE};

/// Series looked at in one go: under a millisecond.
const CHUNK: u32 = 16_384;

/// Rounds in the time after which something is idle: what is forgotten is so at most a quarter late.
const ROUNDS: u32 = 4;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sweep {
    /// When the next chunk is due; `None` while there is nothing to forget.
    pub(super) at: Option<Timestamp>,
    cursor: u32,
}

impl Sweep {
    pub(super) fn ensure(&mut self, now: Timestamp, config: &Config) {
        if self.at.is_none() {
            self.at = Some(now + config.idle / ROUNDS);
        }
    }
}

impl Store {
    pub(super) fn sweep_due(&mut self) {
        let now = self.now;
        if self.sweep.at.is_none_or(|at| at > now) {
            return;
        }
        let end = self.table.series.end();
        let to = self.sweep.cursor.saturating_add(CHUNK).min(end);
        for id in self.sweep.cursor..to {
            if self.is_idle(id) {
                self.forget(id);
            }
        }
        self.sweep.cursor = if to >= end { 0 } else { to };
        if self.sweep.cursor == 0 {
            self.catalog.remove_idle(now - self.config.idle);
            self.table.compact();
        }
        let pause = self.config.idle / ROUNDS / (end / CHUNK + 1);
        let is_empty = self.table.series.len() == 0 && self.catalog.by_key.is_empty();
        self.sweep.at = (!is_empty).then_some(now + pause.max(Duration::from_secs(1)));
    }

    /// Whether its target has come in without it, or has not come in at all, for long.
    fn is_idle(&self, id: u32) -> bool {
        let series = &self.table.series[id];
        if !series.is_used() {
            return false;
        }
        let (target, idle) = (&self.targets.all[series.target], self.config.idle);
        let is_waiting = !target.scrapes.is_empty();
        let is_silent = self.now.since(target.arrived_at) > idle;
        !is_waiting && (is_silent || target.newest_at.since(series.last_at) > idle)
    }

    fn forget(&mut self, id: u32) {
        let labels = self.labels_of(id);
        self.unbind(id);
        let ladder = self.table.series[id].ladder;
        let heir = if ladder == NONE { NONE } else { self.ladders.leave(ladder, id) };
        if heir != NONE {
            self.table.series[heir].flags.is_replaced = false;
        }
        self.leave_beside(id);
        let series = &self.table.series[id];
        // A sender that says when its counters began sends all of them as long as it lives.
        let is_over = series.flags.is_ended || series.start != Timestamp::MIN;
        let target_id = series.target;
        let target = &mut self.targets.all[target_id];
        target.live -= u32::from(series.flags.is_live);
        self.targets.leave_family(target_id, labels.get("__name__").unwrap_or_default(), id, is_over);
        let is_last = self.targets.all[target_id].series == 0;
        self.joins.leave(&self.config.identity, &labels, id);
        self.table.remove(id);
        if is_last {
            self.targets.remove(target_id);
        }
    }
}
