//! What a tick costs when nothing is due.

use std::{hint::black_box, time::Duration};

use crate::{clock::timed, samples::warm_store, shop::Shop};

const TICKS: u32 = 1_000_000;

/// Nanoseconds a tick.
pub(crate) fn measure(shop: &mut Shop) -> f64 {
    let (mut store, at) = warm_store(shop);
    let cost = timed(|| {
        for tick in 0..TICKS {
            // All within one second: time passes, and nothing falls due.
            let now = at + Duration::from_millis(u64::from(tick / 1000));
            store.handle_timeout(black_box(now));
            black_box(store.poll_timeout());
            black_box(store.take_looks());
        }
    });
    cost.elapsed_ns / f64::from(TICKS)
}
