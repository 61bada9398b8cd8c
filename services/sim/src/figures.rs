//! How to run a seed, and what came of it.

use crate::promises::Violation;

/// A fault put in on purpose, to show that the promises notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The deployment tool carries a command out each time it comes.
    TargetIgnoresIds,
    /// An event is acked before it is durable.
    AcksBeforeSync,
    /// The arbiter takes a record that stands on the log twice for two.
    RepeatsCountAsNew,
    /// What an arbiter writes counts although another one has claimed.
    SupersededWordCounts,
    /// Decisions are carried out before they are on the log.
    ActsBeforeAppend,
    /// A snapshot holds what was decided and could not be written yet. Keepers refuse it: nothing comes of it.
    SnapshotsRunAhead,
    /// A judge goes on when its partition is given back.
    KeepsWhatItGaveBack,
}

/// How to run a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub tells_story: bool,
    pub sabotage: Option<Sabotage>,
}

/// How much happened, summed over runs to see that the runs are worth something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub events: u64,
    pub decisions: u64,
    pub releases: u64,
    pub crashes: u64,
    /// Partitions, and the arbiter's place, that changed hands while their owner lived.
    pub handovers: u64,
    /// Records that two processes wrote, each believing that it was its turn, and that do not count.
    pub void_records: u64,
    pub snapshots_used: u64,
    pub checkpoints: u64,
    pub restores_from_logs: u64,
    pub automatic_rollbacks: u64,
    /// Of versions with nothing wrong in them: only a shared outage can cause one.
    pub blameless_rollbacks: u64,
    pub executions: u64,
    pub messages: u64,
    /// Runs on one partition in one process, compared with a run without a crash.
    pub embedded_runs: u64,
    /// Runs in which, whatever died, others took over within the second: compared as well.
    pub timely_runs: u64,
    /// Runs in which a crash changed a number in some reason, though no decision. None would be better.
    pub runs_with_other_numbers: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.decisions += other.decisions;
        self.releases += other.releases;
        self.crashes += other.crashes;
        self.handovers += other.handovers;
        self.void_records += other.void_records;
        self.snapshots_used += other.snapshots_used;
        self.checkpoints += other.checkpoints;
        self.restores_from_logs += other.restores_from_logs;
        self.automatic_rollbacks += other.automatic_rollbacks;
        self.blameless_rollbacks += other.blameless_rollbacks;
        self.executions += other.executions;
        self.messages += other.messages;
        self.embedded_runs += other.embedded_runs;
        self.timely_runs += other.timely_runs;
        self.runs_with_other_numbers += other.runs_with_other_numbers;
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub story: Vec<String>,
    /// Every decision as text, in order.
    pub decisions: Vec<String>,
    pub figures: Figures,
}
