//! Webhook: Alertmanager's body, version 4.

mod config;
mod message;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::{Send, Timestamp};
use outbound::find_denied;
use secrecy::ExposeSecret as _;
use url::Url;

pub use self::config::{Authorization, DEFAULT_TIMEOUT, WebhookConfig, check};
use crate::{
    retry::{Attempt, Failure, within},
    text::{one_line, redact, with_causes},
};

/// How much of an answer is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Who takes each id once is told once (Standard Webhooks, "webhook-id").
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");

/// Longest piece of an answer inside a detail, in characters.
const MAX_ANSWER_CHARS: usize = 300;

/// Pieces of the URL that are shorter than this are words, not tokens.
const MIN_URL_SECRET_BYTES: usize = 8;

/// An endpoint.
#[derive(Debug)]
pub(crate) struct WebhookSender {
    config: WebhookConfig,
    client: reqwest::Client,
    allowed: Arc<BTreeSet<String>>,
}

/// A message on its way to an endpoint.
pub(crate) struct Request<'a> {
    sender: &'a WebhookSender,
    body: Result<Vec<u8>, String>,
    /// The message's, the same on every attempt and after any crash.
    id: String,
    clock: fn() -> Timestamp,
}

impl WebhookSender {
    pub(crate) fn new(
        config: WebhookConfig,
        client: reqwest::Client,
        allowed: Arc<BTreeSet<String>>,
    ) -> Self {
        Self { config, client, allowed }
    }

    pub(crate) fn request<'a>(
        &'a self,
        send: &Send,
        external_url: &str,
        clock: fn() -> Timestamp,
    ) -> Request<'a> {
        let body =
            message::render(send, external_url, self.config.max_alerts).map_err(|error| error.to_string());
        Request { sender: self, body, id: send.public_id().to_string(), clock }
    }

    fn url(&self) -> Result<Url, String> {
        let url = Url::parse(self.config.url.expose_secret())
            .map_err(|error| format!("url is not a URL: {error}"))?;
        outbound::check_literal(&url, &self.allowed).map_err(|denied| denied.to_string())?;
        Ok(url)
    }

    fn headers(&self, id: &str) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(WEBHOOK_ID, HeaderValue::from_str(id).map_err(|_| format!("{id:?} is no id"))?);
        let mut put = |name: &str, value: &str| {
            let wrong = |_| format!("the value of header {name} is none");
            let parsed = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
            let mut value = HeaderValue::from_str(value).map_err(wrong)?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
            Ok::<(), String>(())
        };
        for (name, value) in &self.config.headers {
            put(name, value.expose_secret())?;
        }
        if let Some(authorization) = &self.config.authorization {
            let (scheme, credentials) = authorization.parts();
            put("authorization", &format!("{scheme} {}", credentials.expose_secret()))?;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(headers)
    }

    fn hide(&self, text: &str) -> String {
        let config = &self.config;
        let url = config.url.expose_secret();
        // An answer seldom repeats the whole URL, so its longer pieces are hidden one by one too.
        let tail =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, tail)| tail);
        let pieces = tail.split(['/', '?', '&', '=']).filter(|piece| piece.len() >= MIN_URL_SECRET_BYTES);
        let own = config.authorization.as_ref().map(Authorization::secrets);
        let own = own.iter().flatten().map(|secret| secret.expose_secret());
        let headers = config.headers.values().map(|value| value.expose_secret());
        redact(text, [url, tail].into_iter().chain(pieces).chain(headers).chain(own))
    }
}

impl Request<'_> {
    async fn send(&self) -> Result<String, Failure> {
        let sender = self.sender;
        let body = self.body.clone().map_err(Failure::last)?;
        let (url, headers) =
            (sender.url().map_err(Failure::last)?, sender.headers(&self.id).map_err(Failure::last)?);
        let sent = sender.client.post(url).headers(headers).body(body).send().await;
        let mut response = sent.map_err(connection_failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Vec::new();
        while answer.len() < MAX_ANSWER_BYTES {
            // The status line has decided already; an answer that breaks off changes nothing.
            let Ok(Some(chunk)) = response.chunk().await else { break };
            let room = MAX_ANSWER_BYTES - answer.len();
            answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        judge(status, &headers, &String::from_utf8_lossy(&answer), (self.clock)())
    }
}

impl Attempt for Request<'_> {
    async fn attempt(&mut self) -> Result<String, Failure> {
        let sender = self.sender;
        match within(sender.config.timeout, self.send()).await {
            Ok(detail) => Ok(sender.hide(&detail)),
            Err(Failure::Final { detail }) => Err(Failure::last(sender.hide(&detail))),
            Err(Failure::Retryable { detail, retry_after }) => {
                Err(Failure::Retryable { detail: sender.hide(&detail), retry_after })
            }
        }
    }
}

/// 2xx is delivered; 408, 425, 429 and 5xx may pass; redirects are not followed and nothing else would change.
fn judge(status: StatusCode, headers: &HeaderMap, answer: &str, now: Timestamp) -> Result<String, Failure> {
    let line = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
        .trim_end()
        .to_owned();
    let answer = one_line(answer, MAX_ANSWER_CHARS);
    let detail = if answer.is_empty() { line.clone() } else { format!("{line}: {answer}") };
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        Ok(detail)
    } else if status.is_redirection() {
        Err(Failure::last(format!("{line}: redirects are not followed")))
    } else if status.is_server_error() || passing.contains(&status) {
        Err(Failure::Retryable { detail, retry_after: retry_after(headers, now) })
    } else {
        Err(Failure::last(detail))
    }
}

/// RFC 9110: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(date.as_millisecond()).since(now))
}

fn connection_failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(denied) = find_denied(&error) {
        return Failure::last(denied.to_string());
    }
    let text = with_causes(&error);
    if error.is_builder() { Failure::last(text) } else { Failure::retryable(text) }
}
