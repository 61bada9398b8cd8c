//! What a Slack integration is told.

use secrecy::SecretString;

use super::mention;

/// Slack's Web API.
pub const DEFAULT_API_URL: &str = "https://slack.com/api";

/// A bot that writes to a channel.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// Base of the Web API's methods; `http://` too, for tests and the demo.
    pub api_url: String,
    /// Bot token `xoxb-…` with `chat:write`.
    pub token: SecretString,
    /// `#name` or channel id. The channels that the owners of the services name get the message as well, and alone
    /// where this is `None`.
    pub channel: Option<String>,
    /// Whether the owner's channel gets it beside `channel`.
    pub notify_owner: bool,
    /// Whom an alarm mentions: `<!here>`, `<!channel>`, `<@U…>`, `<!subteam^S…>`, several of them, or `none`. An owner
    /// may name somebody else for its channel.
    pub mention: String,
    pub send_resolved: bool,
}

impl SlackConfig {
    /// Slack itself, the owner's channel, resolved ones too.
    pub fn new(token: SecretString) -> Self {
        Self {
            api_url: DEFAULT_API_URL.to_owned(),
            token,
            channel: None,
            notify_owner: true,
            mention: mention::DEFAULT_MENTION.to_owned(),
            send_resolved: true,
        }
    }
}

/// Says what is wrong with `config`.
pub fn check(config: &SlackConfig) -> Result<(), String> {
    mention::parse(&config.mention)?;
    let url = url::Url::parse(&config.api_url).map_err(|error| format!("api_url is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(format!("api_url must be http or https, not {other}")),
    }
}
