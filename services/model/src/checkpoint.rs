//! What has to be known to read the decisions log from the middle.
//!
//! Retention removes the oldest records. What of them still holds (halts, bad versions, versions that succeeded, open
//! commands, fencing, the audit) is kept in a checkpoint: the state after the record before [`Checkpoint::next`]. An
//! arbiter that starts from a checkpoint and reads the log from there on decides what one decides that has read the log
//! from its first record.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Actor, Breach, Command, CommandId, DecisionRecord, EventId, FindingKind, Halt, HaltId, Labels, Notice,
    NoticeKind, OutcomeStatus, PolicyLoad, Position, Release, ReleaseId, Rise, ServiceKey, Standing,
    Timestamp,
};

/// Audit lines in a checkpoint; older ones are on the log as long as that has them. Ten a day for almost three years.
pub const CHECKPOINT_AUDIT_MAX: usize = 10_000;

/// The state of the arbiter and of its place at the decisions log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The first record that the state does not contain.
    pub next: Position,
    /// The newest time that a record brought.
    pub now: Timestamp,
    pub standing: Standing,
    pub arbiter: ArbiterState,
    /// Answers that do not stand on the log yet, in order.
    pub unanswered: Vec<DecisionRecord>,
    /// The newest lines, oldest first; at most [`CHECKPOINT_AUDIT_MAX`].
    pub audit: Vec<AuditEntry>,
}

/// Who did what, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub actor: Actor,
    /// The service that it concerns; empty where there is no single one.
    pub about: ServiceKey,
    pub what: String,
    pub why: String,
    pub result: String,
}

/// Everything that the arbiter remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArbiterState {
    /// The policy in force, as it was loaded.
    pub policy: Option<PolicyLoad>,
    pub places: Vec<PlaceState>,
    /// Releases that were opened so far.
    pub opened: u64,
    /// In the order in which they were made.
    pub commands: Vec<CommandRecord>,
    /// Commands that were made so far.
    pub made: u64,
    /// The oldest of a service first.
    pub bad_versions: Vec<BadVersion>,
    pub halts: Vec<Halt>,
    pub exceedances: Vec<ExceedanceRecord>,
    pub findings: Vec<FindingRecord>,
    pub storms: Vec<StormState>,
    pub firing: Vec<FiringRecord>,
    pub alerts: Vec<AlertRecord>,
    /// Alerts that were passed on so far.
    pub alerts_heard: u64,
    pub timers: Vec<(Timer, Timestamp)>,
    /// The newest fencing number.
    pub fencing: u64,
}

/// The releases of a service in an environment and cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceState {
    /// In the order in which they went out; never empty.
    pub releases: Vec<ReleaseRecord>,
    /// When the newest automatic rollback began, and of which release.
    pub last_automatic: Option<(Timestamp, ReleaseId)>,
}

/// A release and what the arbiter did about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReleaseRecord {
    pub release: Release,
    pub opened: u64,
    pub attempts: u32,
    pub sent: u32,
    pub retry_at: Option<Timestamp>,
    pub expired: u32,
    pub newest_command: Option<CommandId>,
    /// One a trigger.
    pub broken: Vec<Breach>,
    pub is_previous_late: bool,
    pub is_rolled_back: bool,
}

/// A command and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRecord {
    pub number: u64,
    pub command: Command,
    /// By target.
    pub reports: BTreeMap<String, OutcomeStatus>,
    pub is_retryable: bool,
    pub cause: EventId,
}

/// A version that no rollback may lead to, in its service and environment, whatever the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadVersion {
    pub key: ServiceKey,
    /// Where it was found bad.
    pub cluster: Option<String>,
    pub version: String,
    pub digest: Option<String>,
    pub why: String,
    pub since: Timestamp,
}

/// A limit that a service exceeds or exceeded without a release under watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExceedanceRecord {
    pub key: ServiceKey,
    pub trigger: String,
    pub since: Timestamp,
    pub rise: Option<Rise>,
    pub ended_at: Option<Timestamp>,
}

/// A finding in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingRecord {
    pub key: ServiceKey,
    pub kind: FindingKind,
    pub release: Option<ReleaseId>,
}

/// The storm guard of an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StormState {
    pub environment: String,
    pub is_storm: bool,
    /// Services whose rollback was wanted, oldest first.
    pub demands: Vec<(Timestamp, String)>,
    pub gather: Option<GatherState>,
}

/// Breaches that are held while it is found out whether the cause is shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GatherState {
    pub begun: Timestamp,
    pub services: BTreeSet<String>,
    pub held: Vec<HeldBreach>,
}

