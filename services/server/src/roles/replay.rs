//! Start: the decisions log restores what outlives a window, the events log restores the windows.

use std::{collections::BTreeMap, time::Duration};

use analyzer::Analyzer;
use anyhow::Context as _;
use arbiter::Arbiter;
use bus::Bus;
use console::SharedProjection;
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, PolicyLoad, Position, Proposal, ReleaseId, Timestamp,
};
use prometheus::IntCounterVec;

use super::judge::{Judge, read_event};

/// What a restart found.
pub(crate) struct Restored {
    pub(crate) judge: Judge,
    /// The first event that was not decided yet.
    pub(crate) next_event: Position,
    /// Where the decisions log ended: what stands before it is past.
    pub(crate) decisions_end: Position,
    /// The policy in force, as last recorded.
    pub(crate) policy: Option<PolicyLoad>,
}

/// Rebuilds the cores and the projection. Nothing is emitted for what was decided already.
pub(crate) async fn restore(
    bus: &Bus,
    projection: &SharedProjection,
    longest_window: Duration,
    poison: &IntCounterVec,
) -> anyhow::Result<Restored> {
    let decisions_end = bus.decisions.next_position();
    let mut past = read_decisions(bus, projection, poison).await?;
    let from = past.rewind_to(bus, longest_window).await?;
    replay_events(bus, &mut past, from, poison).await?;
    let next_event = past.decided.map_or(bus.events.first_position(), |Position(at)| Position(at + 1));
    let judge = Judge { analyzer: past.analyzer, arbiter: past.arbiter, now: past.now, noted_at: past.now };
    let policy = past.policies.pop().map(|(_, policy)| policy);
    Ok(Restored { judge, next_event, decisions_end, policy })
}

/// What the decisions log tells.
struct Past {
    arbiter: Arbiter,
    analyzer: Analyzer,
    decided: Option<Position>,
    now: Timestamp,
    /// Each policy that came into force, and from which event on.
    policies: Vec<(Position, PolicyLoad)>,
    /// When the oldest release that was under watch at the end began.
    watched: BTreeMap<ReleaseId, Timestamp>,
}

async fn read_decisions(
    bus: &Bus,
    projection: &SharedProjection,
    poison: &IntCounterVec,
) -> anyhow::Result<Past> {
    let mut past = Past {
        arbiter: Arbiter::new(),
        analyzer: Analyzer::new(),
        decided: None,
        now: Timestamp::MIN,
        policies: Vec::new(),
        watched: BTreeMap::new(),
    };
    let mut reader = bus.decisions.reader(bus.decisions.first_position());
    while let Some(record) = reader.try_next().context("the decisions log cannot be read")? {
        match proto::decode_decision(&record.payload) {
            // After a failed write the same record may stand there twice.
            Ok(decisions) if past.decided >= Some(decisions.position) => {}
            Ok(decisions) => {
                past.take(&decisions);
                projection.apply(&decisions);
            }
            Err(error) => {
                poison.with_label_values(&["decision"]).inc();
                let position = record.position.0;
                tracing::error!(position, %error, "a decision record cannot be read and is skipped");
            }
        }
        // Thousands of records are applied in one go; the server's other tasks get their turn in between.
        tokio::task::consume_budget().await;
    }
    Ok(past)
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
                Proposal::PolicyLoad(load) => self.take_policy(record.position, load),
                _ => {}
            }
        }
        // What the arbiter decides again stands on the log already.
        while self.arbiter.poll_decision().is_some() {}
    }

    /// One that does not compile left the one before in force.
    fn take_policy(&mut self, position: Position, load: &PolicyLoad) {
        if policy::compile(load).0.is_some() {
            self.policies.push((position, load.clone()));
        }
    }

    /// What was in force when the event at `position` came; later ones are among the events that follow.
    fn policy_before(&self, position: Position) -> Option<PolicyLoad> {
        let before = self.policies.iter().rev().find(|(from, _)| *from < position);
        before.map(|(_, policy)| policy.clone())
    }

    /// Far enough back that every window, and the window before every release under watch, fills again.
    async fn rewind_to(&self, bus: &Bus, longest_window: Duration) -> anyhow::Result<Position> {
        let oldest = self.watched.values().min().copied().unwrap_or(self.now).min(self.now);
        let from = oldest - longest_window.saturating_mul(2);
        let position = bus.events.position_at(from).await.context("the events log cannot be read")?;
        Ok(position.max(bus.events.first_position()))
    }
}

async fn replay_events(
    bus: &Bus,
    past: &mut Past,
    from: Position,
    poison: &IntCounterVec,
) -> anyhow::Result<()> {
    let Some(decided) = past.decided else { return Ok(()) };
    let mut now = Timestamp::MIN;
    if let Some(load) = past.policy_before(from) {
        let body = EventBody::PolicyLoad(Box::new(load));
        let event = Event { id: EventId::default(), at: now, source: "replay".to_owned(), body };
        past.analyzer.replay_event(now, from, &event);
    }
    let mut reader = bus.events.reader(from);
    while let Some(record) = reader.try_next().context("the events log cannot be read")? {
        if record.position > decided {
            break;
        }
        if let Some(event) = read_event(&record, poison) {
            now = now.max(event.at);
            past.analyzer.replay_event(now, record.position, &event);
        }
        tokio::task::consume_budget().await;
    }
    Ok(())
}
