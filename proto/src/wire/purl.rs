//! Package URLs and image references: which version and which content an artifact names.

use model::Artifact;

/// What an artifact's reference says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub artifact: Artifact,
    /// The version it names: a tag before a version before nothing. A digest is content, no version.
    pub version: Option<String>,
}

/// Reads a package URL (`pkg:oci/shop@sha256%3A…?tag=2.4.1`, `pkg:npm/shop@2.4.1`) or an image reference
/// (`registry:5000/shop:2.4.1@sha256:…`). What it does not understand is kept as the reference alone.
pub fn parse(reference: &str) -> Named {
    let (version, digest) = match reference.strip_prefix("pkg:") {
        Some(purl) => package(purl),
        None => image(reference),
    };
    Named { artifact: Artifact { reference: reference.to_owned(), digest }, version }
}

/// Version and digest of `type/namespace/name@version?qualifiers#subpath`.
fn package(purl: &str) -> (Option<String>, Option<String>) {
    let purl = purl.split_once('#').map_or(purl, |(purl, _)| purl);
    let (path, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
    let qualifier = |key: &str| {
        let of_key = |pair: &str| {
            pair.split_once('=').filter(|(name, _)| *name == key).map(|(_, value)| decoded(value))
        };
        qualifiers.split('&').find_map(of_key).flatten()
    };
    let at = path.rsplit_once('@').and_then(|(_, version)| decoded(version));
    let digest =
        at.clone().filter(|it| is_digest(it)).or_else(|| qualifier("checksum").filter(|it| is_digest(it)));
    let version = qualifier("tag").or_else(|| at.filter(|it| !is_digest(it)));
    (version.filter(|it| !it.is_empty()), digest)
}

/// Tag and digest of `registry:port/name:tag@digest`.
fn image(reference: &str) -> (Option<String>, Option<String>) {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest.to_owned()).filter(|it| is_digest(it))),
        None => (reference, None),
    };
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    let tag = last.split_once(':').map(|(_, tag)| tag.to_owned()).filter(|tag| !tag.is_empty());
    (tag, digest)
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        matches!(algorithm, "sha256" | "sha384" | "sha512")
            && hex.len() >= 32
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(super::cloudevents::percent_decoded(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427";

    #[test]
    fn tags_versions_and_digests_are_told_apart() {
        let digest = format!("sha256:{HEX}");
        for (reference, version, has_digest) in [
            (format!("pkg:oci/shop@sha256%3A{HEX}"), None, true),
            (format!("pkg:oci/shop@sha256%3A{HEX}?repository_url=ghcr.io/a&tag=2.4.1"), Some("2.4.1"), true),
            ("pkg:npm/%40shop/web@2.4.1".to_owned(), Some("2.4.1"), false),
            ("pkg:generic/shop@2.4.1%2Bbuild.7#src".to_owned(), Some("2.4.1+build.7"), false),
            ("pkg:generic/shop".to_owned(), None, false),
            ("ghcr.io/a/shop:2.4.1".to_owned(), Some("2.4.1"), false),
            (format!("localhost:5000/shop@{digest}"), None, true),
            (format!("localhost:5000/shop:2.4.1@{digest}"), Some("2.4.1"), true),
            ("shop".to_owned(), None, false),
            ("pkg:oci/shop@%zz".to_owned(), None, false),
            (String::new(), None, false),
        ] {
            let named = parse(&reference);
            assert_eq!(named.version.as_deref(), version, "{reference}");
            assert_eq!(named.artifact.digest, has_digest.then(|| digest.clone()), "{reference}");
        }
    }
}
