//! `match` of a policy or a freeze.

use crate::{
    Match, Pattern,
    diagnostic::Diagnostics,
    yaml::{Node, Reader},
};

/// The longest expression: some two dozen names.
const REGEX_CHARACTERS_MAX: usize = 2000;

/// `match: { service: …, environment: … }`; each a name, a list of names, or `{ regex: … }`. Nothing in it holds for
/// everything.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Match {
    let Some(mut labels) = reader.mapping("match") else { return Match::new() };
    let matching = Match {
        service: pattern(&mut labels, "service"),
        environment: pattern(&mut labels, "environment"),
        cluster: pattern(&mut labels, "cluster"),
    };
    labels.finish();
    matching
}

/// What is wrong has been reported; the pattern then matches nothing, for it must not hold for everything.
fn pattern(labels: &mut Reader<'_, '_>, key: &str) -> Option<Pattern> {
    let node = labels.get(key)?;
    let diagnostics = labels.diagnostics();
    let pattern = if node.entries().is_some() {
        regex(node, key, diagnostics)
    } else {
        names(node, key, diagnostics).map(Pattern::OneOf)
    };
    Some(pattern.unwrap_or(Pattern::OneOf(Vec::new())))
}

fn names(node: &Node, key: &str, diagnostics: &Diagnostics) -> Option<Vec<String>> {
    let items = node.items().unwrap_or(std::slice::from_ref(node));
    if items.is_empty() {
        let hint = format!("name some, or leave `{key}` away to match all");
        diagnostics.error_hint(node, format!("`{key}` is an empty list: it matches nothing"), hint);
        return None;
    }
    let mut names = Vec::new();
    for item in items {
        match item.text() {
            Some(name) => {
                warn_of_expression(item, key, name, diagnostics);
                names.push(name.to_owned());
            }
            None => {
                let hint = format!("one expression says it all: {key}: {{ regex: \"checkout|cart-.*\" }}");
                let message = format!("a list for `{key}` holds names only, found {}", item.kind());
                diagnostics.error_hint(item, message, hint);
            }
        }
    }
    Some(names)
}

fn regex(node: &Node, key: &str, diagnostics: &Diagnostics) -> Option<Pattern> {
    let mut reader = Reader::open(node, &format!("`{key}`"), diagnostics)?;
    let text = reader.required_text("regex");
    reader.finish();
    let text = text?;
    if text.len() > REGEX_CHARACTERS_MAX {
        let message =
            format!("an expression of {} characters: the most is {REGEX_CHARACTERS_MAX}", text.len());
        diagnostics.error(node, message);
        return None;
    }
    Pattern::regex(text)
        .map_err(|fault| {
            let hint = "write it as in Prometheus: it has to match the whole name, `check.*`";
            diagnostics.error_hint(node, format!("`{text}` is not a regular expression: {fault}"), hint);
        })
        .ok()
}

/// A name is compared to the letter; no service is called `check.*`.
fn warn_of_expression(node: &Node, key: &str, name: &str, diagnostics: &Diagnostics) {
    let Some(meant) = meant(name) else { return };
    let message =
        format!("`{name}` is compared to the letter: it seems to be a pattern, and matches no {key}");
    diagnostics.warning(node, message, format!("write {key}: {meant}"));
}

/// The right spelling of what looks like an expression, a glob, or several names in one text.
fn meant(name: &str) -> Option<String> {
    let separators = ['|', ','];
    let is_name = |part: &&str| !part.is_empty() && part.chars().all(is_of_a_name);
    let parts: Vec<&str> = name.split(separators).map(str::trim).collect();
    if parts.len() > 1 && parts.iter().all(is_name) {
        return Some(format!("[{}]", parts.join(", ")));
    }
    let is_expression = name.starts_with(['~', '!']) || name.chars().any(|c| r"*+?^$|()[]{}\".contains(c));
    if !is_expression {
        return None;
    }
    let bare = name.trim_start_matches(['=', '~', '!', '^']).trim_end_matches('$');
    let is_glob = bare.contains(['*', '?']) && !bare.contains([')', ']']) && !bare.contains(".*");
    let text = if is_glob { bare.replace('?', ".").replace('*', ".*") } else { bare.to_owned() };
    Some(format!("{{ regex: {text:?} }}"))
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || "-_./: ".contains(c)
}
