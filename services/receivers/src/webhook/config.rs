//! What a webhook integration is told.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

/// How long one request may take unless the config says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The `Authorization` header of each request.
#[derive(Clone, Debug)]
pub enum Authorization {
    /// `SCHEME CREDENTIALS`; mostly `Bearer`.
    Credentials { scheme: String, credentials: SecretString },
    /// RFC 7617.
    Basic { username: String, password: SecretString },
}

impl Authorization {
    /// A bearer token (RFC 6750).
    pub fn bearer(token: SecretString) -> Self {
        Self::Credentials { scheme: "Bearer".to_owned(), credentials: token }
    }

    /// Scheme, and the secret that follows it.
    pub(super) fn parts(&self) -> (&str, SecretString) {
        match self {
            Self::Credentials { scheme, credentials } => {
                (scheme, SecretString::from(credentials.expose_secret().trim()))
            }
            Self::Basic { username, password } => {
                let password = password.expose_secret().trim_end_matches(['\r', '\n']);
                let pair = BASE64_STANDARD.encode(format!("{username}:{password}"));
                ("Basic", SecretString::from(pair))
            }
        }
    }

    /// Everything that no answer may show.
    pub(super) fn secrets(&self) -> [SecretString; 2] {
        let (Self::Credentials { credentials: own, .. } | Self::Basic { password: own, .. }) = self;
        [SecretString::from(own.expose_secret().trim()), self.parts().1]
    }
}

/// An endpoint that takes Alertmanager's webhook body.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Secret as a whole: many services put their token into the path.
    pub url: SecretString,
    pub send_resolved: bool,
    /// Most alerts a body may list; 0 = all.
    pub max_alerts: u64,
    pub authorization: Option<Authorization>,
    pub headers: BTreeMap<String, SecretString>,
    pub timeout: Duration,
}

impl WebhookConfig {
    /// A plain endpoint with Alertmanager's defaults.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            send_resolved: true,
            max_alerts: 0,
            authorization: None,
            headers: BTreeMap::new(),
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// Says what is wrong with `config`, without showing the URL.
pub fn check(config: &WebhookConfig) -> Result<(), String> {
    let url =
        url::Url::parse(config.url.expose_secret()).map_err(|error| format!("url is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("url must be http or https, not {}", url.scheme()));
    }
    if let Some(name) = config.headers.keys().find(|name| http::HeaderName::try_from(name.as_str()).is_err())
    {
        return Err(format!("{name:?} is not a header name"));
    }
    if let Some(Authorization::Basic { username, .. }) = &config.authorization
        && username.contains(':')
    {
        return Err("the username of basic_auth may not hold a colon".to_owned());
    }
    if config.timeout.is_zero() {
        return Err("timeout must be longer than nothing".to_owned());
    }
    Ok(())
}
