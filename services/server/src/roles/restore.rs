//! Start of a partition's judge: from its snapshot and the events behind it, or, where there is none that fits,
//! from the decisions log, which restores what outlives a window, and the events that fill the windows again.

use analyzer::{Keeper, Past};
use anyhow::Context as _;
use bus::{Bounds, Bus};
use bytes::Bytes;
use model::{Partition, Position, Stamps, Standing};

use super::{
    follow::Followed,
    records::{Poison, read_event},
    scrutiny::Scrutiny,
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

/// Brings back the judge of `partition`. Nothing is written for what was decided already.
pub(crate) async fn restore(
    bus: &Bus,
    partition: Partition,
    followed: &Followed,
    (poison, scrutiny): (&Poison, &Scrutiny),
) -> anyhow::Result<Restored> {
    // First: what a snapshot relies on was written before it.
    let snapshot = load_snapshot(bus, partition).await;
    let decisions_end = followed.catch_up().await.context("the decisions log cannot be read")?;
    let decided = followed.projection.read().decided(partition);
    let bounds = bus.events.bounds(partition).await.context("the events log cannot be read")?;
    if let Some(restored) = snapshot.and_then(|bytes| from_snapshot(&bytes, partition, decided, bounds)) {
        return Ok(restored);
    }
    let mut past = read_decisions(bus, partition, decisions_end, scrutiny).await?;
    replay_events(bus, partition, &mut past, bounds, (poison, scrutiny)).await?;
    let next = past.decided().map_or(bounds.first, |Position(at)| Position(at + 1)).max(bounds.first);
    Ok(Restored { keeper: past.into_keeper(), next, end: bounds.next, is_from_snapshot: false })
}

/// Lets events go on behind every position that decisions or the snapshot speak of. Where the events log lost its
/// end they remember more than it does, and what came next would be taken for what was judged already. To be called
/// before the first append.
pub(crate) async fn keep_positions(bus: &Bus, followed: &Followed) {
    for partition in (0..bus.events.partitions()).map(Partition) {
        let decided = followed.projection.read().decided(partition);
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

async fn read_decisions(
    bus: &Bus,
    partition: Partition,
    end: Position,
    scrutiny: &Scrutiny,
) -> anyhow::Result<Past> {
    let (mut past, mut standing) = (Past::new(partition), Standing::default());
    let unreadable = "the decisions log cannot be read";
    let first = bus.decisions.bounds(Partition::HOME).await.context(unreadable)?.first;
    let mut reader = bus.decisions.reader(Partition::HOME, first);
    while let Some(record) = reader.next_before(end).await.context(unreadable)? {
        // One that cannot be read was told and counted by whoever follows the log.
        if let Ok(decision) = scrutiny.decision(&record).await
            && standing.admit(record.position, &decision)
        {
            past.take(&decision);
        }
        tokio::task::consume_budget().await;
    }
    Ok(past)
}

async fn replay_events(
    bus: &Bus,
    partition: Partition,
    past: &mut Past,
    bounds: Bounds,
    (poison, scrutiny): (&Poison, &Scrutiny),
) -> anyhow::Result<()> {
    let unreadable = "the events log cannot be read";
    let from = match past.rewind_to() {
        Some(at) => bus.events.position_at(partition, at).await.context(unreadable)?,
        None => bounds.first,
    };
    let (handover, mut stamps) = (Handover::default(), Stamps::default());
    let mut reader = bus.events.reader(partition, from.max(bounds.first));
    let mut next = reader.next_before(bounds.next).await.context(unreadable)?;
    past.begin_replay(next.as_ref().map(|record| (record.position, record.at)));
    while let Some(record) = next.filter(|record| Some(record.position) <= past.decided()) {
        match read_event(&record, &handover) {
            Ok(mut event) => {
                scrutiny.replay(&mut stamps, &mut event);
                past.replay(record.position, &event);
                handover.give_back_of(event);
            }
            Err(why) => poison.note("events", partition, &record, &why),
        }
        tokio::task::consume_budget().await;
        next = reader.next_before(bounds.next).await.context(unreadable)?;
    }
    Ok(())
}
