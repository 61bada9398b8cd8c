//! A record of the events log as it is written and read: telemetry stays in its sender's bytes.

use bytes::Bytes;
use model::{EventBody, EventId, Timestamp};
use prost::Message as _;

use crate::{
    DecodeError,
    conversion::{Noun as _, WireEnum as _, required},
    v1,
};

/// In which form a sender's body stands on the log.
///
/// Remote write keeps the snappy block it came in, because that is the bulk of the log and decoding it again
/// costs less than writing it unpacked. A `Content-Encoding` (gzip, zstd) is taken off by ingest, which has to
/// unpack it to check it anyway: nothing behind the log can then meet a compression bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TelemetryEncoding {
    /// Remote write 1.0: snappy block of `prometheus.WriteRequest`.
    RemoteWriteV1Snappy,
    /// OTLP `ExportMetricsServiceRequest`, protobuf, not compressed.
    OtlpMetricsProtobuf,
    /// OTLP `ExportMetricsServiceRequest`, JSON, not compressed.
    OtlpMetricsJson,
    /// Request events, one JSON object a line, not compressed.
    RequestsNdjson,
    /// `prometheus.WriteRequest`, not compressed: how slices stood on the log before [`Self::BatchColumns`].
    RemoteWriteV1Protobuf,
    /// After slicing: what the sender's body decodes to, as far as it belongs to one partition.
    BatchColumns,
}

/// One record of the events log. `crate::wire` turns its telemetry into a [`model::EventBody`].
#[derive(Clone, Debug, PartialEq)]
pub struct EventEnvelope {
    pub id: EventId,
    /// Ingest's stamp: *now* wherever the event is judged.
    pub at: Timestamp,
    /// Name of the token or hook it came by.
    pub source: String,
    /// A copy for another partition: what it would pass through is passed through elsewhere.
    pub is_copy: bool,
    pub body: EnvelopeBody,
}

/// What an envelope holds.
#[derive(Clone, Debug, PartialEq)]
pub enum EnvelopeBody {
    /// A telemetry body as its sender wrote it: whole, or the part of it that belongs to one partition.
    Telemetry { encoding: TelemetryEncoding, body: Bytes },
    /// Everything that is not a sender's telemetry body; an already decoded [`model::Batch`] is possible too.
    Other(EventBody),
}

/// The record's bytes; the same envelope always gives the same bytes.
pub fn encode_event(envelope: &EventEnvelope) -> Vec<u8> {
    let body = match &envelope.body {
        EnvelopeBody::Telemetry { encoding, body } => v1::event_record::Body::Telemetry(v1::Telemetry {
            encoding: encoding.to_wire(),
            body: body.clone(),
        }),
        EnvelopeBody::Other(body) => body.to_wire(),
    };
    let record = v1::EventRecord {
        id: envelope.id.as_str().to_owned(),
        at_ms: envelope.at.as_millis(),
        source: envelope.source.clone(),
        body: Some(body),
        is_copy: envelope.is_copy,
    };
    record.encode_to_vec()
}

/// Reads what [`encode_event`] wrote, in this version or an older one.
pub fn decode_event(record: &[u8]) -> Result<EventEnvelope, DecodeError> {
    from_record(v1::EventRecord::decode(record)?)
}

/// As [`decode_event`]; the telemetry body shares the record's memory instead of being copied out of it.
pub fn decode_event_shared(record: Bytes) -> Result<EventEnvelope, DecodeError> {
    from_record(v1::EventRecord::decode(record)?)
}

fn from_record(record: v1::EventRecord) -> Result<EventEnvelope, DecodeError> {
    let body = match required(record.body, "EventRecord.body")? {
        v1::event_record::Body::Telemetry(telemetry) => EnvelopeBody::Telemetry {
            encoding: TelemetryEncoding::from_wire(telemetry.encoding, "Telemetry.encoding")?,
            body: telemetry.body,
        },
        other => EnvelopeBody::Other(EventBody::from_wire(other)?),
    };
    Ok(EventEnvelope {
        id: EventId::from_text(record.id),
        at: Timestamp::from_millis(record.at_ms),
        source: record.source,
        is_copy: record.is_copy,
        body,
    })
}
