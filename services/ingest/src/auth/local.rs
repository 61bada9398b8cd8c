//! Whether a request comes from a program on this machine, and not through it.
//!
//! The peer's address alone does not say so: a reverse proxy beside us is on loopback, and so is a browser, which
//! any page it shows can make send requests here, or can point at us under a name of the page's own.

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap,
    header::{FORWARDED, HOST, ORIGIN},
};

/// Whether a request without a token may be taken for one of this machine's own.
pub(super) fn is_local(headers: &HeaderMap, peer: Option<SocketAddr>) -> bool {
    let is_proxied = headers.contains_key(FORWARDED)
        || ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !is_proxied
        && text(headers, HOST).is_none_or(|host| host.is_some_and(is_loopback_host))
        && text(headers, ORIGIN).is_none_or(|origin| origin.is_some_and(is_loopback_origin))
        && text(headers, "sec-fetch-site").is_none_or(|site| matches!(site, Some("same-origin" | "none")))
}

/// `None`: no such header; `Some(None)`: one that is not text.
fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<Option<&str>> {
    headers.get(name).map(|value| value.to_str().ok())
}

fn is_loopback_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, host)| is_loopback_host(host))
}

/// `localhost`, `127.0.0.1:9480`, `[::1]:9480`.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
