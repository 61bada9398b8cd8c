//! Which series a selector means.

use model::Labels;

use super::Selector;

/// The label that carries a series' name.
const NAME: &str = "__name__";

impl Selector {
    /// All series called `name`.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), matchers: Vec::new(), text: name.to_owned() }
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
