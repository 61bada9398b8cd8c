//! Where nothing is sent to, however the address is spelt.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use url::{Host, Url};

/// Metadata services of clouds beside the link-local ones: Alibaba's, Azure's, Oracle's.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// The first 32 bits of AWS' services over IPv6 (metadata, time, DNS), and the address of Google's.
const AWS_V6: [u16; 2] = [0xfd00, 0xec2];
const GOOGLE_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

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
        IpAddr::V4(v4) => is_denied_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6.segments()[..2] == AWS_V6
                || v6 == GOOGLE_METADATA_V6
                || embedded_v4(v6).into_iter().any(is_denied_v4)
        }
    }
}

fn is_denied_v4(v4: Ipv4Addr) -> bool {
    v4.is_link_local() || METADATA_V4.contains(&v4)
}

/// The IPv4 addresses that a router may find inside an IPv6 one: mapped and compatible (RFC 4291), translated
/// (`::ffff:0:0:0/96`, RFC 2765), NAT64 (`64:ff9b::/96`, and `64:ff9b:1::/48` with either layout, RFC 6052 and 8215),
/// 6to4 (`2002::/16`) and Teredo (`2001::/32`).
fn embedded_v4(v6: Ipv6Addr) -> Vec<Ipv4Addr> {
    let (segments, octets) = (v6.segments(), v6.octets());
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| octets[place]));
    let last = at([12, 13, 14, 15]);
    match segments {
        [0, 0, 0, 0, 0 | 0xffff, 0 | 0xffff, _, _] => vec![last],
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![last],
        [0x64, 0xff9b, 1, ..] => vec![last, at([6, 7, 9, 10])],
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // A client's address is written inverted, its server's is not.
        [0x2001, 0, ..] => vec![at([4, 5, 6, 7]), Ipv4Addr::from(!u32::from(last))],
        _ => Vec::new(),
    }
}

/// Checks a host that is an address as it is written, or a name's addresses as the system finds them.
pub async fn check_host(host: &str, port: u16, allowed: &BTreeSet<String>) -> io::Result<()> {
    let found = tokio::net::lookup_host((host, port)).await?.collect();
    let permitted = keep_permitted(host.to_owned(), found, allowed.contains(host));
    permitted.map(drop).map_err(|denied| io::Error::new(io::ErrorKind::PermissionDenied, denied))
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
            ("http://[fd00:ec2::23]/", true, "AWS' other services"),
            ("http://[fd20:ce::254]/", true, "Google over IPv6"),
            ("http://100.100.100.200/latest", true, "Alibaba"),
            ("http://168.63.129.16/", true, "Azure's platform"),
            ("http://192.0.0.192/opc", true, "Oracle"),
            ("http://[::ffff:100.100.100.200]/", true, "Alibaba mapped into IPv6"),
            ("http://[::169.254.169.254]/", true, "IPv4-compatible"),
            ("http://[::ffff:0:a9fe:a9fe]/", true, "translated"),
            ("http://[64:ff9b:1::a9fe:a9fe]/", true, "behind a network's own NAT64"),
            ("http://[64:ff9b:1:a9fe:a9:fe00::]/", true, "the same with a prefix of 48 bits"),
            ("http://[2002:a9fe:a9fe::1]/", true, "by 6to4"),
            ("http://[2001:0:a9fe:a9fe::1]/", true, "by a Teredo server"),
            ("http://[2001:0:1:2::5601:5601]/", true, "by Teredo, inverted"),
            ("http://[2002:a00:7::1]/", false, "6to4 of a private network"),
            ("http://[2001:db8::a9fe:a9fe]/", false, "the same digits in an address of its own"),
            ("http://100.100.100.201/", false, "a neighbour of Alibaba's"),
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
