//! The telemetry store: samples and request events in, rolling counts per service, version and metric out.
//!
//! A sample's way: its label bytes name a **series** (`table`), whose last value turns it into an increase
//! (`value`); that waits in its target's **scrape** (`target`) until the scrape has settled (`settle`) and then
//! goes into the **windows** (`ring`, `cell`) of every metric that the series counts for (`role`), under the
//! version that its labels and joins name (`identity`, `join`). Questions (`read`) see settled data only.
//! Snapshots (`snapshot`) hold what does not follow from something else; `runs` and `front` make it small.
//!
//! What it must not do: judge. It knows no trigger, no release and no limit; the rest of this crate asks it.
//! Everything it does follows from its inputs: there is no clock, and no order but theirs.

mod admit;
mod arena;
mod ask;
mod beside;
mod catalog;
mod cell;
mod clock;
mod config;
mod copies;
mod counters;
mod discover;
mod durations;
mod expire;
mod failover;
mod family;
mod front;
mod hash;
mod histogram;
mod identity;
mod ingest;
mod join;
mod ladder;
mod lag;
mod lane;
mod ledger;
mod pages;
mod placement;
mod read;
mod reports;
mod requests;
mod ring;
mod role;
mod room;
mod rungs;
mod runs;
mod scrape;
mod series;
mod settle;
mod sight;
mod slab;
mod snapshot;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod value;
mod verdict;
mod whole;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::{ServiceKey, Timestamp};
use policy::Policy;

pub use ask::{Ask, GaugeValue, Known, Look, RatioCount, ThroughputValue, VersionSeen, Versions};
pub use counters::Counters;
pub use histogram::HistogramCount;
pub use ledger::{PLACES_MAX, Refusal, Refused};
pub use placement::Placement;
pub use sight::Sight;

pub(crate) use ledger::room_for_place;
pub(crate) use snapshot::{StoreFault, StoreImage, StoreParts};

use beside::Beside;
use catalog::Catalog;
use config::Config;
use join::Joins;
use ladder::Ladders;
use role::RoleSets;
use slab::Slab;
use table::SeriesTable;
use target::{Entry, Targets};

/// How far a sender's clock may be ahead of ours before its samples are taken as of now: else one bad clock
/// would push everybody's data out of the windows.
const FUTURE_TOLERANCE: Duration = Duration::from_secs(10);

/// Series, scrapes and windows of all services.
#[derive(Debug, Default)]
pub struct Store {
    config: Config,
    table: SeriesTable,
    targets: Targets,
    ladders: Ladders,
    beside: Slab<Beside>,
    joins: Joins,
    role_sets: RoleSets,
    catalog: Catalog,
    counters: Counters,
    /// The newest `now` of all.
    now: Timestamp,
    last_arrival: Option<Timestamp>,
    /// Scrapes waiting, by when they are due: (due, target, time).
    dues: BTreeSet<(Timestamp, u32, Timestamp)>,
    /// Samples in waiting scrapes.
    staged: usize,
    /// Counts requests: which of them a scrape came in.
    batch: u32,
    /// Counts weighings of scrapes.
    weighing: u32,
    lag: lag::Lag,
    /// What comes in the batch at hand for a scrape that began before this is late.
    late_before: Timestamp,
    /// Targets with samples in the batch at hand.
    touched: Vec<u32>,
    /// Emptied lists of settled scrapes, to be used again.
    spare: Vec<Vec<Entry>>,
    /// Series without service or environment.
    unplaced: usize,
    /// What these take.
    unplaced_bytes: usize,
    sweep: expire::Sweep,
    room: room::Room,
    /// Whose event is at hand.
    sender: Arc<str>,
    /// What of the event at hand was refused, the first of each reason.
    refused: Vec<Refused>,
}

impl Store {
    /// Says whose the events are that come from here on.
    pub fn begin(&mut self, sender: &str) {
        if *self.sender != *sender {
            self.sender = sender.into();
        }
    }

    /// What was refused since the last call, the first of each reason.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Puts a policy in force: series are named and bound anew; their last values stay, and so do the windows
    /// of every source that is defined as before.
    pub fn configure(&mut self, policy: &Policy) {
        let config = Config::of(policy);
        let before = std::mem::replace(&mut self.config, config);
        if before != self.config {
            self.catalog.reshape(&before, &self.config);
        }
        if !before.binds_as(&self.config) {
            self.rebind_all();
        }
    }

    /// When to be called next even if nothing comes in; `None`: never.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.dues.first().map(|due| due.0);
        let sweep = self.sweep.at;
        [due, sweep].into_iter().flatten().min()
    }

    /// Time has come: settles scrapes whose `settle` ran out, forgets what was silent for long.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.settle_due();
        self.sweep_due();
        self.catalog.ledger.begin();
    }

    /// Services with data that settled since the last call, in the order of their keys.
    pub fn take_looks(&mut self) -> Vec<Look> {
        self.catalog.take_looks().map(|(key, at)| Look { key: key.clone(), at }).collect()
    }

    /// When telemetry last came in, of whichever sender.
    pub fn last_arrival(&self) -> Option<Timestamp> {
        self.last_arrival
    }

    pub fn counters(&self) -> Counters {
        let all = self.catalog.ledger.all();
        Counters {
            series: self.table.series.len() as u64,
            places: all.places as u64,
            bytes: all.bytes as u64,
            info_conflicts: self.joins.conflicts,
            ..self.counters
        }
    }

    /// Counts what was refused, and keeps the first of each reason for the log.
    pub(crate) fn refuse(&mut self, refusal: Refusal, service: &ServiceKey) {
        self.want_room(refusal);
        let counters = &mut self.counters;
        *match refusal {
            Refusal::Event => &mut counters.refused_by_event,
            Refusal::Service => &mut counters.refused_by_service,
            Refusal::Sender => &mut counters.refused_by_sender,
            Refusal::All => &mut counters.refused_by_all,
            Refusal::Labels => &mut counters.refused_labels,
        } += 1;
        if self.refused.iter().all(|it| it.refusal != refusal) {
            let (sender, service) = (self.sender.to_string(), service.clone());
            self.refused.push(Refused { refusal, sender, service });
        }
    }
}
