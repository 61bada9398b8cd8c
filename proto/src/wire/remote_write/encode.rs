//! The sender's side of remote write 1.0: what the demo, the load tests and the tests send.

use model::{LabelBytes, Sample};

/// A `prometheus.WriteRequest` in the making.
#[derive(Clone, Debug, Default)]
pub struct WriteRequest {
    body: Vec<u8>,
    samples: usize,
}

impl WriteRequest {
    /// Appends one series with one sample. Labels come in any order; `__name__` is one of them.
    pub fn push(&mut self, labels: &[(&str, &str)], sample: Sample) {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        let mut series = Vec::with_capacity(300);
        LabelBytes::encode(labels, &mut series);
        let mut encoded = vec![0x09];
        encoded.extend_from_slice(&sample.value.to_le_bytes());
        encoded.push(0x10);
        put_varint(sample.at.as_millis() as u64, &mut encoded);
        put_bytes(0x12, &encoded, &mut series);
        put_bytes(0x0a, &series, &mut self.body);
        self.samples += 1;
    }

    /// How many samples it holds.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The body as it is sent: snappy, block format.
    pub fn compressed(&self) -> Vec<u8> {
        // Fails only for inputs of 4 GiB and more, which no caller makes; an empty body is refused by receivers.
        snap::raw::Encoder::new().compress_vec(&self.body).unwrap_or_default()
    }
}

fn put_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::wire::remote_write::decode;

    #[test]
    fn what_is_encoded_is_what_is_decoded() {
        let mut request = WriteRequest::default();
        let samples = [(1.5, 1_795_428_000_123), (f64::MAX, 0), (-0.0, 1)];
        for (value, at) in samples {
            let sample = Sample { value, at: Timestamp::from_millis(at), start: None };
            request.push(&[("code", "200"), ("__name__", "requests_total")], sample);
        }
        let decoded = decode(&request.compressed()).unwrap();
        assert!(decoded.rejected.is_empty());
        let found: Vec<_> = decoded.body.samples.iter().map(|it| (it.value, it.at.as_millis())).collect();
        assert_eq!(found, samples);
        assert_eq!(request.samples(), 3);
    }
}
