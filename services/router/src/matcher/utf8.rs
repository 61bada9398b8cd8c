//! The grammar of matchers with UTF-8 label names: names and values are bare or Go string literals, braces
//! come in pairs, one trailing comma is allowed.

use std::{iter::Peekable, str::Chars};

use super::{MatchOp, Matcher, MatcherError};

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Op(MatchOp),
    Text(String),
}

/// Parses a list.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let mut tokens = tokens(text)?.into_iter().peekable();
    let has_brace = tokens.next_if_eq(&Token::Open).is_some();
    let mut matchers = Vec::new();
    while let Some(Token::Text(name)) = tokens.next_if(|token| matches!(token, Token::Text(_))) {
        let (Some(Token::Op(op)), Some(Token::Text(value))) = (tokens.next(), tokens.next()) else {
            return Err(MatcherError::syntax(
                text,
                format!("expected an operator and a value after `{name}`"),
            ));
        };
        matchers.push(Matcher::try_new(name, op, value)?);
        if tokens.next_if_eq(&Token::Comma).is_none() {
            break;
        }
    }
    let is_closed = tokens.next_if_eq(&Token::Close).is_some();
    match (has_brace == is_closed, tokens.next()) {
        (true, None) => Ok(matchers),
        (_, Some(token)) => Err(MatcherError::syntax(text, format!("unexpected {token:?}"))),
        (false, None) => Err(MatcherError::syntax(text, "a brace is missing")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, MatcherError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        let token = match c {
            _ if c.is_whitespace() => {
                chars.next();
                continue;
            }
            '{' => single(&mut chars, Token::Open),
            '}' => single(&mut chars, Token::Close),
            ',' => single(&mut chars, Token::Comma),
            '=' | '!' => Token::Op(operator(&mut chars, text)?),
            '"' => Token::Text(quoted(&mut chars, text)?),
            _ if is_reserved(c) => return Err(MatcherError::syntax(text, format!("unexpected `{c}`"))),
            _ => Token::Text(bare(&mut chars)),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn single(chars: &mut Peekable<Chars<'_>>, token: Token) -> Token {
    chars.next();
    token
}

fn operator(chars: &mut Peekable<Chars<'_>>, whole: &str) -> Result<MatchOp, MatcherError> {
    let first = chars.next();
    let second = chars.peek().copied();
    let (op, is_double) = match (first, second) {
        (Some('='), Some('~')) => (MatchOp::Regex, true),
        (Some('='), _) => (MatchOp::Equal, false),
        (Some('!'), Some('=')) => (MatchOp::NotEqual, true),
        (Some('!'), Some('~')) => (MatchOp::NotRegex, true),
        _ => return Err(MatcherError::syntax(whole, "expected `=` or `~` after `!`")),
    };
    if is_double {
        chars.next();
    }
    Ok(op)
}

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

fn bare(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|&c| !is_reserved(c)) {
        text.push(c);
    }
    text
}

/// A Go string literal in double quotes. `\x` and octal escapes name bytes, so the value is gathered as bytes.
fn quoted(chars: &mut Peekable<Chars<'_>>, whole: &str) -> Result<String, MatcherError> {
    let fault = |what: &str| MatcherError::syntax(whole, what);
    let mut bytes = Vec::new();
    chars.next();
    loop {
        let c = chars.next().ok_or_else(|| fault("a closing quote is missing"))?;
        match c {
            '"' => break,
            '\n' => return Err(fault("a line break within quotes")),
            '\\' => escape(chars, &mut bytes).ok_or_else(|| fault("an unknown escape within quotes"))?,
            _ => push_char(c, &mut bytes),
        }
    }
    String::from_utf8(bytes).map_err(|_| fault("the quoted text is not UTF-8"))
}

fn push_char(c: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn escape(chars: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>) -> Option<()> {
    let c = chars.next()?;
    let simple = match c {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(digits(chars, 16, 2, 0)?).ok()?,
        '0'..='7' => u8::try_from(digits(chars, 8, 2, c.to_digit(8)?)?).ok()?,
        'u' | 'U' => {
            let code = digits(chars, 16, if c == 'u' { 4 } else { 8 }, 0)?;
            push_char(char::from_u32(code)?, bytes);
            return Some(());
        }
        _ => return None,
    };
    bytes.push(simple);
    Some(())
}

fn digits(chars: &mut Peekable<Chars<'_>>, radix: u32, count: usize, first: u32) -> Option<u32> {
    let mut value = first;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}
