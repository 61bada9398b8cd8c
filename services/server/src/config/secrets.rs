//! Secrets: each key has a `_file` twin, neither is ever printed.

use std::collections::BTreeMap;

use policy::{
    Diagnostics, HeaderValue, Policy, Target,
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
    for (file, purpose) in targets.flat_map(named_by) {
        if secrets.contains_key(file) {
            continue;
        }
        let Some(at) = find_text(node, file) else {
            if let Some(secret) = team_secret(file, purpose, node, files, diagnostics) {
                secrets.insert(file.to_owned(), secret);
            }
            continue;
        };
        let Some(secret) = files.secret(file, at, diagnostics) else { continue };
        match purpose.check(file, &secret) {
            Ok(()) => drop(secrets.insert(file.to_owned(), secret)),
            Err((message, hint)) => diagnostics.error_hint(at, message, hint),
        }
    }
    secrets
}

/// What a file is named for.
#[derive(Clone, Copy)]
enum Purpose {
    Signature,
    Header,
}

impl Purpose {
    /// Otherwise what is wrong, and what to do.
    fn check(self, file: &str, secret: &SecretString) -> Result<(), (String, &'static str)> {
        let text = secret.expose_secret();
        match self {
            Self::Signature => standardwebhooks::Webhook::new(text).map(drop).map_err(|error| {
                let message = format!("{file} does not hold a webhook secret: {error}");
                (message, "make one: echo whsec_$(openssl rand -base64 32)")
            }),
            Self::Header if text.is_empty() || text.contains(['\r', '\n', '\0']) => {
                Err((format!("{file} does not hold a header's value of one line"), "write the value alone"))
            }
            Self::Header => Ok(()),
        }
    }
}

/// The files that a target names.
fn named_by(target: &Target) -> Vec<(&str, Purpose)> {
    let Target::Webhook { secret_file, headers, .. } = target else { return Vec::new() };
    let signature = secret_file.iter().map(|file| (file.as_str(), Purpose::Signature));
    let headers = headers.values().filter_map(|value| match value {
        HeaderValue::File(file) => Some((file.as_str(), Purpose::Header)),
        HeaderValue::Given(_) => None,
    });
    signature.chain(headers).collect()
}

fn team_secret(
    file: &str,
    purpose: Purpose,
    node: &Node,
    files: &mut Files,
    diagnostics: &Diagnostics,
) -> Option<SecretString> {
    let faults = Diagnostics::default();
    let secret = files.secret(file, node, &faults);
    let fault = match &secret {
        Some(secret) => purpose.check(file, secret).err().map(|(message, _)| message),
        None => faults.into_vec().into_iter().next().map(|fault| fault.message),
    };
    let Some(message) = fault else { return secret };
    diagnostics.warning(
        node,
        message,
        "a policy file's target names it, and nothing is sent there without it",
    );
    None
}

/// The first scalar below `node` with this text: where to point at.
pub(super) fn find_text<'n>(node: &'n Node, text: &str) -> Option<&'n Node> {
    if node.text() == Some(text) {
        return Some(node);
    }
    let in_items = node.items().into_iter().flatten().find_map(|item| find_text(item, text));
    in_items.or_else(|| node.entries().into_iter().flatten().find_map(|entry| find_text(&entry.value, text)))
}
