//! Start of a partition's judge; mirrors `server`'s `roles/restore.rs`.

use std::{collections::BTreeMap, time::Duration};

use analyzer::{Analyzer, Keeper};
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, Origin, Partition, PolicyLoad, Position, Proposal,
    ReleaseId, Timestamp,
};

use crate::{Sabotage, log::Log, reading::Reading};

/// How far the clocks of those who stamp events may be apart.
const STAMPS_APART_MAX: Duration = Duration::from_secs(10);

/// A judge and the first event that it has not taken.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) keeper: Keeper,
    pub(crate) next: Position,
    pub(crate) is_from_snapshot: bool,
}

/// Brings back the judge of `partition`, from `snapshot` where there is one that fits.
pub(crate) fn restore(
    log: &Log,
    partition: Partition,
    snapshot: Option<&[u8]>,
    longest_window: Duration,
    sabotage: Option<Sabotage>,
) -> Restored {
    let past = Past::read(log, partition, sabotage);
    let from_snapshot = snapshot.and_then(|bytes| Keeper::from_snapshot(partition, bytes, past.decided).ok());
    if let Some((keeper, Position(taken))) = from_snapshot {
        return Restored { keeper, next: Position(taken + 1), is_from_snapshot: true };
    }
    past.replayed(log, longest_window)
}

/// What the decisions log tells of a partition.
struct Past {
    partition: Partition,
    analyzer: Analyzer,
    decided: Option<Position>,
    now: Timestamp,
    policies: Vec<(Timestamp, PolicyLoad)>,
    watched: BTreeMap<ReleaseId, Timestamp>,
}

impl Past {
    fn read(log: &Log, partition: Partition, sabotage: Option<Sabotage>) -> Self {
        let mut past = Self {
            partition,
            analyzer: Analyzer::new(),
            decided: None,
            now: Timestamp::MIN,
            policies: Vec::new(),
            watched: BTreeMap::new(),
        };
        let mut reading = Reading::new(sabotage);
        for (at, record) in log.decisions.iter() {
            if reading.admit(at, record) {
                past.take(record);
            }
        }
        past
    }

    fn take(&mut self, record: &DecisionRecord) {
        for decision in &record.decisions {
            if let Decision::Proposal(Proposal::PolicyLoad(load)) = decision {
                self.take_policy(record, load);
            }
        }
        if record.partition != self.partition || record.origin != Origin::Analyzer {
            return;
        }
        self.now = self.now.max(record.at);
        self.decided = Some(record.position);
        for decision in &record.decisions {
            let Decision::Proposal(proposal) = decision else { continue };
            self.analyzer.restore(proposal);
            match proposal {
                Proposal::Release(release) if release.state.is_under_watch() => {
                    self.watched.insert(release.id.clone(), release.started_at);
                }
                Proposal::Release(release) => drop(self.watched.remove(&release.id)),
                _ => {}
            }
        }
    }

    /// One that did not compile left the one before in force.
    fn take_policy(&mut self, record: &DecisionRecord, load: &PolicyLoad) {
        if policy::compile(load).0.is_some() {
            self.policies.push((record.at, load.clone()));
        }
    }

    /// What was in force when an event of that stamp came. All copies of a policy bear one stamp, so that the
    /// home partition's record tells of every partition; later ones are among the events that follow. One that
    /// comes a little too early here comes again in its place; one that was left out never would.
    fn policy_before(&self, at: Option<Timestamp>) -> Option<PolicyLoad> {
        let is_before = |loaded: Timestamp| at.is_none_or(|at| loaded <= at + STAMPS_APART_MAX);
        let before = self.policies.iter().rev().find(|(loaded, _)| is_before(*loaded));
        before.map(|(_, policy)| policy.clone())
    }

    fn replayed(mut self, log: &Log, longest_window: Duration) -> Restored {
        let events = log.events_of(self.partition);
        let from = match self.decided {
            Some(_) => self.rewind_to(log, longest_window),
            None => 0,
        };
        let first = events.get(from);
        let mut now = Timestamp::MIN;
        if let Some(load) = self.policy_before(first.map(|(_, event)| event.at)) {
            let body = EventBody::PolicyLoad(Box::new(load));
            let source = "replay".to_owned();
            let event = Event { id: EventId::default(), at: now, source, is_copy: true, body };
            let position = first.map_or(Position(0), |(position, _)| position);
            self.analyzer.replay_event(now, position, &event);
        }
        let decided = self.decided;
        for number in from..events.len() {
            let Some((position, event)) = events.get(number) else { break };
            if Some(position) > decided {
                break;
            }
            now = now.max(event.at);
            self.analyzer.replay_event(now, position, event);
        }
        let next = decided.map_or(Position(0), |Position(at)| Position(at + 1));
        let keeper = Keeper::new(self.partition, self.analyzer, self.now, self.now, decided);
        Restored { keeper, next, is_from_snapshot: false }
    }

    /// The number of the first event that has to be read again.
    fn rewind_to(&self, log: &Log, longest_window: Duration) -> usize {
        let oldest = self.watched.values().min().copied().unwrap_or(self.now).min(self.now);
        let from = oldest - longest_window.saturating_mul(2);
        let events = log.events_of(self.partition);
        events.iter().position(|(_, event)| event.at >= from).unwrap_or(events.len())
    }
}
