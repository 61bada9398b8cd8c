//! When a replica takes over, nothing that was counted while nobody was elected gets lost.
//!
//! A standby's samples are read but not counted. The elected one's series have counted up to their last values, so the
//! standby's series go on from those: its first sample that counts carries the difference.

use std::collections::BTreeMap;

use model::{LabelBytes, SeriesKind, Timestamp};

use super::Store;

impl Store {
    /// Lets the series of `to` go on where those of `from`, which was elected before, have counted to. The first
    /// scrape of `to` that counts is of `at`.
    pub(super) fn succeed(&mut self, from: u32, to: u32, at: Timestamp) {
        let counted: BTreeMap<Vec<u8>, u32> =
            self.series_of(from).into_iter().map(|id| (self.labels_but_replica(id), id)).collect();
        for id in self.series_of(to) {
            let series = &self.table.series[id];
            let is_counter = series.flags.has_counter_role && series.kind != SeriesKind::Delta;
            if !is_counter || series.last.is_nan() {
                continue;
            }
            let twin = counted.get(&self.labels_but_replica(id)).map(|&twin| &self.table.series[twin]);
            let start = match twin {
                // So far behind the other that a lower value is no sign of a process that began again.
                Some(twin) if twin.last.is_nan() || at <= twin.last_at => continue,
                // It has seen the process begin again.
                Some(twin) if series.last < twin.last && series.last_at > twin.last_at => 0.0,
                Some(twin) => twin.last,
                None => continue,
            };
            self.table.series[id].last = start;
        }
    }

    fn series_of(&self, target: u32) -> Vec<u32> {
        let families = self.targets.all[target].families.values();
        families.flat_map(|&family| &self.targets.families[family].members).copied().collect()
    }

    fn labels_but_replica(&self, id: u32) -> Vec<u8> {
        let (labels, replica) = (self.labels_of(id), &self.config.identity.replica);
        let mut key = Vec::new();
        let others = labels.iter().filter(|(name, _)| !replica.iter().any(|it| it == name));
        LabelBytes::encode(others, &mut key);
        key
    }
}
