//! What senders send, decoded: Prometheus remote write, OTLP metrics, request events, CloudEvents, plain releases
//! and Alertmanager's webhook; and an event cut into the records of a log of several partitions (`slice`).
//!
//! Pure functions from bytes to the nouns of `model`. The same function judges a body when it comes in (`ingest`
//! answers the sender by it) and again when it is read back from the log, on which telemetry stands as it was
//! sent. So what is left out of a body must depend on the body alone: every limit here is a constant, and
//! `ingest`'s configured ones only ever refuse a body whole. Nothing here panics, whatever the bytes; nothing is
//! allocated for a size that was only declared.

pub mod alertmanager;
pub mod cloudevents;
mod columns;
pub mod error;
mod fields;
pub mod moment;
pub mod otlp;
mod protobuf;
pub mod purl;
pub mod release;
pub mod remote_write;
pub mod requests;
mod shared;
pub mod slice;
pub mod verb;

use model::{Batch, EventBody, Timestamp};

pub use self::error::{DecodeError, Decoded, Rejected};
use crate::TelemetryEncoding;

/// Whether content of this media type (in lower case, without parameters) is JSON: its subtype is `json` or ends in
/// `+json` (RFC 6839; CloudEvents 1.0, 3.1).
pub fn is_json(media_type: &str) -> bool {
    media_type.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

/// Decodes telemetry as it came in at `at`; the parts that are invalid are left out, always the same ones.
pub fn decode_telemetry(
    encoding: TelemetryEncoding,
    body: &[u8],
    at: Timestamp,
) -> Result<EventBody, DecodeError> {
    decode_telemetry_reusing(encoding, body, at, Batch::default)
}

/// As [`decode_telemetry`], into the memory that `spare` gives where the body is of a kind that can use it.
pub fn decode_telemetry_reusing(
    encoding: TelemetryEncoding,
    body: &[u8],
    at: Timestamp,
    spare: impl FnOnce() -> Batch,
) -> Result<EventBody, DecodeError> {
    Ok(match encoding {
        TelemetryEncoding::RemoteWriteV1Snappy => {
            EventBody::Telemetry(remote_write::decode_reusing(body, spare())?.body)
        }
        TelemetryEncoding::RemoteWriteV1Protobuf => {
            EventBody::Telemetry(remote_write::decode_uncompressed(body)?.body)
        }
        TelemetryEncoding::BatchColumns => EventBody::Telemetry(columns::decode(body, spare())?),
        TelemetryEncoding::OtlpMetricsProtobuf => {
            EventBody::Telemetry(otlp::decode(otlp::Form::Protobuf, body, at)?.body)
        }
        TelemetryEncoding::OtlpMetricsJson => {
            EventBody::Telemetry(otlp::decode(otlp::Form::Json, body, at)?.body)
        }
        TelemetryEncoding::RequestsNdjson => EventBody::Requests(requests::decode(body, at)?.body),
    })
}
