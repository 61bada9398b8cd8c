//! A mapping read strictly: every key that nobody asked for is a fault.

use std::{ops::RangeInclusive, time::Duration};

use super::{Entry, Node, ValueError, parse_boolean, parse_duration, parse_ratio};
use crate::diagnostic::{Diagnostics, KeyUse, Located, Place, suggest};

/// Reads one mapping. Ask for every key that may be there, then call [`Self::finish`], which reports the rest.
///
/// A getter returns `None` where the key is missing, null, or wrong; what is wrong has been reported then, so a
/// caller goes on with its default and finds the next fault too.
#[derive(Debug)]
pub struct Reader<'n, 'd> {
    node: &'n Node,
    entries: &'n [Entry],
    asked: Vec<String>,
    diagnostics: &'d Diagnostics,
}

impl Located for Reader<'_, '_> {
    fn place(&self) -> Place {
        self.node.place()
    }
}

impl<'n, 'd> Reader<'n, 'd> {
    /// Opens a mapping; `what` names it in the error where it is none. Null is an empty mapping.
    pub fn open(node: &'n Node, what: &str, diagnostics: &'d Diagnostics) -> Option<Self> {
        let entries = match node.entries() {
            Some(entries) => entries,
            None if node.is_null() => &[],
            None => {
                diagnostics.error(node, format!("{what} must be a mapping, found {}", node.kind()));
                return None;
            }
        };
        Some(Self { node, entries, asked: Vec::new(), diagnostics })
    }

