//! A record of the decisions log as it is written and read.

use model::DecisionRecord;
use prost::Message as _;

use crate::{DecodeError, conversion::Noun as _, v1};

/// The record's bytes; the same decisions always give the same bytes.
pub fn encode_decision(record: &DecisionRecord) -> Vec<u8> {
    record.to_wire().encode_to_vec()
}

/// Reads what [`encode_decision`] wrote, in this version or an older one.
pub fn decode_decision(record: &[u8]) -> Result<DecisionRecord, DecodeError> {
    DecisionRecord::from_wire(v1::DecisionRecord::decode(record)?)
}
