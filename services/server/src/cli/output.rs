//! The only place that prints: stdout for answers, stderr for what went wrong.

use std::{borrow::Cow, io::Write as _};

use clap::ValueEnum;
use serde_json::Value;

/// How to print an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

impl Output {
    /// Prints the whole answer where a format for programs is asked for; false where a table is.
    pub(crate) fn print_whole(self, answer: &Value) -> bool {
        match self {
            Self::Table => return false,
            Self::Json => line(&serde_json::to_string_pretty(answer).unwrap_or_default()),
            Self::Yaml => line(&super::yaml::text(answer)),
        }
        true
    }
}

/// Prints one line; a closed pipe is nobody's error.
pub(crate) fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{}", visible(text, &['\n', '\t'])));
}

/// Prints one line to stderr.
pub(crate) fn error(text: &str) {
    drop(writeln!(std::io::stderr(), "{}", visible(text, &['\n', '\t'])));
}

/// `text` with every character that a terminal would obey or nobody would see, but `kept`, written as JSON writes
/// it: what senders name must not move the cursor, and JSON stays the same JSON.
fn visible<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let is_hidden = |c: char| model::is_invisible(c) && !kept.contains(&c);
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| shown += &format!("\\u{unit:04x}"));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Prints rows under a head, columns as wide as their widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| visible(cell, &[]).into_owned()).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    print(head.to_vec());
    for row in &rows {
        print(row.iter().map(String::as_str).collect());
    }
}

/// A field of an answer as text of one line; nothing where it is missing or null.
pub(crate) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::String(text) => visible(text, &[]).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (text, cell, line, why) in [
            ("2.4.1", "2.4.1", "2.4.1", "nothing to do"),
            ("\u{1b}[2J", "\\u001b[2J", "\\u001b[2J", "an escape sequence"),
            ("\u{9b}2J", "\\u009b2J", "\\u009b2J", "its one-byte form"),
            ("a\r\nb", "a\\u000d\\u000ab", "a\\u000d\nb", "a second line"),
            ("a\u{7}\u{8}", "a\\u0007\\u0008", "a\\u0007\\u0008", "a bell, a step back"),
            ("\u{202e}cba", "\\u202ecba", "\\u202ecba", "right to left"),
            ("\u{e0041}", "\\udb40\\udc41", "\\udb40\\udc41", "a tag, as two units"),
            ("Zoë 🚀", "Zoë 🚀", "Zoë 🚀", "what people read"),
        ] {
            assert_eq!(visible(text, &[]), cell, "{why}");
            assert_eq!(visible(text, &['\n', '\t']), line, "{why}");
            let json = serde_json::to_string_pretty(&Value::from(text)).unwrap();
            let printed: Value = serde_json::from_str(&visible(&json, &['\n', '\t'])).unwrap();
            assert_eq!(printed, Value::from(text), "{why}");
        }
    }
}
