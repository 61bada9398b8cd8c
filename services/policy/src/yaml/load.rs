//! Text to tree.

use std::{collections::BTreeMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::{Entry, Key, Node, Style, Value};
use crate::{
    Diagnostic, Level,
    diagnostic::{Diagnostics, Place},
};

/// The longest file read: a thousand services' policies fit into a tenth of it.
pub const MAX_BYTES: usize = 4 << 20;
/// How deep mappings and lists may lie in each other: DESIGN's deepest key lies at 8, routes nest without limit.
pub const MAX_DEPTH: usize = 64;
/// How many nodes a file may hold once its aliases are expanded: what [`MAX_BYTES`] can hold without any.
pub const MAX_NODES: usize = 500_000;

/// Parses one document; an empty one is an empty mapping. Not YAML, too long, too deep, a key given twice: all
/// are errors, and all duplicate keys are reported, not only the first.
pub fn parse(file: &str, text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut loader = Loader::new(file);
    let loaded = loader.load(text);
    if let Err(fault) = loaded {
        loader.diagnostics.add(fault);
    }
    if loader.diagnostics.has_errors() {
        return Err(loader.diagnostics.into_vec());
    }
    Ok(loader.root.unwrap_or(Node { place: Place::start_of(file), value: Value::Mapping(Vec::new()) }))
}

/// A collection whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    collected: Collected,
}

