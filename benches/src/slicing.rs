//! What a series costs on its way into the partitions of a log: placing it, and cutting its request.

use analyzer::store::Placement;
use model::{Alert, Batch, EventId, Partition, ServiceKey, Timestamp};
use policy::Policy;
use proto::{
    EnvelopeBody, EventEnvelope, TelemetryEncoding,
    wire::slice::{self, Places},
};

use crate::{
    clock::{Cost, timed},
    decoding::body_of,
    shop::Shop,
};

const SERIES: usize = 2_000_000;
const PARTITIONS: u32 = 24;

/// Per series.
pub(crate) struct Costs {
    /// Of a region met before.
    pub(crate) placed: Cost,
    pub(crate) placed_first: Cost,
    /// A decoded remote write request into requests.
    pub(crate) cut: Cost,
    /// A decoded batch into batches.
    pub(crate) cut_batch: Cost,
    /// Partitions that a request of 2,000 series fell into, on average.
    pub(crate) slices: f64,
}

/// What placement said, so that cutting is timed by itself.
struct Placed<'a>(&'a [(u32, Partition)]);

impl Places for Placed<'_> {
    fn series(&mut self, _at: Timestamp, _batch: &Batch, to: &mut Vec<(u32, Partition)>) {
        to.extend_from_slice(self.0);
    }

    fn alert(&mut self, _alert: &Alert) -> Option<ServiceKey> {
        None
    }
}

pub(crate) fn measure(shop: &mut Shop) -> Result<Costs, String> {
    let mut placement = Placement::new(Policy::default_policy().identity, PARTITIONS);
    let mut to = Vec::new();
    let mut place = |at, requests: &[Batch]| {
        timed(|| {
            for request in requests {
                to.clear();
                placement.place(at, request, &mut to);
            }
        })
    };
    let first = place(shop.advance(), &shop.requests);
    let rounds = SERIES.div_ceil(shop.series());
    let mut warm = Cost::default();
    for _ in 0..rounds {
        let at = shop.advance();
        warm = warm + place(at, &shop.requests);
    }
    let at = shop.advance();
    let envelope = |body| EventEnvelope {
        id: EventId::from_text("evt_1"),
        at,
        source: "prometheus".to_owned(),
        is_copy: false,
        body,
    };
    let (mut cut, mut cut_batch, mut slices) = (Cost::default(), Cost::default(), 0);
    for request in &shop.requests {
        to.clear();
        placement.place(at, request, &mut to);
        let body = body_of(request)?;
        let batch = proto::wire::remote_write::decode(&body).map_err(|error| error.to_string())?.body;
        let encoding = TelemetryEncoding::RemoteWriteV1Snappy;
        let sent = envelope(EnvelopeBody::Telemetry { encoding, body: body.into() });
        let decoded = envelope(EnvelopeBody::Other(model::EventBody::Telemetry(batch.clone())));
        let again = SERIES.div_ceil(shop.series());
        let inputs: Vec<_> = (0..again).map(|_| (sent.clone(), batch.clone())).collect();
        cut = cut
            + timed(|| {
                for (sent, batch) in inputs {
                    slices += slice::slice(sent, Some(batch), PARTITIONS, &mut Placed(&to))
                        .map_or(0, |it| it.len());
                }
            });
        let inputs: Vec<_> = (0..again).map(|_| decoded.clone()).collect();
        cut_batch = cut_batch
            + timed(|| {
                for decoded in inputs {
                    drop(slice::slice(decoded, None, PARTITIONS, &mut Placed(&to)));
                }
            });
    }
    let count = (rounds * shop.series()) as f64;
    Ok(Costs {
        placed: warm / count,
        placed_first: first / shop.series() as f64,
        cut: cut / count,
        cut_batch: cut_batch / count,
        slices: f64::from(u32::try_from(slices).unwrap_or(u32::MAX)) / (rounds * shop.requests.len()) as f64,
    })
}
