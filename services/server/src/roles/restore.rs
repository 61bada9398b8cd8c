//! Start of a partition's judge: from its snapshot and the events behind it, or, where there is none that fits,
//! from the decisions log, which restores what outlives a window, and the events that fill the windows again.

use std::{collections::BTreeMap, time::Duration};

use analyzer::{Analyzer, Keeper};
use anyhow::Context as _;
use bus::{Bounds, Bus};
use bytes::Bytes;
use model::{
    Decision, DecisionRecord, Event, EventBody, EventId, Partition, PolicyLoad, Position, Proposal,
    ReleaseId, Standing, Timestamp,
};

use super::{
    follow::Followed,
    records::{Poison, read_decision, read_event},
};
use crate::handover::Handover;

/// A judge and the first event that it has not taken.
pub(crate) struct Restored {
    pub(crate) keeper: Keeper,
    pub(crate) next: Position,
    /// Where the partition ended then: what comes behind is new.
    pub(crate) end: Position,
    pub(crate) is_from_snapshot: bool,
}

/// Brings back the judge of `partition`. Nothing is written for what was decided already. `longest_window`: how far back
/// the policy of the start looks; the one in force by now may look further.
pub(crate) async fn restore(
    bus: &Bus,
    partition: Partition,
    followed: &Followed,
    longest_window: Duration,
    poison: &Poison,
) -> anyhow::Result<Restored> {
    // First: what a snapshot relies on was written before it.
    let snapshot = load_snapshot(bus, partition).await;
    let decisions_end = followed.catch_up().await.context("the decisions log cannot be read")?;
    let decided = followed.projection.read().standing().decided(partition);
    let bounds = bus.events.bounds(partition).await.context("the events log cannot be read")?;
    if let Some(restored) = snapshot.and_then(|bytes| from_snapshot(&bytes, partition, decided, bounds)) {
        return Ok(restored);
    }
    let mut past = read_decisions(bus, partition, decisions_end).await?;
    let longest_window = longest_window.max(followed.longest_window());
    let from = past.rewind_to(bus, partition, bounds, longest_window).await?;
    replay_events(bus, partition, &mut past, from, poison).await?;
    let next = past.decided.map_or(bounds.first, |Position(at)| Position(at + 1)).max(bounds.first);
    let keeper = Keeper::new(partition, past.analyzer, past.now, past.now, past.decided);
    Ok(Restored { keeper, next, end: bounds.next, is_from_snapshot: false })
}

/// Lets events go on behind every position that decisions or the snapshot speak of. Where the events log lost its
/// end they remember more than it does, and what came next would be taken for what was judged already. To be called
/// before the first append.
pub(crate) async fn keep_positions(bus: &Bus, followed: &Followed) {
    for partition in (0..bus.events.partitions()).map(Partition) {
        let decided = followed.projection.read().standing().decided(partition);
        let snapshot = load_snapshot(bus, partition).await;
        let taken = snapshot.and_then(|bytes| Keeper::taken(&bytes));
        if let Some(Position(newest)) = decided.max(taken) {
            bus.events.skip_to(partition, Position(newest.saturating_add(1)));
        }
    }
}

async fn load_snapshot(bus: &Bus, partition: Partition) -> Option<Bytes> {
    match bus.snapshots.load(partition).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(%error, %partition, "the snapshot cannot be read; the log tells the same, slower");
            None
        }
    }
}

/// The snapshot, if it can be used and the log still holds every event behind it.
fn from_snapshot(
    bytes: &[u8],
    partition: Partition,
    decided: Option<Position>,
    bounds: Bounds,
) -> Option<Restored> {
    let (keeper, position) = match Keeper::from_snapshot(partition, bytes, decided) {
        Ok(restored) => restored,
        Err(error) => {
            tracing::warn!(%error, %partition, "the snapshot is not used; the log tells the same, slower");
            return None;
        }
    };
    let next = Position(position.0 + 1);
    if next < bounds.first || next > bounds.next {
        tracing::warn!(%partition, next = next.0, first = bounds.first.0, end = bounds.next.0,
            "the snapshot is of another stretch of the log and is not used");
        return None;
    }
    Some(Restored { keeper, next, end: bounds.next, is_from_snapshot: true })
}

