//! What the store counts about itself.

use serde::{Deserialize, Serialize};

/// How much came in, and what became of what could not be used. All only ever grow, save `series`,
/// `places` and `bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Series known now.
    pub series: u64,
    /// Services, each in one environment, that have telemetry now.
    pub places: u64,
    /// What they take, as it is estimated.
    pub bytes: u64,
    pub samples: u64,
    /// Raw request events.
    pub requests: u64,
    /// Too late for their window; dropped.
    pub late: u64,
    /// Not newer than the series' last sample; ignored.
    pub out_of_order: u64,
    /// Counters that began anew.
    pub resets: u64,
    /// First values that counted from zero, for their series was born where its target was known already.
    pub births: u64,
    /// First values of such series that did not, for they may be older than that.
    pub refused_births: u64,
    /// Streams of one label set that gave their place to another: more of them than are told apart.
    pub evicted_streams: u64,
    pub stale_markers: u64,
    /// NaN, infinite, or negative where a counter was expected; ignored.
    pub not_a_number: u64,
    /// Further in the future than clocks may differ; taken as now.
    pub future: u64,
    /// Samples of series beyond a limit; dropped.
    pub dropped_series: u64,
    /// Series whose labels cannot be read; dropped.
    pub unreadable: u64,
    /// Series first seen without service or environment.
    pub unplaced: u64,
    /// Samples of a replica that is not the one counted.
    pub standby: u64,
    /// Scrapes of which a part was waited for longer than `settle`.
    pub incomplete_scrapes: u64,
    /// Increases that no service has; not counted.
    pub implausible: u64,
    /// Samples of info series that name another version than the one in force, which another sender brought.
    pub info_conflicts: u64,
    /// What is new and not taken, by [`super::Refusal`]: series, samples of series, or requests.
    pub refused_by_event: u64,
    pub refused_by_service: u64,
    pub refused_by_sender: u64,
    pub refused_by_all: u64,
    pub refused_labels: u64,
    /// Services that were forgotten early, or their telemetry, as there was no room.
    pub forgotten_places: u64,
    /// Series that were waited for in vain and are taken to be gone.
    pub gone_series: u64,
}
