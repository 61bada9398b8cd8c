//! One process with its roles, and what it believes; all of it dies with it.

use std::collections::BTreeMap;

use model::{EventBody, Partition};

use crate::{
    Sabotage, act::Act, faults::Crash, judge::Judge, log::Log, notify::Telling, projection::Projection,
    seat::Seat,
};

/// The parts of the way of the data that a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) ingest: bool,
    pub(crate) analyze: bool,
    pub(crate) act: bool,
    pub(crate) notify: bool,
}

impl Roles {
    pub(crate) const ALL: Self = Self { ingest: true, analyze: true, act: true, notify: true };
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) known: Projection,
    pub(crate) judges: BTreeMap<Partition, Judge>,
    pub(crate) seat: Option<Seat>,
    pub(crate) act: Option<Act>,
    pub(crate) telling: Option<Telling>,
    /// Events that this process has made, to be appended until they are durable.
    pub(crate) to_append: Vec<(&'static str, EventBody)>,
}

/// A process, running or not.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) roles: Roles,
    starts: u32,
    pub(crate) running: Option<Running>,
    pub(crate) down_until: u32,
    /// Not heard by any group before then.
    pub(crate) cut_off_until: u32,
    /// Does nothing before then.
    pub(crate) stalled_until: u32,
    /// Judges and decides nothing before then.
    pub(crate) slow_until: u32,
    pub(crate) armed: Option<Crash>,
}

impl Process {
    pub(crate) fn new(roles: Roles) -> Self {
        Self {
            roles,
            starts: 0,
            running: None,
            down_until: 0,
            cut_off_until: 0,
            stalled_until: 0,
            slow_until: 0,
            armed: None,
        }
    }

    /// Begins anew, knowing nothing but what stands on the log.
    pub(crate) fn start(&mut self, number: usize, log: &Log, sabotage: Option<Sabotage>) {
        self.starts += 1;
        let mut known = Projection::new(sabotage);
        known.catch_up(log);
        let instance = format!("process {number}, start {}", self.starts);
        self.running = Some(Running {
            judges: BTreeMap::new(),
            seat: self.roles.analyze.then(|| Seat::new(instance, log, sabotage)),
            act: self.roles.act.then(|| Act::new(&known, log.events.len() as u32)),
            telling: None,
            to_append: Vec::new(),
            known,
        });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the groups hear it.
    pub(crate) fn is_heard(&self, second: u32) -> bool {
        self.is_running() && self.cut_off_until <= second
    }

    /// Whether it does anything.
    pub(crate) fn is_awake(&self, second: u32) -> bool {
        self.is_running() && self.stalled_until <= second
    }
}
