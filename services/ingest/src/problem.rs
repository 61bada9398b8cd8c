//! Refusals, in the form each protocol has for them.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use proto::wire::{
    DecodeError,
    otlp::{self, answer::Code},
};
use serde_json::{Map, Value, json};

use crate::{auth::AuthError, ports::Unavailable};

/// Seconds until a sender should come back: long enough for a group of writes to finish, short enough that the
/// senders' own queues (Prometheus: about two minutes at full rate) do not overflow.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// A request that is not done as asked: RFC 9457, unless the protocol has its own form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// Further members of the answer.
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), more: Map::new() }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(crate) fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 503, whatever the cause: the one answer that all telemetry senders retry.
    pub(crate) fn come_back(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub(crate) fn too_large(what: &str, size: impl std::fmt::Display, limit: usize) -> Self {
        let detail = format!("{what}: {size} is over the limit of {limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(crate) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }

    /// Plain text, as remote write's senders log it.
    pub(crate) fn into_text(self) -> Response {
        let body = format!("{}\n", self.detail);
        self.dressed(body.into_bytes(), "text/plain; charset=utf-8")
    }

    /// A `google.rpc.Status`, as OTLP's senders read it.
    pub(crate) fn into_otlp(self, form: otlp::Form) -> Response {
        let code = match self.status {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::InvalidArgument,
        };
        let body = otlp::answer::failure(form, code, &self.detail);
        self.dressed(body, crate::endpoints::otlp::media_type(form))
    }

    fn dressed(&self, body: Vec<u8>, media_type: &'static str) -> Response {
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS)),
            StatusCode::UNAUTHORIZED => {
                drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Problem"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(members) = body.as_object_mut() {
            members.extend(self.more.clone());
        }
        self.dressed(body.to_string().into_bytes(), "application/problem+json")
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let status =
            if error.is_too_large() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        let problem = Self::new(status, error.to_string());
        match error {
            DecodeError::Field { field, .. } => problem.with("field", field),
            _ => problem,
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let status = match error {
            AuthError::Unauthenticated => StatusCode::UNAUTHORIZED,
            AuthError::Forbidden { .. } | AuthError::OutOfScope { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, error.to_string())
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        Self::come_back(error.to_string())
    }
}
