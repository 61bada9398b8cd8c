//! The HTTP client for targets: where it may connect to, whom it trusts.
//!
//! Redirects are not followed and proxies of the environment not used: a command goes to the configured target
//! or nowhere. Link-local and cloud metadata addresses are denied after name resolution, so that neither a name
//! nor a rebinding one leads there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

/// Longest time to connect, TLS included; an attempt's own timeout covers the rest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS' instance metadata over IPv6.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// An address that no target has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, a link-local or metadata address, which no target may have")]
pub(crate) struct Denied {
    host: String,
    address: IpAddr,
}

/// Whether `address` is link-local or a cloud's metadata service; also inside IPv6 forms of an IPv4 address.
fn is_denied(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6 == AWS_METADATA_V6
                || embedded_v4(v6).is_some_and(|v4| v4.is_link_local())
        }
    }
}

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible or NAT64 (`64:ff9b::/96`) one.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = v6.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [a, b] = segments[6].to_be_bytes();
        let [c, d] = segments[7].to_be_bytes();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    v6.to_ipv4()
}

/// Checks the host of a URL where it is an address: those are never resolved.
pub(crate) fn check_literal(url: &Url, allowed: &BTreeSet<String>) -> Result<(), Denied> {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        _ => return Ok(()),
    };
    let host = url.host_str().unwrap_or_default();
    if is_denied(address) && !allowed.contains(host) {
        return Err(Denied { host: host.to_owned(), address });
    }
    Ok(())
}

/// Resolves as the system does and leaves denied addresses out.
struct Resolver {
    allowed: Arc<BTreeSet<String>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let is_allowed = self.allowed.contains(name.as_str());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let addresses = keep_permitted(host, found, is_allowed)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn keep_permitted(host: String, found: Vec<SocketAddr>, is_allowed: bool) -> Result<Vec<SocketAddr>, Denied> {
    if is_allowed {
        return Ok(found);
    }
    let (denied, permitted): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| is_denied(found.ip()));
    match denied.first() {
        Some(denied) if permitted.is_empty() => Err(Denied { host, address: denied.ip() }),
        _ => Ok(permitted),
    }
}

/// The client of all webhook targets.
pub(crate) fn client(allowed: Arc<BTreeSet<String>>) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .use_preconfigured_tls(tls()?)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .dns_resolver(Arc::new(Resolver { allowed }))
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("Ripcord/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// Trusts the machine's authorities, and Mozilla's where the machine has none (a minimal image). The provider is
/// named here, so no process-wide one is needed.
fn tls() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_denied_in_every_spelling() {
        for (url, is_denied, why) in [
            ("http://169.254.169.254/latest", true, "the metadata address"),
            ("http://2852039166/latest", true, "the same as one number"),
            ("http://0xa9fea9fe/", true, "the same in hexadecimal"),
            ("http://[::ffff:169.254.169.254]/", true, "the same mapped into IPv6"),
            ("http://[64:ff9b::a9fe:a9fe]/", true, "the same behind NAT64"),
            ("http://[fe80::1]/", true, "IPv6 link-local"),
            ("http://[fd00:ec2::254]/", true, "AWS over IPv6"),
            ("http://127.0.0.1:9000/", false, "loopback is a fair place for a target"),
            ("http://10.0.0.7/", false, "so is a private network"),
            ("http://deploy.example.org/", false, "names are judged when they are resolved"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(check_literal(&url, &BTreeSet::new()).is_err(), is_denied, "{url}: {why}");
        }
        let allowed = BTreeSet::from(["169.254.169.254".to_owned()]);
        let url = Url::parse("http://169.254.169.254/").unwrap();
        assert_eq!(check_literal(&url, &allowed), Ok(()), "unless allowed by name");
    }

    #[test]
    fn of_the_addresses_of_a_name_the_denied_ones_are_left_out() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let (bad, good) = (address("169.254.1.1"), address("192.0.2.1"));
        assert_eq!(keep_permitted("a".into(), vec![bad, good], false), Ok(vec![good]));
        assert!(keep_permitted("a".into(), vec![bad], false).is_err());
        assert_eq!(keep_permitted("a".into(), vec![bad], true), Ok(vec![bad]));
    }

    #[test]
    fn the_client_needs_no_process_wide_provider() {
        assert!(client(Arc::default()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_denied_address_is_not_resolved() {
        let resolve = |allowed: &[&str]| {
            let allowed = Arc::new(allowed.iter().map(ToString::to_string).collect());
            Resolver { allowed }.resolve("169.254.169.254".parse().unwrap())
        };
        let error = resolve(&[]).await.err().unwrap();
        assert!(error.downcast_ref::<Denied>().is_some(), "{error}");
        assert_eq!(resolve(&["169.254.169.254"]).await.map(Iterator::count).ok(), Some(1));
    }
}
