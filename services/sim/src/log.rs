//! A model of the log: partitions of events and the one order of decisions, as any backend promises them and no
//! better. Positions grow and may have gaps, only durable records are read, and an append that is reported as
//! failed may have been written all the same.

use std::collections::BTreeMap;

use model::{Checkpoint, DecisionRecord, Event, Partition, Position};

use crate::random::Random;

/// One order of records.
#[derive(Debug)]
pub(crate) struct Order<T> {
    entries: Vec<(Position, T)>,
    next: u64,
    durable: usize,
}

impl<T> Order<T> {
    fn new() -> Self {
        Self { entries: Vec::new(), next: 0, durable: 0 }
    }

    fn push(&mut self, value: T, gap: u64) -> Position {
        let position = Position(self.next + gap);
        self.next = position.0 + 1;
        self.entries.push((position, value));
        position
    }

    fn sync(&mut self) {
        self.durable = self.entries.len();
    }

    /// How many records can be read.
    pub(crate) fn len(&self) -> usize {
        self.durable
    }

    /// The record of that number, from 0, if it can be read.
    pub(crate) fn get(&self, number: usize) -> Option<(Position, &T)> {
        if number >= self.durable {
            return None;
        }
        self.entries.get(number).map(|(position, value)| (*position, value))
    }

    /// The number of the first record at `position` or behind it.
    pub(crate) fn number_of(&self, position: Position) -> usize {
        self.entries[..self.durable].partition_point(|(at, _)| *at < position)
    }

    /// The record that stands exactly there.
    pub(crate) fn at(&self, position: Position) -> Option<&T> {
        self.get(self.number_of(position)).filter(|(at, _)| *at == position).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Position, &T)> {
        self.entries[..self.durable].iter().map(|(position, value)| (*position, value))
    }
}

/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Acked(Position),
    /// Not there; to be tried again.
    Failed,
    /// There, though the one who appended does not know: the record will stand there twice.
    Unknown,
}

/// How often what goes wrong, by append.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogRates {
    pub(crate) failed: f64,
    pub(crate) unknown: f64,
    /// Kafka's control records take positions of their own.
    pub(crate) gaps: f64,
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) events: Vec<Order<Event>>,
    pub(crate) decisions: Order<DecisionRecord>,
    pub(crate) snapshots: BTreeMap<Partition, Vec<u8>>,
    /// That of the decisions.
    pub(crate) checkpoint: Option<Checkpoint>,
    rates: LogRates,
    random: Random,
    written: u64,
}

impl Log {
    pub(crate) fn new(seed: u64, partitions: u32, rates: LogRates) -> Self {
        Self {
            events: (0..partitions).map(|_| Order::new()).collect(),
            decisions: Order::new(),
            snapshots: BTreeMap::new(),
            checkpoint: None,
            rates,
            random: Random::stream(seed, &["log"]),
            written: 0,
        }
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.events.len() as u32).map(Partition)
    }

    pub(crate) fn events_of(&self, partition: Partition) -> &Order<Event> {
        &self.events[partition.0 as usize]
    }

    /// Events appended, lost ones included.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Whether an append is about to fail, and how.
    pub(crate) fn draw_fate(&mut self) -> Fate {
        match self.random.unit() {
            draw if draw < self.rates.failed => Fate::Fails,
            draw if draw < self.rates.failed + self.rates.unknown => Fate::SeemsToFail,
            _ => Fate::Succeeds,
        }
    }

    /// Not durable before [`Self::sync`].
    pub(crate) fn push_event(&mut self, partition: Partition, event: Event) -> Position {
        self.written += 1;
        let gap = self.gap();
        self.events[partition.0 as usize].push(event, gap)
    }

    pub(crate) fn sync(&mut self) {
        self.events.iter_mut().for_each(Order::sync);
    }

    /// The power is cut: what was not durable is gone; how many records that are.
    pub(crate) fn lose_what_is_not_durable(&mut self) -> usize {
        self.events.iter_mut().map(|order| order.entries.drain(order.durable..).count()).sum()
    }

    pub(crate) fn append_decision(&mut self, record: &DecisionRecord) -> Written {
        let fate = self.draw_fate();
        if fate == Fate::Fails {
            return Written::Failed;
        }
        let gap = self.gap();
        let position = self.decisions.push(record.clone(), gap);
        self.decisions.sync();
        if fate == Fate::SeemsToFail { Written::Unknown } else { Written::Acked(position) }
    }

    fn gap(&mut self) -> u64 {
        if self.random.chance(self.rates.gaps) { u64::from(self.random.between(1, 3)) } else { 0 }
    }
}

/// What becomes of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    Fails,
    /// Written, and reported as failed.
    SeemsToFail,
}
