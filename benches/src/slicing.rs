//! What a series costs on its way into the partitions of a log: placing it, and cutting its request.

use analyzer::store::Placement;
use model::{Alert, Batch, EventBody, EventId, Partition, ServiceKey, Timestamp};
use policy::Policy;
use proto::{
    EnvelopeBody, EventEnvelope, TelemetryEncoding,
    wire::{
        decode_telemetry_reusing,
        slice::{self, Places},
    },
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
    /// A decoded request into the records' bodies.
    pub(crate) cut: Cost,
    /// Those back into batches.
    pub(crate) read: Cost,
    /// Bytes of those bodies.
    pub(crate) bytes: f64,
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
    let (mut cut, mut read, mut slices, mut bytes) = (Cost::default(), Cost::default(), 0, 0);
    for request in &shop.requests {
        to.clear();
        placement.place(at, request, &mut to);
        let body = body_of(request)?;
        let batch = proto::wire::remote_write::decode(&body).map_err(|error| error.to_string())?.body;
        let sent = EventEnvelope {
            id: EventId::from_text("evt_1"),
            at,
            source: "prometheus".to_owned(),
            is_copy: false,
            body: EnvelopeBody::Telemetry {
                encoding: TelemetryEncoding::RemoteWriteV1Snappy,
                body: body.into(),
            },
        };
        let cut_once = || slice::slice(sent.clone(), Some(&batch), PARTITIONS, &mut Placed(&to));
        let parts = cut_once().map_err(|error| error.to_string())?;
        slices += parts.len();
        let again = SERIES.div_ceil(shop.series());
        cut = cut + timed(|| (0..again).for_each(|_| drop(cut_once())));
        let mut spare = Batch::default();
        for (_, part) in &parts {
            let EnvelopeBody::Telemetry { encoding, body } = &part.body else { continue };
            bytes += body.len();
            read = read
                + timed(|| {
                    for _ in 0..again {
                        let memory = std::mem::take(&mut spare);
                        if let Ok(EventBody::Telemetry(batch)) =
                            decode_telemetry_reusing(*encoding, body, at, || memory)
                        {
                            spare = batch;
                        }
                    }
                });
        }
    }
    let (count, series) = ((rounds * shop.series()) as f64, shop.series() as f64);
    Ok(Costs {
        placed: warm / count,
        placed_first: first / series,
        cut: cut / count,
        read: read / count,
        bytes: bytes as f64 / series,
        slices: slices as f64 / shop.requests.len() as f64,
    })
}
