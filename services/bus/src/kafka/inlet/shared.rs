//! From the thread that fetches to the task that takes, and back what is done.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use model::Partition;
use tokio::sync::Notify;

use super::{Delivered, InletLag, progress::Progress};
use crate::kafka::cluster::lock;

/// Bytes fetched and not yet taken at which the fetching pauses; it goes on at half. Beside what librdkafka has
/// ready: while the log cannot write, this is what waits.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A partition of a topic.
pub(super) type Place = (Arc<str>, i32);

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    is_stopping: AtomicBool,
    /// Whether nothing is fetched until what waits is taken.
    pub(super) is_paused: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Delivered>,
    waiting_bytes: usize,
    owned: BTreeMap<Place, Progress>,
    /// One after the newest message of each partition that is owned, as the brokers last said.
    ends: BTreeMap<Place, i64>,
    epoch: u64,
    /// What was committed here of each partition, also of one that has gone and come back.
    committed: BTreeMap<Place, i64>,
    /// How often each partition has begun again.
    lives: BTreeMap<Place, u64>,
    /// Messages of each topic that retention took before they were read.
    lost: BTreeMap<Arc<str>, u64>,
    is_over: bool,
}

/// Partitions of which it is remembered what was committed: far more than a process has.
const PLACES_MAX: usize = 10_000;

impl Shared {
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// There will be nothing more.
    pub(super) fn end(&self) {
        lock(&self.state).is_over = true;
        self.arrived.notify_one();
    }

