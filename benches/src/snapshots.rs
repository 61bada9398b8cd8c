//! What a snapshot of the analyzer takes: bytes a series, time to take it, time to restore it.

use analyzer::Analyzer;
use model::{Event, EventBody, EventId, PolicyLoad, Position, Timestamp};

use crate::{
    clock::{Cost, timed},
    shop::Shop,
};

/// A minute of windows.
const SCRAPES: usize = 4;

/// Times it is taken and restored, of which the mean is told.
const ROUNDS: u32 = 5;

const POLICY: &str = r#"
metrics:
  error_rate:    { ratio: { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total' } }
  response_time: { histogram: http_request_duration_seconds }
rollback_triggers:
  error_rate:    { threshold: 1%, window: 5m, action: immediate_rollback }
  response_time: { threshold: 1s, percentile: 95, window: 5m, action: immediate_rollback }
"#;

/// A snapshot's figures.
pub(crate) struct SnapshotCost {
    pub(crate) bytes: usize,
    pub(crate) take: Cost,
    pub(crate) restore: Cost,
}

pub(crate) fn measure(shop: &mut Shop) -> Result<SnapshotCost, String> {
    let analyzer = warm_analyzer(shop);
    let rounds = f64::from(ROUNDS);
    let mut bytes = Vec::new();
    let take = (0..ROUNDS).fold(Cost::default(), |sum, _| sum + timed(|| bytes = analyzer.snapshot()));
    let mut restored = Analyzer::from_snapshot(&bytes);
    let restore = (0..ROUNDS).fold(Cost::default(), |sum, _| {
        // What was restored before is let go of outside the measurement.
        restored = Ok(Analyzer::default());
        sum + timed(|| restored = Analyzer::from_snapshot(&bytes))
    });
    let restored = restored.map_err(|error| error.to_string())?;
    if restored.snapshot() != bytes {
        return Err("what was restored is not what was taken".into());
    }
    Ok(SnapshotCost { bytes: bytes.len(), take: take / rounds, restore: restore / rounds })
}

fn warm_analyzer(shop: &mut Shop) -> Analyzer {
    let mut analyzer = Analyzer::new();
    let files = vec![("ripcord.yml".to_owned(), POLICY.to_owned())];
    let load = PolicyLoad { files, origin: "start".to_owned() };
    take(&mut analyzer, Timestamp::MIN, EventBody::PolicyLoad(Box::new(load)));
    for _ in 0..=SCRAPES {
        let at = shop.advance();
        for request in &shop.requests {
            take(&mut analyzer, at, EventBody::Telemetry(request.clone()));
        }
    }
    analyzer
}

fn take(analyzer: &mut Analyzer, at: Timestamp, body: EventBody) {
    let event =
        Event { id: EventId::from_text("evt_1"), at, source: "bench".to_owned(), is_copy: false, body };
    analyzer.handle_event(at, Position(1), &event);
    while analyzer.poll_proposal().is_some() {}
}
