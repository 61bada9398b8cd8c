//! Taking secrets out of a policy's text before it gets onto the log, to a topic, into backups.
//!
//! Header values and the credentials of URLs are replaced where they stand; every line keeps its number, so that what
//! is said about the text still points at the right place in the file.

use std::collections::BTreeMap;

use model::PolicyLoad;
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::{
    Diagnostic,
    diagnostic::Diagnostics,
    yaml::{Node, Value, parse},
};

/// What stands on the log for a secret.
const WITHHELD: &str = "ripcord-withheld";

/// Whether the text stands for a secret that is not known here.
pub(crate) fn is_withheld(text: &str) -> bool {
    let text = text.trim_end();
    text == WITHHELD || text.ends_with(&format!("?{WITHHELD}"))
}

/// The load without secrets; otherwise where one stands that cannot be taken out. A text that is not YAML is in force
/// nowhere, and comes back as it is.
pub fn without_secrets(load: &PolicyLoad) -> Result<PolicyLoad, Diagnostic> {
    let mut clean = load.clone();
    for (name, text) in &mut clean.files {
        *text = cleaned(name, text)?;
    }
    Ok(clean)
}

/// A load off the log with the secrets of those files that this process has read itself and that say the same.
pub fn with_own_secrets(logged: &PolicyLoad, own: &PolicyLoad) -> PolicyLoad {
    let mut restored = logged.clone();
    for (name, text) in &mut restored.files {
        let own = own.files.iter().find(|(it, _)| it == name).map(|(_, text)| text);
        if let Some(own) = own.filter(|own| cleaned(name, own).is_ok_and(|clean| clean == *text)) {
            own.clone_into(text);
        }
    }
    restored
}

fn cleaned(name: &str, text: &str) -> Result<String, Diagnostic> {
    let Ok(root) = parse(name, text) else { return Ok(text.to_owned()) };
    let mut secrets = BTreeMap::new();
    collect(&root, &mut secrets);
    if secrets.is_empty() {
        return Ok(text.to_owned());
    }
    let clean = replaced(text, &secrets);
    let is_clean = parse(name, &clean).is_ok_and(|clean| {
        let mut left = BTreeMap::new();
        collect(&clean, &mut left);
        left.is_empty() && is_same_beside(&root, &clean, &secrets)
    });
    if is_clean {
        return Ok(clean);
    }
    let (line, column) = secrets.into_keys().next().unwrap_or((1, 1));
    let diagnostics = Diagnostics::default();
    let place = crate::Place { file: name.into(), line, column };
    let hint = "write it in quotes on one line, or use the `_file` twin";
    diagnostics.error_hint(&place, "this secret cannot be kept off the log", hint);
    Err(diagnostics.into_vec().remove(0))
}

/// Places of secrets, and what stands there instead.
type Secrets = BTreeMap<(usize, usize), String>;

/// The headers and the URL of each `webhook` below `node`.
fn collect(node: &Node, secrets: &mut Secrets) {
    for item in node.items().into_iter().flatten() {
        collect(item, secrets);
    }
    for entry in node.entries().into_iter().flatten() {
        if entry.key.name == "webhook" {
            let url = entry.value.get("url");
            let url = url.and_then(|node| Some((node, stripped(node.text()?)?)));
            let headers = entry.value.get("headers").and_then(Node::entries).into_iter().flatten();
            let headers = headers.filter(|it| !it.key.name.ends_with("_file")).map(|it| &it.value);
            let given = headers.filter(|it| it.text().is_some_and(|text| !is_withheld(text)));
            let all = url.into_iter().chain(given.map(|node| (node, WITHHELD.to_owned())));
            secrets.extend(all.map(|(node, text)| ((node.place.line, node.place.column), text)));
        }
        collect(&entry.value, secrets);
    }
}

/// A URL without credentials and query, if it has any.
fn stripped(url: &str) -> Option<String> {
    let name = model::target::webhook_name(url);
    let bare = name.strip_prefix("webhook ").unwrap_or_default();
    (bare != url && !is_withheld(url)).then(|| format!("{bare}?{WITHHELD}"))
}

/// The text with what stands at these places replaced.
fn replaced(text: &str, secrets: &Secrets) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    let (mut clean, mut chars, mut at) = (String::with_capacity(text.len()), text.chars(), 0);
    while let Some(Ok((event, span))) = parser.next_event() {
        let Event::Scalar(_, style, ..) = event else { continue };
        let Some(instead) = secrets.get(&(span.start.line(), span.start.col() + 1)) else { continue };
        clean.extend(chars.by_ref().take(span.start.index().saturating_sub(at)));
        let taken: String = chars.by_ref().take(span.len()).collect();
        at = span.end.index();
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        clean.push_str(&in_place_of(&taken, instead, is_block));
    }
    clean.extend(chars);
    clean
}

/// What the parser takes for a scalar may begin with an anchor or a tag and end with white space, which stay.
fn in_place_of(taken: &str, instead: &str, is_block: bool) -> String {
    let mut rest = taken;
    while !is_block && rest.starts_with(['&', '!']) {
        let name = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[name..].trim_start();
    }
    let kept = &taken[..taken.len() - rest.len()];
    let secret = rest.trim_end();
    let instead = if is_block { instead.to_owned() } else { format!("'{}'", instead.replace('\'', "''")) };
    let lines: String = secret.chars().filter(|c| *c == '\n').collect();
    format!("{kept}{instead}{lines}{}", &rest[secret.len()..])
}

/// Whether two trees differ in nothing but what was replaced.
fn is_same_beside(before: &Node, after: &Node, secrets: &Secrets) -> bool {
    match (&before.value, &after.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar { text: before_text, .. }, Value::Scalar { text: after_text, .. }) => {
            let instead = secrets.get(&(before.place.line, before.place.column));
            instead.map_or(before_text == after_text, |instead| instead == after_text.trim_end())
        }
        (Value::Sequence(before), Value::Sequence(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| is_same_beside(before, after, secrets))
        }
        (Value::Mapping(before), Value::Mapping(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| {
                    before.key.name == after.key.name
                        && before.key.place.line == after.key.place.line
                        && is_same_beside(&before.value, &after.value, secrets)
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
