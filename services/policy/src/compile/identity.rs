//! `identity`: which labels name what.

use crate::{
    Identity, IdentityField, Join, Selector, StaticIdentity,
    diagnostic::suggest,
    yaml::{Entry, Node, Reader},
};

const FIELDS: [(&str, IdentityField); 6] = [
    ("service", IdentityField::Service),
    ("environment", IdentityField::Environment),
    ("version", IdentityField::Version),
    ("cluster", IdentityField::Cluster),
    ("region", IdentityField::Region),
    ("route", IdentityField::Route),
];

pub(super) fn read(root: &mut Reader<'_, '_>) -> Identity {
    let mut identity = Identity::default();
    let Some(mut reader) = root.mapping("identity") else { return identity };
    for (key, labels) in [
        ("service", &mut identity.service),
        ("environment", &mut identity.environment),
        ("version", &mut identity.version),
        ("cluster", &mut identity.cluster),
        ("region", &mut identity.region),
        ("replica", &mut identity.replica),
        ("route", &mut identity.route),
    ] {
        if let Some(given) = reader.texts(key) {
            *labels = given;
        }
    }
    if reader.get("join").is_some() {
        identity.join = reader.list("join").iter().filter_map(|node| join(node, &reader)).collect();
    }
    identity.fixed = reader.list("static").iter().filter_map(|node| fixed(node, &reader)).collect();
    reader.finish();
    identity
}

fn join(node: &Node, parent: &Reader<'_, '_>) -> Option<Join> {
    let mut reader = Reader::open(node, "an item of `join`", parent.diagnostics())?;
    let info = selector(&mut reader, "info", Selector::parse_info);
    reader.required("on");
    let on = reader.texts("on").unwrap_or_default();
    let take = fields(&mut reader, "take");
    reader.finish();
    Some(Join { info: info?, on, take })
}

fn fixed(node: &Node, parent: &Reader<'_, '_>) -> Option<StaticIdentity> {
    let mut reader = Reader::open(node, "an item of `static`", parent.diagnostics())?;
    let matching = selector(&mut reader, "match", Selector::parse_matchers);
    let set = fields(&mut reader, "set");
    reader.finish();
    Some(StaticIdentity { matching: matching?, set })
}

fn selector(
    reader: &mut Reader<'_, '_>,
    key: &str,
    parse: impl Fn(&str) -> Result<Selector, crate::metric::SelectorError>,
) -> Option<Selector> {
    const HINT: &str = "selectors are Prometheus', as one text: target_info, '{__name__=~\".+_build_info\"}', 'job=\"legacy\"'";
    let node = reader.required(key)?;
    let Some(text) = node.text() else {
        let message = format!("`{key}` must be one series selector, found {}", node.kind());
        let hint = selector_of(node).map(|text| format!("write {key}: '{text}'"));
        reader.diagnostics().error_hint(node, message, hint.unwrap_or_else(|| HINT.to_owned()));
        return None;
    };
    parse(text)
        .map_err(|error| {
            reader.diagnostics().error_hint(node, format!("`{key}`: {error}"), HINT);
        })
        .ok()
}

/// The selector that a mapping of labels was meant to be: `{ job: legacy }` is `job="legacy"`.
fn selector_of(node: &Node) -> Option<String> {
    let entries = node.entries().filter(|entries| !entries.is_empty())?;
    let matcher = |entry: &Entry| Some(format!("{}={:?}", entry.key.name, entry.value.text()?));
    let matchers: Option<Vec<String>> = entries.iter().map(matcher).collect();
    matchers.map(|matchers| matchers.join(","))
}

fn fields(reader: &mut Reader<'_, '_>, key: &str) -> Vec<(IdentityField, String)> {
    reader.required(key);
    let given = reader.text_mapping(key);
    given.into_iter().filter_map(|(entry, text)| Some((field(entry, reader)?, text.to_owned()))).collect()
}

fn field(entry: &Entry, reader: &Reader<'_, '_>) -> Option<IdentityField> {
    let found = FIELDS.iter().find(|(name, _)| *name == entry.key.name).map(|(_, field)| *field);
    if found.is_none() {
        let message = format!("unknown key `{}`", entry.key.name);
        let hint = suggest(&entry.key.name, &FIELDS.map(|(name, _)| name));
        reader.diagnostics().error_hint(&entry.key, message, hint);
    }
    found
}
