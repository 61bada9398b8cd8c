//! `server`, `hooks`, `bus`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ingest::{Limits, Role};
use model::LOCAL_OPERATOR;
use policy::{
    Diagnostics, Policy,
    yaml::{Node, Reader},
};
use secrecy::SecretString;

use super::{files::Files, secrets};

/// One of `server.tokens`.
pub(crate) struct TokenConfig {
    pub(crate) name: String,
    pub(crate) secret: SecretString,
    pub(crate) roles: Vec<Role>,
    pub(crate) services: Vec<String>,
    pub(crate) environments: Vec<String>,
}

/// Where a server is found, by the network and by the file system.
pub(crate) struct ServerPlace {
    pub(crate) listen: SocketAddr,
    /// Relative to the configuration file's folder, as every path in it is; without a file, to the working directory.
    pub(crate) data_dir: PathBuf,
}

impl ServerPlace {
    fn usual(files: &Files) -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9480)), data_dir: files.resolve("data") }
    }
}

/// `server`.
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) tokens: Vec<TokenConfig>,
    pub(crate) limits: Limits,
    /// Where people reach Ripcord from their mails and messages.
    pub(crate) external_url: Option<String>,
}

/// `hooks`.
#[derive(Default)]
pub(crate) struct Hooks {
    /// The token that Alertmanager sends; `None`: only tokens with the role `alerts` are let in, or, where there are
    /// no tokens, this machine's programs.
    pub(crate) alertmanager: Option<SecretString>,
    /// How long after its last notification an alert counts as over; `None`: the usual.
    pub(crate) alertmanager_resolve_timeout: Option<Duration>,
}

/// What was one role before: whoever sent telemetry could announce releases as well.
const INGEST: [Role; 3] = [Role::Telemetry, Role::Deploy, Role::Alerts];

const NOT_YET: &str = "accepted, but does not act yet";

pub(super) fn read_server(top: &mut Reader<'_, '_>, files: &mut Files) -> ServerConfig {
    let usual = ServerPlace::usual(files);
    let mut config = ServerConfig {
        listen: usual.listen,
        data_dir: usual.data_dir,
        tokens: Vec::new(),
        limits: Limits::default(),
        external_url: None,
    };
    let Some(mut server) = top.mapping("server") else { return config };
    let place = read_place_of(&mut server, files);
    (config.listen, config.data_dir) = (place.listen, place.data_dir);
    config.external_url = read_external_url(&mut server);
    for key in ["otlp_grpc", "web_config_file"] {
        if let Some(node) = server.get(key) {
            server.diagnostics().warning(
                node,
                format!("`{key}` is {NOT_YET}"),
                "OTLP over HTTP works on server.listen",
            );
        }
    }
    let nodes = server.list("tokens");
    config.tokens = nodes.iter().filter_map(|node| read_token(node, files, server.diagnostics())).collect();
    report_twins(nodes, server.diagnostics());
    if let Some(limits) = server.mapping("limits") {
        read_limits(limits, &mut config.limits);
    }
    server.finish();
    config
}

fn read_external_url(server: &mut Reader<'_, '_>) -> Option<String> {
    let node = server.get("external_url")?;
    let text = node.text().unwrap_or_default().trim();
    if ::receivers::is_external_url(text) {
        return Some(text.to_owned());
    }
    let message = format!("`external_url` {text:?} is not an absolute URL: messages have no links");
    server.diagnostics().warning(node, message, "write it like https://ripcord.example.org");
    None
}

/// Only where the server is found, for the verbs that talk to it: its secrets are not theirs to read.
pub(super) fn read_place(top: &mut Reader<'_, '_>, files: &Files) -> ServerPlace {
    match top.mapping("server") {
        Some(mut server) => read_place_of(&mut server, files),
        None => ServerPlace::usual(files),
    }
}

fn read_place_of(server: &mut Reader<'_, '_>, files: &Files) -> ServerPlace {
    let mut place = ServerPlace::usual(files);
    if let Some(listen) = server.text("listen") {
        match listen.parse() {
            Ok(listen) => place.listen = listen,
            Err(_) => {
                let message = format!("`listen`: {listen:?} is not an address and a port");
                let hint = "write it like 127.0.0.1:9480 or [::]:9480";
                if let Some(node) = server.get("listen") {
                    server.diagnostics().error_hint(node, message, hint);
                }
            }
        }
    }
    if let Some(data_dir) = server.text("data_dir") {
        place.data_dir = files.resolve(data_dir);
    }
    place
}

