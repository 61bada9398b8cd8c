//! The way from a service to ingest: splits, delays, reorders, repeats and loses.

use model::EventBody;

use crate::{
    plan::Plan,
    random::Random,
    world::{Emission, Piece, join},
};

/// A body on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) arrives_at: u32,
    /// Whose it is, by number.
    pub(crate) service: usize,
    pub(crate) body: EventBody,
    /// The sender's own id of the request; a repeat carries the same.
    pub(crate) request: u64,
}

#[derive(Debug)]
pub(crate) struct Channel {
    random: Random,
    next_request: u64,
    under_way: Vec<Parcel>,
}

impl Channel {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::stream(seed, &["channel"]), next_request: 0, under_way: Vec::new() }
    }

    pub(crate) fn send(&mut self, second: u32, emission: Emission, plan: &Plan) {
        let rates = plan.rates;
        let is_silent = plan.silences.iter().any(|silence| silence.holds(second, emission.service));
        if is_silent || self.random.chance(rates.missing) {
            return;
        }
        let is_split = self.random.chance(rates.split);
        let pieces = if is_split { emission.pieces } else { join(emission.pieces) };
        for piece in pieces {
            self.send_piece(second, emission.service, piece, is_split, plan);
        }
    }

    fn send_piece(&mut self, second: u32, service: usize, piece: Piece, is_split: bool, plan: &Plan) {
        let rates = plan.rates;
        let mut delay = 0;
        if is_split {
            delay += self.random.between(0, 4);
        }
        if self.random.chance(rates.delayed) {
            delay += self.random.between(1, 12);
        }
        if self.random.chance(rates.late) {
            delay += self.random.between(20, 60);
        }
        if matches!(piece, Piece::Lagging(_)) {
            let lag = plan.services[service].senders.lag;
            delay += lag.map_or(0, |lag| lag.delay_seconds(second));
        }
        let body = match piece {
            Piece::Batch(batch) | Piece::Lagging(batch) => EventBody::Telemetry(batch),
            Piece::Requests(requests) => EventBody::Requests(requests),
        };
        self.next_request += 1;
        let parcel = Parcel { arrives_at: second + delay, service, body, request: self.next_request };
        if self.random.chance(rates.duplicated) {
            let again = parcel.arrives_at + self.random.between(0, 10);
            self.under_way.push(Parcel { arrives_at: again, ..parcel.clone() });
        }
        self.under_way.push(parcel);
    }

    /// What arrives by now, in the order of arrival.
    pub(crate) fn arrivals(&mut self, second: u32) -> Vec<Parcel> {
        let (mut here, under_way): (Vec<_>, Vec<_>) =
            self.under_way.drain(..).partition(|parcel| parcel.arrives_at <= second);
        self.under_way = under_way;
        here.sort_by_key(|parcel| parcel.arrives_at);
        here
    }
}
