//! The way in: telemetry, deployment events, alerts and people's verbs over HTTP.
//!
//! Each request is authenticated before its body is read, read within limits, judged by `proto::wire`, stamped
//! once, and appended to the events log through [`EventSink`]; only when that is durable is it answered 2xx. What
//! cannot be kept is refused with 503, what can never be taken with a 4xx that names the fault.
//!
//! Nothing is decided here and nothing is remembered but the last few ids: what an event means is decided by
//! `analyzer` and `arbiter`, which read the log; what came of it is shown by `console`. Which log it is only
//! `server` knows.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
mod body;
mod endpoints;
mod limits;
mod metrics;
mod openapi;
mod pace;
mod ports;
mod problem;
mod recent;
mod refusals;
mod stamp;
mod state;
#[cfg(test)]
mod tests;

pub use auth::{
    AlertLabels, Auth, AuthError, CLI_USER, Caller, DEFAULT_RESOLVE_TIMEOUT, Reach, Role, Token, TokenError,
};
pub use limits::Limits;
pub use openapi::openapi;
pub use ports::{Answered, BoxFuture, EventSink, KnownCommand, KnownRelease, Lookup, Terms, Unavailable};
pub use refusals::Refusals;
pub use state::{Ingest, Parts};

/// The routes of this crate, ready to be merged with `console`'s.
///
/// Peers are known by `axum::extract::ConnectInfo<SocketAddr>` in a request's extensions; without it no request
/// counts as coming from loopback.
pub fn router(ingest: Ingest) -> axum::Router {
    endpoints::router(ingest.0)
}
