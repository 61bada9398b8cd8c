//! Secrets: each key has a `_file` twin, neither is ever printed.

use std::collections::BTreeMap;

use model::Target;
use policy::{
    Diagnostics, Policy,
    yaml::{Node, Reader},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::files::Files;

/// `KEY` or `KEY_file`; both are a fault.
pub(super) fn read(reader: &mut Reader<'_, '_>, key: &str, files: &mut Files) -> Option<SecretString> {
    let file_key = format!("{key}_file");
    let diagnostics = reader.diagnostics();
    let (found, entry) = reader.one_of(&[key, &file_key])?;
    let Some(text) = entry.value.text() else {
        diagnostics.error(&entry.value, format!("`{found}` must be a single value"));
        return None;
    };
    if found == file_key {
        files.secret(text, &entry.value, diagnostics)
    } else {
        Some(SecretString::from(text))
    }
}

/// Whether `KEY` or `KEY_file` is there, be it good or not: what is wrong with it has been said then.
pub(super) fn is_given(reader: &mut Reader<'_, '_>, key: &str) -> bool {
    reader.get(key).is_some() || reader.get(&format!("{key}_file")).is_some()
}

/// What the targets of the policy name by file. A fault of a file that only a team's policies name is a warning:
/// their commands are not sent then, and the others' are.
pub(super) fn of_targets(
    policy: &Policy,
    files: &mut Files,
    node: &Node,
    diagnostics: &Diagnostics,
) -> BTreeMap<String, SecretString> {
    let rules = std::iter::once(&policy.base).chain(&policy.policies);
    let targets = rules.filter_map(|rules| rules.targets.as_ref()).flatten();
    let mut secrets = BTreeMap::new();
    for target in targets {
        let Target::Webhook { secret_file: Some(file), .. } = target else { continue };
        if secrets.contains_key(file) {
            continue;
        }
        let Some(at) = find_text(node, file) else {
            if let Some(secret) = team_secret(file, node, files, diagnostics) {
                secrets.insert(file.clone(), secret);
            }
            continue;
        };
        let Some(secret) = files.secret(file, at, diagnostics) else { continue };
        match standardwebhooks::Webhook::new(secret.expose_secret()) {
            Ok(_) => drop(secrets.insert(file.clone(), secret)),
            Err(error) => diagnostics.error_hint(
                at,
                format!("{file} does not hold a webhook secret: {error}"),
                "make one: echo whsec_$(openssl rand -base64 32)",
            ),
        }
    }
    secrets
}

fn team_secret(
    file: &str,
    node: &Node,
    files: &mut Files,
    diagnostics: &Diagnostics,
) -> Option<SecretString> {
    let faults = Diagnostics::default();
    let secret = files.secret(file, node, &faults);
    let is_usable = |secret: &SecretString| standardwebhooks::Webhook::new(secret.expose_secret()).is_ok();
    let usable = secret.filter(is_usable);
    if usable.is_none() {
        let found = faults.into_vec().into_iter().next();
        let message =
            found.map_or_else(|| format!("{file} does not hold a webhook secret"), |fault| fault.message);
        diagnostics.warning(
            node,
            message,
            "a policy file's target names it, and nothing is sent there without it",
        );
    }
    usable
}

/// The first scalar below `node` with this text: where to point at.
pub(super) fn find_text<'n>(node: &'n Node, text: &str) -> Option<&'n Node> {
    if node.text() == Some(text) {
        return Some(node);
    }
    let in_items = node.items().into_iter().flatten().find_map(|item| find_text(item, text));
    in_items.or_else(|| node.entries().into_iter().flatten().find_map(|entry| find_text(&entry.value, text)))
}
