//! The grammar of matchers before UTF-8 label names: values may stand bare, may be empty, and know three
//! escapes only.

use super::{MatchOp, Matcher, MatcherError};

/// Parses a list. One opening and one closing brace are dropped, each on its own: `code=~[0-9]{3}` loses its
/// brace here as it does in Alertmanager.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let mut parts = split(inner);
    if parts.last().is_some_and(|last| last.trim().is_empty()) {
        parts.pop();
    }
    parts.into_iter().map(parse_one).collect()
}

/// Splits at commas outside double quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !is_quoted => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts.push(&text[from..]);
    parts
}

fn parse_one(text: &str) -> Result<Matcher, MatcherError> {
    let fault = || MatcherError::syntax(text, "expected a label name, one of = != =~ !~, and a value");
    let trimmed = text.trim();
    let name_end = trimmed.find(|c: char| !is_name_char(c)).ok_or_else(fault)?;
    let (name, rest) = trimmed.split_at(name_end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fault());
    }
    let rest = rest.trim_start();
    let (op, value) = take_op(rest).ok_or_else(fault)?;
    Matcher::try_new(name, op, unquote(value.trim_start(), text)?)
}

/// The old grammar takes a colon too, though no label name may hold one.
fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn take_op(text: &str) -> Option<(MatchOp, &str)> {
    ["=~", "!=", "!~", "="].into_iter().find_map(|op| Some((MatchOp::from_text(op)?, text.strip_prefix(op)?)))
}

fn unquote(raw: &str, whole: &str) -> Result<String, MatcherError> {
    let stray = || MatcherError::syntax(whole, "the value holds an unescaped double quote");
    let (raw, mut is_open) = raw.strip_prefix('"').map_or((raw, false), |inner| (inner, true));
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\\', Some(next)) => {
                chars.next();
                match next {
                    'n' => value.push('\n'),
                    '"' | '\\' => value.push(next),
                    _ => value.extend(['\\', next]),
                }
            }
            ('"', None) if is_open => is_open = false,
            ('"', _) => return Err(stray()),
            _ => value.push(c),
        }
    }
    if is_open { Err(stray()) } else { Ok(value) }
}
