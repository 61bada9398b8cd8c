//! What becomes the policy record: the policy sections of the main file, and each team's own file.

use std::{collections::BTreeSet, path::PathBuf};

use model::PolicyLoad;
use policy::{Diagnostic, Diagnostics, Level, Policy, yaml::Reader};

use super::files::Files;

/// Files of `policy_files`; more than a thousand teams do not share one Ripcord.
const POLICY_FILES_MAX: usize = 1000;

/// Compiles; `None` if the main file is not accepted. A team's mistake stops that team's file only: what it said in
/// `last`, the load in force, goes on holding.
pub(super) fn compile(
    top: &mut Reader<'_, '_>,
    name: &str,
    text: &str,
    files: &mut Files,
    last: Option<&PolicyLoad>,
) -> Option<(Policy, PolicyLoad)> {
    let diagnostics = top.diagnostics();
    let mut texts = Vec::new();
    match policy::policy_sections(name, text) {
        Ok(sections) => texts.push((name.to_owned(), sections)),
        Err(faults) => {
            faults.into_iter().for_each(|fault| diagnostics.add(fault));
            return None;
        }
    }
    for pattern in top.texts("policy_files").unwrap_or_default() {
        for path in expand(files.resolve(&pattern)) {
            let shown = path.display().to_string();
            match files.text(&path) {
                Ok(text) => texts.push((shown, text)),
                Err(reason) => {
                    if let Some(node) = top.get("policy_files") {
                        diagnostics.warning(node, reason, "this file's policies are not in force");
                    }
                }
            }
        }
    }
    texts.truncate(POLICY_FILES_MAX);
    let mut load = PolicyLoad { files: texts, origin: String::new() };
    let (mut policy, found) = policy::compile_beside(&load, diagnostics);
    let is_broken = |it: &&Diagnostic| it.file != name && it.level == Level::Error;
    let broken: BTreeSet<String> = found.iter().filter(is_broken).map(|it| it.file.clone()).collect();
    if policy.is_some() && !broken.is_empty() {
        keep_last_good(&mut load, &broken, last);
        policy = policy::compile(&load).0;
    }
    for diagnostic in found {
        report(diagnostic, name, &load, diagnostics);
    }
    Some((policy?, load))
}

/// Whether `load` has policies and they are not those of `in_force`; where its files are is another machine's affair.
pub(crate) fn says_another_policy(load: &PolicyLoad, in_force: Option<&PolicyLoad>) -> bool {
    fn texts(load: &PolicyLoad) -> impl Iterator<Item = &str> {
        load.files.iter().map(|(_, text)| text.trim())
    }
    let says_any = texts(load).any(|text| !text.is_empty());
    says_any && in_force.is_none_or(|in_force| !texts(load).eq(texts(in_force)))
}

/// Takes broken files out of the load, so that nothing of them gets onto the log, and puts in what they said before.
fn keep_last_good(load: &mut PolicyLoad, broken: &BTreeSet<String>, last: Option<&PolicyLoad>) {
    let before = |file: &str| last?.files.iter().find(|(name, _)| name == file).map(|(_, text)| text.clone());
    load.files.retain_mut(|(file, text)| {
        if !broken.contains(file) {
            return true;
        }
        let kept = before(file);
        let is_kept = kept.is_some();
        *text = kept.unwrap_or_default();
        is_kept
    });
}

/// The main file decides whether Ripcord starts; another file's errors only cost that file.
fn report(mut diagnostic: Diagnostic, main: &str, load: &PolicyLoad, diagnostics: &Diagnostics) {
    if diagnostic.file != main && diagnostic.level == Level::Error {
        let is_kept = load.files.iter().any(|(file, _)| *file == diagnostic.file);
        let consequence =
            if is_kept { "its last good version stays in force" } else { "this file is not in force" };
        diagnostic.message = format!("{} ({consequence})", diagnostic.message);
        diagnostic.level = Level::Warning;
    }
    diagnostics.add(diagnostic);
}

/// The files that a pattern with `*` in its last part means, sorted; a path without one means itself.
fn expand(pattern: PathBuf) -> Vec<PathBuf> {
    let last = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((before, after)) = last.split_once('*') else { return vec![pattern] };
    let folder = pattern.parent().filter(|it| !it.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or(std::path::Path::new("."))) else {
        return Vec::new();
    };
    let is_match = |name: &str| {
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| is_match(&name.to_string_lossy())))
        .collect();
    found.sort();
    found
}
