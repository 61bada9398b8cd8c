//! What stands on the log: the protobuf schemas of its records (`schema/ripcord/v1`) and the conversions
//! between them and the nouns of `model`; in `wire`, the formats in which senders send telemetry.
//!
//! Nothing but this crate knows the wire format of the log. It does no I/O and keeps no state: bytes in,
//! nouns out, and the same nouns always give the same bytes. Where the bytes are kept is `bus`'s business;
//! who sends them and whether they may is `ingest`'s.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod checkpoint;
mod conversion;
mod decision;
mod envelope;
mod error;
pub mod wire;

#[cfg(test)]
mod tests;

pub use checkpoint::{decode_checkpoint, encode_checkpoint};
pub use decision::{decode_decision, encode_decision};
pub use envelope::{
    EnvelopeBody, EventEnvelope, TelemetryEncoding, decode_event, decode_event_shared, encode_event,
};
pub use error::DecodeError;

/// Generated from `schema/ripcord/v1`; `conversion` is the only one to touch it.
#[allow(clippy::all, unreachable_pub, missing_docs, reason = "generated")]
mod v1 {
    include!(concat!(env!("OUT_DIR"), "/ripcord.v1.rs"));
}