/// What the decisions log tells of a partition.
struct Past {
    partition: Partition,
    analyzer: Analyzer,
    standing: Standing,
    decided: Option<Position>,
    now: Timestamp,
    /// Each policy that came into force, and from which event on.
    policies: Vec<(Position, PolicyLoad)>,
    /// When the oldest release that was under watch at the end began.
    watched: BTreeMap<ReleaseId, Timestamp>,
}

async fn read_decisions(bus: &Bus, partition: Partition, end: Position) -> anyhow::Result<Past> {
    let mut past = Past {
        partition,
        analyzer: Analyzer::new(),
        standing: Standing::default(),
        decided: None,
        now: Timestamp::MIN,
        policies: Vec::new(),
        watched: BTreeMap::new(),
    };
    let unreadable = "the decisions log cannot be read";
    let first = bus.decisions.bounds(Partition::HOME).await.context(unreadable)?.first;
    let mut reader = bus.decisions.reader(Partition::HOME, first);
    while let Some(record) = reader.next_before(end).await.context(unreadable)? {
        // One that cannot be read was told and counted by whoever follows the log.
        if let Ok(decision) = read_decision(&record)
            && past.standing.admit(record.position, &decision)
        {
            past.take(&decision);
        }
        tokio::task::consume_budget().await;
    }
    Ok(past)
}

impl Past {
    fn take(&mut self, record: &DecisionRecord) {
        for decision in &record.decisions {
            // Policies stand on the log once, in the home partition's records, and concern all.
            if let Decision::Proposal(Proposal::PolicyLoad(load)) = decision {
                self.take_policy(record, load);
            }
        }
        if record.partition != self.partition || record.origin != model::Origin::Analyzer {
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

    /// One that did not compile left the one before in force. Positions of another partition say nothing here:
    /// such a policy holds from the events on that follow.
    fn take_policy(&mut self, record: &DecisionRecord, load: &PolicyLoad) {
        if policy::compile(load).0.is_some() {
            let own = record.partition == self.partition;
            let from = if own { record.position } else { self.decided.unwrap_or_default() };
            self.policies.push((from, load.clone()));
        }
    }

    /// What was in force when the event at `position` came; later ones are among the events that follow.
    fn policy_before(&self, position: Position) -> Option<PolicyLoad> {
        let is_before = |from: Position| from < position || self.partition != Partition::HOME;
        let before = self.policies.iter().rev().find(|(from, _)| is_before(*from));
        before.map(|(_, policy)| policy.clone())
    }

    /// Far enough back that every window, and the window before every release under watch, fills again.
    async fn rewind_to(
        &self,
        bus: &Bus,
        partition: Partition,
        bounds: Bounds,
        longest_window: Duration,
    ) -> anyhow::Result<Position> {
        if self.decided.is_none() {
            return Ok(bounds.first);
        }
        let oldest = self.watched.values().min().copied().unwrap_or(self.now).min(self.now);
        let from = oldest - longest_window.saturating_mul(2);
        let position =
            bus.events.position_at(partition, from).await.context("the events log cannot be read")?;
        Ok(position.max(bounds.first))
    }
}

async fn replay_events(
    bus: &Bus,
    partition: Partition,
    past: &mut Past,
    from: Position,
    poison: &Poison,
) -> anyhow::Result<()> {
    let mut now = Timestamp::MIN;
    // A partition that decided nothing yet has to know the policy all the same: it may have come before the
    // oldest event that is left.
    if let Some(load) = past.policy_before(from) {
        let body = EventBody::PolicyLoad(Box::new(load));
        let event =
            Event { id: EventId::default(), at: now, source: "replay".to_owned(), is_copy: true, body };
        past.analyzer.replay_event(now, from, &event);
    }
    let Some(decided) = past.decided else { return Ok(()) };
    let handover = Handover::default();
    let mut reader = bus.events.reader(partition, from);
    let end = Position(decided.0 + 1);
    while let Some(record) = reader.next_before(end).await.context("the events log cannot be read")? {
        match read_event(&record, &handover) {
            Ok(event) => {
                now = now.max(event.at);
                past.analyzer.replay_event(now, record.position, &event);
                handover.give_back_of(event);
            }
            Err(why) => poison.note("events", partition, &record, &why),
        }
        tokio::task::consume_budget().await;
    }
    Ok(())
}
