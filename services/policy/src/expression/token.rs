//! Text to tokens.

use super::{Operator, ParseError};
use crate::{diagnostic::suggest, yaml::shifted};

/// The unit of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    None,
    Percent,
    Time,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Name(String),
    /// In base units.
    Number(f64, Unit),
    Text(String),
    Operator(Operator),
    Star,
    Open,
    Close,
}

/// A token and where it stands, in characters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) offset: usize,
    pub(super) text: String,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        if characters[at].is_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = token(&characters[at..], at)?;
        found.push(Token { kind, offset: at, text: characters[at..at + length].iter().collect() });
        at += length;
    }
    Ok(found)
}

fn token(rest: &[char], at: usize) -> Result<(Kind, usize), ParseError> {
    let next = rest.get(1).copied();
    let operator = |operator, length| Ok((Kind::Operator(operator), length));
    match rest[0] {
        '(' => Ok((Kind::Open, 1)),
        ')' => Ok((Kind::Close, 1)),
        '*' => Ok((Kind::Star, 1)),
        '>' if next == Some('=') => operator(Operator::GreaterOrEqual, 2),
        '>' => operator(Operator::Greater, 1),
        '<' if next == Some('=') => operator(Operator::LessOrEqual, 2),
        '<' => operator(Operator::Less, 1),
        '=' if next == Some('=') => operator(Operator::Equal, 2),
        '!' if next == Some('=') => operator(Operator::NotEqual, 2),
        quote @ ('"' | '\'') => quoted(rest, quote, at),
        first if first.is_ascii_digit() => number(rest, 1.0, at),
        '-' if next.is_some_and(|next| next.is_ascii_digit()) => {
            let (kind, length) = number(&rest[1..], -1.0, at + 1)?;
            Ok((kind, length + 1))
        }
        first if is_name_start(first) => {
            let length = rest.iter().take_while(|&&c| is_name_part(c)).count();
            Ok((Kind::Name(rest[..length].iter().collect()), length))
        }
        other => Err(unexpected(other, next, at)),
    }
}

fn unexpected(found: char, next: Option<char>, at: usize) -> ParseError {
    let hint = match (found, next) {
        ('=', _) => "equality is written `==`",
        ('!', _) => "there is no negation: turn the comparison around, or write `!=`",
        ('&', _) => "write `and`",
        ('|', _) => "write `or`",
        ('%', _) => "write the unit right after its number: `1%`",
        ('.', Some(next)) if next.is_ascii_digit() => "write a digit before the point: `0.5`",
        ('≥', _) => "write `>=`",
        ('≤', _) => "write `<=`",
        ('≠', _) => "write `!=`",
        _ => "a condition looks like `error_rate > 1%` or `response_time_p95 > 1s and error_rate > 0.5%`",
    };
    ParseError::new(at, format!("unexpected `{found}`"), hint)
}

fn quoted(rest: &[char], quote: char, at: usize) -> Result<(Kind, usize), ParseError> {
    let mut text = String::new();
    let mut position = 1;
    while let Some(&c) = rest.get(position) {
        position += 1;
        match c {
            '\\' if rest.get(position).is_some_and(|&next| next == quote || next == '\\') => {
                text.push(rest[position]);
                position += 1;
            }
            c if c == quote => return Ok((Kind::Text(text), position)),
            c => text.push(c),
        }
    }
    Err(ParseError::new(at, "a quote that is not closed", format!("end the name with {quote}")))
}

/// Digits, an optional fraction and exponent, and an optional unit, with nothing between them.
fn number(rest: &[char], sign: f64, at: usize) -> Result<(Kind, usize), ParseError> {
    let digits = |from: usize| rest[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut length = digits(0);
    if rest.get(length) == Some(&'.') {
        length += 1 + digits(length + 1);
    }
    if rest.get(length) == Some(&'e') {
        let signed = length + 1 + usize::from(matches!(rest.get(length + 1), Some('+' | '-')));
        if rest.get(signed).is_some_and(char::is_ascii_digit) {
            length = signed + digits(signed);
        }
    }
    let literal: String = rest[..length].iter().collect();
    let unit: String = rest[length..].iter().take_while(|&&c| c == '%' || is_name_part(c)).collect();
    if literal.ends_with('.') {
        return Err(ParseError::new(at, format!("`{literal}` is not a number"), "write it as 1 or 0.5"));
    }
    let (shift, factor, kind) = base_unit(&unit).ok_or_else(|| bad_unit(&unit, at + length))?;
    let value = shifted(&literal, shift).map_or(f64::NAN, |value| sign * value * factor);
    if !value.is_finite() {
        return Err(ParseError::new(at, format!("`{literal}` is too large"), "write a smaller number"));
    }
    Ok((Kind::Number(value, kind), length + unit.chars().count()))
}

/// By how many decimal places and by which factor a unit changes its number.
fn base_unit(unit: &str) -> Option<(i32, f64, Unit)> {
    match unit {
        "" => Some((0, 1.0, Unit::None)),
        "%" => Some((-2, 1.0, Unit::Percent)),
        "ms" => Some((-3, 1.0, Unit::Time)),
        "s" => Some((0, 1.0, Unit::Time)),
        "m" => Some((0, 60.0, Unit::Time)),
        "h" => Some((0, 3600.0, Unit::Time)),
        _ => None,
    }
}

fn bad_unit(unit: &str, at: usize) -> ParseError {
    let hint = match unit.to_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "write `s`".to_owned(),
        "min" | "mins" | "minute" | "minutes" => "write `m`".to_owned(),
        "hour" | "hours" | "hr" => "write `h`".to_owned(),
        "msec" | "millis" | "milliseconds" => "write `ms`".to_owned(),
        _ => suggest(unit, &["%", "ms", "s", "m", "h"]),
    };
    ParseError::new(at, format!("unknown unit `{unit}`"), hint)
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// What a name may hold: metrics, and facts as other tools call them (`sonar.coverage`).
pub(super) fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':')
}

/// Whether a metric or a fact may be called so.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(is_name_start)
        && text.chars().all(is_name_part)
        && !matches!(text, "and" | "or" | "baseline" | "alert")
}
