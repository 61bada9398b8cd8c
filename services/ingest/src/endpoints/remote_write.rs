//! `POST /api/v1/write`: Prometheus remote write 1.0. The body goes to the log as it came.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use proto::{
    EnvelopeBody, TelemetryEncoding,
    wire::{Rejected, remote_write},
};

use crate::{
    auth::{Reach, Role},
    body,
    problem::Problem,
    state::{Core, Head, Shared},
};

const VERSION: &str = "x-prometheus-remote-write-version";

/// Prometheus remote write 1.0.
///
/// Valid series of a body are kept even where others are not; the answer is then 400 and names those.
#[utoipa::path(
    post, path = "/api/v1/write", tag = "telemetry", operation_id = "remoteWrite",
    request_body(content = String, content_type = "application/x-protobuf",
        description = "prometheus.WriteRequest as a snappy block"),
    responses(
        (status = 204, description = "Everything is durable"),
        (status = 400, description = "Part or all of it can never be taken; the text names which and why"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 413, description = "Over a limit"), (status = 415, description = "Remote write 2.0, or no snappy"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn write(State(ingest): State<Core>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let mut response = match take(&ingest, &head, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => problem.into_text(),
    };
    response.headers_mut().insert(VERSION, HeaderValue::from_static("0.1.0"));
    response
}

async fn take(ingest: &Shared, head: &Head, body: axum::body::Body) -> Result<(), Problem> {
    let caller = ingest.caller(head, Role::Telemetry)?;
    // Which labels name the service is the policy's business, so that a scope cannot be checked here.
    caller.expect_within(Reach::Everything)?;
    expect_version_1(&head.headers)?;
    let taken =
        body::read(&ingest.budget, &ingest.limits, &head.headers, body, ingest.limits.body_bytes_max).await?;
    let declared = remote_write::decompressed_len(&taken.bytes)?;
    if declared > ingest.limits.remote_write_bytes_max {
        return Err(Problem::too_large("decompressed bytes", declared, ingest.limits.remote_write_bytes_max));
    }
    let taken = taken.holding(ingest.budget.take(declared)?);
    let (stamp, bytes, spare) = (ingest.stamp(), taken.bytes.clone(), ingest.spare_batch());
    let decoded = body::offload(bytes.len(), move || remote_write::decode_reusing(&bytes, spare)).await??;
    let (batch, rejected) = (decoded.body, decoded.rejected);
    let (samples, series) = (batch.samples.len(), batch.series.len());
    ingest.reject("series", &rejected, stamp.at);
    if samples > 0 {
        let encoding = TelemetryEncoding::RemoteWriteV1Snappy;
        let body = EnvelopeBody::Telemetry { encoding, body: taken.bytes.clone() };
        ingest.append_decoded(&stamp, &caller.actor.name, body, batch).await?;
        ingest.metrics.accept("samples", samples);
    }
    if rejected.is_empty() { Ok(()) } else { Err(partial(&rejected, series, samples)) }
}

fn expect_version_1(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase();
    let encoding = headers.get(CONTENT_ENCODING).map_or("snappy".to_owned(), text);
    if encoding.trim() != "snappy" {
        return Err(Problem::unsupported(format!(
            "Content-Encoding {encoding:?} is not understood, snappy is"
        )));
    }
    let content_type = headers.get(CONTENT_TYPE).map_or("application/x-protobuf".to_owned(), text);
    let mut pieces = content_type.split(';').map(str::trim);
    let is_protobuf = pieces.next() == Some("application/x-protobuf");
    // The content type decides, not the version header (remote write 2.0, "Protobuf Message").
    let message = pieces.find_map(|piece| piece.strip_prefix("proto="));
    match message {
        _ if !is_protobuf => Err(Problem::unsupported(format!(
            "Content-Type {content_type:?} is not understood, application/x-protobuf is"
        ))),
        None | Some("prometheus.writerequest") => Ok(()),
        Some(_) => Err(Problem::unsupported(
            "remote write 2.0 is not understood yet; send prometheus.WriteRequest (protobuf_message: prometheus.WriteRequest)",
        )),
    }
}

/// Prometheus and vmagent show the first line of an answer only, so that it names a series and its fault.
fn partial(rejected: &Rejected, series: usize, samples: usize) -> Problem {
    let mut examples = rejected.examples.iter();
    let first = examples.next().map_or("", String::as_str);
    let counts = format!(
        "left out {} series with {} samples; kept {series} series with {samples} samples",
        rejected.parts, rejected.samples
    );
    let others: String = examples.map(|example| format!("\n{example}")).collect();
    let more = rejected.parts.saturating_sub(rejected.examples.len() as u64);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    Problem::bad_request(format!("{first} ({counts}){others}{more}"))
}
