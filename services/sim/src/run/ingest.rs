//! How events come onto the log: acked once they are durable, repeated by their sender while they are not.

use model::{Event, EventBody, EventId, Partition, Position, Timestamp};

use super::{Died, Simulation, Waiting};
use crate::{
    Sabotage,
    channel::Parcel,
    faults::CrashPoint,
    log::Fate,
    placing::{Slice, place},
    world::moment,
};

impl Simulation {
    pub(super) fn take_parcel(&mut self, parcel: Parcel) {
        let is_repeat = !self.requests_taken.insert(parcel.request);
        // Samples are told apart by their time; nothing but their sender tells request events apart.
        if is_repeat && matches!(parcel.body, EventBody::Requests(_)) {
            return;
        }
        let of = Some(self.world.services[parcel.service].key.clone());
        self.inbox.push(Waiting { source: "telemetry", of, body: parcel.body });
    }

    /// What waits is taken in by whichever process does that; time is brought by each of them.
    pub(super) fn take_in(&mut self, second: u32) {
        self.log.sync();
        for item in std::mem::take(&mut self.inbox) {
            let takers = self.awake_with_ingest(second);
            let is_taken = match takers.is_empty() {
                true => false,
                false => {
                    let taker = *self.random.pick(&takers);
                    self.take_in_by(taker, &item, second)
                }
            };
            // Nobody repeats request events that got no answer: they would count again.
            let is_repeated = takers.is_empty() || !matches!(item.body, EventBody::Requests(_));
            if !is_taken && is_repeated {
                self.inbox.push(item);
            }
        }
        for taker in self.awake_with_ingest(second) {
            self.tick(taker, second);
        }
    }

    fn awake_with_ingest(&self, second: u32) -> Vec<usize> {
        let all = self.processes.iter().enumerate();
        let here = all.filter(|(_, process)| process.roles.ingest && process.is_awake(second));
        here.map(|(number, _)| number).collect()
    }

    /// Whether the sender was told that it is kept.
    fn take_in_by(&mut self, taker: usize, item: &Waiting, second: u32) -> bool {
        self.story.tell_event(i64::from(second), &item.body);
        let at = self.stamp(taker, second);
        let (is_written, places) = self.push(item.source, item.of.as_ref(), item.body.clone(), at, second);
        if self.sabotage == Some(Sabotage::AcksBeforeSync) {
            self.acked.extend(places);
            return match self.dies_at(taker, CrashPoint::BeforeSync) {
                Ok(()) => true,
                Err(Died) => {
                    self.die(taker, second);
                    true
                }
            };
        }
        let result = self.dies_at(taker, CrashPoint::BeforeSync).and_then(|()| {
            self.log.sync();
            self.dies_at(taker, CrashPoint::BeforeAck)
        });
        if let Err(Died) = result {
            self.die(taker, second);
            return false;
        }
        if is_written {
            self.acked.extend(places);
        }
        is_written
    }

    /// Clocks of several machines differ a little.
    fn stamp(&self, taker: usize, second: u32) -> Timestamp {
        let behind = if self.plan.layout.is_embedded { 0 } else { taker as u64 * 130 };
        moment(second) - std::time::Duration::from_millis(behind)
    }

    fn tick(&mut self, taker: usize, second: u32) {
        let at = self.stamp(taker, second);
        self.push("tick", None, EventBody::Tick, at, second);
        self.log.sync();
    }

    /// Appends an event that a process has itself made, until it is durable. Whether it is.
    pub(super) fn append_own(&mut self, source: &str, body: &EventBody, second: u32) -> bool {
        let (is_written, places) = self.push(source, None, body.clone(), moment(second), second);
        self.log.sync();
        if is_written {
            self.story.tell_event(i64::from(second), body);
            self.acked.extend(places);
        }
        is_written
    }

    /// Whether every slice was written for all that the one who appends knows, and where those that were stand.
    fn push(
        &mut self,
        source: &str,
        of: Option<&model::ServiceKey>,
        body: EventBody,
        at: Timestamp,
        second: u32,
    ) -> (bool, Vec<(Partition, Position, EventId)>) {
        let id = EventId::from_text(format!("evt_{}", self.log.written()));
        let (mut is_written, mut places) = (true, Vec::new());
        for slice in place(body, of, self.plan.layout.partitions, &self.console) {
            let Slice { partition, is_copy, body } = slice;
            let fate = if self.is_closed(partition, second) { Fate::Fails } else { self.log.draw_fate() };
            is_written &= fate == Fate::Succeeds;
            if fate == Fate::Fails {
                continue;
            }
            let event = Event { id: id.clone(), at, source: source.to_owned(), is_copy, body };
            let position = self.log.push_event(partition, event);
            places.push((partition, position, id.clone()));
        }
        (is_written, places)
    }

    fn is_closed(&self, partition: Partition, second: u32) -> bool {
        self.plan.faults.closed.is_some_and(|(span, number)| number == partition.0 && span.holds(second, 0))
    }
}
