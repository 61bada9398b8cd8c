//! Every bound of the router, each with its argument.

pub(crate) use crate::config::MAX_ROUTE_DEPTH;

/// Most groups at a time. One group costs some kilobytes; above this the labels grouped by are almost surely
/// unbounded ones, and people are told no more by more messages. At the limit the longest unchanged group of
/// resolved notices makes room (counted); if all fire, notices join one group of their route without labels.
pub const MAX_GROUPS: usize = 10_000;

/// Most notices in one group. No channel shows that many, and a message is built from all of them. At the
/// limit the oldest resolved notice makes room; if all fire, the new one is counted in each message's
/// `truncated`.
pub const MAX_NOTICES_PER_GROUP: usize = 5_000;

/// Most threads remembered, one for each release or group and integration. At the limit the longest unused
/// one is forgotten: its next message begins a new thread.
pub const MAX_THREADS: usize = 20_000;

/// Most firing notices tracked as possible sources of inhibition. At the limit new ones inhibit nothing, which
/// tells more instead of less.
pub const MAX_INHIBITION_SOURCES: usize = 100_000;

/// Ids of finished messages remembered, so that a delivery reported twice counts once. Reports repeat within
/// seconds of a restart, and one message in flight for each integration of a group is all there can be.
pub const MAX_FINISHED_SENDS: usize = 16_384;

/// Failures of the same content after which it is tried again only every `repeat_interval` instead of at
/// every tick: an hour of ticks at Alertmanager's default. New content is tried at once.
pub const MAX_TRIES_PER_TICK: u32 = 12;

/// Ticks without effect after which a group that lags behind jumps to the next moment at which something may
/// change, so that a week of downtime costs no million ticks.
pub(crate) const MAX_IDLE_TICKS: u32 = 16;
