//! Arbitrary nouns of `model`, for property tests. Boxed, because a tree of them overflows a test's stack.

mod decided;
mod incoming;
mod releases;
mod small;

use bytes::Bytes;
use model::*;
use proptest::{collection::vec, prelude::*};

use self::{
    decided::decision,
    incoming::event_body,
    small::{one_of, text, timestamp},
};
use crate::{EnvelopeBody, EventEnvelope, TelemetryEncoding};

pub(super) fn envelope() -> BoxedStrategy<EventEnvelope> {
    let body = prop_oneof![
        (encoding(), vec(any::<u8>(), 0..60))
            .prop_map(|(encoding, body)| EnvelopeBody::Telemetry { encoding, body: Bytes::from(body) }),
        event_body().prop_map(EnvelopeBody::Other),
    ];
    (text(), timestamp(), text(), body)
        .prop_map(|(id, at, source, body)| EventEnvelope { id: EventId::from_text(id), at, source, body })
        .boxed()
}

pub(super) fn decision_record() -> BoxedStrategy<DecisionRecord> {
    (text(), any::<u64>(), timestamp(), vec(decision(), 0..4))
        .prop_map(|(cause, position, at, decisions)| DecisionRecord {
            cause: EventId::from_text(cause),
            position: Position(position),
            at,
            decisions,
        })
        .boxed()
}

fn encoding() -> impl Strategy<Value = TelemetryEncoding> {
    use TelemetryEncoding::*;
    one_of([RemoteWriteV1Snappy, OtlpMetricsProtobuf, OtlpMetricsJson, RequestsNdjson])
}
