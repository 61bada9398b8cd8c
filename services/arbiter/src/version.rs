//! Which of two versions is older.

use std::cmp::Ordering;

/// Compares by Semantic Versioning 2.0.0, a leading `v` allowed; `None` if one of them is not such a version.
pub(crate) fn compare(left: &str, right: &str) -> Option<Ordering> {
    Some(Semantic::parse(left)?.cmp(&Semantic::parse(right)?))
}

#[derive(PartialEq, Eq)]
struct Semantic<'a> {
    core: [u64; 3],
    /// Empty: a release, which is newer than any of its pre-releases.
    pre_release: Vec<Identifier<'a>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(u64),
    Text(&'a str),
}

impl<'a> Semantic<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let without_build = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre_release) = match without_build.split_once('-') {
            Some((core, pre_release)) => (core, pre_release.split('.').map(Identifier::parse).collect()),
            None => (without_build, Vec::new()),
        };
        let mut parts = core.split('.');
        let core = [number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?];
        parts.next().is_none().then_some(Self { core, pre_release })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let release_last = self.pre_release.is_empty().cmp(&other.pre_release.is_empty());
        self.core.cmp(&other.core).then(release_last).then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

impl<'a> Identifier<'a> {
    fn parse(text: &'a str) -> Self {
        number(text).map_or(Self::Text(text), Self::Number)
    }
}

fn number(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_where_both_are_semantic() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, expected, why) in [
            ("2.4.0", "2.4.1", Some(Less), "by patch"),
            ("2.10.0", "2.9.9", Some(Greater), "as numbers, not as text"),
            ("v2.4.0", "2.4.0", Some(Equal), "with or without v"),
            ("2.4.0-rc.1", "2.4.0", Some(Less), "a pre-release is older than its release"),
            ("2.4.0-rc.2", "2.4.0-rc.10", Some(Less), "numbers of pre-releases are numbers"),
            ("2.4.0-1", "2.4.0-alpha", Some(Less), "numbers before text"),
            ("2.4.0+b1", "2.4.0+b2", Some(Equal), "builds do not count"),
            ("2.4", "2.4.0", None, "two numbers are not a semantic version"),
            ("2.4.0.1", "2.4.0", None, "nor are four"),
            ("7f3c2a1", "2.4.0", None, "nor is a commit"),
            ("99999999999999999999.0.0", "2.4.0", None, "nor is one that no number holds"),
        ] {
            assert_eq!(compare(left, right), expected, "{why}");
        }
    }
}