/// A breach that acts, or not, when the gather ends.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldBreach {
    pub breach: Breach,
    pub release: ReleaseId,
    pub cause: EventId,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeScope {
    Release(ReleaseId),
    Service(ServiceKey),
    Environment(String),
    Halt(HaltId),
}

/// A notice that fires.
#[derive(Clone, Debug, PartialEq)]
pub struct FiringRecord {
    pub scope: NoticeScope,
    pub kind: NoticeKind,
    /// The trigger's or finding's name.
    pub about: String,
    pub notice: Notice,
}

/// An alert from elsewhere that fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertRecord {
    /// Of its own labels.
    pub fingerprint: u64,
    /// Those under which it was passed on.
    pub labels: Labels,
    pub release: Option<ReleaseId>,
    pub since: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub heard: u64,
}

/// What falls due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A prepared command expires, a ready one was not sent in time.
    Command(CommandId),
    Halt(HaltId),
    /// The breaches of this environment have been gathered for `storm.settle`.
    Gather(String),
    /// No rollback was wanted in this environment for `storm.per`.
    Storm(String),
}

/// How a checkpoint and the log that is there fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing is missing.
    Whole,
    /// Retention took so many records that no checkpoint stands for.
    Missing { records: u64 },
    /// The log ends before the checkpoint: it is damaged, or an older copy.
    Ahead { records: u64 },
}

impl Checkpoint {
    /// The notices that fire.
    pub fn firing_notices(&self) -> Vec<Notice> {
        self.arbiter.firing.iter().map(|record| record.notice.clone()).collect()
    }

    /// Where reading of a log with records from `first` to before `next` begins, and what is known there. `None`: at
    /// its first record, which is the first that there ever was.
    ///
    /// What was once known of halts and bad versions is kept even where the log does not fit: acting without it is
    /// worse than remembering too much.
    pub fn fitted(found: Option<Self>, first: Position, next: Position) -> (Option<Self>, Fit) {
        let at = |next, checkpoint: Self| {
            let standing = Standing::of_partial_log();
            Some(Self { next, standing, unanswered: Vec::new(), ..checkpoint })
        };
        match found {
            // Whoever reads a log from its beginning has to find all of it there, and events say again what is damaged.
            _ if first == Position(0) => (None, Fit::Whole),
            None => (at(first, Self::default()), Fit::Missing { records: first.0 }),
            Some(found) if found.next < first => {
                let records = first.0 - found.next.0;
                (at(first, found), Fit::Missing { records })
            }
            Some(found) if found.next > next => {
                let fit = Fit::Ahead { records: found.next.0 - next.0 };
                (at(next, found), fit)
            }
            Some(found) => (Some(found), Fit::Whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_kept_however_the_log_fits() {
        let found = |next| {
            let arbiter = ArbiterState { fencing: 7, ..ArbiterState::default() };
            let standing = Standing::restored([], Some(3), Some(Position(4)));
            Some(Checkpoint { next: Position(next), arbiter, standing, ..Checkpoint::default() })
        };
        let shown = |(checkpoint, fit): (Option<Checkpoint>, Fit)| {
            let checkpoint = checkpoint.map(|it| (it.next.0, it.arbiter.fencing, it.standing.epoch()));
            (checkpoint, fit)
        };
        for (checkpoint, first, next, expected, why) in [
            (None, 0, 9, (None, Fit::Whole), "a log with all its records"),
            (
                None,
                5,
                9,
                (Some((5, 0, None)), Fit::Missing { records: 5 }),
                "its oldest are gone, with what they said",
            ),
            (found(6), 0, 9, (None, Fit::Whole), "a log with all its records needs none"),
            (found(6), 5, 9, (Some((6, 7, Some(3))), Fit::Whole), "reading begins behind the checkpoint"),
            (found(5), 5, 9, (Some((5, 7, Some(3))), Fit::Whole), "exactly what is gone"),
            (found(9), 9, 9, (Some((9, 7, Some(3))), Fit::Whole), "nothing came since"),
            (found(2), 5, 9, (Some((5, 7, None)), Fit::Missing { records: 3 }), "three records are lost"),
            (found(12), 5, 9, (Some((9, 7, None)), Fit::Ahead { records: 3 }), "the log lost its end"),
            (found(12), 0, 9, (None, Fit::Whole), "the log lost its end, and events say it again"),
        ] {
            let fitted = Checkpoint::fitted(checkpoint, Position(first), Position(next));
            assert_eq!(shown(fitted), expected, "{why}");
        }
    }
}
