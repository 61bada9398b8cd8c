//! What a sample costs in the store, and what settling a scrape does.

use std::time::Duration;

use analyzer::store::Store;
use model::{Batch, Timestamp};

use crate::{
    clock::{Cost, timed},
    shop::Shop,
};

/// Samples of a measurement: a second or so.
const SAMPLES: usize = 6_000_000;

/// Longer than `settle`.
const SETTLE: Duration = Duration::from_secs(7);

/// Per sample.
pub(crate) struct SampleCost {
    pub(crate) warm: Cost,
    /// The first scrape, in which every series is new.
    pub(crate) first: Cost,
}

pub(crate) fn measure(shop: &mut Shop) -> SampleCost {
    let mut store = Shop::store();
    let series = shop.series() as f64;
    let first = feed(&mut store, shop) / series;
    let rounds = SAMPLES.div_ceil(shop.series());
    let total = (0..rounds).fold(Cost::default(), |sum, _| sum + feed(&mut store, shop));
    SampleCost { warm: total / (series * rounds as f64), first }
}

/// Feeds one scrape of everything.
fn feed(store: &mut Store, shop: &mut Shop) -> Cost {
    let at = shop.advance();
    let cost = timed(|| shop.requests.iter().for_each(|request| store.handle_batch(at, request)));
    store.take_looks();
    cost
}

/// Per scrape: one series of each target is held back, so that time settles what is there.
pub(crate) fn measure_settling(shop: &mut Shop) -> Cost {
    let mut store = Shop::store();
    feed(&mut store, shop);
    let rounds = SAMPLES.div_ceil(2 * shop.series());
    let mut total = Cost::default();
    for _ in 0..rounds {
        feed(&mut store, shop);
        let at = shop.advance();
        let held_back = without_last_of_each_target(shop);
        held_back.iter().for_each(|request| store.handle_batch(at, request));
        total = total + timed(|| store.handle_timeout(at + SETTLE));
        store.take_looks();
    }
    total / (rounds * shop.targets()) as f64
}

fn without_last_of_each_target(shop: &Shop) -> Vec<Batch> {
    let a_target = shop.series() / shop.targets();
    let mut place = 0;
    let mut requests = shop.requests.clone();
    for request in &mut requests {
        request.series.retain(|_| {
            place += 1;
            place % a_target != 0
        });
    }
    requests
}

/// A store that knows the shop, and when it last heard of it.
pub(crate) fn warm_store(shop: &mut Shop) -> (Store, Timestamp) {
    let mut store = Shop::store();
    feed(&mut store, shop);
    feed(&mut store, shop);
    let at = shop.advance();
    shop.requests.iter().for_each(|request| store.handle_batch(at, request));
    store.take_looks();
    (store, at)
}
