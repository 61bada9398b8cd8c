//! Attributes in headers: of HTTP with `ce-` names and percent-encoded values (HTTP protocol binding, 3.1.3.2), of
//! Kafka with `ce_` names and values as they are (Kafka protocol binding, 3.2.3).

use serde_json::{Map, Value};

use crate::wire::error::DecodeError;

/// The attributes that are read. What the others hold, extensions above all, is nobody's business here and keeps no
/// event out.
const READ: [&str; 5] = ["specversion", "id", "source", "type", "time"];

/// How a protocol writes attributes in headers.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Http,
    Kafka,
}

impl Style {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Http => "ce-",
            Self::Kafka => "ce_",
        }
    }

    /// The attribute that a header names, if it is one that is read.
    pub(super) fn attribute(self, header: &str) -> Option<&str> {
        header.strip_prefix(self.prefix()).filter(|name| READ.contains(name))
    }

    fn plain(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Http => percent_decoded(&unquoted(value)),
            Self::Kafka => Some(value.to_vec()),
        }
    }
}

/// The attributes that are read of those that `headers` carry, without the prefix.
pub(super) fn attributes<'a>(
    style: Style,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Map<String, Value>, DecodeError> {
    let mut attributes = Map::new();
    for (header, value) in headers {
        let Some(name) = style.attribute(header) else { continue };
        let fault = |problem: &str| DecodeError::field(header, problem);
        let bytes = style.plain(value).ok_or_else(|| fault("holds a broken percent sign"))?;
        // Overlong forms are no UTF-8 and end here.
        let text = String::from_utf8(bytes).map_err(|_| fault("is not UTF-8"))?;
        if attributes.insert(name.to_owned(), Value::String(text)).is_some() {
            return Err(fault("is given twice"));
        }
    }
    Ok(attributes)
}

/// Older senders put values in double quotes, with backslashes before quotes and backslashes.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let [b'"', inner @ .., b'"'] = value else { return value.to_vec() };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            byte => plain.push(*byte),
        }
    }
    plain
}

/// One round of percent-decoding; `None` where a `%` is not followed by two hexadecimal digits.
pub(crate) fn percent_decoded(value: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
        decoded.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = tail.get(2..)?;
    }
    Some(decoded)
}
