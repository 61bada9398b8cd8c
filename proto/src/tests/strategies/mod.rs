//! Arbitrary nouns of `model`, for property tests. Boxed, because a tree of them overflows a test's stack.

mod decided;
mod incoming;
mod releases;
mod small;

use bytes::Bytes;
use model::*;
use proptest::{collection::vec, prelude::*};

pub(crate) use self::incoming::batch;
use self::{
    decided::decision,
    incoming::event_body,
    small::{one_of, text, timestamp},
};
use crate::{EnvelopeBody, EventEnvelope, TelemetryEncoding};

pub(crate) fn envelope() -> BoxedStrategy<EventEnvelope> {
    let body = prop_oneof![
        (encoding(), vec(any::<u8>(), 0..60))
            .prop_map(|(encoding, body)| EnvelopeBody::Telemetry { encoding, body: Bytes::from(body) }),
        event_body().prop_map(EnvelopeBody::Other),
    ];
    (text(), timestamp(), text(), any::<bool>(), body)
        .prop_map(|(id, at, source, is_copy, body)| EventEnvelope {
            id: EventId::from_text(id),
            at,
            source,
            is_copy,
            body,
        })
        .boxed()
}

pub(super) fn decision_record() -> BoxedStrategy<DecisionRecord> {
    (origin(), text(), any::<u32>(), any::<u64>(), timestamp(), vec(decision(), 0..4))
        .prop_map(|(origin, cause, partition, position, at, decisions)| DecisionRecord {
            origin,
            cause: EventId::from_text(cause),
            partition: Partition(partition),
            position: Position(position),
            at,
            decisions,
        })
        .boxed()
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Analyzer),
        (any::<u64>(), any::<u64>())
            .prop_map(|(epoch, answers)| Origin::Arbiter { epoch, answers: Position(answers) }),
        text().prop_map(|instance| Origin::Claim { instance }),
        any::<u64>().prop_map(|epoch| Origin::Clock { epoch }),
        Just(Origin::Teller),
    ]
}

fn encoding() -> impl Strategy<Value = TelemetryEncoding> {
    use TelemetryEncoding::*;
    one_of([
        RemoteWriteV1Snappy,
        OtlpMetricsProtobuf,
        OtlpMetricsJson,
        RequestsNdjson,
        RemoteWriteV1Protobuf,
        BatchColumns,
    ])
}
