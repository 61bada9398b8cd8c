//! Links that work outside of Ripcord.

/// A path of our own, as a link below `external_url`; what is a link already stays. Without an external URL the path
/// stays a path: a link that leads nowhere helps nobody.
pub(crate) fn absolute(external_url: &str, url: &str) -> String {
    if external_url.is_empty() || !url.starts_with('/') {
        return url.to_owned();
    }
    format!("{}{url}", external_url.trim_end_matches('/'))
}

/// Whether `text` can be the `external_url`: absolute, `http` or `https`, without query and fragment.
pub fn is_external_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_paths_become_links_and_links_stay() {
        for (external_url, url, absolute_url) in [
            (
                "https://ripcord.example.org",
                "/api/v1/releases/rel_1",
                "https://ripcord.example.org/api/v1/releases/rel_1",
            ),
            (
                "https://example.org/ripcord/",
                "/api/v1/releases/rel_1",
                "https://example.org/ripcord/api/v1/releases/rel_1",
            ),
            ("https://ripcord.example.org", "http://prometheus:9090/graph", "http://prometheus:9090/graph"),
            ("https://ripcord.example.org", "", ""),
            ("", "/api/v1/releases/rel_1", "/api/v1/releases/rel_1"),
        ] {
            assert_eq!(absolute(external_url, url), absolute_url);
        }
    }

    #[test]
    fn an_external_url_is_absolute() {
        for (text, is_one) in [
            ("https://ripcord.example.org", true),
            ("http://127.0.0.1:9480/ripcord", true),
            ("ripcord.example.org", false),
            ("/ripcord", false),
            ("ftp://x", false),
            ("https://x/?a=b", false),
            ("", false),
        ] {
            assert_eq!(is_external_url(text), is_one, "{text}");
        }
    }
}
