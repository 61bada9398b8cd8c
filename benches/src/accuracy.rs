//! How exact the 95th percentile of raw request events is.

use std::time::Duration;

use analyzer::store::{Ask, Store, Versions};
use model::{RequestEvent, ServiceKey, Timestamp};

use crate::random::{DISTRIBUTIONS, Draw, Random};

/// Events a distribution, spread over the window.
pub(crate) const EVENTS: usize = 100_000;

const WINDOW: Duration = Duration::from_secs(300);
const BEGIN_MS: i64 = 1_800_000_000_000;
const QUANTILE: f64 = 0.95;

/// One distribution's result.
pub(crate) struct Accuracy {
    pub(crate) distribution: &'static str,
    pub(crate) exact_s: f64,
    pub(crate) measured_s: f64,
    /// `measured / exact - 1`.
    pub(crate) error: f64,
}

pub(crate) fn measure() -> Vec<Accuracy> {
    DISTRIBUTIONS.iter().map(|&(distribution, draw)| measure_one(distribution, draw)).collect()
}

fn measure_one(distribution: &'static str, draw: Draw) -> Accuracy {
    let mut random = Random::new(0x5eed);
    let mut durations_ms: Vec<f64> = (0..EVENTS).map(|_| draw(&mut random)).collect();
    let measured_s = p95_of_store(&durations_ms);
    durations_ms.sort_by(f64::total_cmp);
    let rank = (QUANTILE * EVENTS as f64).ceil() as usize;
    let exact_s = durations_ms[rank - 1] / 1000.0;
    Accuracy { distribution, exact_s, measured_s, error: measured_s / exact_s - 1.0 }
}

fn p95_of_store(durations_ms: &[f64]) -> f64 {
    let key = ServiceKey::new("shop", "production");
    let window_ms = WINDOW.as_millis() as usize;
    let events: Vec<RequestEvent> = durations_ms
        .iter()
        .enumerate()
        .map(|(place, &duration_ms)| RequestEvent {
            key: key.clone(),
            duration_ms: Some(duration_ms),
            at: Timestamp::from_millis(BEGIN_MS + (place * window_ms / EVENTS) as i64),
            ..RequestEvent::default()
        })
        .collect();
    let mut store = Store::default();
    for batch in events.chunks(1000) {
        let now = batch.last().map_or_else(Timestamp::default, |event| event.at);
        store.handle_requests(now, batch);
    }
    let at = Timestamp::from_millis(BEGIN_MS + window_ms as i64 - 1);
    let metric = "response_time";
    let ask = Ask { key: &key, versions: Versions::All, metric, window: WINDOW, at, since: None };
    store.histogram(&ask).and_then(|histogram| histogram.quantile(QUANTILE)).unwrap_or(f64::NAN)
}
