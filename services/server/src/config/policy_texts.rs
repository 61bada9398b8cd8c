//! What becomes the policy record: the policy sections of the main file, and each team's own file.

use std::collections::BTreeSet;

use model::PolicyLoad;
use policy::{Diagnostic, Diagnostics, Level, Policy, yaml::Reader};

use super::{Purpose, files::Files, policy_files};

/// What the files come to.
pub(super) struct Compiled {
    pub(super) policy: Policy,
    pub(super) load: PolicyLoad,
    /// The load without its secrets: what gets onto the log.
    pub(super) logged: PolicyLoad,
    /// Files that are not in force as they stand on disk.
    pub(super) faulty: BTreeSet<String>,
}

/// Compiles; `None` if the main file is not accepted. A team's mistake stops that team's file only: what it said in
/// the load in force goes on holding.
pub(super) fn compile(
    top: &mut Reader<'_, '_>,
    name: &str,
    text: &str,
    files: &mut Files,
    purpose: Purpose<'_>,
) -> Option<Compiled> {
    let diagnostics = top.diagnostics();
    let mut texts = Vec::new();
    match policy::policy_sections(name, text) {
        Ok(sections) => texts.push((name.to_owned(), sections)),
        Err(faults) => {
            faults.into_iter().for_each(|fault| diagnostics.add(fault));
            return None;
        }
    }
    let mut read = policy_files::read(top, files, purpose);
    texts.append(&mut read.texts);
    let mut load = PolicyLoad { files: texts, origin: String::new() };
    let (mut policy, found) = policy::compile_beside(&load, diagnostics);
    let is_broken = |it: &&Diagnostic| it.file != name && it.level == Level::Error;
    let broken: BTreeSet<String> = found.iter().filter(is_broken).map(|it| it.file.clone()).collect();
    if policy.is_some() && !broken.is_empty() {
        keep_last_good(&mut load, &broken, purpose);
        policy = policy::compile(&load).0;
    }
    for diagnostic in found {
        report(diagnostic, name, &load, purpose, diagnostics);
    }
    let logged = policy::without_secrets(&load).map_err(|fault| diagnostics.add(fault)).ok()?;
    Some(Compiled { policy: policy?, load, logged, faulty: read.unread.into_iter().chain(broken).collect() })
}

/// Whether `load` has policies and they are not those of `in_force`, both without their secrets; where its files are is
/// another machine's affair.
pub(crate) fn says_another_policy(load: &PolicyLoad, in_force: Option<&PolicyLoad>) -> bool {
    fn texts(load: &PolicyLoad) -> impl Iterator<Item = &str> {
        load.files.iter().map(|(_, text)| text.trim())
    }
    let says_any = texts(load).any(|text| !text.is_empty());
    says_any && in_force.is_none_or(|in_force| !texts(load).eq(texts(in_force)))
}

/// Tells one policy from another, wherever its files are.
pub(crate) fn policy_hash(load: &PolicyLoad) -> String {
    let texts: Vec<&str> = load.files.iter().map(|(_, text)| text.trim()).collect();
    model::id::stable_hash(&texts).chars().take(12).collect()
}

/// Takes broken files out of the load, so that nothing of them gets onto the log, and puts in what they said before.
fn keep_last_good(load: &mut PolicyLoad, broken: &BTreeSet<String>, purpose: Purpose<'_>) {
    load.files.retain_mut(|(file, text)| {
        if !broken.contains(file) {
            return true;
        }
        let kept = purpose.in_force_of(file).map(str::to_owned);
        let is_kept = kept.is_some();
        *text = kept.unwrap_or_default();
        is_kept
    });
}

/// The main file decides whether Ripcord starts; another file's errors only cost that file, unless somebody asks
/// whether there are any.
fn report(
    mut diagnostic: Diagnostic,
    main: &str,
    load: &PolicyLoad,
    purpose: Purpose<'_>,
    diagnostics: &Diagnostics,
) {
    if diagnostic.file != main && diagnostic.level == Level::Error && !purpose.is_check() {
        let is_kept = load.files.iter().any(|(file, _)| *file == diagnostic.file);
        let consequence =
            if is_kept { "its last good version stays in force" } else { "this file is not in force" };
        diagnostic.message = format!("{} ({consequence})", diagnostic.message);
        diagnostic.level = Level::Warning;
    }
    diagnostics.add(diagnostic);
}
