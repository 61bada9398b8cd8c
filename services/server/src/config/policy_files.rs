//! The files of `policy_files`: which they are, and what becomes of one that cannot be read.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use model::PolicyLoad;
use policy::{
    Diagnostics, Level,
    yaml::{Node, Reader},
};

use super::{Purpose, files::Files};

/// Files of `policy_files`; more than a thousand teams do not share one Ripcord.
const POLICY_FILES_MAX: usize = 1000;

const RELATIVE: &str = "paths are relative to the folder of the configuration file";

/// What was read.
#[derive(Default)]
pub(super) struct PolicyFiles {
    /// By name, each once, in the order in which they count.
    pub(super) texts: Vec<(String, String)>,
    /// Those that could not be read; what they said before may be among the texts.
    pub(super) unread: BTreeSet<String>,
}

/// Reads them all.
pub(super) fn read(top: &mut Reader<'_, '_>, files: &mut Files, purpose: Purpose<'_>) -> PolicyFiles {
    let mut found = Finding { files, purpose, diagnostics: top.diagnostics(), read: PolicyFiles::default() };
    // Whatever is not a text is reported here.
    top.texts("policy_files");
    let Some(node) = top.get("policy_files") else { return found.read };
    for item in node.items().unwrap_or(std::slice::from_ref(node)) {
        if let Some(pattern) = item.text() {
            found.pattern(item, pattern);
        }
    }
    let PolicyFiles { texts, .. } = &found.read;
    if texts.len() > POLICY_FILES_MAX {
        let message = format!("`policy_files` names {} files: the most is {POLICY_FILES_MAX}", texts.len());
        found.diagnostics.error_hint(node, message, "put several teams' policies into one file");
    }
    found.read
}

struct Finding<'a> {
    files: &'a mut Files,
    purpose: Purpose<'a>,
    diagnostics: &'a Diagnostics,
    read: PolicyFiles,
}

impl Finding<'_> {
    fn pattern(&mut self, node: &Node, pattern: &str) {
        let path = self.files.resolve(pattern);
        let Some(glob) = Glob::of(&path) else {
            if pattern.contains('*') {
                let message = format!("`{pattern}`: only the name of the file may hold a `*`, and only one");
                return self.diagnostics.error_hint(node, message, "name each folder: [a/*.yml, b/*.yml]");
            }
            return self.file(node, &path, Level::Error);
        };
        self.files.note(&glob.folder);
        match glob.files() {
            Ok(found) if found.is_empty() => {
                self.diagnostics.warning(node, format!("`{pattern}` matches no file"), RELATIVE);
            }
            // Whoever may write into the folder has made it: the mistake is not the main file's.
            Ok(found) => found.iter().for_each(|path| self.file(node, path, Level::Warning)),
            Err(error) => self.folder(node, pattern, &glob, &error),
        }
    }

    /// A folder that cannot be looked into: one that is not there holds no file, unless it held some.
    fn folder(&mut self, node: &Node, pattern: &str, glob: &Glob, error: &io::Error) {
        let before = self.purpose.in_force().into_iter().flat_map(|load| &load.files);
        let before: Vec<PathBuf> =
            before.map(|(name, _)| PathBuf::from(name)).filter(|path| glob.includes(path)).collect();
        let reason = format!("{} cannot be read: {error}", glob.folder.display());
        if before.is_empty() {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let level = if is_missing { Level::Warning } else { Level::Error };
            let message = format!("`{pattern}` matches no file: {reason}");
            return self.diagnostics.push(level, node, message, Some(RELATIVE.to_owned()));
        }
        before.iter().for_each(|path| self.unread(node, path, &reason, Level::Error));
    }

    fn file(&mut self, node: &Node, path: &Path, level: Level) {
        let name = path.display().to_string();
        if self.read.texts.iter().any(|(have, _)| *have == name) || self.read.unread.contains(&name) {
            return;
        }
        match self.files.text(path) {
            Ok(text) => self.read.texts.push((name, text)),
            Err(reason) => self.unread(node, path, &reason, level),
        }
    }

    /// `level`: how bad it is where nothing is in force of it.
    fn unread(&mut self, node: &Node, path: &Path, reason: &str, level: Level) {
        let name = path.display().to_string();
        self.read.unread.insert(name.clone());
        let (level, consequence) = match self.purpose.in_force_of(&name) {
            Some(text) => {
                self.read.texts.push((name, text.to_owned()));
                (Level::Warning, "its last good version stays in force")
            }
            None if self.purpose.is_check() => (Level::Error, "this file would not be in force"),
            None => (level, "this file is not in force"),
        };
        let message = format!("{reason} ({consequence})");
        self.diagnostics.push(level, node, message, Some(RELATIVE.to_owned()));
    }
}

impl Purpose<'_> {
    fn in_force(&self) -> Option<&PolicyLoad> {
        match self {
            Self::Reload(load) => Some(load),
            Self::Check | Self::Start => None,
        }
    }

    pub(super) fn in_force_of(&self, file: &str) -> Option<&str> {
        let files = &self.in_force()?.files;
        files.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str())
    }
}

/// A path with one `*` in its last part.
struct Glob {
    folder: PathBuf,
    before: String,
    after: String,
}

impl Glob {
    fn of(path: &Path) -> Option<Self> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (before, after) = path.file_name()?.to_str()?.split_once('*')?;
        let is_one = !after.contains('*') && !folder.to_string_lossy().contains('*');
        let own = || Self { folder: folder.to_owned(), before: before.to_owned(), after: after.to_owned() };
        is_one.then(own)
    }

    /// The files that it means, sorted.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(&self.folder)?
            .map(|entry| entry.map(|it| it.path()))
            .filter(|path| path.as_ref().map_or(true, |it| self.includes(it)))
            .collect::<io::Result<_>>()?;
        found.sort();
        Ok(found)
    }

    /// Hidden files are left out, as in a shell: editors keep locks and copies under such names.
    fn includes(&self, path: &Path) -> bool {
        let name = path.file_name().map(|it| it.to_string_lossy()).unwrap_or_default();
        path.parent().unwrap_or(Path::new("")).components().eq(self.folder.components())
            && name.len() >= self.before.len() + self.after.len()
            && name.starts_with(&self.before)
            && name.ends_with(&self.after)
            && (!name.starts_with('.') || self.before.starts_with('.'))
    }
}
