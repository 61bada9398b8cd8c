//! The analyze role without its log and threads: one partition's keeper and the arbiter's chair; mirrors `server`'s
//! `roles/keep.rs`, `roles/restore.rs` and `roles/arbitrate.rs`.

use std::{collections::BTreeMap, time::Duration};

use analyzer::{Analyzer, Keeper};
use arbiter::Chair;
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, Origin, Partition, PolicyLoad, Position, Proposal,
    ReleaseId, Standing, Timestamp,
};

/// Both logs. A position is an index.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: Vec<DecisionRecord>,
    /// What the keeper stored last.
    pub(crate) snapshot: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) keeper: Keeper,
    pub(crate) chair: Chair,
    pub(crate) next_event: usize,
    /// Decision records that the chair has taken.
    read: usize,
    has_claimed: bool,
}

impl Judge {
    /// Knows nothing. `start` names the process: no two have the same.
    fn new(start: usize) -> Self {
        let keeper = Keeper::new(Partition::HOME, Analyzer::new(), Timestamp::MIN, Timestamp::MIN, None);
        Self { keeper, chair: Chair::new(start.to_string()), next_event: 0, read: 0, has_claimed: false }
    }

    /// The next record to append: a claim, an answer, the time that has come, or what the next event leads to.
    /// `None`: everything is judged and answered.
    pub(crate) fn next_record(&mut self, logs: &Logs, now: Timestamp) -> Option<DecisionRecord> {
        if !std::mem::replace(&mut self.has_claimed, true) {
            return Some(self.chair.claim(now));
        }
        loop {
            self.follow(&logs.decisions);
            if let Some(answer) = self.chair.poll_answer() {
                return Some(answer);
            }
            if self.chair.poll_timeout().is_some_and(|due| due <= now)
                && let Some(clock) = self.chair.clock(now)
            {
                return Some(clock);
            }
            let event = logs.events.get(self.next_event).filter(|event| event.at <= now)?;
            let position = Position(self.next_event as u64);
            self.next_event += 1;
            if let Some(record) = self.keeper.judge(position, event) {
                return Some(record);
            }
        }
    }

    /// The state after the last event taken; `None` before the first.
    pub(crate) fn snapshot(&self) -> Option<Vec<u8>> {
        let taken = self.next_event.checked_sub(1)?;
        Some(self.keeper.snapshot(Position(taken as u64)))
    }

    fn follow(&mut self, decisions: &[DecisionRecord]) {
        for (at, record) in decisions.iter().enumerate().skip(self.read) {
            self.chair.take(Position(at as u64), record);
        }
        self.read = decisions.len();
    }

    /// Rebuilds the judge from both logs, or from a snapshot and the events behind it.
    pub(crate) fn restore(
        logs: &Logs,
        longest_window: Duration,
        start: usize,
        is_snapshot_used: bool,
    ) -> Self {
        let mut judge = Self::new(start);
        judge.follow(&logs.decisions);
        let past = Past::of(&logs.decisions);
        let snapshot = logs.snapshot.as_ref().filter(|_| is_snapshot_used);
        let restored = snapshot.map(|bytes| Keeper::from_snapshot(Partition::HOME, bytes, past.decided));
        if let Some(Ok((keeper, taken))) = restored {
            (judge.keeper, judge.next_event) = (keeper, taken.0 as usize + 1);
            return judge;
        }
        judge.next_event = past.decided.map_or(0, |Position(at)| at as usize + 1);
        judge.keeper = past.into_keeper(&logs.events, longest_window);
        judge
    }
}

/// What the decisions log tells of the partition.
struct Past {
    analyzer: Analyzer,
    decided: Option<Position>,
    now: Timestamp,
    policies: Vec<(Position, PolicyLoad)>,
    watched: BTreeMap<ReleaseId, Timestamp>,
}

impl Past {
    fn of(decisions: &[DecisionRecord]) -> Self {
        let mut past = Self {
            analyzer: Analyzer::new(),
            decided: None,
            now: Timestamp::MIN,
            policies: Vec::new(),
            watched: BTreeMap::new(),
        };
        let mut standing = Standing::default();
        for (at, record) in decisions.iter().enumerate() {
            if standing.admit(Position(at as u64), record) && record.origin == Origin::Analyzer {
                past.take(record);
            }
        }
        past
    }

    fn take(&mut self, record: &DecisionRecord) {
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
                Proposal::PolicyLoad(load) if policy::compile(load).0.is_some() => {
                    self.policies.push((record.position, PolicyLoad::clone(load)));
                }
                _ => {}
            }
        }
    }

    fn into_keeper(mut self, events: &[Event], longest_window: Duration) -> Keeper {
        if let Some(Position(decided)) = self.decided {
            self.replay(events, decided as usize, longest_window);
        }
        Keeper::new(Partition::HOME, self.analyzer, self.now, self.now, self.decided)
    }

    fn replay(&mut self, events: &[Event], decided: usize, longest_window: Duration) {
        let oldest = self.watched.values().min().copied().unwrap_or(self.now).min(self.now);
        let begin = oldest - longest_window.saturating_mul(2);
        let from = events.partition_point(|event| event.at < begin);
        let mut now = Timestamp::MIN;
        let in_force = self.policies.iter().rev().find(|(position, _)| (position.0 as usize) < from);
        if let Some((_, load)) = in_force.cloned() {
            let body = EventBody::PolicyLoad(Box::new(load));
            let event =
                Event { id: EventId::default(), at: now, source: "replay".to_owned(), is_copy: true, body };
            self.analyzer.replay_event(now, Position(from as u64), &event);
        }
        for (position, event) in events.iter().enumerate().take(decided + 1).skip(from) {
            now = now.max(event.at);
            self.analyzer.replay_event(now, Position(position as u64), event);
        }
    }
}

/// What a judge that never died makes of the same events, each at its time.
pub(crate) fn judged_without_a_crash(events: &[Event]) -> Vec<DecisionRecord> {
    let mut logs = Logs { events: events.to_vec(), ..Logs::default() };
    let mut judge = Judge::new(0);
    let times: Vec<Timestamp> = events.iter().map(|event| event.at).collect();
    for now in times {
        while let Some(record) = judge.next_record(&logs, now) {
            logs.decisions.push(record);
        }
    }
    logs.decisions
}
