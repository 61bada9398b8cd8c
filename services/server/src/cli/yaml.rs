//! Answers as YAML: block style, two spaces a level; what could be read as something else is quoted.

use serde_json::Value;

/// The whole document, without a line break at its end.
pub(super) fn text(value: &Value) -> String {
    lines(value).join("\n")
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().flat_map(item).collect(),
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().flat_map(|(key, value)| entry(key, value)).collect()
        }
        plain => vec![scalar(plain)],
    }
}

fn item(value: &Value) -> Vec<String> {
    let mark = |(at, line)| if at == 0 { format!("- {line}") } else { format!("  {line}") };
    lines(value).into_iter().enumerate().map(mark).collect()
}

fn entry(key: &str, value: &Value) -> Vec<String> {
    let key = string(key);
    if !is_block(value) {
        return vec![format!("{key}: {}", scalar(value))];
    }
    let below = lines(value).into_iter().map(|line| format!("  {line}"));
    std::iter::once(format!("{key}:")).chain(below).collect()
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// JSON's `null`, `true`, numbers, `[]` and `{}` mean the same in YAML.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), string)
}

/// Plain where no reader of any version of YAML can take it for anything but this text; else quoted as JSON
/// does it, which YAML reads too once what it calls unprintable is escaped.
fn string(text: &str) -> String {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_simple = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    if starts_well && is_simple && !is_reserved(text) {
        return text.to_owned();
    }
    let is_unprintable = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        if is_unprintable(c) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

/// Words that YAML 1.1 or 1.2 reads as a truth value or as nothing.
fn is_reserved(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    words.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn an_answer_reads_as_a_person_would_write_it() {
        let answer = json!({
            "items": [{"id": "rel_1", "tags": ["a", ["b", "c"]], "none": null, "empty": {}, "rate": 0.5}, {"id": "2.4.1"}],
            "next": [],
        });
        let expected = r#"items:
  - empty: {}
    id: rel_1
    none: null
    rate: 0.5
    tags:
      - a
      - - b
        - c
  - id: "2.4.1"
next: []"#;
        assert_eq!(super::text(&answer), expected);
    }

    #[test]
    fn what_could_be_read_as_something_else_is_quoted() {
        for (text, written) in [
            ("checkout", "checkout"),
            ("dev.cdevents/v1", "dev.cdevents/v1"),
            ("no", "\"no\""),
            ("Null", "\"Null\""),
            ("1e3", "\"1e3\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("#releases", "\"#releases\""),
            ("say \"so\"\nnow", "\"say \\\"so\\\"\\nnow\""),
            ("\u{85}\u{feff}", "\"\\u0085\\ufeff\""),
        ] {
            assert_eq!(super::string(text), written);
        }
    }
}
