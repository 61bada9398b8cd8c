//! JSON objects read field by field, so that what is wrong is said by name.

use std::{collections::BTreeMap, fmt};

use model::{OWN_FACTS, is_invisible};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    error::{DecodeError, shortened},
    moment::parse_rfc3339,
};

/// Longest name of a service, an environment, a version: what fits a label, a mail's subject and a table's cell.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Longest other text: URLs, package URLs, facts.
pub(crate) const TEXT_BYTES_MAX: usize = 2048;
/// Entries of `links` or `facts`.
const ENTRIES_MAX: usize = 64;

/// An object at the top of a body: a key given twice is an error, for the two might differ.
#[derive(Debug, Default)]
pub(crate) struct TopObject(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for TopObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = TopObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<TopObject, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    if object.contains_key(&key) {
                        return Err(de::Error::custom(format_args!("{key:?} is given twice")));
                    }
                    object.insert(key, value);
                }
                Ok(TopObject(object))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The object that `body` is.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    let TopObject(object) = serde_json::from_slice(without_bom(body))
        .map_err(|error| DecodeError::malformed(format!("the body is not the JSON expected: {error}")))?;
    Ok(object)
}

/// Some writers of Windows put a byte order mark first, which JSON has none of (RFC 8259, 8.1: it may be ignored).
pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// Reads a JSON object into a struct. serde would take a list of the fields' values for one as well.
pub(crate) fn object_as<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, serde_json::Error> {
    match body.trim_ascii_start().first() {
        Some(b'{') | None => serde_json::from_slice(body),
        Some(_) => Err(de::Error::custom("expected a JSON object")),
    }
}

/// Lets `read` read a body in which a field of null is the same as no field: where it fails and there are nulls, it
/// is given the body without them. Writers of structs (Go, Java, C#) write null for what they do not have.
pub(crate) fn null_as_absent<T, E>(body: &[u8], read: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, E> {
    read(body).or_else(|error| match without_nulls(body) {
        Some(dense) => read(&dense),
        None => Err(error),
    })
}

/// `None` where there are no fields of null, or where it is no JSON.
fn without_nulls(body: &[u8]) -> Option<Vec<u8>> {
    let Dense { value, has_nulls } = serde_json::from_slice(body).ok()?;
    has_nulls.then(|| value.to_string().into_bytes())
}

/// A value without its fields of null. A key given twice is an error, in whatever object.
struct Dense {
    value: Value,
    has_nulls: bool,
}

impl<'de> Deserialize<'de> for Dense {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DenseVisitor)
    }
}

struct DenseVisitor;

