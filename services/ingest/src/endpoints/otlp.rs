//! `POST /v1/metrics`: OTLP/HTTP.

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use proto::{
    EnvelopeBody, TelemetryEncoding,
    wire::{
        Rejected, is_json,
        otlp::{self, Form},
    },
};

use crate::{
    auth::{Reach, Role},
    body::offload,
    problem::Problem,
    state::{Core, Head, Shared},
};

/// OTLP metrics, protobuf or JSON.
#[utoipa::path(
    post, path = "/v1/metrics", tag = "telemetry", operation_id = "otlpMetrics",
    request_body(
        description = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest, plain or gzip",
        content((String = "application/x-protobuf"), (serde_json::Value = "application/json"))
    ),
    responses(
        (status = 200, description = "ExportMetricsServiceResponse; partial_success says what was rejected"),
        (status = 400, description = "google.rpc.Status: never to be taken"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 413, description = "Over a limit, also after decompression"),
        (status = 415, description = "Another content type or encoding"),
        (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn metrics(State(ingest): State<Core>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let Some(form) = form_of(&head) else {
        return Problem::unsupported("Content-Type must be application/x-protobuf or application/json")
            .into_otlp(Form::Protobuf);
    };
    match take(&ingest, &head, form, body).await {
        Ok(rejected) => {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static(media_type(form)))];
            (StatusCode::OK, headers, otlp::answer::success(form, &rejected)).into_response()
        }
        Err(problem) => problem.into_otlp(form),
    }
}

/// The content type of `form`.
pub(crate) fn media_type(form: Form) -> &'static str {
    match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    }
}

fn form_of(head: &Head) -> Option<Form> {
    let media_type = head.header("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" => Some(Form::Protobuf),
        json if is_json(json) => Some(Form::Json),
        _ => None,
    }
}

async fn take(ingest: &Shared, head: &Head, form: Form, body: Body) -> Result<Rejected, Problem> {
    let caller = ingest.caller(head, Role::Telemetry)?;
    // Which attributes name the service is the policy's business, so that a scope cannot be checked here.
    caller.expect_within(Reach::Everything)?;
    let taken = ingest.plain_body(head, body, ingest.limits.otlp_bytes_max).await?;
    // Small on the wire may be large decoded: that is paid for before.
    let decoded_bytes = otlp::decoded_bytes_max(form, &taken.bytes)?;
    let taken = taken.holding(ingest.budget.take_decoded(decoded_bytes)?);
    let (stamp, bytes) = (ingest.stamp(), taken.bytes.clone());
    let at = stamp.at;
    let judged = offload(bytes.len(), move || {
        let decoded = otlp::decode(form, &bytes, at)?;
        Ok::<_, Problem>((decoded.body.samples.len(), decoded.rejected))
    });
    let (samples, rejected) = judged.await??;
    ingest.reject("points", &rejected, stamp.at);
    if samples > 0 {
        let encoding = match form {
            Form::Protobuf => TelemetryEncoding::OtlpMetricsProtobuf,
            Form::Json => TelemetryEncoding::OtlpMetricsJson,
        };
        let body = EnvelopeBody::Telemetry { encoding, body: taken.bytes.clone() };
        ingest.append(&stamp, &caller.actor.name, body).await?;
        ingest.metrics.accept("samples", samples);
    }
    Ok(rejected)
}
