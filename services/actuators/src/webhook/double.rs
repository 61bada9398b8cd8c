//! A webhook target for tests and the demo: real HTTP on loopback, checks signatures with the reference library,
//! keeps what it got, and answers as it is told to, badly too.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

/// How the double answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Status and body.
    Status(u16, String),
    /// Status and `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// 302 to this URL.
    Redirect(String),
    /// Takes the request and never answers.
    Hang,
}

impl Answer {
    /// A bare status.
    pub fn status(code: u16) -> Self {
        Self::Status(code, String::new())
    }
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// Whether a `webhook-signature` was there and right; `None` where the double knows no secret.
    pub is_signature_valid: Option<bool>,
}

impl Received {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct Inner {
    secret: Option<String>,
    next: VecDeque<Answer>,
    always: Option<Answer>,
    received: Vec<Received>,
}

type Shared = Arc<Mutex<Inner>>;

/// The double; it ends with its last handle.
#[derive(Debug)]
pub struct WebhookDouble {
    address: SocketAddr,
    shared: Arc<Mutex<Inner>>,
    serving: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("received", &self.received.len()).finish_non_exhaustive()
    }
}

impl WebhookDouble {
    /// Listens on a free port of loopback. With a `secret` unsigned and wrongly signed requests get 401.
    pub async fn start(secret: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared: Shared =
            Arc::new(Mutex::new(Inner { secret: secret.map(str::to_owned), ..Inner::default() }));
        let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the webhook double ended");
            }
        });
        Ok(Self { address, shared, serving })
    }

    /// `http://127.0.0.1:PORT/rollback`.
    pub fn url(&self) -> String {
        format!("http://{}/rollback", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next requests like this, in order; afterwards as before.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.shared).next.extend(answers);
    }

    /// Answers like this from now on.
    pub fn answer_always(&self, answer: Answer) {
        lock(&self.shared).always = Some(answer);
    }

    /// Everything that came in, in order.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared).received.clone()
    }
}

impl Drop for WebhookDouble {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shared): State<Shared>,
    method: axum::http::Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = {
        let mut inner = lock(&shared);
        let is_signature_valid = inner.secret.as_deref().map(|secret| is_signed(secret, &headers, &body));
        inner.received.push(Received {
            method: method.to_string(),
            path: uri.path().to_owned(),
            headers: plain(&headers),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            is_signature_valid,
        });
        if is_signature_valid == Some(false) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let always = inner.always.clone();
        inner.next.pop_front().or(always).unwrap_or(Answer::status(202))
    };
    respond(answer).await
}

async fn respond(answer: Answer) -> Response {
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match answer {
        Answer::Status(code, body) => (status(code), body).into_response(),
        Answer::RetryAfter(code, seconds) => {
            (status(code), [(header::RETRY_AFTER, HeaderValue::from(seconds))]).into_response()
        }
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Hang => std::future::pending().await,
    }
}

fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    Webhook::new(secret).is_ok_and(|webhook| webhook.verify(body, headers).is_ok())
}

fn plain(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
