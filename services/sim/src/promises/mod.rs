//! What may never happen, each promise a small function; looked at after every step, from outside of the cores.

mod acting;
mod decided;
mod order;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Command, CommandId, DecisionRecord, Halt, HaltId, Labels, Notice, Position, Release, ReleaseId, Rise,
    Timestamp,
};

use crate::{
    lines::Line,
    log::Log,
    plan::{Plan, VersionPlan},
};

pub(crate) use telling::failure;

/// How much of a difference is shown, and of what stands before it, in characters.
const SHOWN: usize = 240;
const SHOWN_BEFORE: usize = 80;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: &'static str,
    /// Since the run's beginning.
    pub second: i64,
    pub what: String,
}

/// What was seen so far, kept apart from what the cores know.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) violations: Vec<Violation>,
    order: order::Seen,
    /// By id and fencing number, in records that count.
    intents: BTreeSet<(CommandId, u64)>,
    /// The same in records that do not.
    void_intents: BTreeSet<(CommandId, u64)>,
    /// When each release was first answered for: a command made, whatever its state.
    first_command: BTreeMap<ReleaseId, i64>,
    releases: BTreeMap<ReleaseId, Release>,
    changes: Vec<(i64, ReleaseId, model::ReleaseState)>,
    bad: BTreeSet<(String, String, String)>,
    halts: BTreeMap<HaltId, Halt>,
    /// By service and trigger.
    exceeding: BTreeMap<(String, String), Exceeding>,
    /// How a release's bad requests last rose, by trigger; `None` where they could not be counted.
    rises: BTreeMap<(ReleaseId, String), Option<Rise>>,
    effective: BTreeMap<CommandId, String>,
    pub(crate) automatic: Vec<(i64, String, String)>,
    pub(crate) blameless: Vec<(i64, String, String)>,
    firing: BTreeMap<Labels, (i64, Notice)>,
    resolved: BTreeMap<Labels, i64>,
}

/// A limit that a service exceeds without a release: since when, by which record, and how.
#[derive(Clone, Copy, Debug)]
struct Exceeding {
    since: i64,
    by: Position,
    rise: Option<Rise>,
}

impl Promises {
    fn broken(&mut self, promise: &'static str, at: i64, what: impl Into<String>) {
        self.violations.push(Violation { promise, second: at, what: what.into() });
    }

    /// A record stands on the decisions log; whether it counts.
    pub(crate) fn note_decision(
        &mut self,
        at: Position,
        record: &DecisionRecord,
        log: &Log,
        now: Timestamp,
        plan: &Plan,
    ) -> bool {
        let counts = self.order.take(at, record);
        if counts {
            self.check_order(at, record, log, now);
            self.note_counted(at, record, plan);
        } else {
            self.note_void(record);
        }
        counts
    }

    /// How many releases there were.
    pub(crate) fn releases(&self) -> usize {
        self.releases.len()
    }

    pub(crate) fn check_counted_at_most_once(&mut self, at: u32, service: &str, counted: u64, served: u64) {
        if counted > served {
            let what = format!("{service}: {counted} requests counted, {served} served");
            self.broken("each request counts once", i64::from(at), what);
        }
    }

    /// Two lists of decisions, line by line.
    pub(crate) fn check_equal(&mut self, promise: &'static str, have: &[Line], want: &[Line]) {
        let longest = have.len().max(want.len());
        let differs = (0..longest).find(|&at| have.get(at) != want.get(at));
        let Some(at) = differs else { return };
        let text = |lines: &[Line]| lines.get(at).map_or_else(|| "nothing".to_owned(), Line::text);
        let (have, want) = (text(have), text(want));
        let common = have.chars().zip(want.chars()).take_while(|(a, b)| a == b).count();
        let cut = |text: &str| {
            text.chars().skip(common.saturating_sub(SHOWN_BEFORE)).take(SHOWN).collect::<String>()
        };
        let head: String = have.chars().take(SHOWN).collect();
        let what = format!("decision {at}: {head}\n    have …{}\n    want …{}", cut(&have), cut(&want));
        self.broken(promise, -1, what);
    }

    pub(crate) fn check_bound(&mut self, at: u32, name: &str, value: usize, most: usize) {
        if value > most {
            self.broken("memory is bounded", i64::from(at), format!("{name}: {value}, at most {most}"));
        }
    }
}

fn truth_of<'a>(plan: &'a Plan, service: &str, version: &str) -> Option<&'a VersionPlan> {
    let service = plan.services.iter().find(|it| it.name == service)?;
    service.versions.iter().find(|it| it.name == version)
}

fn describe(command: &Command) -> String {
    let to = command.to_version.as_deref().unwrap_or("?");
    let key = &command.release.key;
    format!("{} {} {} to {to} ({:?})", command.id, key.service, command.release.version, command.mode)
}