    pub(super) async fn next(&self) -> Option<Delivered> {
        loop {
            // One permit is kept where nobody waits yet, so that nothing that arrives in between is missed.
            let arrived = self.arrived.notified();
            {
                let mut state = lock(&self.state);
                if let Some(message) = state.waiting.pop_front() {
                    state.waiting_bytes -= message.size();
                    return Some(message);
                }
                if state.is_over {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Hands over a message of a partition that is owned; `make` gets the assignment that it came by, and which life of
    /// the partition it is from. Offsets only grow: one before what was committed or handed over is that of a topic
    /// that was made again, or whose messages were deleted.
    pub(super) fn push(&self, place: &Place, offset: i64, make: impl FnOnce(u64, u64) -> Delivered) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let Some(progress) = state.owned.get_mut(place) else { return };
        let is_before_committed = state.committed.get(place).is_some_and(|committed| offset < *committed);
        if is_before_committed || progress.is_before(offset) {
            state.epoch += 1;
            progress.begin_again(state.epoch, offset);
            state.committed.remove(place);
            *state.lives.entry(place.clone()).or_default() += 1;
            let (topic, partition) = (&*place.0, place.1);
            tracing::warn!(
                topic,
                partition,
                offset,
                "an input begins again: its topic was made again, or reset"
            );
        }
        progress.hand_over(offset);
        let message = make(progress.epoch, state.lives.get(place).copied().unwrap_or_default());
        state.waiting_bytes += message.size();
        state.waiting.push_back(message);
        drop(guard);
        self.arrived.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        lock(&self.state).waiting_bytes > WAITING_BYTES_MAX
    }

    pub(super) fn has_room(&self) -> bool {
        lock(&self.state).waiting_bytes <= WAITING_BYTES_MAX / 2
    }

    pub(super) fn done(&self, message: &Delivered) {
        let place = (message.topic.clone(), message.partition.0.cast_signed());
        let mut state = lock(&self.state);
        // Of another assignment: whoever has the partition now gets it again.
        if let Some(progress) = state.owned.get_mut(&place).filter(|progress| progress.epoch == message.epoch)
        {
            progress.done(message.offset.0.cast_signed());
        }
    }

    /// `next`: where it begins, below 0 where that is not known; `committed`: what the group knows.
    pub(super) fn assign(&self, place: Place, next: i64, committed: Option<i64>) {
        let mut state = lock(&self.state);
        state.epoch += 1;
        let epoch = state.epoch;
        state.owned.insert(place, Progress::new(epoch, next, committed));
    }

    /// Takes back what nobody has taken yet: the next owner gets it.
    pub(super) fn recall(&self, place: &Place) {
        let mut state = lock(&self.state);
        let is_of_it = |it: &Delivered| *it.topic == *place.0 && it.partition.0.cast_signed() == place.1;
        let (recalled, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut state.waiting).into_iter().partition(is_of_it);
        state.waiting = left;
        state.waiting_bytes -= recalled.iter().map(Delivered::size).sum::<usize>();
        if let (Some(first), Some(progress)) = (recalled.front(), state.owned.get_mut(place)) {
            progress.recall(first.offset.0.cast_signed());
        }
    }

    pub(super) fn revoke(&self, place: &Place) {
        let mut state = lock(&self.state);
        state.owned.remove(place);
        state.ends.remove(place);
    }

    pub(super) fn places(&self) -> Vec<Place> {
        lock(&self.state).owned.keys().cloned().collect()
    }

    /// Whether everything that was taken of these is done.
    pub(super) fn is_all_done(&self, places: &[Place]) -> bool {
        let state = lock(&self.state);
        places.iter().filter_map(|place| state.owned.get(place)).all(Progress::is_all_done)
    }

    /// What the group should know and does not, and is this member's to say.
    pub(super) fn to_commit(&self) -> BTreeMap<Place, i64> {
        let state = lock(&self.state);
        let of = |(place, progress): (&Place, &Progress)| Some((place.clone(), progress.to_commit()?));
        state.owned.iter().filter_map(of).collect()
    }

    pub(super) fn committed(&self, offsets: &BTreeMap<Place, i64>) {
        let mut state = lock(&self.state);
        for (place, offset) in offsets {
            let state = &mut *state;
            if let Some(progress) = state.owned.get_mut(place) {
                progress.committed(*offset);
                if state.committed.len() < PLACES_MAX || state.committed.contains_key(place) {
                    state.committed.insert(place.clone(), *offset);
                }
            }
        }
    }

    /// Retention took messages of a topic before they were read.
    pub(super) fn note_lost(&self, topic: &Arc<str>, messages: u64) {
        *lock(&self.state).lost.entry(topic.clone()).or_default() += messages;
    }

    pub(super) fn lost(&self) -> Vec<(Arc<str>, u64)> {
        lock(&self.state).lost.iter().map(|(topic, messages)| (topic.clone(), *messages)).collect()
    }

    pub(super) fn note_end(&self, place: Place, end: i64) {
        let mut state = lock(&self.state);
        if state.owned.contains_key(&place) {
            state.ends.insert(place, end);
        }
    }

    pub(super) fn lag(&self) -> Vec<InletLag> {
        let state = lock(&self.state);
        let of = |(place, progress): (&Place, &Progress)| {
            let (end, done_before) = (*state.ends.get(place)?, progress.done_before());
            let messages = if done_before < 0 { 0 } else { end.saturating_sub(done_before).max(0) };
            Some(InletLag {
                topic: place.0.clone(),
                partition: Partition(place.1.max(0).unsigned_abs()),
                messages: messages.unsigned_abs(),
            })
        };
        state.owned.iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use model::{Position, Timestamp};

    use super::*;

    fn deliver(shared: &Shared, place: &Place, offset: i64) -> Delivered {
        shared.push(place, offset, |epoch, life| Delivered {
            topic: place.0.clone(),
            partition: Partition(0),
            offset: Position(offset.unsigned_abs()),
            key: Bytes::new(),
            at: Timestamp::default(),
            headers: Vec::new(),
            payload: None,
            epoch,
            life,
        });
        lock(&shared.state).waiting.pop_back().unwrap()
    }

    #[test]
    fn a_topic_that_was_made_again_is_another_life_of_its_partition_and_its_own_offsets_are_committed() {
        let (shared, place): (_, Place) = (Shared::default(), ("deployments".into(), 0));
        shared.assign(place.clone(), 0, Some(0));
        let first = deliver(&shared, &place, 9);
        shared.done(&first);
        shared.committed(&shared.to_commit());
        let again = deliver(&shared, &place, 0);
        assert_eq!((first.life, again.life), (0, 1), "made again while it was assigned");
        shared.done(&first);
        assert!(shared.to_commit().is_empty() || shared.to_commit()[&place] == 0, "nothing is done of it");
        shared.done(&again);
        assert_eq!(shared.to_commit()[&place], 1);
        shared.committed(&shared.to_commit());

        deliver(&shared, &place, 1);
        shared.revoke(&place);
        shared.assign(place.clone(), 1, Some(1));
        assert_eq!(
            deliver(&shared, &place, 1).life,
            1,
            "what was not committed comes again after a rebalance"
        );
        shared.revoke(&place);
        shared.assign(place.clone(), -1, None);
        assert_eq!(deliver(&shared, &place, 0).life, 2, "made again while it was nobody's");
    }
}
