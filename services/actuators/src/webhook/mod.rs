//! The webhook target: one signed `POST` of the command's body, repeated under the same id until it is answered.

mod answer;
pub mod double;
mod signature;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use model::{Command, Timestamp};
use outbound::{Outbound, find_denied};
use policy::HeaderValue as HeaderText;
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};
use telemetry::trace::{TRACEPARENT, traceparent};
use url::Url;

use self::signature::Signer;
use crate::{
    Error, SecretSource, body,
    retry::{Failure, within},
    text::{redact, with_causes},
};

/// How much of an answer is read; a target that says more says it to nobody.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What all webhook targets share.
pub(crate) struct Webhook {
    client: reqwest::Client,
    allowed: Arc<BTreeSet<String>>,
}

/// A command made ready for one target.
pub(crate) struct Request {
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    id: String,
    signer: Option<Signer>,
    /// What must not show in a detail, whoever echoes it.
    secrets: Vec<String>,
}

impl Webhook {
    /// `allowed`: hosts that may be at link-local addresses all the same.
    pub(crate) fn new(allowed: BTreeSet<String>) -> Result<Self, Error> {
        let outbound = Outbound::new(allowed).map_err(Error::Client)?;
        let client = outbound.client().map_err(Error::Client)?;
        Ok(Self { client, allowed: outbound.allowed })
    }

    /// Everything that is the same for all attempts; the error is final.
    pub(crate) fn prepare(
        &self,
        command: &Command,
        (url, secret_file, headers): (&str, Option<&str>, &BTreeMap<String, HeaderText>),
        secrets: &dyn SecretSource,
    ) -> Result<Request, String> {
        let url = Url::parse(url).map_err(|error| format!("the target's URL is none: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the target's URL must be http or https, not {}", url.scheme()));
        }
        outbound::check_literal(&url, &self.allowed).map_err(|denied| denied.to_string())?;
        let secret = match secret_file {
            // Unsigned is what a target without a secret gets, never one whose secret is missing.
            Some(file) => {
                Some(secrets.secret(file).ok_or(format!("the secret file {file} could not be read"))?)
            }
            None => None,
        };
        let mut hidden: Vec<String> = url.query().map(str::to_owned).into_iter().collect();
        hidden.extend(url.password().map(str::to_owned));
        hidden.extend(Some(url.username().to_owned()).filter(|name| !name.is_empty()));
        let headers = headers_given(headers, secrets)?;
        hidden.extend(headers.values().map(|value| value.expose_secret().to_owned()));
        if let Some(secret) = &secret {
            hidden.push(secret.expose_secret().to_owned());
            hidden.extend(signature::keys(secret).map(str::to_owned));
        }
        Ok(Request {
            headers: configured(&headers)?,
            body: body::render(command).map_err(|error| format!("the body cannot be written: {error}"))?,
            id: command.id.to_string(),
            signer: secret.as_ref().map(Signer::new).transpose().map_err(|error| error.to_string())?,
            secrets: hidden,
            url,
        })
    }

    /// One attempt.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        now: Timestamp,
        limit: Duration,
    ) -> Result<String, Failure> {
        let hide = |text: String| redact(&text, request.secrets.iter().map(String::as_str));
        match within(limit, self.send(request, now)).await {
            Ok(detail) => Ok(hide(detail)),
            Err(Failure::Final { detail }) => Err(Failure::last(hide(detail))),
            Err(Failure::Retryable { detail, retry_after }) => {
                Err(Failure::Retryable { detail: hide(detail), retry_after })
            }
        }
    }

    async fn send(&self, request: &Request, now: Timestamp) -> Result<String, Failure> {
        let headers = request.headers_at(now).map_err(Failure::last)?;
        let sent =
            self.client.post(request.url.clone()).headers(headers).body(request.body.clone()).send().await;
        let mut response = sent.map_err(connection_failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER_BYTES {
            // The status line has decided already; a body that breaks off changes nothing.
            let Ok(Some(chunk)) = response.chunk().await else { break };
            let room = MAX_ANSWER_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        answer::judge(status, &headers, &String::from_utf8_lossy(&body), now)
    }
}

impl Request {
    /// The configured headers and, over them, ours: the id is the command's, the timestamp the attempt's.
    fn headers_at(&self, now: Timestamp) -> Result<HeaderMap, String> {
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|_| format!("{text:?} is no header value"));
        let mut headers = self.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("idempotency-key"), value(&self.id)?);
        headers.insert(HeaderName::from_static(HEADER_WEBHOOK_ID), value(&self.id)?);
        let seconds = now.as_millis().div_euclid(1000);
        headers.insert(HeaderName::from_static(HEADER_WEBHOOK_TIMESTAMP), HeaderValue::from(seconds));
        if let Some(signer) = &self.signer {
            let signature = signer.sign(&self.id, seconds, &self.body).ok_or("the body cannot be signed")?;
            headers.insert(HeaderName::from_static(HEADER_WEBHOOK_SIGNATURE), value(&signature)?);
        }
        if let Some(parent) = traceparent() {
            headers.insert(HeaderName::from_static(TRACEPARENT), value(&parent)?);
        }
        Ok(headers)
    }
}

/// The headers' values, those from files too.
fn headers_given(
    headers: &BTreeMap<String, HeaderText>,
    secrets: &dyn SecretSource,
) -> Result<BTreeMap<String, SecretString>, String> {
    let value = |(name, value): (&String, &HeaderText)| {
        let value = match value {
            HeaderText::Given(text) => SecretString::from(text.expose()),
            HeaderText::File(file) => {
                secrets.secret(file).ok_or(format!("the file {file} of header {name} could not be read"))?
            }
        };
        Ok((name.clone(), value))
    };
    headers.iter().map(value).collect()
}

fn configured(headers: &BTreeMap<String, SecretString>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed =
            HeaderName::try_from(name.as_str()).map_err(|_| format!("{name:?} is no header name"))?;
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("the value of header {name} is none"))?;
        value.set_sensitive(true);
        map.insert(parsed, value);
    }
    Ok(map)
}

/// A denied address and a request that cannot be built stay so; everything else about a connection may pass.
fn connection_failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(denied) = find_denied(&error) {
        return Failure::last(denied.to_string());
    }
    let text = with_causes(&error);
    if error.is_builder() { Failure::last(text) } else { Failure::retryable(text) }
}