/// Names under which others than the holders of `server.tokens` act.
const TAKEN_NAMES: [(&str, &str); 3] = [
    (LOCAL_OPERATOR, "the data directory's own token acts under this name"),
    ("loopback", "programs of this machine act under this name while there are no tokens"),
    ("alertmanager", "the holder of `hooks.alertmanager`'s token acts under this name"),
];

/// Verbs are audited and approvals counted under a token's name, so that it has to tell who it was.
fn report_twins(nodes: &[Node], diagnostics: &Diagnostics) {
    let name = |node: &Node| node.get("name").and_then(Node::text).map(str::to_owned);
    for (at, node) in nodes.iter().enumerate() {
        let Some(own) = name(node) else { continue };
        if let Some((_, whose)) = TAKEN_NAMES.iter().find(|(taken, _)| own.eq_ignore_ascii_case(taken)) {
            let message = format!("a token may not be called {own:?}: {whose}");
            diagnostics.error_hint(node, message, "name each after its user");
        }
        if nodes[..at].iter().any(|earlier| name(earlier).as_ref() == Some(&own)) {
            let message = format!("two tokens are called {own:?}");
            diagnostics.error_hint(node, message, "name each after its user");
        }
    }
}

/// `limits`: what a request may cost, in bytes. They can be lowered; what the decoders take at most bounds them.
fn read_limits(mut reader: Reader<'_, '_>, limits: &mut Limits) {
    let usual = Limits::default();
    // Below this not even one sample with its labels fits.
    const BYTES_MIN: usize = 4096;
    for (key, most, limit) in [
        ("body_bytes_max", 64 << 20, &mut limits.body_bytes_max),
        ("remote_write_bytes_max", usual.remote_write_bytes_max, &mut limits.remote_write_bytes_max),
        ("otlp_bytes_max", usual.otlp_bytes_max, &mut limits.otlp_bytes_max),
        ("requests_bytes_max", usual.requests_bytes_max, &mut limits.requests_bytes_max),
        ("alertmanager_bytes_max", 64 << 20, &mut limits.alertmanager_bytes_max),
        ("events_bytes_max", usual.events_bytes_max, &mut limits.events_bytes_max),
        ("release_bytes_max", 16 << 20, &mut limits.release_bytes_max),
        ("verb_bytes_max", 1 << 20, &mut limits.verb_bytes_max),
        ("in_flight_bytes_max", 16 << 30, &mut limits.in_flight_bytes_max),
    ] {
        let given = reader.integer_within(key, BYTES_MIN as u64..=most as u64);
        *limit = given.and_then(|given| usize::try_from(given).ok()).unwrap_or(*limit);
    }
    let times = Duration::from_secs(1)..=Duration::from_secs(600);
    limits.body_time_max = reader.duration_within("body_time_max", times).unwrap_or(limits.body_time_max);
    reader.finish();
}

fn read_token(node: &Node, files: &mut Files, diagnostics: &Diagnostics) -> Option<TokenConfig> {
    let mut token = Reader::open(node, "a token", diagnostics)?;
    let name = token.required_text("name").map(str::to_owned);
    let secret = secrets::read(&mut token, "token", files);
    let is_given = secrets::is_given(&mut token, "token");
    let roles: Vec<Role> = token.list("roles").iter().flat_map(|role| read_role(role, diagnostics)).collect();
    let services = token.texts("services").unwrap_or_default();
    let environments = token.texts("environments").unwrap_or_default();
    token.finish();
    let Some(secret) = secret else {
        if !is_given {
            diagnostics.error_hint(node, "a token without a secret lets nobody in", "give it a `token_file`");
        }
        return None;
    };
    if roles.is_empty() {
        diagnostics.error_hint(node, "a token without roles may do nothing", "roles: [telemetry]");
    }
    let name = name?;
    if let Err(error) = ingest::Token::try_new(&name, &secret, roles.clone()) {
        diagnostics.error(node, format!("token {name:?}: {error}"));
    }
    Some(TokenConfig { name, secret, roles, services, environments })
}

