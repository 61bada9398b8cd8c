//! A checkpoint of the decisions log as it is written and read: a frame around its message.
//!
//! `RIPCKPT1`, the CRC-32 of the message as four bytes, the lowest first, and the message. What is cut or changed on the
//! disk is refused, never half believed.

use model::Checkpoint;
use prost::Message as _;

use crate::{DecodeError, conversion::Noun as _, v1};

const MAGIC: &[u8; 8] = b"RIPCKPT1";

/// Bytes before the message.
pub(crate) const HEADER_BYTES: usize = MAGIC.len() + 4;

/// The checkpoint's bytes; the same state always gives the same bytes.
pub fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let message = checkpoint.to_wire();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + message.encoded_len());
    bytes.extend(MAGIC);
    bytes.extend([0; 4]);
    // A vector grows as needed: nothing can be missing.
    message.encode_raw(&mut bytes);
    let sum = crc32fast::hash(&bytes[HEADER_BYTES..]);
    bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads what [`encode_checkpoint`] wrote, in this version or an older one.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, DecodeError> {
    let damaged = DecodeError::Damaged { what: "checkpoint" };
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else { return Err(damaged) };
    let Some((sum, message)) = rest.split_first_chunk::<4>() else { return Err(damaged) };
    if magic != MAGIC || u32::from_le_bytes(*sum) != crc32fast::hash(message) {
        return Err(damaged);
    }
    Checkpoint::from_wire(v1::Checkpoint::decode(message)?)
}
