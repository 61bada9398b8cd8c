//! Who may do what, put together from the configuration and the data directory's own token.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    pin::Pin,
    sync::Arc,
};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use ingest::{AlertLabels, Auth, AuthError, Caller, Role, Token};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{app::ReloadError, config::Config};

/// Name of the token's file in the data directory.
pub(crate) const OPERATOR_TOKEN_FILE: &str = "cli.token";

/// The token of whoever can read the data directory: made at the first start, kept from then on.
#[derive(Clone)]
pub(crate) struct OperatorToken(SecretString);

impl OperatorToken {
    /// Reads the token, or makes one that only its owner can read, and the directory for it.
    pub(crate) fn create(data_dir: &Path) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let path = data_dir.join(OPERATOR_TOKEN_FILE);
        match std::fs::read(&path) {
            Ok(bytes) if is_token(bytes.trim_ascii()) => {
                let token = String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
                return Ok(Self(SecretString::from(token)));
            }
            // Part of a token would be one that can be guessed.
            Ok(_) => tracing::warn!(file = %path.display(), "damaged token is made anew"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let token = random_hex()?;
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(token.as_bytes())?;
        file.sync_all()?;
        Ok(Self(SecretString::from(token)))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.len() == 32 && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// 128 bits from the system's generator.
pub(crate) fn random_hex() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The tokens in force.
pub(crate) fn auth(config: &Config, operator: &OperatorToken) -> anyhow::Result<Auth> {
    let mut tokens = vec![Token::try_new("operator", &operator.0, vec![Role::Admin])?];
    let open = match config.server.tokens.is_empty() {
        true => vec![Role::Telemetry, Role::Deploy, Role::Alerts, Role::View],
        false => Vec::new(),
    };
    for token in &config.server.tokens {
        let roles = token.roles.clone();
        let made = Token::try_new(&token.name, &token.secret, roles)
            .map_err(|error| anyhow::anyhow!("server.tokens, {:?}: {error}", token.name))?;
        tokens.push(made.scoped_to(token.services.clone(), token.environments.clone()));
    }
    let identity = &config.policy.identity;
    let (service, environment) = (identity.service.clone(), identity.environment.clone());
    let mut auth = Auth::new(tokens, open).with_alert_labels(AlertLabels { service, environment });
    if let Some(timeout) = config.hooks.alertmanager_resolve_timeout {
        auth = auth.with_resolve_timeout(timeout);
    }
    match &config.hooks.alertmanager {
        Some(secret) => Ok(auth.with_alertmanager(secret)?),
        None => Ok(auth),
    }
}

/// Lets a request read what its token covers if it has the role `view`.
pub(crate) fn view_guard(auth: Arc<ArcSwap<Auth>>) -> console::Authorize {
    Arc::new(move |parts| Ok(identify(&auth.load(), parts, Role::View)?.scope().clone()))
}

fn identify(auth: &Auth, parts: &Parts, role: Role) -> Result<Caller, Box<Response>> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    auth.identify(&parts.headers, peer, role).map_err(|error| Box::new(refusal(&error)))
}

/// RFC 9457, as ingest answers.
fn refusal(error: &AuthError) -> Response {
    let (status, title) = match error {
        AuthError::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        AuthError::Forbidden { .. } | AuthError::OutOfScope { .. } => (StatusCode::FORBIDDEN, "Forbidden"),
    };
    let body = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": error.to_string(),
    });
    let head = [(header::CONTENT_TYPE, "application/problem+json"), (header::WWW_AUTHENTICATE, "Bearer")];
    (status, head, body.to_string()).into_response()
}

/// Reloads and answers what is to be told of it, or says why it did not.
pub(crate) type Reload =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<String>, ReloadError>> + Send>> + Send + Sync>;

/// `POST /-/reload`, for the role `admin`.
pub(crate) fn reload_route(auth: Arc<ArcSwap<Auth>>, reload: Reload) -> Router {
    let handler = move |request: Request| {
        let (auth, reload) = (Arc::clone(&auth), Arc::clone(&reload));
        async move {
            let (parts, _) = request.into_parts();
            if let Err(refusal) = identify(&auth.load(), &parts, Role::Admin) {
                return *refusal;
            }
            match reload().await {
                Ok(warnings) => reloaded(&warnings).into_response(),
                Err(error @ ReloadError::Config(_)) => {
                    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
                }
                Err(error @ ReloadError::Log(_)) => {
                    let head = [(header::RETRY_AFTER, "5")];
                    (StatusCode::SERVICE_UNAVAILABLE, head, format!("{error}\n")).into_response()
                }
            }
        }
    };
    Router::new().route("/-/reload", post(handler))
}

/// A line, and one for each warning.
fn reloaded(warnings: &[String]) -> String {
    let warnings = warnings.iter().map(|warning| format!("{warning}\n"));
    std::iter::once("reloaded\n".to_owned()).chain(warnings).collect()
}

/// [`reload_route`] in the OpenAPI document.
pub(crate) fn describe_reload() -> serde_json::Value {
    serde_json::json!({"post": {
        "summary": "Reads the configuration again; a bad one changes nothing.",
        "operationId": "reload",
        "tags": ["operations"],
        "security": [{"bearer": []}],
        "responses": {
            "200": {"description": "Reloaded; a line for each warning, and for each changed key that needs a restart"},
            "400": {"description": "Every fault, as `ripcord check` prints it"},
            "401": {"description": "No valid token"},
            "403": {"description": "The token may not do this"},
            "503": {"description": "The log cannot write: come back after Retry-After"},
        },
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_and_one_that_is_damaged_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let token = || OperatorToken::create(dir.path()).unwrap().expose().to_owned();
        let first = token();
        assert_eq!(token(), first);
        let file = dir.path().join(OPERATOR_TOKEN_FILE);
        std::fs::write(&file, format!("{first}\n")).unwrap();
        assert_eq!(token(), first, "an editor's last line feed");
        let half = first.as_bytes()[..16].to_vec();
        for damaged in [vec![], vec![0; 32], half, vec![0xff; 32], b"ripcord-log 2 00000000".to_vec()] {
            std::fs::write(&file, &damaged).unwrap();
            let anew = token();
            assert!(anew != first && is_token(anew.as_bytes()), "{damaged:?} became {anew}");
            assert_eq!(token(), anew);
        }
    }
}
