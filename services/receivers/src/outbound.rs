//! HTTP out: where messages may go, and whom they trust.
//!
//! Redirects are not followed and proxies of the environment not used: a message goes to the configured endpoint
//! or nowhere. Link-local and cloud metadata addresses are denied after name resolution. The rules are those of
//! `actuators`, which lies beside this crate and cannot be asked.

use std::{
    collections::BTreeSet,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use reqwest::dns::{Addrs, Resolve, Resolving};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

/// Longest time to connect; an attempt's own timeout covers the rest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS' instance metadata over IPv6.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// An address that no endpoint has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, a link-local or metadata address, which no receiver may have")]
pub(crate) struct Denied {
    host: String,
    address: IpAddr,
}

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

/// Whether a failed request failed at [`Denied`]; asking again would not help.
pub(crate) fn find_denied<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Denied> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(denied) = error.downcast_ref::<Denied>() {
            return Some(denied);
        }
        // An `io::Error` gives its inner error's source, not the inner error.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

/// Resolves as the system does and leaves denied addresses out.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    allowed: Arc<BTreeSet<String>>,
}

impl Resolver {
    async fn addresses(self, host: String) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
        let is_allowed = self.allowed.contains(&host);
        let permitted = keep_permitted(host, found, is_allowed);
        permitted
            .map(Vec::into_iter)
            .map_err(|denied| io::Error::new(io::ErrorKind::PermissionDenied, denied))
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

impl Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(addresses.await?) as Addrs) })
    }
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().addresses(name.as_str().to_owned()))
    }
}

/// What the clients share: whom to trust and where not to go.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    tls: ClientConfig,
    pub(crate) allowed: Arc<BTreeSet<String>>,
}

/// The connector under the Slack client.
pub(crate) type Connector = HttpsConnector<HttpConnector<Resolver>>;

impl Outbound {
    pub(crate) fn new(allowed: BTreeSet<String>) -> Result<Self, String> {
        Ok(Self { tls: tls()?, allowed: Arc::new(allowed) })
    }

    fn resolver(&self) -> Resolver {
        Resolver { allowed: Arc::clone(&self.allowed) }
    }

    /// The client of all webhooks.
    pub(crate) fn client(&self) -> Result<reqwest::Client, String> {
        reqwest::Client::builder()
            .use_preconfigured_tls(self.tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Arc::new(self.resolver()))
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("Ripcord/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())
    }

    /// A connector for `https` and `http`; the latter for tests and the demo.
    pub(crate) fn connector(&self) -> Connector {
        let mut http = HttpConnector::new_with_resolver(self.resolver());
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http)
    }
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
        for (url, is_denied) in [
            ("http://169.254.169.254/latest", true),
            ("http://2852039166/latest", true),
            ("http://[::ffff:169.254.169.254]/", true),
            ("http://[64:ff9b::a9fe:a9fe]/", true),
            ("http://[fe80::1]/", true),
            ("http://[fd00:ec2::254]/", true),
            ("http://127.0.0.1:9000/", false),
            ("https://hooks.example.org/", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(check_literal(&url, &BTreeSet::new()).is_err(), is_denied, "{url}");
        }
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
    fn a_denied_address_is_found_inside_the_error_that_hides_it() {
        let denied = Denied { host: "a".into(), address: IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1)) };
        let hidden = io::Error::other(io::Error::new(io::ErrorKind::PermissionDenied, denied.clone()));
        assert_eq!(find_denied(&hidden), Some(&denied));
        assert_eq!(find_denied(&io::Error::other("dns error")), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_denied_address_is_not_resolved() {
        let resolve = |allowed: &[&str]| {
            let allowed = Arc::new(allowed.iter().map(ToString::to_string).collect());
            Resolver { allowed }.resolve("169.254.169.254".parse().unwrap())
        };
        let error = resolve(&[]).await.err().unwrap();
        assert!(find_denied(&*error).is_some(), "{error}");
        assert_eq!(resolve(&["169.254.169.254"]).await.map(Iterator::count).ok(), Some(1));
    }
}
