//! Files that the configuration names: relative to it, bounded, remembered.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use policy::{Diagnostics, diagnostic::Located, diagnostic::Place};
use secrecy::SecretString;

/// Longer than any token, key or certificate bundle that belongs into one file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Larger than any file a person writes; the YAML reader has bounds of its own.
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads files and remembers which.
pub(super) struct Files {
    main: Option<PathBuf>,
    /// What relative paths are relative to.
    folder: PathBuf,
    seen: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(main: Option<&Path>) -> Self {
        let folder = main.and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        Self { main: main.map(Path::to_owned), folder, seen: Vec::new() }
    }

    /// The main file's name and text; without one an empty text under the name it would have.
    pub(super) fn main(&mut self, diagnostics: &Diagnostics) -> Option<(String, String)> {
        let Some(path) = self.main.clone() else { return Some(("ripcord.yml".to_owned(), String::new())) };
        let name = path.display().to_string();
        match self.read(&path, TEXT_BYTES_MAX) {
            // Whoever writes a file in place empties it first: read at that moment it would mean "no policy".
            Ok(text) if text.trim().is_empty() => {
                let hint = "without --config the built-in defaults are used";
                diagnostics.error_hint(&Place::start_of(&name), "the file is empty", hint);
                None
            }
            Ok(text) => Some((name, text)),
            Err(reason) => {
                diagnostics.error_hint(&Place::start_of(&name), reason, "name another file with --config");
                None
            }
        }
    }

    /// A path as the configuration writes it, resolved against the folder of the file that names it.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Reads on behalf of another file: while `read` runs, paths are relative to that file's folder.
    pub(super) fn on_behalf_of<T>(&mut self, file: &Path, read: impl FnOnce(&mut Self) -> T) -> T {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let before = std::mem::replace(&mut self.folder, folder);
        let result = read(self);
        self.folder = before;
        result
    }

    pub(super) fn text(&mut self, path: &Path) -> Result<String, String> {
        self.read(path, TEXT_BYTES_MAX)
    }

    /// A secret from a file, without the white space around it; what is wrong with the file is reported at `at`.
    pub(super) fn secret(
        &mut self,
        path: &str,
        at: &impl Located,
        diagnostics: &Diagnostics,
    ) -> Option<SecretString> {
        let resolved = self.resolve(path);
        match self.read(&resolved, SECRET_BYTES_MAX) {
            Ok(text) if text.trim().is_empty() => {
                diagnostics.error(at, format!("{} is empty", resolved.display()));
                None
            }
            Ok(text) => Some(SecretString::from(text.trim())),
            Err(reason) => {
                let hint = "paths are relative to the folder of the configuration file";
                diagnostics.error_hint(at, reason, hint);
                None
            }
        }
    }

    /// Remembers what is not read as a file and yet decides what the configuration says.
    pub(super) fn note(&mut self, path: &Path) {
        self.seen.push(path.to_owned());
    }

    fn read(&mut self, path: &Path, bytes_max: u64) -> Result<String, String> {
        let failed = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
        self.seen.push(path.to_owned());
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut text = String::new();
        file.take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > bytes_max {
            return Err(format!("{} is larger than {bytes_max} bytes", path.display()));
        }
        Ok(text)
    }

    /// Every file that was asked for, once.
    pub(super) fn seen(mut self) -> Vec<PathBuf> {
        self.seen.sort();
        self.seen.dedup();
        self.seen
    }
}
