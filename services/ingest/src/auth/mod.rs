//! Who may do what: bearer tokens with roles and a scope, and what loopback may do without one.
//!
//! `console` asks here too, so that there is one answer. Reloading swaps the whole [`Auth`] for a new one.

mod local;
mod token;

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, header::AUTHORIZATION};
use model::{Actor, Alert, Scope};
use secrecy::SecretString;

use self::token::TokenHash;
pub use self::token::{Token, TokenError};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Send metrics and requests.
    Telemetry,
    /// Announce releases and report on them.
    Deploy,
    /// Send alerts.
    Alerts,
    /// Read what the API shows.
    View,
    /// Approve, roll back, halt, silence. Includes `View`.
    Operate,
    /// Reload. Includes every other role.
    Admin,
}

impl Role {
    /// By what a token can be given.
    pub const ALL: [Self; 6] =
        [Self::Telemetry, Self::Deploy, Self::Alerts, Self::View, Self::Operate, Self::Admin];

    /// The role's name in the configuration and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Deploy => "deploy",
            Self::Alerts => "alerts",
            Self::View => "view",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The role of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    fn includes(self, wanted: Self) -> bool {
        self == wanted || self == Self::Admin || (self == Self::Operate && wanted == Self::View)
    }
}

/// What an action touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Every service in every environment, or nobody can tell which.
    Everything,
    Environment(&'a str),
    /// A service in every environment.
    Service(&'a str),
    ServiceIn(&'a str, &'a str),
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token, or none that is known: one answer for both.
    #[error("a valid bearer token is needed (Authorization: Bearer …)")]
    Unauthenticated,
    #[error("{name:?} does not have the role {role:?}")]
    Forbidden { name: String, role: &'static str },
    #[error("{name:?} may not touch {what}: its token is scoped to other services or environments")]
    OutOfScope { name: String, what: String },
}

/// Somebody who authenticated and has the role asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    scope: Scope,
    roles: Vec<Role>,
}

impl Caller {
    /// An error unless the caller's scope holds all of `reach`.
    pub fn expect_within(&self, reach: Reach<'_>) -> Result<(), AuthError> {
        let scope = &self.scope;
        let (is_within, what) = match reach {
            Reach::Everything => (scope.is_everything(), "every service".to_owned()),
            Reach::Environment(name) => {
                (scope.services.is_empty() && scope.holds_environment(name), format!("all of {name:?}"))
            }
            Reach::Service(name) => (
                scope.holds_service(name) && scope.environments.is_empty(),
                format!("{name:?} in every environment"),
            ),
            Reach::ServiceIn(name, place) => (scope.holds(name, place), format!("{name:?} in {place:?}")),
        };
        if is_within { Ok(()) } else { Err(AuthError::OutOfScope { name: self.actor.name.clone(), what }) }
    }

    /// Whether the caller's token is limited to some services or environments.
    pub fn is_scoped(&self) -> bool {
        !self.scope.is_everything()
    }

    /// What the caller may touch and see.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether the caller may do more than what was asked for: this too.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|has| has.includes(role))
    }
}

/// The labels of an alert that name what it is about; the first one that is there counts.
#[derive(Clone, Debug, Default)]
pub struct AlertLabels {
    pub service: Vec<String>,
    pub environment: Vec<String>,
}

impl AlertLabels {
    /// What an alert is about, as those who judge and route it will find.
    pub fn reach_of<'a>(&self, alert: &'a Alert) -> Reach<'a> {
        let first = |names: &[String]| names.iter().find_map(|name| alert.labels.get(name));
        match (first(&self.service), first(&self.environment)) {
            (Some(service), Some(environment)) => Reach::ServiceIn(service, environment),
            (Some(service), None) => Reach::Service(service),
            (None, Some(environment)) => Reach::Environment(environment),
            (None, None) => Reach::Everything,
        }
    }
}

/// The tokens in force, and what is known of those who have them.
#[derive(Clone, Debug)]
pub struct Auth {
    tokens: Vec<Token>,
    /// What requests without a token may do if they come from this machine.
    loopback_roles: Vec<Role>,
    alertmanager: Option<TokenHash>,
    alert_labels: AlertLabels,
    resolve_timeout: Duration,
}

impl Default for Auth {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

/// How long after its last notification an alert counts as over, unless `hooks.alertmanager.resolve_timeout` says
/// otherwise. Alertmanager's own 5 minutes are for senders that repeat each minute; its webhook repeats after
/// `repeat_interval` (4 h) and at most one `group_interval` (5 min). Two of these may be lost, and most of an hour is
/// left for an outage.
pub const DEFAULT_RESOLVE_TIMEOUT: Duration = Duration::from_secs(9 * 3600);

impl Auth {
    /// `loopback_roles` is what a request without a token may do that comes from this machine: send and read where
    /// no tokens are configured, else nothing.
    pub fn new(tokens: Vec<Token>, loopback_roles: Vec<Role>) -> Self {
        let (alertmanager, alert_labels) = (None, AlertLabels::default());
        Self { tokens, loopback_roles, alertmanager, alert_labels, resolve_timeout: DEFAULT_RESOLVE_TIMEOUT }
    }