    /// Where faults go.
    pub fn diagnostics(&self) -> &'d Diagnostics {
        self.diagnostics
    }

    /// The entry of `key`, which counts as asked for; `None` where it is missing or null.
    pub fn entry(&mut self, key: &str) -> Option<&'n Entry> {
        if !self.was_asked(key) {
            self.asked.push(key.to_owned());
        }
        let found = self.entries.iter().find(|entry| entry.key.name == key && !entry.value.is_null());
        self.note_key(key, KeyUse { is_container: false, is_given: found.is_some() });
        found
    }

    /// A mapping without entries may stand at its key's place, which is another mapping's.
    fn note_key(&self, key: &str, used: KeyUse) {
        if !self.node.is_null() {
            self.diagnostics.note_key(&self.node.place, key, used);
        }
    }

    fn note_container(&self, key: &str) {
        self.note_key(key, KeyUse { is_container: true, is_given: false });
    }

    /// The value of `key`.
    pub fn get(&mut self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value of the one of `keys` that is given; two of them are a fault.
    pub fn one_of<'k>(&mut self, keys: &[&'k str]) -> Option<(&'k str, &'n Entry)> {
        let mut found: Option<(&'k str, &'n Entry)> = None;
        for &key in keys {
            let Some(entry) = self.entry(key) else { continue };
            match found {
                None => found = Some((key, entry)),
                Some((first, _)) => self.diagnostics.error_hint(
                    &entry.key,
                    format!("`{first}` and `{key}` exclude each other"),
                    "keep one of them",
                ),
            }
        }
        found
    }

    /// As [`Self::get`]; missing is a fault.
    pub fn required(&mut self, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            self.diagnostics.error(self, format!("`{key}` is missing"));
        }
        found
    }

    /// Text.
    pub fn text(&mut self, key: &str) -> Option<&'n str> {
        let node = self.get(key)?;
        text_of(node, key, self.diagnostics)
    }

    /// Text that must be there and hold something.
    pub fn required_text(&mut self, key: &str) -> Option<&'n str> {
        let node = self.required(key)?;
        let text = text_of(node, key, self.diagnostics)?;
        if text.trim().is_empty() {
            self.diagnostics.error(node, format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    /// A list of texts; a single text is a list of one.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.get(key)?;
        let nodes = node.items().unwrap_or(std::slice::from_ref(node));
        Some(
            nodes.iter().filter_map(|item| text_of(item, key, self.diagnostics)).map(str::to_owned).collect(),
        )
    }

    /// The items of a list; none where the key is missing.
    pub fn list(&mut self, key: &str) -> &'n [Node] {
        self.note_container(key);
        let Some(node) = self.get(key) else { return &[] };
        node.items().unwrap_or_else(|| {
            self.diagnostics.error_hint(
                node,
                format!("`{key}` must be a list, found {}", node.kind()),
                "begin each item with `- `, or write [a, b]",
            );
            &[]
        })
    }

    /// A nested mapping.
    pub fn mapping(&mut self, key: &str) -> Option<Reader<'n, 'd>> {
        self.note_container(key);
        let node = self.get(key)?;
        Reader::open(node, &format!("`{key}`"), self.diagnostics)
    }

    /// A mapping of texts, in the file's order.
    pub fn text_mapping(&mut self, key: &str) -> Vec<(&'n Entry, &'n str)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Some(reader) = Reader::open(node, &format!("`{key}`"), self.diagnostics) else {
            return Vec::new();
        };
        let name = |entry: &'n Entry| text_of(&entry.value, &entry.key.name, self.diagnostics);
        reader.entries.iter().filter_map(|entry| Some((entry, name(entry)?))).collect()
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, parse_boolean)
    }

    /// A duration.
    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.parsed(key, parse_duration)
    }

    /// A duration within bounds.
    pub fn duration_within(&mut self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.parsed(key, |text| {
            let duration = parse_duration(text)?;
            if bounds.contains(&duration) {
                return Ok(duration);
            }
            let [from, to] = [bounds.start(), bounds.end()].map(|bound| super::format_duration(*bound));
            Err(ValueError::new(format!("{text} is out of range"), format!("from {from} to {to}")))
        })
    }

    /// `1%` or `0.01`, within bounds.
    pub fn ratio_within(&mut self, key: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
        self.parsed(key, |text| {
            let ratio = parse_ratio(text)?;
            if bounds.contains(&ratio) {
                return Ok(ratio);
            }
            let hint = match text.ends_with('%') {
                false if ratio > 1.0 => format!("did you mean {text}%?"),
                _ => format!("from {}% to {}%", bounds.start() * 100.0, bounds.end() * 100.0),
            };
            Err(ValueError::new(format!("{text} is out of range"), hint))
        })
    }

    /// A number within bounds, such as `1.25`.
    pub fn number_within(&mut self, key: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
        self.parsed(key, |text| match text.parse::<f64>() {
            Ok(value) if bounds.contains(&value) => Ok(value),
            _ => {
                let hint = format!("from {} to {}", bounds.start(), bounds.end());
                Err(ValueError::new(format!("`{text}` is not a number in range"), hint))
            }
        })
    }

    /// A whole number within bounds.
    pub fn integer_within(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.parsed(key, |text| match text.replace('_', "").parse::<u64>() {
            Ok(value) if bounds.contains(&value) => Ok(value),
            _ => {
                let hint = format!("from {} to {}", bounds.start(), bounds.end());
                Err(ValueError::new(format!("`{text}` is not a whole number in range"), hint))
            }
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| match choices.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                let message = format!("`{text}` is not one of {}", names.join(", "));
                Err(ValueError { message, hint: Some(suggest(text, &names)) })
            }
        })
    }

    /// Whatever `parse` makes of the text.
    pub fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, ValueError>) -> Option<T> {
        let node = self.get(key)?;
        let text = text_of(node, key, self.diagnostics)?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(ValueError { message, hint }) => {
                self.diagnostics.push(crate::Level::Error, node, format!("`{key}`: {message}"), hint);
                None
            }
        }
    }

    /// Reports every key that nobody asked for, with the nearest that somebody did.
    pub fn finish(self) {
        self.finish_with(|_| None);
    }

    /// As [`Self::finish`]; `hint` may know better what was meant.
    pub fn finish_with(self, hint: impl Fn(&str) -> Option<String>) {
        for Entry { key, .. } in self.entries {
            if self.was_asked(&key.name) {
                continue;
            }
            let asked: Vec<&str> = self.asked.iter().map(String::as_str).collect();
            let hint = hint(&key.name).unwrap_or_else(|| suggest(&key.name, &asked));
            self.diagnostics.error_hint(key, format!("unknown key `{}`", key.name), hint);
        }
    }

    /// The entries that nobody asked for yet.
    pub fn rest(&self) -> impl Iterator<Item = &'n Entry> {
        self.entries.iter().filter(|entry| !self.was_asked(&entry.key.name))
    }

    fn was_asked(&self, key: &str) -> bool {
        self.asked.iter().any(|asked| asked == key)
    }

    /// All entries.
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

/// The text of a scalar; anything else is a fault of `key`.
fn text_of<'n>(node: &'n Node, key: &str, diagnostics: &Diagnostics) -> Option<&'n str> {
    let text = node.text();
    if text.is_none() {
        diagnostics.error(node, format!("`{key}` must be a single value, found {}", node.kind()));
    }
    text
}