/// The roles that one word of `roles` gives.
fn read_role(node: &Node, diagnostics: &Diagnostics) -> Vec<Role> {
    if node.text() == Some("ingest") {
        let message = "`ingest` is three roles: telemetry, deploy, alerts";
        let hint = "give Prometheus and OpenTelemetry `telemetry`, pipelines `deploy`, Alertmanager `alerts`: \
                    whoever sends telemetry should not announce releases";
        diagnostics.warning(node, message, hint);
        return INGEST.to_vec();
    }
    let role = node.text().and_then(Role::parse);
    if role.is_none() {
        let names = Role::ALL.map(Role::as_str).join(", ");
        diagnostics.error_hint(node, "not a role", format!("roles are {names}"));
    }
    role.into_iter().collect()
}

pub(super) fn read_hooks(top: &mut Reader<'_, '_>, files: &mut Files) -> Hooks {
    let mut config = Hooks::default();
    let Some(mut hooks) = top.mapping("hooks") else { return config };
    if let Some(mut hook) = hooks.mapping("alertmanager") {
        config.alertmanager = secrets::read(&mut hook, "token", files);
        let times = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);
        config.alertmanager_resolve_timeout = hook.duration_within("resolve_timeout", times);
        hook.finish();
    }
    for key in ["github", "gitlab", "argocd", "flux", "slack"] {
        if let Some(node) = hooks.get(key) {
            let hint = "publish to POST /api/v1/releases or /api/v1/events instead";
            hooks.diagnostics().warning(node, format!("the hook `{key}` is {NOT_YET}"), hint);
        }
    }
    hooks.finish();
    config
}

/// The data directory's token is nobody's in particular, and does not count where several people have to approve.
pub(super) fn warn_of_missing_approvers(
    server: &ServerConfig,
    policy: &Policy,
    node: &Node,
    diagnostics: &Diagnostics,
) {
    let may = |token: &&TokenConfig| token.roles.iter().any(|it| matches!(it, Role::Operate | Role::Admin));
    let approvers = server.tokens.iter().filter(may).count();
    let rules = std::iter::once(&policy.base).chain(&policy.policies);
    let needed = rules.filter_map(|rules| Some(rules.safety.as_ref()?.approvals)).max().unwrap_or(1);
    if needed > 1 && approvers < needed as usize {
        let message = format!(
            "`approvals: {needed}` can never be reached: tokens with the role `operate` are {approvers}, and the data \
             directory's does not count"
        );
        let at = node.get("policies").unwrap_or(node);
        diagnostics.warning(at, message, "give each approver a token of their own in `server.tokens`");
    }
}

/// What a proxy beside Ripcord passes on seems to come from this machine's own programs.
pub(super) fn warn_of_a_proxy_without_tokens(server: &ServerConfig, node: &Node, diagnostics: &Diagnostics) {
    let Some(url) = server.external_url.as_deref().filter(|_| server.tokens.is_empty()) else { return };
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    if matches!(host, "localhost" | "127.0.0.1" | "[") {
        return;
    }
    let at = node.get("server").and_then(|server| server.get("external_url")).unwrap_or(node);
    let message = format!(
        "`external_url` leads here from {host}, and there are no tokens: whoever a proxy on this machine lets \
         through may send telemetry, alerts and releases, and read everything"
    );
    let hint = "add server.tokens, or have the proxy authenticate everybody and set X-Forwarded-For";
    diagnostics.warning(at, message, hint);
}

/// An open door is only tolerated where nobody but this machine can reach it.
pub(super) fn expect_tokens_off_loopback(server: &ServerConfig, node: &Node, diagnostics: &Diagnostics) {
    if server.listen.ip().is_loopback() || !server.tokens.is_empty() {
        return;
    }
    let at = node.get("server").and_then(|server| server.get("listen")).unwrap_or(node);
    let message = format!("{} can be reached from elsewhere, and no token is configured", server.listen);
    let hint = "add server.tokens, each with a token_file and roles, or listen on 127.0.0.1";
    diagnostics.error_hint(at, message, hint);
}