impl<'de> Visitor<'de> for DenseVisitor {
    type Value = Dense;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Dense, E> {
        Ok(Dense { value: value.into(), has_nulls: false })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Dense, E> {
        Ok(Dense { value: value.into(), has_nulls: false })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Dense, E> {
        Ok(Dense { value: value.into(), has_nulls: false })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Dense, E> {
        Ok(Dense { value: value.into(), has_nulls: false })
    }

    fn visit_str<E>(self, value: &str) -> Result<Dense, E> {
        Ok(Dense { value: value.into(), has_nulls: false })
    }

    fn visit_unit<E>(self) -> Result<Dense, E> {
        Ok(Dense { value: Value::Null, has_nulls: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Dense, A::Error> {
        let (mut list, mut has_nulls) = (Vec::new(), false);
        while let Some(element) = elements.next_element::<Dense>()? {
            has_nulls |= element.has_nulls;
            list.push(element.value);
        }
        Ok(Dense { value: Value::Array(list), has_nulls })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dense, A::Error> {
        let (mut object, mut has_nulls) = (Map::new(), false);
        while let Some((key, inner)) = entries.next_entry::<String, Dense>()? {
            has_nulls |= inner.has_nulls || inner.value.is_null();
            if object.insert(key, inner.value).is_some() {
                return Err(de::Error::custom("a key is given twice"));
            }
        }
        object.retain(|_, value| !value.is_null());
        Ok(Dense { value: Value::Object(object), has_nulls })
    }
}

/// The fields of one object, `path` before each name in messages.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Map<String, Value>, path: &'a str) -> Self {
        Self { object, path }
    }

    /// The error that says `problem` of field `name`.
    pub(crate) fn error(&self, name: &str, problem: impl Into<String>) -> DecodeError {
        DecodeError::field(format!("{}{name}", self.path), problem)
    }

    /// `null` is the same as absent.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// An error that names the first key that is not `known`, and the one probably meant.
    pub(crate) fn expect_only(&self, known: &[&str]) -> Result<(), DecodeError> {
        let mut given = self.object.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
        let Some(key) = given.find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        let hint = match nearest(key, known) {
            Some(meant) => format!("unknown field, did you mean {meant:?}?"),
            None => format!("unknown field; known are {}", known.join(", ")),
        };
        Err(self.error(&shortened(key, 80), hint))
    }

    /// A text of at most `bytes_max`, not empty, without control characters.
    fn text_within(&self, name: &str, bytes_max: usize) -> Result<Option<&'a str>, DecodeError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text =
            value.as_str().ok_or_else(|| self.error(name, format!("must be text, not {}", kind(value))))?;
        check_text(text, bytes_max).map_err(|problem| self.error(name, problem))?;
        Ok(Some(text))
    }

    /// A name: short text that a person can see all of, without white space around it.
    pub(crate) fn name(&self, name: &str) -> Result<Option<String>, DecodeError> {
        let Some(text) = self.text_within(name, NAME_BYTES_MAX)? else { return Ok(None) };
        let found = checked_name(text).map_err(|problem| self.error(name, problem))?;
        Ok(Some(found.to_owned()))
    }

    /// The name of a version. Programs take what begins with a dash for an option, so that no target that runs one
    /// could carry it.
    pub(crate) fn version(&self, name: &str) -> Result<Option<String>, DecodeError> {
        let version = self.name(name)?;
        if let Some(version) = &version {
            expect_no_dash(version).map_err(|problem| self.error(name, problem))?;
        }
        Ok(version)
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<String, DecodeError> {
        self.text(name)?.ok_or_else(|| self.error(name, "is required"))
    }

    /// A name that a target is given: of a service, an environment, a version.
    pub(crate) fn required_name(&self, name: &str) -> Result<String, DecodeError> {
        self.version(name)?.ok_or_else(|| self.error(name, "is required"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, DecodeError> {
        Ok(self.text_within(name, TEXT_BYTES_MAX)?.map(str::to_owned))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, DecodeError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let fault = || self.error(name, format!("must be true or false, not {}", kind(value)));
        value.as_bool().ok_or_else(fault).map(Some)
    }

    /// A number of percent, 0 to 100; `"5%"` is taken too.
    pub(crate) fn percentage(&self, name: &str) -> Result<Option<f64>, DecodeError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok()),
            _ => None,
        };
        let is_percentage = |number: &f64| (0.0..=100.0).contains(number);
        let fault = || self.error(name, "must be a number from 0 to 100");
        number.filter(is_percentage).ok_or_else(fault).map(Some)
    }

    pub(crate) fn moment(&self, name: &str) -> Result<Option<model::Timestamp>, DecodeError> {
        let Some(text) = self.text_within(name, NAME_BYTES_MAX)? else { return Ok(None) };
        let fault = || self.error(name, "must be a time as in RFC 3339, e.g. 2026-11-23T10:00:00Z");
        parse_rfc3339(text).ok_or_else(fault).map(Some)
    }

    /// One of `choices`, by its name.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, DecodeError> {
        let Some(text) = self.text_within(name, NAME_BYTES_MAX)? else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Ok(Some(*choice));
        }
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        Err(self.error(name, format!("must be one of {}, not {text:?}", names.join(", "))))
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, DecodeError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let fault = || self.error(name, format!("must be an object, not {}", kind(value)));
        value.as_object().ok_or_else(fault).map(Some)
    }

    pub(crate) fn required_object(&self, name: &str) -> Result<&'a Map<String, Value>, DecodeError> {
        self.object(name)?.ok_or_else(|| self.error(name, "is required"))
    }

    pub(crate) fn is_text(&self, name: &str) -> bool {
        self.value(name).is_some_and(Value::is_string)
    }

    /// An object of plain values, each turned into text.
    pub(crate) fn plain_values(&self, name: &str) -> Result<BTreeMap<String, String>, DecodeError> {
        let Some(object) = self.object(name)? else { return Ok(BTreeMap::new()) };
        if object.len() > ENTRIES_MAX {
            return Err(
                self.error(name, format!("has {} entries, at most {ENTRIES_MAX} are taken", object.len()))
            );
        }
        let mut values = BTreeMap::new();
        for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let at = format!("{name}.{}", shortened(key, 80));
            if key.starts_with(OWN_FACTS) {
                return Err(self.error(&at, "names that begin with `ripcord.` are Ripcord's own"));
            }
            check_text(key, NAME_BYTES_MAX)
                .map_err(|problem| self.error(&at, format!("the key {problem}")))?;
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => {
                    return Err(
                        self.error(&at, format!("must be text, a number or a boolean, not {}", kind(value)))
                    );
                }
            };
            check_text(&text, TEXT_BYTES_MAX).map_err(|problem| self.error(&at, problem))?;
            values.insert(key.clone(), text);
        }
        Ok(values)
    }
}

