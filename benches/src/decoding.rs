//! What a sample costs from the compressed body of a remote write request to the windows.

use model::Batch;
use proto::wire::remote_write;

use crate::{
    clock::{Cost, timed},
    shop::Shop,
};

const SAMPLES: usize = 2_000_000;

/// Per sample. The bodies are encoded outside of what is timed.
pub(crate) fn measure(shop: &mut Shop) -> Result<Cost, String> {
    let mut store = Shop::store();
    let rounds = SAMPLES.div_ceil(shop.series());
    let mut total = Cost::default();
    for _ in 0..=rounds {
        let at = shop.advance();
        let bodies = shop.requests.iter().map(body_of).collect::<Result<Vec<_>, _>>()?;
        let mut failed = None;
        let cost = timed(|| {
            for body in &bodies {
                match remote_write::decode(body) {
                    Ok(decoded) if decoded.rejected.parts == 0 => store.handle_batch(at, &decoded.body),
                    Ok(decoded) => failed = Some(format!("refused: {:?}", decoded.rejected)),
                    Err(error) => failed = Some(error.to_string()),
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        // The first round meets every series for the first time.
        total = if store.counters().samples > shop.series() as u64 { total + cost } else { total };
        store.take_looks();
    }
    Ok(total / (rounds * shop.series()) as f64)
}

/// A request's body: `WriteRequest{timeseries=1{labels=1, samples=2{value=1, timestamp=2}}}` in one snappy block.
pub(crate) fn body_of(batch: &Batch) -> Result<Vec<u8>, String> {
    let mut message = Vec::with_capacity(batch.bytes.len() + 30 * batch.series.len());
    for series in &batch.series {
        let mut one = batch.labels_of(series).to_vec();
        for sample in batch.samples_of(series) {
            let mut encoded = vec![0x09];
            encoded.extend(sample.value.to_le_bytes());
            encoded.push(0x10);
            put_varint(sample.at.as_millis() as u64, &mut encoded);
            put_field(0x12, &encoded, &mut one);
        }
        put_field(0x0a, &one, &mut message);
    }
    snap::raw::Encoder::new().compress_vec(&message).map_err(|error| error.to_string())
}

fn put_field(tag: u8, field: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    put_varint(field.len() as u64, out);
    out.extend_from_slice(field);
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
