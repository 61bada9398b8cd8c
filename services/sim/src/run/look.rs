//! What is looked at once a minute: that nothing grows without bound, and that nothing counts twice.

use model::{Partition, values::ValuesQuery};

use super::Simulation;
use crate::{
    judge::Judge,
    plan::{ServicePlan, Telemetry},
    process::Running,
    world::moment,
};

/// After a gap in the telemetry counts may hold what was before it, for as long as the longest window.
const COUNTS_SETTLE_AFTER: u32 = 420;

impl Simulation {
    pub(super) fn check_counts(&mut self, second: u32) {
        self.check_bounds(second);
        let is_after_gap = self.is_after_gap(second);
        for (index, service) in self.plan.services.iter().enumerate() {
            let is_scraped = service.telemetry != Telemetry::Requests;
            if service.telemetry == Telemetry::Unversioned || (is_scraped && is_after_gap) {
                continue;
            }
            let partition = Partition::of(&self.world.services[index].key, self.plan.layout.partitions);
            for (version, from, requests) in self.counted(partition, service, second) {
                let served = self.world.services[index].served_since(version, from);
                self.promises.check_counted_at_most_once(second, &service.name, requests, served);
            }
        }
    }

    fn check_bounds(&mut self, second: u32) {
        let mut bounds = Vec::new();
        let services = self.plan.services.len() + self.plan.hostile.map_or(0, |hostile| hostile.services());
        for running in self.processes.iter().filter_map(|process| process.running.as_ref()) {
            for judge in running.judges.values() {
                let counters = judge.keeper.analyzer().counters();
                bounds.push(("releases", counters.releases as usize, 200));
                bounds.push(("services", counters.services as usize, services));
            }
            if let Some(seat) = &running.seat {
                bounds.push(("commands", seat.chair.arbiter().commands().count(), 200));
            }
            if let Some(telling) = &running.telling {
                bounds.push(("groups", telling.desk.counts().groups, 50));
                bounds.push(("messages under way", telling.desk.counts().in_flight, 50));
            }
        }
        for (name, value, most) in bounds {
            self.promises.check_bound(second, name, value, most);
        }
    }

    /// By version: from when on, and how many requests its window holds.
    fn counted(&self, partition: Partition, service: &ServicePlan, second: u32) -> Vec<(usize, u32, u64)> {
        let Some(judge) = self.judge_of(partition, second) else { return Vec::new() };
        let query = ValuesQuery { service: service.name.clone(), ..ValuesQuery::default() };
        let mut counted = Vec::new();
        for values in judge.keeper.analyzer().values(moment(second), &query) {
            // A slot may reach further back than the window, and a scrape holds what was since the last one
            // that arrived.
            let slack = if service.telemetry == Telemetry::Requests { 10 } else { 120 };
            let from = second.saturating_sub(values.window.as_secs() as u32 + slack);
            for version in &values.versions {
                let named = service.versions.iter().position(|it| Some(&it.name) == version.version.as_ref());
                counted.extend(named.map(|named| (named, from, version.requests)));
            }
        }
        counted
    }

    fn judge_of(&self, partition: Partition, second: u32) -> Option<&Judge> {
        let awake = self.processes.iter().filter(|process| process.is_awake(second));
        let running = awake.filter_map(|process| process.running.as_ref());
        running.filter_map(|running: &Running| running.judges.get(&partition)).next()
    }

    /// The first scrape after a gap holds all of the gap.
    fn is_after_gap(&self, second: u32) -> bool {
        let from = second.saturating_sub(COUNTS_SETTLE_AFTER);
        let silences = self.plan.silences.iter().copied();
        let mut gaps = silences.chain(self.plan.faults.closed.map(|(span, _)| span));
        gaps.any(|span| span.from < second && from < span.until) || self.late.range(from..).next().is_some()
    }
}
