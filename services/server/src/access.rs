//! Who may do what, put together from the configuration and the data directory's own token.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
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
use model::LOCAL_OPERATOR;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{app::ReloadError, config::Config};

/// Name of the token's file in the data directory.
pub(crate) const OPERATOR_TOKEN_FILE: &str = "cli.token";

/// No token is longer, whatever an editor added.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// The token of whoever can read the data directory: made at the first start, kept from then on.
#[derive(Clone)]
pub(crate) struct OperatorToken(SecretString);

impl OperatorToken {
    /// Reads the token, or makes one that only its owner can read, and the directory for it.
    pub(crate) fn create(data_dir: &Path) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let path = data_dir.join(OPERATOR_TOKEN_FILE);
        warn_of_open_directory(data_dir)?;
        match read_own(&path) {
            Ok(Ok(token)) => return Ok(Self(SecretString::from(token))),
            Ok(Err(fault)) => tracing::warn!(file = %path.display(), "the token is made anew: {fault}"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let token = random_hex()?;
        // In a file of its own first: what stands under the name may be a link that somebody put there.
        let (new, mode) = (data_dir.join(format!("{OPERATOR_TOKEN_FILE}.new")), 0o600);
        std::fs::remove_file(&new).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(token.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        Ok(Self(SecretString::from(token)))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The token in a file, or why the file's is not taken: one that somebody else wrote, or may have read, is theirs too.
fn read_own(path: &Path) -> std::io::Result<Result<String, &'static str>> {
    let listed = std::fs::symlink_metadata(path)?;
    if !listed.is_file() {
        return Ok(Err("it is no plain file"));
    }
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if (metadata.dev(), metadata.ino()) != (listed.dev(), listed.ino()) {
        return Ok(Err("it was replaced just now"));
    }
    if metadata.uid() != own_uid()? {
        return Ok(Err("another user owns the file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Ok(Err("others than its owner may read or write the file"));
    }
    let mut bytes = Vec::new();
    file.take(TOKEN_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = bytes.trim_ascii();
    // Part of a token would be one that can be guessed.
    Ok(if is_token(text) { Ok(String::from_utf8_lossy(text).into_owned()) } else { Err("it is damaged") })
}

/// The user that this process acts as: the owner of the process's own folder.
fn own_uid() -> std::io::Result<u32> {
    Ok(std::fs::metadata("/proc/self")?.uid())
}

/// Whoever may write the directory can replace what is in it.
fn warn_of_open_directory(data_dir: &Path) -> std::io::Result<()> {
    let mode = std::fs::metadata(data_dir)?.mode();
    if mode & 0o022 != 0 {
        let mode = format!("{:04o}", mode & 0o7777);
        tracing::warn!(
            data_dir = %data_dir.display(), mode,
            "others than its owner may write server.data_dir, and with it the log, the token and the HALT file"
        );
    }
    Ok(())
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
    let mut tokens = vec![Token::try_new(LOCAL_OPERATOR, &operator.0, vec![Role::Admin])?];
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

/// Leaves what anybody may ask unanswered where a foreign page asks through a browser of this machine. How the process
/// is, is told to all.
pub(crate) fn guarded(router: Router, auth: Arc<ArcSwap<Auth>>) -> Router {
    router.layer(axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
        let auth = Arc::clone(&auth);
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
            let is_health = matches!(request.uri().path(), "/-/healthy" | "/-/ready");
            if is_health || auth.load().answers(request.headers(), peer) {
                next.run(request).await
            } else {
                refusal(&AuthError::Unauthenticated)
            }
        }
    }))
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

    #[test]
    fn a_token_that_others_wrote_or_may_have_read_is_made_anew() {
        use std::os::unix::fs::PermissionsExt as _;
        let planted = "0123456789abcdef0123456789abcdef";
        for (mode, is_kept) in [(0o600, true), (0o400, true), (0o640, false), (0o644, false), (0o620, false)]
        {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join(OPERATOR_TOKEN_FILE);
            std::fs::write(&file, planted).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let token = OperatorToken::create(dir.path()).unwrap();
            assert_eq!(token.expose() == planted, is_kept, "{mode:o}");
            let now = std::fs::metadata(&file).unwrap().mode() & 0o777;
            assert_eq!(now, if is_kept { mode } else { 0o600 });
        }
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, planted).unwrap();
        std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o600)).unwrap();
        let file = dir.path().join(OPERATOR_TOKEN_FILE);
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        assert_ne!(OperatorToken::create(dir.path()).unwrap().expose(), planted, "a link is not followed");
        assert!(std::fs::symlink_metadata(&file).unwrap().is_file());
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), planted, "nor written through");
    }
}