enum Collected {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Key> },
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Loader {
    file: Arc<str>,
    diagnostics: Diagnostics,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

impl Loader {
    fn new(file: &str) -> Self {
        Self {
            file: file.into(),
            diagnostics: Diagnostics::default(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            documents: 0,
            root: None,
        }
    }

    fn load(&mut self, text: &str) -> Result<(), Diagnostic> {
        if text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes, the most is {MAX_BYTES}", text.len());
            return Err(self.fault(&self.at(1, 0), message, None));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            match event {
                Ok((event, span)) => self.take(event, span)?,
                Err(error) => {
                    let at = self.at(error.marker().line(), error.marker().col());
                    return Err(self.fault(&at, format!("not YAML: {}", error.info()), None));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let place = self.at(span.start.line(), span.start.col());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.begin_document(&place),
            Event::Scalar(text, style, anchor, _) => {
                let value = scalar(text.into_owned(), style, span);
                self.put(Node { place, value }, anchor, 1, 0)
            }
            Event::Alias(anchor) => self.put_alias(anchor, &place),
            Event::SequenceStart(anchor, _) => {
                self.begin(Open { place, anchor, collected: Collected::Sequence(Vec::new()) })
            }
            Event::MappingStart(anchor, _) => {
                let collected = Collected::Mapping { entries: Vec::new(), key: None };
                self.begin(Open { place, anchor, collected })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin_document(&mut self, place: &Place) -> Result<(), Diagnostic> {
        self.documents += 1;
        if self.documents > 1 {
            let hint = "remove the `---`, or put the second part into a file of its own";
            return Err(self.fault(place, "a second YAML document in one file", Some(hint)));
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(&open.place, format!("nested deeper than {MAX_DEPTH}"), None));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.collected {
            Collected::Sequence(items) => Value::Sequence(items),
            Collected::Mapping { entries, .. } => Value::Mapping(self.merged(entries)),
        };
        let node = Node { place: open.place, value };
        // Its children were counted as they came; only an anchor needs to know the size of the whole.
        let (nodes, depth) = if open.anchor == 0 { (1, 0) } else { measure(&node) };
        self.nodes += 1;
        self.remember(open.anchor, &node, nodes, depth);
        self.attach(node)
    }

    fn put(&mut self, node: Node, anchor: usize, nodes: usize, depth: usize) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(self.fault(&node.place, format!("more than {MAX_NODES} values"), None));
        }
        self.remember(anchor, &node, nodes, depth);
        self.attach(node)
    }

    fn put_alias(&mut self, anchor: usize, place: &Place) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.fault(place, "an alias inside of what it stands for", None));
        };
        if self.nodes + anchored.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values once aliases are expanded");
            return Err(self.fault(place, message, None));
        }
        if self.open.len() + anchored.depth > MAX_DEPTH {
            return Err(self.fault(place, format!("nested deeper than {MAX_DEPTH}"), None));
        }
        let (node, nodes, depth) = (anchored.node.clone(), anchored.nodes, anchored.depth);
        self.put(node, 0, nodes, depth)
    }

    fn remember(&mut self, anchor: usize, node: &Node, nodes: usize, depth: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
    }

    fn attach(&mut self, node: Node) -> Result<(), Diagnostic> {
        match self.open.last_mut().map(|open| &mut open.collected) {
            None => self.root = Some(node),
            Some(Collected::Sequence(items)) => items.push(node),
            Some(Collected::Mapping { entries, key }) => match key.take() {
                Some(key) => {
                    let entry = Entry { value: at_key_if_empty(node, &key), key };
                    entries.push(entry);
                }
                None => match node.value {
                    Value::Scalar { text: name, .. } => *key = Some(Key { name, place: node.place }),
                    Value::Null => *key = Some(Key { name: "null".into(), place: node.place }),
                    _ => return Err(self.fault(&node.place, "a key must be a single value", None)),
                },
            },
        }
        Ok(())
    }

    /// Reports keys given twice and takes in what `<<` merges: keys of the mapping's own win.
    fn merged(&self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut own: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged = Vec::new();
        for entry in entries {
            if entry.key.name == "<<" {
                merged.push(entry.value);
                continue;
            }
            if let Some(first) = lines.insert(entry.key.name.clone(), entry.key.place.line) {
                self.diagnostics.error_hint(
                    &entry.key,
                    format!("`{}` is given twice", entry.key.name),
                    format!("the first is on line {first}; keep one of them"),
                );
            }
            own.push(entry);
        }
        for node in merged {
            self.merge(&mut own, &mut lines, node);
        }
        own
    }

    fn merge(&self, own: &mut Vec<Entry>, lines: &mut BTreeMap<String, usize>, node: Node) {
        match node.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    if !lines.contains_key(&entry.key.name) {
                        lines.insert(entry.key.name.clone(), entry.key.place.line);
                        own.push(entry);
                    }
                }
            }
            Value::Sequence(items) => items.into_iter().for_each(|item| self.merge(own, lines, item)),
            _ => self.diagnostics.error(&node.place, "`<<` merges a mapping or a list of mappings"),
        }
    }

    fn at(&self, line: usize, column: usize) -> Place {
        Place { file: self.file.clone(), line, column: column + 1 }
    }

    fn fault(&self, at: &Place, message: impl Into<String>, hint: Option<&str>) -> Diagnostic {
        Diagnostic {
            level: Level::Error,
            file: at.file.to_string(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint: hint.map(str::to_owned),
        }
    }
}

/// The parser pins a missing value to whatever comes next; a person looks at the key.
fn at_key_if_empty(node: Node, key: &Key) -> Node {
    if node.is_null() { Node { place: key.place.clone(), ..node } } else { node }
}

fn scalar(text: String, style: ScalarStyle, span: Span) -> Value {
    if style == ScalarStyle::Plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    let length = text.chars().count();
    let is_one_line = span.start.line() == span.end.line();
    let style = match style {
        ScalarStyle::Plain if is_one_line => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if is_one_line && span.len() == length + 2 => {
            Style::Quoted
        }
        _ => Style::Rewritten,
    };
    Value::Scalar { text, style }
}

/// How many nodes a tree has and how deep it is; the depth of a scalar is 0.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::Null | Value::Scalar { .. } => Vec::new(),
        Value::Sequence(items) => items.iter().collect(),
        Value::Mapping(entries) => entries.iter().map(|entry| &entry.value).collect(),
    };
    let is_leaf = matches!(node.value, Value::Null | Value::Scalar { .. });
    children
        .into_iter()
        .map(measure)
        .fold((1, usize::from(!is_leaf)), |(nodes, depth), (n, d)| (nodes + n, usize::max(depth, d + 1)))
}
