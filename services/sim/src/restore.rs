//! Start of a partition's judge; mirrors `server`'s `roles/restore.rs`.

use analyzer::{Keeper, Past};
use model::{Partition, Position};

use crate::{Sabotage, log::Log, reading::Reading};

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
    sabotage: Option<Sabotage>,
) -> Restored {
    let past = read_decisions(log, partition, sabotage);
    let from_snapshot =
        snapshot.and_then(|bytes| Keeper::from_snapshot(partition, bytes, past.decided()).ok());
    if let Some((keeper, Position(taken))) = from_snapshot {
        return Restored { keeper, next: Position(taken + 1), is_from_snapshot: true };
    }
    let next = past.decided().map_or(Position(0), |Position(at)| Position(at + 1));
    let keeper = replayed(past, log, partition);
    Restored { keeper, next, is_from_snapshot: false }
}

fn read_decisions(log: &Log, partition: Partition, sabotage: Option<Sabotage>) -> Past {
    let mut past = Past::new(partition);
    let mut reading = Reading::new(sabotage);
    for (at, record) in log.decisions.iter() {
        if reading.admit(at, record) {
            past.take(record);
        }
    }
    past
}

fn replayed(mut past: Past, log: &Log, partition: Partition) -> Keeper {
    let events = log.events_of(partition);
    let from = match past.rewind_to() {
        Some(from) => events.iter().position(|(_, event)| event.at >= from).unwrap_or(events.len()),
        None => 0,
    };
    past.begin_replay(events.get(from).map(|(position, event)| (position, event.at)));
    for number in from..events.len() {
        let Some((position, event)) = events.get(number) else { break };
        if Some(position) > past.decided() {
            break;
        }
        past.replay(position, event);
    }
    past.into_keeper()
}
