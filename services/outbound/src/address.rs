//! Where nothing is sent to, however the address is spelt.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use url::{Host, Url};

/// AWS' instance metadata over IPv6.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// An address that nothing is sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, a link-local or metadata address, which nothing is sent to")]
pub struct Denied {
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
pub fn check_literal(url: &Url, allowed: &BTreeSet<String>) -> Result<(), Denied> {
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
pub fn find_denied<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Denied> {
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

/// The addresses of a name that may be connected to; an error where none is left.
pub(crate) fn keep_permitted(
    host: String,
    found: Vec<SocketAddr>,
    is_allowed: bool,
) -> Result<Vec<SocketAddr>, Denied> {
    if is_allowed {
        return Ok(found);
    }
    let (denied, permitted): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| is_denied(found.ip()));
    match denied.first() {
        Some(denied) if permitted.is_empty() => Err(Denied { host, address: denied.ip() }),
        _ => Ok(permitted),
    }
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
    fn a_denied_address_is_found_inside_the_error_that_hides_it() {
        let denied = Denied { host: "a".into(), address: IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1)) };
        let hidden = io::Error::other(io::Error::new(io::ErrorKind::PermissionDenied, denied.clone()));
        assert_eq!(find_denied(&hidden), Some(&denied));
        assert_eq!(find_denied(&io::Error::other("dns error")), None);
    }
}
