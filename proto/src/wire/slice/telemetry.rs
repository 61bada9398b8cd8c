//! Telemetry in slices: what a body decodes to, series by series.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use model::{Batch, EventBody, Partition, RequestEvent, Timestamp};

use super::{Parts, Places};
use crate::{
    EnvelopeBody, TelemetryEncoding,
    wire::{columns::Columns, decode_telemetry, error::DecodeError},
};

/// `decoded`: what the body decodes to, if that is known. `partitions` counts for request events only, which name
/// their key themselves.
pub(super) fn slice_body(
    encoding: TelemetryEncoding,
    body: &Bytes,
    at: Timestamp,
    decoded: Option<&Batch>,
    partitions: u32,
    places: &mut dyn Places,
) -> Result<Parts, DecodeError> {
    let batch = match decoded {
        Some(batch) => Cow::Borrowed(batch),
        None => match decode_telemetry(encoding, body, at)? {
            EventBody::Telemetry(batch) => Cow::Owned(batch),
            EventBody::Requests(requests) => return Ok(slice_requests(&requests, partitions)),
            _ => return Ok(Parts::Whole(Partition::HOME)),
        },
    };
    Ok(slice_batch(&batch, at, places))
}

pub(super) fn slice_batch(batch: &Batch, at: Timestamp, places: &mut dyn Places) -> Parts {
    let mut to = Vec::with_capacity(batch.series.len());
    places.series(at, batch, &mut to);
    if let Some(partition) = only(to.iter().map(|it| it.1)) {
        return Parts::Whole(partition);
    }
    let mut slices = BTreeMap::<Partition, Columns<'_>>::new();
    for (place, partition) in to {
        if let Some(series) = batch.series.get(place as usize) {
            slices.entry(partition).or_insert_with(|| Columns::of(batch)).push(series);
        }
    }
    let body = |columns: Columns<'_>| EnvelopeBody::Telemetry {
        encoding: TelemetryEncoding::BatchColumns,
        body: columns.encode().into(),
    };
    Parts::Cut(slices.into_iter().map(|(partition, columns)| (partition, body(columns))).collect())
}

pub(super) fn slice_requests(requests: &[RequestEvent], partitions: u32) -> Parts {
    // Requests of one service come in runs, and finding a key's partition costs as much as copying the request.
    let mut last: Option<(&RequestEvent, Partition)> = None;
    let mut to = Vec::with_capacity(requests.len());
    for request in requests {
        let known = last.filter(|(before, _)| before.key == request.key).map(|(_, partition)| partition);
        let partition = known.unwrap_or_else(|| Partition::of(&request.key, partitions));
        last = Some((request, partition));
        to.push(partition);
    }
    if let Some(partition) = only(to.iter().copied()) {
        return Parts::Whole(partition);
    }
    let mut slices = BTreeMap::<Partition, Vec<RequestEvent>>::new();
    for (request, partition) in requests.iter().zip(to) {
        slices.entry(partition).or_default().push(request.clone());
    }
    let body = |requests| EnvelopeBody::Other(EventBody::Requests(requests));
    Parts::Cut(slices.into_iter().map(|(partition, requests)| (partition, body(requests))).collect())
}

/// The one partition to which everything goes; what is empty goes home.
fn only(mut to: impl Iterator<Item = Partition>) -> Option<Partition> {
    let first = to.next().unwrap_or(Partition::HOME);
    to.all(|it| it == first).then_some(first)
}
