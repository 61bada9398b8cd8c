//! Telemetry in slices: a remote write request as requests, everything else as what it decodes to.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{Batch, EventBody, Partition, RequestEvent, Series, Timestamp};

use super::{Parts, Places};
use crate::{
    EnvelopeBody, EventEnvelope, TelemetryEncoding,
    wire::{
        error::DecodeError,
        otlp::{self, Form},
        remote_write, requests,
    },
};

/// `partitions` counts for request events only, which name their key themselves.
pub(super) fn slice_body(
    encoding: TelemetryEncoding,
    body: &Bytes,
    envelope: &EventEnvelope,
    decoded: Option<Batch>,
    partitions: u32,
    places: &mut dyn Places,
) -> Result<Parts, DecodeError> {
    let at = envelope.at;
    let or = |decode: &dyn Fn() -> Result<Batch, DecodeError>| decoded.map_or_else(decode, Ok);
    let parts = match encoding {
        TelemetryEncoding::RemoteWriteV1Snappy => {
            let length = remote_write::decompressed_len(body)?;
            let batch = or(&|| Ok(remote_write::decode(body)?.body))?;
            slice_request(&batch, length, at, places)
        }
        TelemetryEncoding::RemoteWriteV1Protobuf => {
            let batch = or(&|| Ok(remote_write::decode_uncompressed(body)?.body))?;
            slice_request(&batch, body.len(), at, places)
        }
        TelemetryEncoding::OtlpMetricsProtobuf => {
            slice_batch(&or(&|| Ok(otlp::decode(Form::Protobuf, body, at)?.body))?, at, places)
        }
        TelemetryEncoding::OtlpMetricsJson => {
            slice_batch(&or(&|| Ok(otlp::decode(Form::Json, body, at)?.body))?, at, places)
        }
        TelemetryEncoding::RequestsNdjson => slice_requests(&requests::decode(body, at)?.body, partitions),
    };
    Ok(parts)
}

/// The message that a remote write request is of stands at the start of what it decodes to.
fn slice_request(batch: &Batch, request_len: usize, at: Timestamp, places: &mut dyn Places) -> Parts {
    let to = placed(batch, at, places);
    if let Some(partition) = only(&to) {
        return Parts::Whole(partition);
    }
    let is_inside = |series: &Series| series.labels.end as usize <= request_len;
    let request = batch.bytes.get(..request_len).filter(|_| batch.series.iter().all(is_inside));
    // Labels that no known sender writes were written anew and have no place in the request.
    let Some(request) = request else { return cut(batch, &to) };
    let Some(slices) = remote_write::slice(request, &batch.series, &to) else { return cut(batch, &to) };
    let body = |slice: Vec<u8>| EnvelopeBody::Telemetry {
        encoding: TelemetryEncoding::RemoteWriteV1Protobuf,
        body: Bytes::from(slice),
    };
    Parts::Cut(slices.into_iter().map(|(partition, slice)| (partition, body(slice))).collect())
}

pub(super) fn slice_batch(batch: &Batch, at: Timestamp, places: &mut dyn Places) -> Parts {
    let to = placed(batch, at, places);
    match only(&to) {
        Some(partition) => Parts::Whole(partition),
        None => cut(batch, &to),
    }
}

pub(super) fn slice_requests(requests: &[RequestEvent], partitions: u32) -> Parts {
    // Requests of one service come in runs, and finding a key's partition costs as much as copying the request.
    let mut last: Option<(&RequestEvent, Partition)> = None;
    let mut to = Vec::with_capacity(requests.len());
    for (place, request) in (0_u32..).zip(requests) {
        let known = last.filter(|(before, _)| before.key == request.key).map(|(_, partition)| partition);
        let partition = known.unwrap_or_else(|| Partition::of(&request.key, partitions));
        last = Some((request, partition));
        to.push((place, partition));
    }
    if let Some(partition) = only(&to) {
        return Parts::Whole(partition);
    }
    let mut slices = BTreeMap::<Partition, Vec<RequestEvent>>::new();
    for (request, (_, partition)) in requests.iter().zip(&to) {
        slices.entry(*partition).or_default().push(request.clone());
    }
    let body = |requests| EnvelopeBody::Other(EventBody::Requests(requests));
    Parts::Cut(slices.into_iter().map(|(partition, requests)| (partition, body(requests))).collect())
}

fn placed(batch: &Batch, at: Timestamp, places: &mut dyn Places) -> Vec<(u32, Partition)> {
    let mut to = Vec::with_capacity(batch.series.len());
    places.series(at, batch, &mut to);
    to
}

/// The one partition to which everything goes; what is empty goes home.
fn only(to: &[(u32, Partition)]) -> Option<Partition> {
    let first = to.first().map_or(Partition::HOME, |it| it.1);
    to.iter().all(|it| it.1 == first).then_some(first)
}

fn cut(batch: &Batch, to: &[(u32, Partition)]) -> Parts {
    let mut slices = BTreeMap::<Partition, Batch>::new();
    for (place, partition) in to {
        let Some(series) = batch.series.get(*place as usize) else { continue };
        let slice = slices
            .entry(*partition)
            .or_insert_with(|| Batch { is_whole: batch.is_whole, ..Batch::default() });
        let (bytes_from, samples_from) = (slice.bytes.len() as u32, slice.samples.len() as u32);
        slice.bytes.extend_from_slice(batch.labels_of(series));
        slice.samples.extend_from_slice(batch.samples_of(series));
        slice.series.push(Series {
            labels: bytes_from..slice.bytes.len() as u32,
            samples: samples_from..slice.samples.len() as u32,
            kind: series.kind,
        });
    }
    let body = |batch| EnvelopeBody::Other(EventBody::Telemetry(batch));
    Parts::Cut(slices.into_iter().map(|(partition, batch)| (partition, body(batch))).collect())
}
