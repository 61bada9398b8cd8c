//! Clients that go nowhere but where they are told.

use std::{
    collections::BTreeSet,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use reqwest::dns::{Addrs, Resolve, Resolving};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::address::keep_permitted;

/// Longest time to connect; an attempt's own timeout covers the rest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Resolves as the system does and leaves denied addresses out.
#[derive(Clone, Debug)]
pub struct Resolver {
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
pub struct Outbound {
    tls: ClientConfig,
    pub allowed: Arc<BTreeSet<String>>,
}

/// The connector under the Slack client.
pub type Connector = HttpsConnector<HttpConnector<Resolver>>;

impl Outbound {
    pub fn new(allowed: BTreeSet<String>) -> Result<Self, String> {
        Ok(Self { tls: tls()?, allowed: Arc::new(allowed) })
    }

    fn resolver(&self) -> Resolver {
        Resolver { allowed: Arc::clone(&self.allowed) }
    }

    /// The client of all webhooks.
    pub fn client(&self) -> Result<reqwest::Client, String> {
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
    pub fn connector(&self) -> Connector {
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
    use crate::find_denied;

    #[test]
    fn the_client_needs_no_process_wide_provider() {
        assert!(Outbound::new(BTreeSet::new()).unwrap().client().is_ok());
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