/// What keeps `text` from being a name or a value, if anything does.
pub(crate) fn check_text(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.len() > bytes_max {
        return Err(format!("is {} bytes long, at most {bytes_max} are taken", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters".to_owned());
    }
    Ok(())
}

/// `text` without white space around it, where it can be a name: two that look alike must be one.
pub(crate) fn checked_name(text: &str) -> Result<&str, String> {
    check_text(text, NAME_BYTES_MAX)?;
    let name = text.trim();
    match name.chars().find(|it| is_invisible(*it) || (it.is_whitespace() && *it != ' ')) {
        Some(hidden) => {
            Err(format!("must not hold characters that cannot be seen (U+{:04X})", u32::from(hidden)))
        }
        None => Ok(name),
    }
}

/// An error where a name would be taken for an option.
pub(crate) fn expect_no_dash(name: &str) -> Result<(), String> {
    if name.starts_with('-') { Err("must not begin with a dash".to_owned()) } else { Ok(()) }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The known key that `key` was probably meant to be: at most a third of its letters off.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    // A key longer than any of ours needs no comparison, whose cost grows with its length.
    if key.len() > 64 {
        return None;
    }
    let distance = |candidate: &str| edits(key, candidate);
    let best = known.iter().copied().min_by_key(|candidate| distance(candidate))?;
    (distance(best) <= best.len().max(key.len()).div_ceil(3)).then_some(best)
}

/// Levenshtein's distance, in letters.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_again_without_its_nulls_and_only_if_it_has_some() {
        let read = |body: &[u8]| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            if text.contains("null") { Err(text) } else { Ok(text) }
        };
        for (body, expected, why) in [
            (r#"{"a":1}"#, Ok(r#"{"a":1}"#), "nothing to do"),
            (r#"{"a":null,"b":{"c":null,"d":[{"e":null}]}}"#, Ok(r#"{"b":{"d":[{}]}}"#), "wherever they are"),
            (r#"{"a":[null]}"#, Err(r#"{"a":[null]}"#), "an element of a list is no field"),
            (r#"{"a":null,"a":1}"#, Err(r#"{"a":null,"a":1}"#), "two values for one key"),
            (r#"{"a":null"#, Err(r#"{"a":null"#), "no JSON"),
        ] {
            let found = null_as_absent(body.as_bytes(), read);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{why}");
        }
    }

    #[test]
    fn the_nearest_key_is_named_and_none_where_none_is_near() {
        let known = ["service", "version", "previous_version", "artifact"];
        for (key, expected) in [
            ("versoin", Some("version")),
            ("Service", Some("service")),
            ("previousVersion", Some("previous_version")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(key, &known), expected, "{key}");
        }
    }
}
