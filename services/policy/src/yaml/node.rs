//! The tree.

use crate::diagnostic::{Located, Place};

/// One node and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`; read as if the key were not there.
    Null,
    Scalar {
        text: String,
        style: Style,
    },
    Sequence(Vec<Node>),
    /// In the file's order, no key twice.
    Mapping(Vec<Entry>),
}

/// How a scalar is written, as far as it tells where a character of its text stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The text stands in the file as it is.
    Plain,
    /// As it is, after a quote.
    Quoted,
    /// Folded, escaped or a block: only the scalar's beginning is known.
    Rewritten,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

/// A mapping's key and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub name: String,
    pub place: Place,
}

impl Located for Node {
    fn place(&self) -> Place {
        self.place.clone()
    }
}

impl Located for Key {
    fn place(&self) -> Place {
        self.place.clone()
    }
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key.name == key).map(|entry| &entry.value)
    }

    /// Whether it holds nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Where the character `offset` of a scalar's text stands, as near as is known.
    pub fn place_in_text(&self, offset: usize) -> Place {
        let before = match &self.value {
            Value::Scalar { style: Style::Plain, .. } => offset,
            Value::Scalar { style: Style::Quoted, .. } => offset + 1,
            _ => 0,
        };
        Place { column: self.place.column + before, ..self.place.clone() }
    }

    /// What it is, in a person's words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}
