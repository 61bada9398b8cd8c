//! Which services a policy or a freeze holds for.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// What a compiled expression may take. A pattern of names needs a hundredth of it.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What a label's value has to be.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// One of these, to the letter. Never empty.
    OneOf(Vec<String>),
    /// The whole value matches, as in Prometheus and Alertmanager; `text` is as written.
    Regex { text: String, compiled: Regex },
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OneOf(own), Self::OneOf(other)) => own == other,
            (Self::Regex { text, .. }, Self::Regex { text: other, .. }) => text == other,
            _ => false,
        }
    }
}

impl Pattern {
    /// One value, to the letter.
    pub fn literal(value: impl Into<String>) -> Self {
        Self::OneOf(vec![value.into()])
    }

    /// An expression that has to match the whole value; the error says in one line why it is none.
    pub fn regex(text: &str) -> Result<Self, String> {
        let build = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        // By itself first: `a)|(b` is an expression only between the anchors' parentheses.
        let compiled = build(text).and_then(|_| build(&format!("^(?s:{text})$")));
        let compiled = compiled.map_err(|error| {
            let shown = error.to_string();
            let last = shown.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        })?;
        Ok(Self::Regex { text: text.to_owned(), compiled })
    }

    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|it| it == value),
            Self::Regex { compiled, .. } => compiled.is_match(value),
        }
    }

    /// One name says more than a list of names, and that more than an expression.
    fn exactness(&self) -> u8 {
        match self {
            Self::OneOf(values) if values.len() == 1 => 2,
            Self::OneOf(_) => 1,
            Self::Regex { .. } => 0,
        }
    }
}

/// Labels that have to match; one that is not given holds for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    pub service: Option<Pattern>,
    pub environment: Option<Pattern>,
    pub cluster: Option<Pattern>,
}

impl Match {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a policy holds for a service in an environment. One that asks for a cluster holds for none: what is
    /// effective is decided per service and environment.
    pub fn covers(&self, service: &str, environment: &str) -> bool {
        self.cluster.is_none() && self.covers_release(service, environment, None)
    }

    /// Whether a freeze holds for some release of a service, of whichever cluster.
    pub(crate) fn may_cover(&self, service: &str, environment: &str) -> bool {
        Self { cluster: None, ..self.clone() }.covers(service, environment)
    }

    /// Whether a freeze holds for a release.
    pub fn covers_release(&self, service: &str, environment: &str, cluster: Option<&str>) -> bool {
        let holds = |pattern: &Option<Pattern>, value: Option<&str>| match (pattern, value) {
            (None, _) => true,
            (Some(pattern), Some(value)) => pattern.matches(value),
            (Some(_), None) => false,
        };
        holds(&self.service, Some(service))
            && holds(&self.environment, Some(environment))
            && holds(&self.cluster, cluster)
    }

    /// The greater, the more specific: more labels over fewer, a named service over a named environment, then one
    /// name over a list, and a list over an expression.
    pub fn specificity(&self) -> impl Ord + use<> {
        let exactness = |pattern: &Option<Pattern>| pattern.as_ref().map_or(0, Pattern::exactness);
        let labels = self.labels().count();
        (labels, self.service.is_some(), exactness(&self.service), exactness(&self.environment))
    }

    /// What is asked for, by the label's name.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &Pattern)> {
        let all =
            [("service", &self.service), ("environment", &self.environment), ("cluster", &self.cluster)];
        all.into_iter().filter_map(|(name, pattern)| Some((name, pattern.as_ref()?)))
    }
}

/// `service="checkout"`, `service=~"check.*"`, `service=[cart, checkout]`.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels().next().is_none() {
            return f.write_str("everything");
        }
        for (at, (name, pattern)) in self.labels().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match pattern {
                Pattern::OneOf(values) if values.len() == 1 => write!(f, "{comma}{name}={:?}", values[0])?,
                Pattern::OneOf(values) => write!(f, "{comma}{name}=[{}]", values.join(", "))?,
                Pattern::Regex { text, .. } => write!(f, "{comma}{name}=~{text:?}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_whole_values_and_a_list_any_of_its_names() {
        let check = Pattern::regex("check.*|cart").unwrap();
        let list = Pattern::OneOf(vec!["checkout".into(), "search".into()]);
        for (value, by_regex, by_list) in [
            ("checkout", true, true),
            ("cart", true, false),
            ("cart-2", false, false),
            ("precheck", false, false),
            ("search", false, true),
        ] {
            assert_eq!((check.matches(value), list.matches(value)), (by_regex, by_list), "{value}");
        }
        assert_eq!(Pattern::regex("(").unwrap_err(), "unclosed group");
        assert!(Pattern::regex("a)|(b").is_err(), "the anchors hold for the whole of it");
    }

    #[test]
    fn more_labels_win_then_the_service_then_the_more_exact_pattern() {
        let one = || Some(Pattern::literal("a"));
        let list = || Some(Pattern::OneOf(vec!["a".into(), "b".into()]));
        let regex = || Some(Pattern::regex("a.*").unwrap());
        let of = |service, environment| Match { service, environment, cluster: None };
        let ascending = [
            of(None, None),
            of(None, regex()),
            of(None, one()),
            of(regex(), None),
            of(list(), None),
            of(one(), None),
            of(regex(), one()),
            of(one(), regex()),
            of(one(), one()),
        ];
        for pair in ascending.windows(2) {
            assert!(pair[0].specificity() < pair[1].specificity(), "{} < {}", pair[0], pair[1]);
        }
    }
}
