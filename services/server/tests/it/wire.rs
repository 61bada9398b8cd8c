//! Remote write requests from numbers, sent as Prometheus sends them.

use model::{Sample, Timestamp};
use proto::wire::remote_write::WriteRequest;

use crate::system::System;

/// Series and their values at one moment.
#[derive(Debug, Default)]
pub(crate) struct Write(WriteRequest);

impl Write {
    pub(crate) fn series(mut self, labels: &[(&str, &str)], value: f64, at_ms: i64) -> Self {
        self.0.push(labels, Sample { value, at: Timestamp::from_millis(at_ms), start: None });
        self
    }

    /// Requests so far of one version of a service, by code.
    pub(crate) fn requests(self, service: &str, version: &str, ok: f64, errors: f64, at_ms: i64) -> Self {
        let instance = format!("{service}-{version}:8080");
        let labels = |code: &'static str| {
            [
                ("__name__", "http_requests_total".to_owned()),
                ("code", code.to_owned()),
                ("environment", "production".to_owned()),
                ("instance", instance.clone()),
                ("job", "shop".to_owned()),
                ("service", service.to_owned()),
                ("version", version.to_owned()),
            ]
        };
        [("200", ok), ("500", errors)].into_iter().fold(self, |write, (code, value)| {
            let labels = labels(code);
            let borrowed: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            write.series(&borrowed, value, at_ms)
        })
    }

    pub(crate) fn compressed(&self) -> Vec<u8> {
        self.0.compressed()
    }

    /// Sends; status and body of the answer.
    pub(crate) async fn send(&self, system: &System) -> (u16, String) {
        send_body(system, self.compressed()).await
    }
}

pub(crate) async fn send_body(system: &System, body: Vec<u8>) -> (u16, String) {
    let answer = request(&system.http, &system.url, body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A remote write as Prometheus makes it.
pub(crate) fn request(http: &reqwest::Client, url: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
    http.post(format!("{url}/api/v1/write"))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(body)
}

/// Now, as samples are stamped.
pub(crate) fn now_ms() -> i64 {
    telemetry::clock::now().as_millis()
}
