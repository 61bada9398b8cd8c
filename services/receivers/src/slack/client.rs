//! The three calls of the Web API, and what its errors mean.

use std::{fmt, future::Future, time::Duration};

use outbound::{Connector, Outbound, find_denied};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use slack_morphism::{
    api::{SlackApiChatPostMessageRequest, SlackApiChatUpdateRequest},
    errors::SlackClientError,
    prelude::{
        SlackApiToken, SlackApiTokenValue, SlackChannelId, SlackClient, SlackClientHyperConnector,
        SlackMessageContent, SlackTs,
    },
};
use url::Url;

use super::{Place, SlackConfig, message::Message};
use crate::{
    retry::{Failure, within},
    text::{one_line, redact, with_causes},
};

/// Longest time for one call; Slack answers within a second or is in trouble.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest piece of a foreign text inside a detail, in characters.
const MAX_ERROR_CHARS: usize = 300;

/// The message cannot be changed any more: a new one takes its place.
const GONE: [&str; 4] =
    ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"];

/// Slack does not like our blocks.
const BAD_BLOCKS: [&str; 4] =
    ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"];

/// Trouble on Slack's side, told with a 200.
const PASSING: [&str; 6] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "ratelimited",
    "rate_limited",
];

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallError {
    Gone(String),
    BadBlocks(String),
    Failed(Failure),
}

impl CallError {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Gone(code) | Self::BadBlocks(code) => Failure::last(format!("Slack says {code}")),
            Self::Failed(failure) => failure,
        }
    }
}

/// One bot's access to the Web API.
pub(super) struct Client {
    slack: SlackClient<SlackClientHyperConnector<Connector>>,
    token: SecretString,
    /// The API lies where no receiver may.
    denied: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(config: SlackConfig, outbound: &Outbound) -> Self {
        let url = config.api_url.trim_end_matches('/');
        let connector =
            SlackClientHyperConnector::with_connector(outbound.connector()).with_slack_api_url(url);
        let literal = Url::parse(url).ok().map(|url| outbound::check_literal(&url, &outbound.allowed));
        Self {
            slack: SlackClient::new(connector),
            token: config.token,
            denied: literal.and_then(Result::err).map(|denied| denied.to_string()),
        }
    }

    /// `chat.postMessage`; where the message stands then.
    pub(super) async fn post(
        &self,
        channel: &str,
        message: &Message,
        is_plain: bool,
    ) -> Result<Place, CallError> {
        let request = SlackApiChatPostMessageRequest::new(channel.into(), content(message, is_plain))
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        self.post_request(&request).await
    }

    /// `chat.postMessage` into the thread of `place`.
    pub(super) async fn reply(&self, place: &Place, text: &str) -> Result<(), CallError> {
        let content = SlackMessageContent::new().with_text(text.to_owned());
        let request = SlackApiChatPostMessageRequest::new(place.channel.as_str().into(), content)
            .with_thread_ts(SlackTs(place.ts.clone()))
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        self.post_request(&request).await.map(drop)
    }

    async fn post_request(&self, request: &SlackApiChatPostMessageRequest) -> Result<Place, CallError> {
        let token = self.token()?;
        let session = self.slack.open_session(&token);
        let posted = async {
            let answer = session.chat_post_message(request).await?;
            Ok(Place { channel: answer.channel.0, ts: answer.ts.0 })
        };
        self.call(posted, Standing::place).await
    }

    /// `chat.update`.
    pub(super) async fn update(
        &self,
        place: &Place,
        message: &Message,
        is_plain: bool,
    ) -> Result<(), CallError> {
        let token = self.token()?;
        let session = self.slack.open_session(&token);
        let channel = SlackChannelId(place.channel.clone());
        let request =
            SlackApiChatUpdateRequest::new(channel, content(message, is_plain), SlackTs(place.ts.clone()));
        self.call(async { session.chat_update(&request).await.map(drop) }, |_| Some(())).await
    }

    fn token(&self) -> Result<SlackApiToken, CallError> {
        match &self.denied {
            Some(denied) => Err(CallError::Failed(Failure::last(denied.clone()))),
            None => Ok(SlackApiToken::new(SlackApiTokenValue(self.token.expose_secret().trim().to_owned()))),
        }
    }

    /// `read` takes what is needed from an answer that the library cannot read.
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, SlackClientError>>,
        read: impl FnOnce(Standing) -> Option<T>,
    ) -> Result<T, CallError> {
        let answered = within(CALL_TIMEOUT, async { Ok(call.await) }).await.map_err(CallError::Failed)?;
        answered.or_else(|error| Standing::of(&error).and_then(read).ok_or_else(|| self.judge(&error)))
    }

    fn judge(&self, error: &SlackClientError) -> CallError {
        let hide = |text: &str| redact(&one_line(text, MAX_ERROR_CHARS), [self.token.expose_secret().trim()]);
        let failed = |failure| CallError::Failed(failure);
        match error {
            SlackClientError::ApiError(api) => {
                let code = hide(&api.code);
                if GONE.contains(&api.code.as_str()) {
                    CallError::Gone(code)
                } else if BAD_BLOCKS.contains(&api.code.as_str()) {
                    CallError::BadBlocks(code)
                } else if PASSING.contains(&api.code.as_str()) {
                    failed(Failure::retryable(format!("Slack says {code}")))
                } else {
                    failed(Failure::last(format!("Slack says {code}")))
                }
            }
            SlackClientError::RateLimitError(limit) => failed(Failure::Retryable {
                detail: "Slack says 429 Too Many Requests".to_owned(),
                retry_after: limit.retry_after,
            }),
            SlackClientError::HttpError(http) => {
                let status = http.status_code;
                let detail = format!("Slack answered {status}");
                let is_passing = status.is_server_error() || status.as_u16() == 408;
                failed(if is_passing { Failure::retryable(detail) } else { Failure::last(detail) })
            }
            // The message may stand; to post it again could show it twice for a reason that will not pass.
            SlackClientError::ProtocolError(_) => {
                failed(Failure::last("Slack's answer cannot be understood"))
            }
            other => failed(match cause(other).and_then(find_denied) {
                Some(denied) => Failure::last(denied.to_string()),
                None => {
                    Failure::retryable(hide(&cause(other).map_or_else(|| other.to_string(), with_causes)))
                }
            }),
        }
    }
}

/// All that is needed of an answer: that the message stands, and where. The library wants more of it, and gives up where
/// something is left out; to post the message again would show it twice.
#[derive(Deserialize)]
struct Standing {
    ok: bool,
    channel: Option<String>,
    ts: Option<String>,
}

impl Standing {
    fn of(error: &SlackClientError) -> Option<Self> {
        let SlackClientError::ProtocolError(error) = error else { return None };
        let standing: Self = serde_json::from_str(error.json_body.as_deref()?).ok()?;
        standing.ok.then_some(standing)
    }

    fn place(self) -> Option<Place> {
        Some(Place { channel: self.channel?, ts: self.ts? })
    }
}

/// What a failed connection failed at; slack-morphism keeps it from `source`.
fn cause(error: &SlackClientError) -> Option<&(dyn std::error::Error + 'static)> {
    let cause = match error {
        SlackClientError::HttpProtocolError(error) => error.cause.as_deref(),
        SlackClientError::SystemError(error) => error.cause.as_deref(),
        _ => None,
    };
    cause.map(|cause| cause as &(dyn std::error::Error + 'static))
}

fn content(message: &Message, is_plain: bool) -> SlackMessageContent {
    let content = SlackMessageContent::new().with_text(message.text.clone());
    if is_plain { content } else { content.with_blocks(message.blocks.clone()) }
}