    /// Whether programs of this machine may do anything without a token.
    pub fn is_open(&self) -> bool {
        !self.loopback_roles.is_empty()
    }

    /// Whether to answer at all what everybody may ask. Without tokens that is everybody on this machine, and not a
    /// page that points a name of its own at Ripcord.
    pub fn answers(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> bool {
        let has_token = || bearer(headers).is_some_and(|text| self.token_of(text).is_some());
        !self.is_open() || has_token() || local::is_local(headers, peer)
    }

    /// Sets by which labels an alert is found to be within a token's scope.
    pub fn with_alert_labels(mut self, labels: AlertLabels) -> Self {
        self.alert_labels = labels;
        self
    }

    /// By which labels an alert is found to be within a token's scope.
    pub fn alert_labels(&self) -> &AlertLabels {
        &self.alert_labels
    }

    /// Sets how long after its last notification an alert counts as over.
    pub fn with_resolve_timeout(mut self, timeout: Duration) -> Self {
        self.resolve_timeout = timeout;
        self
    }

    /// How long after its last notification an alert counts as over.
    pub fn resolve_timeout(&self) -> Duration {
        self.resolve_timeout
    }

    /// Sets the token of `/hooks/alertmanager`: beside it only tokens with the role `alerts` are let in.
    pub fn with_alertmanager(mut self, secret: &SecretString) -> Result<Self, TokenError> {
        self.alertmanager = Some(TokenHash::of(secret)?);
        Ok(self)
    }

    /// Who asks, if they have `role` and, where a service and its environment are named, may touch it.
    pub fn authorize(
        &self,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
        role: Role,
        touched: Option<(&str, &str)>,
    ) -> Result<Actor, AuthError> {
        let caller = self.identify(headers, peer, role)?;
        if let Some((service, environment)) = touched {
            caller.expect_within(Reach::ServiceIn(service, environment))?;
        }
        Ok(caller.actor)
    }

    /// Who asks, if they have `role`; what they may touch is asked of the [`Caller`] once it is known.
    pub fn identify(
        &self,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
        role: Role,
    ) -> Result<Caller, AuthError> {
        if !headers.contains_key(AUTHORIZATION) {
            return self.identify_local(headers, peer, role);
        }
        let token = bearer(headers).and_then(|text| self.token_of(text)).ok_or(AuthError::Unauthenticated)?;
        let caller = Caller {
            actor: via(actor(&token.name, peer), headers),
            scope: token.scope.clone(),
            roles: token.roles.clone(),
        };
        if caller.has(role) {
            Ok(caller)
        } else {
            Err(AuthError::Forbidden { name: token.name.clone(), role: role.as_str() })
        }
    }

    fn identify_local(
        &self,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
        role: Role,
    ) -> Result<Caller, AuthError> {
        let is_open = self.loopback_roles.iter().any(|has| has.includes(role));
        if !is_open || !local::is_local(headers, peer) {
            return Err(AuthError::Unauthenticated);
        }
        Ok(Caller {
            actor: via(actor("loopback", peer), headers),
            scope: Scope::default(),
            roles: self.loopback_roles.clone(),
        })
    }

    /// Who sends a notification of Alertmanager's: the holder of the hook's own token, or of one with the role
    /// `alerts`. A program of this machine needs neither while there are no tokens at all.
    pub fn identify_alertmanager(
        &self,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
    ) -> Result<Caller, AuthError> {
        let own = || Caller {
            actor: actor("alertmanager", peer),
            scope: Scope::default(),
            roles: vec![Role::Alerts],
        };
        let Some(expected) = &self.alertmanager else {
            let caller = self.identify(headers, peer, Role::Alerts)?;
            return Ok(if headers.contains_key(AUTHORIZATION) { caller } else { own() });
        };
        if bearer(headers).is_some_and(|text| expected.matches(text)) {
            return Ok(own());
        }
        if headers.contains_key(AUTHORIZATION) {
            self.identify(headers, peer, Role::Alerts)
        } else {
            Err(AuthError::Unauthenticated)
        }
    }

    /// Looks at every token, so that the time taken does not tell which one came near.
    fn token_of(&self, text: &[u8]) -> Option<&Token> {
        let hash = TokenHash::of_bytes(text);
        self.tokens
            .iter()
            .fold(None, |found, token| if token.hash.equals(&hash) { Some(token) } else { found })
    }
}

fn actor(name: &str, peer: Option<SocketAddr>) -> Actor {
    let address = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
    Actor { name: name.to_owned(), via: "api".to_owned(), address }
}

/// The header in which the command line says who runs it.
pub const CLI_USER: &str = "ripcord-cli-user";

/// Longest name of a user that is kept.
const CLI_USER_CHARS_MAX: usize = 32;

/// Shows who ran the command line, as they say: a token that several people share is still one name where approvals
/// are counted.
fn via(mut actor: Actor, headers: &HeaderMap) -> Actor {
    if let Some(user) = headers.get(CLI_USER).and_then(|value| value.to_str().ok()) {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        let user: String = user.chars().filter(is_plain).take(CLI_USER_CHARS_MAX).collect();
        actor.via = if user.is_empty() { "cli".to_owned() } else { format!("cli ({user})") };
    }
    actor
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    // Two of them are a request that two readers understand differently.
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests;
