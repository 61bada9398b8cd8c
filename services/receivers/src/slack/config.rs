//! What a Slack integration is told.

use secrecy::SecretString;

/// Slack's Web API.
pub const DEFAULT_API_URL: &str = "https://slack.com/api";

/// A bot that writes to a channel.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// Base of the Web API's methods; `http://` too, for tests and the demo.
    pub api_url: String,
    /// Bot token `xoxb-…` with `chat:write`.
    pub token: SecretString,
    /// `#name` or channel id; `None`: the Slack channel that the owner of the service names.
    pub channel: Option<String>,
    pub send_resolved: bool,
}

impl SlackConfig {
    /// Slack itself, the owner's channel, resolved ones too.
    pub fn new(token: SecretString) -> Self {
        Self { api_url: DEFAULT_API_URL.to_owned(), token, channel: None, send_resolved: true }
    }
}

/// Says what is wrong with `config`.
pub fn check(config: &SlackConfig) -> Result<(), String> {
    let url = url::Url::parse(&config.api_url).map_err(|error| format!("api_url is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(format!("api_url must be http or https, not {other}")),
    }
}
