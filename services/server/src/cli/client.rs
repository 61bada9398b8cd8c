//! The HTTP client of the verbs that talk to a server.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;

use super::ServerArgs;
use crate::{access::OPERATOR_TOKEN_FILE, config};

/// Longer than the longest poll the server offers.
const TIMEOUT: Duration = Duration::from_secs(65);

/// A verb could not be carried out.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answered.
    Unreachable { url: String, why: String },
    /// The server said no; its own words.
    Refused { status: u16, detail: String },
}

impl ClientError {
    /// 4 = unreachable, 1 = refused (DESIGN section 6).
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unreachable { .. } => ExitCode::from(4),
            Self::Refused { .. } => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable { url, why } => {
                write!(f, "{url} cannot be reached: {why}; is `ripcord serve` running there? (--url)")
            }
            // The arbiter, or ingest before it: the reason is the message.
            Self::Refused { status: 409, detail } => write!(f, "refused: {detail}"),
            Self::Refused { status, detail } => write!(f, "the server answered {status}: {detail}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// Talks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(server: &ServerArgs) -> anyhow::Result<Self> {
        let place = config::place(server.config.as_deref()).map_err(|errors| anyhow::anyhow!("{errors}"))?;
        let url = server.url.clone().unwrap_or_else(|| url_of(place.listen));
        let token = match &server.token_file {
            Some(path) => Some(read_token(path)?),
            // The server's own token, where this is its machine: whoever it is sent to may do anything there.
            None if is_own(&url, place.listen) => {
                let data_dir = server.data_dir.as_ref().unwrap_or(&place.data_dir);
                read_token(&data_dir.join(OPERATOR_TOKEN_FILE)).ok()
            }
            None => None,
        };
        Self::with_token(&url, token)
    }

    pub(crate) fn with_token(url: &str, token: Option<String>) -> anyhow::Result<Self> {
        crate::tls::install_provider();
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        // What is for this machine goes through no proxy, and the token with it.
        let http = if is_loopback(url) { http.no_proxy() } else { http };
        let http = http.build().context("the HTTP client cannot be set up")?;
        Ok(Self { http, base: url.trim_end_matches('/').to_owned(), token })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(self.http.get(self.at(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.http.post(self.at(path)).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    pub(crate) async fn post_raw(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, ClientError> {
        self.send(self.http.post(self.at(path)).header("content-type", content_type).body(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.http.delete(self.at(path)).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, ClientError> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let unreachable = |error: reqwest::Error| ClientError::Unreachable {
            url: self.base.clone(),
            why: root_cause(&error),
        };
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
        let user = reqwest::header::HeaderValue::from_str(&user);
        let request =
            request.header(ingest::CLI_USER, user.unwrap_or(reqwest::header::HeaderValue::from_static("")));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        let detail = match json["detail"].as_str() {
            Some(detail) => detail.to_owned(),
            None => String::from_utf8_lossy(&body).trim().to_owned(),
        };
        Err(ClientError::Refused { status: status.as_u16(), detail })
    }
}

/// The URL of a server on this machine; one that listens everywhere listens on loopback too.
fn url_of(mut listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{listen}")
}

/// Whether a server at `url` is on this machine, or is where the configuration says that the server listens.
fn is_own(url: &str, listen: SocketAddr) -> bool {
    let at = url::Url::parse(url).ok();
    let host = at.as_ref().and_then(|at| at.host_str()?.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let port = at.as_ref().and_then(url::Url::port_or_known_default);
    is_loopback(url) || (host == Some(listen.ip()) && port == Some(listen.port()))
}

fn is_loopback(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
        Some(url::Host::Ipv6(v6)) => IpAddr::V6(v6).to_canonical().is_loopback(),
        None => false,
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("token file {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// A path segment that came from a person.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_token_is_for_this_machine_and_the_configured_address() {
        let listen: SocketAddr = "10.0.0.5:9480".parse().unwrap();
        for (url, is_meant, why) in [
            ("http://127.0.0.1:9480", true, "this machine"),
            ("http://[::1]:9480", true, "over IPv6"),
            ("http://LOCALHOST:1", true, "by name, on any port"),
            ("http://2130706433:9480", true, "as one number"),
            ("http://10.0.0.5:9480", true, "where the server listens"),
            ("http://10.0.0.5:81", false, "another port of that address"),
            ("https://ripcord.example.org", false, "another machine"),
            ("http://127.0.0.1@evil.example:9480", false, "a user's name that looks like this machine"),
            ("http://127.0.0.1.evil.example:9480", false, "a name that begins like this machine's"),
            ("http://localhost.evil.example", false, "so does this one"),
            ("not a url", false, "nothing at all"),
        ] {
            assert_eq!(is_own(url, listen), is_meant, "{why}");
        }
    }
}
