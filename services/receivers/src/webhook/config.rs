//! What a webhook integration is told.

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

/// How long one request may take unless the config says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// An endpoint that takes Alertmanager's webhook body.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Secret as a whole: many services put their token into the path.
    pub url: SecretString,
    pub send_resolved: bool,
    /// Most alerts a body may list; 0 = all.
    pub max_alerts: u64,
    /// `Authorization: Bearer …`.
    pub bearer: Option<SecretString>,
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
            bearer: None,
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
    if config.timeout.is_zero() {
        return Err("timeout must be longer than nothing".to_owned());
    }
    Ok(())
}
