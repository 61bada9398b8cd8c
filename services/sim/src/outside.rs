//! The models of what Ripcord talks to: the deployment tool that executes rollbacks, and the receivers.

use std::collections::BTreeMap;

use model::{Command, CommandId, Send};

use crate::random::Random;

/// What a deployment tool does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Takes it, carries it out, reports success later.
    Accepts,
    /// Carries it out and says so.
    Succeeds,
    Fails,
    /// Carries it out, but its answer is lost; the success is reported late.
    FailsAndSucceeds,
    /// A proxy repeats the request.
    AcceptsTwice,
}

impl Answer {
    pub(crate) fn draw(random: &mut Random) -> Self {
        *random.pick(&[
            Self::Accepts,
            Self::Accepts,
            Self::Accepts,
            Self::Succeeds,
            Self::Fails,
            Self::FailsAndSucceeds,
            Self::AcceptsTwice,
        ])
    }
}

/// A request that reached the deployment tool.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) second: u32,
    pub(crate) command: Command,
    /// Whether it changed what runs; a repeat under a known id does not.
    pub(crate) is_effective: bool,
}

/// Executes each id once.
#[derive(Debug)]
pub(crate) struct Deployer {
    done: BTreeMap<CommandId, String>,
    /// `false`: a fault put in on purpose.
    pub(crate) checks_ids: bool,
}

impl Deployer {
    pub(crate) fn new(checks_ids: bool) -> Self {
        Self { done: BTreeMap::new(), checks_ids }
    }

    pub(crate) fn receive(&mut self, second: u32, command: &Command) -> Execution {
        let to_version = command.to_version.clone().unwrap_or_default();
        let is_known = self.done.insert(command.id.clone(), to_version).is_some();
        let is_effective = !(is_known && self.checks_ids);
        Execution { second, command: command.clone(), is_effective }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    pub(crate) seconds: u32,
    pub(crate) is_delivered: bool,
}

impl Post {
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.between(0, 11) {
            0 => Self { seconds: random.between(2, 8), is_delivered: false },
            1 => Self { seconds: random.between(10, 50), is_delivered: true },
            _ => Self { seconds: random.between(0, 2), is_delivered: true },
        }
    }
}

/// A message that a receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) send: Send,
}
