//! Which series a selector means.

use model::Labels;
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr},
};
use regex::Regex;

use super::Selector;

/// The label that carries a series' name.
const NAME: &str = "__name__";
/// The longest selector: two dozen matchers.
const MAX_SELECTOR_LENGTH: usize = 2000;

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("`{text}` is not a series selector: {fault}")]
    Syntax { text: String, fault: String },
    #[error("`{0}` is an expression, not a series selector")]
    Expression(String),
    #[error("the selector is longer than {MAX_SELECTOR_LENGTH} characters")]
    TooLong,
}

impl Selector {
    /// Parses a Prometheus series selector: `http_requests_total{code=~"5.."}`, `{__name__=~".+_build_info"}`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        if text.len() > MAX_SELECTOR_LENGTH {
            return Err(SelectorError::TooLong);
        }
        let syntax = |fault: String| SelectorError::Syntax { text: text.to_owned(), fault };
        let parsed = match parser::parse(text).map_err(syntax)? {
            Expr::VectorSelector(parsed) => parsed,
            _ => return Err(SelectorError::Expression(text.to_owned())),
        };
        if parsed.offset.is_some() || parsed.at.is_some() || !parsed.matchers.or_matchers.is_empty() {
            return Err(syntax("`offset`, `@` and `or` have no meaning here".into()));
        }
        let (names, matchers): (Vec<Matcher>, Vec<Matcher>) = parsed
            .matchers
            .matchers
            .into_iter()
            .partition(|matcher| matcher.name == NAME && matcher.op == MatchOp::Equal);
        let name = parsed.name.or_else(|| names.first().map(|matcher| matcher.value.clone()));
        if names.iter().any(|matcher| Some(&matcher.value) != name.as_ref()) {
            return Err(syntax("the name is given twice".into()));
        }
        let matchers = matchers.into_iter().map(across_lines).collect();
        Ok(Self { name, matchers, text: text.to_owned() })
    }

    /// Parses matchers with or without braces: `job="legacy-cart"`.
    pub fn parse_matchers(text: &str) -> Result<Self, SelectorError> {
        if text.contains('{') {
            return Self::parse(text);
        }
        Self::parse(&format!("{{{text}}}")).map(|parsed| Self { text: text.to_owned(), ..parsed })
    }

    /// Parses the selector of info series. `go_build_info` is meant only where it is named: it tells the version
    /// of a Go module, mostly `(devel)`, and would win over the service's own by a pattern of names.
    pub fn parse_info(text: &str) -> Result<Self, SelectorError> {
        let mut parsed = Self::parse(text)?;
        if parsed.name.is_none() {
            parsed.matchers.push(Matcher::new(MatchOp::NotEqual, NAME, "go_build_info"));
        }
        Ok(parsed)
    }

    /// All series called `name`.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), matchers: Vec::new(), text: name.to_owned() }
    }

    /// The same series, of those only where `label` matches the whole pattern.
    pub(crate) fn with_pattern(mut self, label: &str, pattern: &str) -> Self {
        let op = Regex::new(&anchored(pattern)).map_or(MatchOp::Equal, MatchOp::Re);
        self.matchers.push(Matcher::new(op, label, pattern));
        self.text = format!("{}{{{label}=~\"{pattern}\"}}", self.text);
        self
    }

    /// Whether a series is meant, by its name and all matchers, as in Prometheus: patterns match whole values,
    /// a missing label is the empty string.
    pub fn matches(&self, labels: &Labels) -> bool {
        let has_name = self.name.as_deref().is_none_or(|name| labels.get(NAME) == Some(name));
        has_name && self.matches_labels(labels)
    }

    /// As [`Self::matches`], whatever the series is called where the selector names one: for the `_bucket`,
    /// `_count` and `_sum` of a histogram's family.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name).unwrap_or_default()))
    }
}

fn anchored(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}

