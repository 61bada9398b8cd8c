//! How one record stands in a file.
//!
//! `length u32 | crc u32 | position u64 | stamp i64 | payload`, little endian. The checksum (CRC-32, IEEE)
//! covers the format's version, the topic's name, the other header fields and the payload: a frame of another
//! topic, at another position or of another format never verifies, and neither does a region of zeros.

use model::Timestamp;

use crate::embedded::{RECORD_BYTES_MAX, data_directory::FORMAT_VERSION};

/// Bytes in front of every payload.
pub(crate) const HEADER_BYTES: usize = 24;

/// The part of a frame that says how to read the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of payload; not above [`RECORD_BYTES_MAX`].
    pub(crate) length: usize,
    crc: u32,
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
}

impl Header {
    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.length
    }
}

/// The frames of one topic.
#[derive(Clone, Debug)]
pub(crate) struct FrameFormat {
    /// Has seen what is the same in every frame of the topic.
    seed: crc32fast::Hasher,
}

impl FrameFormat {
    pub(crate) fn of_topic(name: &str) -> Self {
        let mut seed = crc32fast::Hasher::new();
        seed.update(&FORMAT_VERSION.to_le_bytes());
        seed.update(&(name.len() as u64).to_le_bytes());
        seed.update(name.as_bytes());
        Self { seed }
    }

    /// Appends a frame to `out`. The payload is not above [`RECORD_BYTES_MAX`]: `Topic::append` saw to that.
    pub(crate) fn write(&self, position: u64, at: Timestamp, payload: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let crc = self.checksum(length, position, at, payload);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&position.to_le_bytes());
        out.extend_from_slice(&at.as_millis().to_le_bytes());
        out.extend_from_slice(payload);
    }

    /// The header at the start of `bytes`; `None` if there are too few or no frame can be that long.
    pub(crate) fn read_header(bytes: &[u8]) -> Option<Header> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let at = rest.first_chunk::<8>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        (length <= RECORD_BYTES_MAX).then_some(Header {
            length,
            crc: u32::from_le_bytes(*crc),
            position: u64::from_le_bytes(*position),
            at: Timestamp::from_millis(i64::from_le_bytes(*at)),
        })
    }

    /// Whether `payload` is what was written under `header`.
    pub(crate) fn verify(&self, header: &Header, payload: &[u8]) -> bool {
        let Ok(length) = u32::try_from(payload.len()) else { return false };
        payload.len() == header.length
            && self.checksum(length, header.position, header.at, payload) == header.crc
    }

    fn checksum(&self, length: u32, position: u64, at: Timestamp, payload: &[u8]) -> u32 {
        let mut hasher = self.seed.clone();
        hasher.update(&length.to_le_bytes());
        hasher.update(&position.to_le_bytes());
        hasher.update(&at.as_millis().to_le_bytes());
        hasher.update(payload);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(topic: &str) -> Vec<u8> {
        let mut out = Vec::new();
        FrameFormat::of_topic(topic).write(7, Timestamp::from_millis(-3), b"payload", &mut out);
        out
    }

    #[test]
    fn a_frame_reads_back_and_no_single_bit_of_it_can_turn() {
        let format = FrameFormat::of_topic("events");
        let good = frame("events");
        let header = FrameFormat::read_header(&good).unwrap();
        assert_eq!((header.position, header.at, header.length), (7, Timestamp::from_millis(-3), 7));
        assert!(format.verify(&header, &good[HEADER_BYTES..]));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let holds = FrameFormat::read_header(&bad)
                .is_some_and(|header| format.verify(&header, &bad[HEADER_BYTES..]));
            assert!(!holds, "bit {bit} turned and nobody noticed");
        }
    }

    #[test]
    fn neither_another_topics_frame_nor_zeros_verify() {
        let format = FrameFormat::of_topic("events");
        let foreign = frame("decisions");
        let header = FrameFormat::read_header(&foreign).unwrap();
        assert!(!format.verify(&header, &foreign[HEADER_BYTES..]));
        let zeros = FrameFormat::read_header(&[0; HEADER_BYTES]).unwrap();
        assert!(!format.verify(&zeros, &[]));
    }
}
