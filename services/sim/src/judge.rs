//! The judge role without its log and threads; mirrors `server`'s `roles/judge.rs` and `roles/replay.rs`.

use std::{collections::BTreeMap, time::Duration};

use analyzer::Analyzer;
use arbiter::Arbiter;
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, PolicyLoad, Position, Proposal, ReleaseId, Timestamp,
};

/// As in the judge role: how long the decisions log may be silent before it notes how far was judged.
const NOTE_PROGRESS_AFTER: Duration = Duration::from_secs(60);

/// Both logs. A position is an index.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: Vec<DecisionRecord>,
}

#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) analyzer: Analyzer,
    pub(crate) arbiter: Arbiter,
    pub(crate) now: Timestamp,
    noted_at: Timestamp,
    pub(crate) next_event: usize,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self {
            analyzer: Analyzer::new(),
            arbiter: Arbiter::new(),
            now: Timestamp::MIN,
            noted_at: Timestamp::MIN,
            next_event: 0,
        }
    }

    /// Judges the next event; the record to append, if there is anything to note.
    pub(crate) fn judge_next(&mut self, event: &Event) -> Option<DecisionRecord> {
        let position = Position(self.next_event as u64);
        self.next_event += 1;
        let decisions = self.judge(position, event);
        let is_progress_due = self.now.since(self.noted_at) >= NOTE_PROGRESS_AFTER;
        if decisions.is_empty() && !is_progress_due {
            return None;
        }
        self.noted_at = self.now;
        Some(DecisionRecord { cause: event.id.clone(), position, at: self.now, decisions })
    }

    fn judge(&mut self, position: Position, event: &Event) -> Vec<Decision> {
        self.now = self.now.max(event.at);
        let mut decisions = Vec::new();
        if self.arbiter.poll_timeout().is_some_and(|due| due <= self.now) {
            self.arbiter.handle_timeout(self.now);
            self.drain_arbiter(&mut decisions);
        }
        if self.analyzer.poll_timeout().is_some_and(|due| due <= self.now) {
            self.analyzer.handle_timeout(self.now);
        }
        self.analyzer.handle_event(self.now, position, event);
        while let Some(proposal) = self.analyzer.poll_proposal() {
            self.arbiter.handle_proposal(self.now, &event.id, &proposal);
            decisions.push(Decision::Proposal(proposal));
            self.drain_arbiter(&mut decisions);
        }
        decisions
    }

    fn drain_arbiter(&mut self, decisions: &mut Vec<Decision>) {
        while let Some(decision) = self.arbiter.poll_decision() {
            decisions.push(decision);
        }
    }

    /// Rebuilds the judge from both logs. `skips_repeats: false` is a fault put in on purpose: a record that
    /// stands twice on the log counts twice.
    pub(crate) fn restore(logs: &Logs, longest_window: Duration, skips_repeats: bool) -> Self {
        let mut past = Past::default();
        for record in &logs.decisions {
            // After a failed write the same record may stand there twice.
            if skips_repeats && past.decided >= Some(record.position) {
                continue;
            }
            past.take(record);
        }
        past.replay_events(&logs.events, longest_window);
        Self {
            analyzer: past.analyzer,
            arbiter: past.arbiter,
            now: past.now,
            noted_at: past.now,
            next_event: past.decided.map_or(0, |Position(at)| at as usize + 1),
        }
    }
}

struct Past {
    arbiter: Arbiter,
    analyzer: Analyzer,
    decided: Option<Position>,
    now: Timestamp,
    policies: Vec<(Position, PolicyLoad)>,
    watched: BTreeMap<ReleaseId, Timestamp>,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            arbiter: Arbiter::new(),
            analyzer: Analyzer::new(),
            decided: None,
            now: Timestamp::MIN,
            policies: Vec::new(),
            watched: BTreeMap::new(),
        }
    }
}

impl Past {
    fn take(&mut self, record: &DecisionRecord) {
        self.now = self.now.max(record.at);
        self.decided = Some(record.position);
        if self.arbiter.poll_timeout().is_some_and(|due| due <= self.now) {
            self.arbiter.handle_timeout(self.now);
        }
        for decision in &record.decisions {
            let Decision::Proposal(proposal) = decision else { continue };
            self.arbiter.handle_proposal(self.now, &record.cause, proposal);
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
        // What the arbiter decides again stands on the log already.
        while self.arbiter.poll_decision().is_some() {}
    }

    fn replay_events(&mut self, events: &[Event], longest_window: Duration) {
        let Some(Position(decided)) = self.decided else { return };
        let oldest = self.watched.values().min().copied().unwrap_or(self.now).min(self.now);
        let begin = oldest - longest_window.saturating_mul(2);
        let from = events.partition_point(|event| event.at < begin);
        let mut now = Timestamp::MIN;
        let in_force = self.policies.iter().rev().find(|(position, _)| (position.0 as usize) < from);
        if let Some((_, load)) = in_force.cloned() {
            let body = EventBody::PolicyLoad(Box::new(load));
            let event = Event { id: EventId::default(), at: now, source: "replay".to_owned(), body };
            self.analyzer.replay_event(now, Position(from as u64), &event);
        }
        for (position, event) in events.iter().enumerate().take(decided as usize + 1).skip(from) {
            now = now.max(event.at);
            self.analyzer.replay_event(now, Position(position as u64), event);
        }
    }
}

/// What a judge that never died makes of the same events.
pub(crate) fn judged_without_a_crash(events: &[Event]) -> Vec<DecisionRecord> {
    let mut judge = Judge::new();
    events.iter().filter_map(|event| judge.judge_next(event)).collect()
}