/// In Prometheus a `.` matches a line break too; the parser's own pattern stays where ours does not compile
/// (it forgives braces that Go takes literally).
fn across_lines(matcher: Matcher) -> Matcher {
    let Matcher { op, name, value } = matcher;
    let compiled = Regex::new(&anchored(&value)).ok();
    let op = match (op, compiled) {
        (MatchOp::Re(_), Some(pattern)) => MatchOp::Re(pattern),
        (MatchOp::NotRe(_), Some(pattern)) => MatchOp::NotRe(pattern),
        (op, _) => op,
    };
    Matcher { op, name, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn a_pattern_of_info_series_leaves_out_the_one_that_names_a_go_module() {
        let go = series(&[("__name__", "go_build_info"), ("version", "(devel)")]);
        let own = series(&[("__name__", "shop_build_info"), ("version", "2.4.1")]);
        for (text, is_go, is_own) in [
            (r#"{__name__=~".+_build_info"}"#, false, true),
            ("go_build_info", true, false),
            (r#"{__name__="go_build_info"}"#, true, false),
        ] {
            let parsed = Selector::parse_info(text).unwrap();
            assert_eq!((parsed.matches(&go), parsed.matches(&own)), (is_go, is_own), "{text}");
        }
    }

    #[test]
    fn selectors_match_as_in_prometheus() {
        let found = series(&[("__name__", "http_requests_total"), ("code", "503"), ("note", "a\nb")]);
        for (text, is_match, why) in [
            ("http_requests_total", true, "by name alone"),
            ("http_requests", false, "a name is not a prefix"),
            (r#"http_requests_total{code="503"}"#, true, "equal"),
            (r#"http_requests_total{code=~"5.."}"#, true, "a pattern"),
            (r#"http_requests_total{code=~"5"}"#, false, "a pattern matches whole values"),
            (r#"http_requests_total{code=~"4..|5.."}"#, true, "anchors hold for all alternatives"),
            (r#"http_requests_total{code!~"5.."}"#, false, "a pattern turned around"),
            (r#"http_requests_total{pod=""}"#, true, "a missing label is empty"),
            (r#"http_requests_total{pod!=""}"#, false, "and differs from nothing else"),
            (r#"http_requests_total{pod=~".*"}"#, true, "a pattern that matches empty"),
            (r#"http_requests_total{pod=~".+"}"#, false, "one that does not"),
            (r#"http_requests_total{note=~"a.b"}"#, true, "a dot matches a line break"),
            (r#"{__name__=~"http_.+_total"}"#, true, "by a pattern of names"),
            (r#"{__name__="http_requests_total"}"#, true, "by name as a matcher"),
            (r#"{code="503"}"#, true, "by labels alone"),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&found), is_match, "{text}: {why}");
        }
    }

    #[test]
    fn a_family_matches_by_its_labels_whatever_the_series_is_called() {
        let family = Selector::parse(r#"latency_seconds{route="/pay"}"#).unwrap();
        let bucket = series(&[("__name__", "latency_seconds_bucket"), ("route", "/pay")]);
        assert!(!family.matches(&bucket));
        assert!(family.matches_labels(&bucket));
    }

    #[test]
    fn a_name_in_braces_is_the_name() {
        assert_eq!(Selector::parse(r#"{__name__="up"}"#).unwrap().name.as_deref(), Some("up"));
        assert_eq!(Selector::parse(r#"{__name__=~"up"}"#).unwrap().name, None);
        assert_eq!(Selector::parse_matchers(r#"job="cart""#).unwrap().matchers.len(), 1);
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "",
            "{}",
            "rate(http_requests_total[5m])",
            "http_requests_total[5m]",
            "http_requests_total offset 5m",
            r#"http_requests_total{code=~"("}"#,
            r#"{code="1" or code="2"}"#,
            "http.requests",
            r#"up{__name__="down"}"#,
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        assert_eq!(Selector::parse(&"x".repeat(3000)), Err(SelectorError::TooLong));
    }
}
