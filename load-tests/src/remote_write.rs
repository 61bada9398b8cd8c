//! Remote write 1.0 requests, made from numbers.

use model::LabelBytes;

/// A `prometheus.WriteRequest` that is sent scrape after scrape: labels stay, values and times move on in place,
/// so that making the load costs little of the cores that the server runs on.
#[derive(Debug, Default)]
pub(crate) struct WriteRequest {
    body: Vec<u8>,
    points: Vec<Point>,
}

/// One series' sample in the body.
#[derive(Debug)]
struct Point {
    /// Where the value's eight bytes begin; a tag and the time follow.
    value_from: usize,
    time_bytes: usize,
    value: f64,
    growth: f64,
}

impl WriteRequest {
    /// How many samples one sending carries.
    pub(crate) fn samples(&self) -> usize {
        self.points.len()
    }

    /// Appends one series with one sample; labels have to be sorted. `growth` is added at each [`Self::advance`].
    pub(crate) fn push(&mut self, labels: &[(&str, &str)], value: f64, growth: f64, at_ms: u64) {
        let mut series = Vec::with_capacity(300);
        LabelBytes::encode(labels.iter().copied(), &mut series);
        let mut time = Vec::with_capacity(10);
        put_varint(at_ms, &mut time);
        let mut sample = vec![0x09];
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push(0x10);
        sample.extend_from_slice(&time);
        put_bytes(0x12, &sample, &mut series);
        put_bytes(0x0a, &series, &mut self.body);
        let value_from = self.body.len() - time.len() - 1 - size_of::<f64>();
        self.points.push(Point { value_from, time_bytes: time.len(), value, growth });
    }

    /// The next scrape of the same series.
    pub(crate) fn advance(&mut self, at_ms: u64) {
        let mut time = Vec::with_capacity(10);
        put_varint(at_ms, &mut time);
        for point in &mut self.points {
            point.value += point.growth;
            let time_from = point.value_from + size_of::<f64>() + 1;
            self.body[point.value_from..time_from - 1].copy_from_slice(&point.value.to_le_bytes());
            // Milliseconds since 1970 take six bytes from 2004 to 2109.
            debug_assert_eq!(time.len(), point.time_bytes);
            self.body[time_from..time_from + point.time_bytes].copy_from_slice(&time);
        }
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
