//! How key, headers and payload of a record share a frame's payload.
//!
//! `key length u32 | key | headers u16 | (name length u16 | name | value length u32 | value)… | payload`,
//! little endian. The frame around it carries length, checksum, position and stamp.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::embedded::{Headers, NewRecord};

/// What is stored of a record beside its stamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: Bytes,
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

/// Names and numbers of headers are ours and small; what does not fit is left out rather than misread.
pub(crate) fn encode(record: &NewRecord) -> Bytes {
    let headers = record.headers.iter().filter(|(name, _)| u16::try_from(name.len()).is_ok());
    let headers: Vec<_> = headers.take(usize::from(u16::MAX)).collect();
    let mut out = BytesMut::with_capacity(record.bytes() + 6 + 6 * headers.len());
    out.put_u32_le(record.key.len() as u32);
    out.put_slice(&record.key);
    out.put_u16_le(headers.len() as u16);
    for (name, value) in headers {
        out.put_u16_le(name.len() as u16);
        out.put_slice(name.as_bytes());
        out.put_u32_le(value.len() as u32);
        out.put_slice(value);
    }
    out.put_slice(&record.payload);
    out.freeze()
}

/// `None`: not written by [`encode`].
pub(crate) fn decode(mut bytes: Bytes) -> Option<Stored> {
    let key = take(&mut bytes, u32::from_le_bytes)?;
    let count = u16::from_le_bytes(*bytes.first_chunk()?);
    bytes.advance(2);
    let mut headers = Headers::new();
    for _ in 0..count {
        let name_length = usize::from(u16::from_le_bytes(*bytes.first_chunk()?));
        bytes.advance(2);
        let name = (bytes.len() >= name_length).then(|| bytes.split_to(name_length))?;
        let value = take(&mut bytes, u32::from_le_bytes)?;
        headers.push((String::from_utf8(name.to_vec()).ok()?, value));
    }
    Some(Stored { key, headers, payload: bytes })
}

fn take(bytes: &mut Bytes, length: fn([u8; 4]) -> u32) -> Option<Bytes> {
    let length = usize::try_from(length(*bytes.first_chunk()?)).ok()?;
    bytes.advance(4);
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_cut_one_is_none_or_has_a_shorter_payload() {
        let record = NewRecord { payload: "payload".into(), ..NewRecord::default() }
            .keyed("checkout/production")
            .with_header("traceparent", "00-1-2-01")
            .with_header("empty", "");
        let encoded = encode(&record);
        let stored = decode(encoded.clone()).unwrap();
        assert_eq!(
            (stored.key, stored.headers, stored.payload),
            (record.key, record.headers, record.payload)
        );
        let head = encoded.len() - "payload".len();
        for length in 0..head {
            assert_eq!(decode(encoded.slice(..length)), None, "{length} bytes");
        }
    }
}
