//! How far this process has come on each partition, whatever the group knows of it.

use std::collections::BTreeMap;

use bus::Delivered;
use model::{Partition, Timestamp};

/// Partitions remembered; beyond it some are forgotten, and what comes again of them counts again.
const PLACES_MAX: usize = 10_000;

/// What was taken of each partition.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<(String, Partition), Mark>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Which life of the partition: another one has offsets of its own.
    life: u64,
    /// One after the last message taken.
    next: u64,
    /// The newest moment of a message taken.
    newest: Timestamp,
}

impl Taken {
    /// Whether the message was not taken before; notes it. A low offset of a later life of the partition, or with a time
    /// later than all that was taken, is no repeat: the topic was made again.
    pub(super) fn is_new(&mut self, message: &Delivered) -> bool {
        self.note((message.topic.to_string(), message.partition), message.life, message.offset.0, message.at)
    }

    fn note(&mut self, place: (String, Partition), life: u64, offset: u64, at: Timestamp) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(&place) {
            self.0.pop_first();
        }
        let mark = self.0.entry(place).or_insert(Mark { life, next: 0, newest: at });
        if life > mark.life {
            *mark = Mark { life, next: 0, newest: at };
        }
        if offset < mark.next && at <= mark.newest {
            return false;
        }
        *mark = Mark { life: mark.life, next: offset + 1, newest: mark.newest.max(at) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_known_and_what_only_looks_like_it_is_not() {
        let mut taken = Taken::default();
        let at = Timestamp::from_millis;
        for (topic, partition, offset, sent, is_new, why) in [
            ("a", 0, 5, 100, true, "the first"),
            ("a", 0, 5, 100, false, "again"),
            ("a", 0, 7, 90, true, "the next, of a producer whose clock is behind"),
            ("a", 0, 5, 100, false, "the first, after a rebalance"),
            ("a", 0, 7, 90, false, "and the second"),
            ("a", 1, 5, 100, true, "another partition"),
            ("b", 0, 5, 100, true, "another topic"),
            ("a", 0, 0, 200, true, "the topic was made anew"),
            ("a", 0, 1, 201, true, "and goes on"),
        ] {
            let place = (topic.to_owned(), Partition(partition));
            assert_eq!(taken.note(place, 0, offset, at(sent)), is_new, "{why}");
        }
        let place = || ("a".to_owned(), Partition(0));
        assert!(taken.note(place(), 1, 0, at(50)), "made again, and filled with what is older");
        assert!(!taken.note(place(), 1, 0, at(50)), "which is taken once, too");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut taken = Taken::default();
        for n in 0..PLACES_MAX as u32 + 10 {
            assert!(taken.note(("a".into(), Partition(n)), 0, 0, Timestamp::from_millis(1)));
        }
        assert_eq!(taken.0.len(), PLACES_MAX);
    }
}
