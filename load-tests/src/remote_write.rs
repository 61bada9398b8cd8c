//! Remote write 1.0 requests, made from numbers.

use model::LabelBytes;

/// A `prometheus.WriteRequest` in the making.
#[derive(Debug, Default)]
pub(crate) struct WriteRequest {
    body: Vec<u8>,
    pub(crate) samples: u64,
}

impl WriteRequest {
    /// Appends one series with one sample; labels have to be sorted.
    pub(crate) fn push(&mut self, labels: &[(&str, &str)], value: f64, at_ms: i64) {
        let mut series = Vec::with_capacity(300);
        LabelBytes::encode(labels.iter().copied(), &mut series);
        let mut sample = Vec::with_capacity(20);
        sample.push(0x09);
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push(0x10);
        put_varint(at_ms.unsigned_abs(), &mut sample);
        put_bytes(0x12, &sample, &mut series);
        put_bytes(0x0a, &series, &mut self.body);
        self.samples += 1;
    }

    /// The request's body, snappy block format.
    pub(crate) fn compressed(&self) -> anyhow::Result<Vec<u8>> {
        Ok(snap::raw::Encoder::new().compress_vec(&self.body)?)
    }
}

/// Posts a body as Prometheus does; an answer that is not 2xx is an error.
pub(crate) async fn post(http: &reqwest::Client, url: &str, body: Vec<u8>) -> anyhow::Result<()> {
    let response = http
        .post(format!("{url}/api/v1/write"))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(body)
        .send()
        .await?;
    if !response.status().is_success() {
        anyhow::bail!("remote write: {} {}", response.status(), response.text().await?);
    }
    Ok(())
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
