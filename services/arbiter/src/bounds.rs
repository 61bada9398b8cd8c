//! Every limit of what the arbiter remembers. What is evicted is always something that is over; what cannot be
//! taken in is told, never acted on.

/// Releases remembered per service, environment and cluster. Only versions that ended `succeeded` can be
/// targets, and a rollback over more than 64 releases is not a rollback any more.
pub(crate) const MAX_RELEASES_PER_PLACE: usize = 64;

/// Places (service, environment, cluster) remembered: ten times what a large fleet has; beyond it the place
/// that has been quiet longest is forgotten.
pub(crate) const MAX_PLACES: usize = 10_000;

/// Commands remembered. Open ones are never evicted: when all are open, nothing new is made and people are told.
pub(crate) const MAX_COMMANDS: usize = 10_000;

/// How often a rollback of one release may be sent. With the pauses of `again` this is more than an hour of trying
/// at a target that is down.
pub(crate) const MAX_SENT: u32 = 16;

/// Reasons of one command; a policy has a dozen triggers, a release that broke 64 of them needs no 65th.
pub(crate) const MAX_REASONS: usize = 64;

/// Bad versions per service and environment, the oldest is forgotten first: older than 256 bad versions is
/// older than [`MAX_RELEASES_PER_PLACE`] releases, so it cannot be a target anyway.
pub(crate) const MAX_BAD_VERSIONS_PER_SERVICE: usize = 256;

/// Halts in force at once; each is a person's word, so one more is refused rather than an old one dropped.
pub(crate) const MAX_HALTS: usize = 1024;

/// Limits that services without a release exceed; beyond it the ground for a shared cause is broad enough.
pub(crate) const MAX_EXCEEDANCES: usize = 10_000;

/// Findings in force at once: a few a service.
pub(crate) const MAX_FINDINGS: usize = 20_000;

/// Notices firing at once; beyond it the oldest is resolved, so that each delivered one still gets its end.
pub(crate) const MAX_FIRING: usize = 20_000;

/// Breaches held while it is found out whether the cause is shared; beyond it they are prepared at once.
pub(crate) const MAX_HELD: usize = 1024;

/// Rollbacks wanted within the storm's time; far above any sensible `storm.max_rollbacks`.
pub(crate) const MAX_DEMANDS: usize = 4096;

/// Effective policies kept per service; all are dropped and worked out again when there are more.
pub(crate) const MAX_EFFECTIVE: usize = 10_000;

/// Environments whose storms are watched at once; those where no rollback was wanted of late are dropped first.
pub(crate) const MAX_ENVIRONMENTS: usize = 1024;

/// Most firing alerts from elsewhere whose labels are remembered: ten for each of two thousand services. The one heard
/// of longest ago makes room; its end is then passed on under its own labels.
pub(crate) const MAX_ALERTS: usize = 20_000;
