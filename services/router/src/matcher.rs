//! Matchers: one label compared with one value, in Alertmanager's words.

mod classic;
mod pattern;
mod utf8;

use std::fmt;

use model::Labels;
use regex::Regex;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    /// The operator's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "=" => Some(Self::Equal),
            "!=" => Some(Self::NotEqual),
            "=~" => Some(Self::Regex),
            "!~" => Some(Self::NotRegex),
            _ => None,
        }
    }
}

/// Why a text is not a matcher. None is worth a retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    #[error("bad matcher `{text}`: {fault}")]
    Syntax { text: String, fault: String },
    #[error("`{0}` is not a classic label name: letters, digits and `_`, not beginning with a digit")]
    Name(String),
    #[error("bad regular expression `{pattern}`: {fault}")]
    Pattern { pattern: String, fault: String },
    #[error("expected one matcher, found {0}")]
    Count(usize),
    #[error("unexpected open or close brace: {0}")]
    Brace(String),
}

impl MatcherError {
    fn syntax(text: &str, fault: impl Into<String>) -> Self {
        Self::Syntax { text: text.to_owned(), fault: fault.into() }
    }
}

/// One comparison. A label that is missing has the empty value, so `foo!="x"` and `foo=~".*"` match alerts
/// without `foo`.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    pattern: Option<Regex>,
}

impl Matcher {
    /// Compares `name` by `op` with `value`; a regular expression is Go's RE2 dialect and must match the
    /// whole value.
    pub fn try_new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(pattern::compile(&value)?),
        };
        Ok(Self { name, op, value, pattern })
    }

    /// `match: {name: value}` of an older file.
    pub fn from_match(name: &str, value: &str) -> Result<Self, MatcherError> {
        Self::try_new(classic_name(name)?, MatchOp::Equal, value)
    }

    /// `match_re: {name: pattern}` of an older file. Its value is the pattern with its anchors written out,
    /// because that is what stands in Alertmanager's group key.
    pub fn from_match_re(name: &str, pattern: &str) -> Result<Self, MatcherError> {
        Self::try_new(classic_name(name)?, MatchOp::Regex, format!("^(?:{pattern})$"))
    }

    /// Parses exactly one matcher, without braces: `severity=~"crit.*"`.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        if text.starts_with('{') || text.ends_with('}') {
            return Err(MatcherError::Brace(text.to_owned()));
        }
        let mut matchers = parse_matchers(text)?;
        match (matchers.pop(), matchers.len()) {
            (Some(only), 0) => Ok(only),
            (last, before) => Err(MatcherError::Count(before + usize::from(last.is_some()))),
        }
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether `labels` pass.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or(""))
    }

    /// Whether the label's value passes; the empty value stands for no label.
    pub fn matches_value(&self, value: &str) -> bool {
        let is_match = match &self.pattern {
            None => self.value == value,
            Some(pattern) => pattern.is_match(value),
        };
        is_match == matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

/// `name="value"`; a name outside the classic alphabet is quoted too.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        if is_classic_name(&self.name) {
            write!(f, "{}{}\"{value}\"", self.name, self.op.as_str())
        } else {
            write!(f, "{:?}{}\"{value}\"", self.name, self.op.as_str())
        }
    }
}

/// Parses a list of matchers, all of which have to match: `{a="b", c=~"d.*"}`, braces optional.
///
/// Both grammars are tried, as Alertmanager does by default: where the classic one accepts the text its
/// reading wins, else the UTF-8 one's; if both refuse, the classic complaint is given.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    classic::parse(text).or_else(|complaint| utf8::parse(text).map_err(|_| complaint))
}

/// Matchers as they stand in a group key: sorted by name, value and operator, in braces.
pub(crate) fn canonical(matchers: &[Matcher]) -> String {
    let mut sorted: Vec<&Matcher> = matchers.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.value, a.op).cmp(&(&b.name, &b.value, b.op)));
    let texts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
    format!("{{{}}}", texts.join(","))
}

fn classic_name(name: &str) -> Result<&str, MatcherError> {
    if is_classic_name(name) { Ok(name) } else { Err(MatcherError::Name(name.to_owned())) }
}

fn is_classic_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
