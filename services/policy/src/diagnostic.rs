//! Faults of a file: collected, not thrown, so that one run shows them all.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc, sync::Arc};

use crate::{Diagnostic, Level};

/// How many faults one run keeps: more than a person reads, and a bound on what a hostile file costs.
pub const MAX_DIAGNOSTICS: usize = 200;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// What a fault can be pinned to.
pub trait Located {
    fn place(&self) -> Place;
}

impl Located for Place {
    fn place(&self) -> Place {
        self.clone()
    }
}

impl Place {
    /// The beginning of a file.
    pub fn start_of(file: &str) -> Self {
        Self { file: file.into(), line: 1, column: 1 }
    }
}

/// How a key was read that a mapping may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// A mapping or a list is read from it, which has keys of its own.
    pub is_container: bool,
    /// Some mapping had it.
    pub is_given: bool,
}

/// By the place of the mapping and the key's name.
pub type KeysRead = BTreeMap<(Place, String), KeyUse>;

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: RefCell<Vec<Diagnostic>>,
    /// `None`: not recorded, which is the rule.
    keys: Option<Rc<RefCell<KeysRead>>>,
}

impl Diagnostics {
    /// Also records every key that a mapping may hold, for what is written about them.
    pub fn recording() -> Self {
        Self { keys: Some(Rc::default()), ..Self::default() }
    }

    /// An empty list of faults beside this one; keys are recorded with this one's.
    pub fn apart(&self) -> Self {
        Self { keys: self.keys.clone(), ..Self::default() }
    }

    /// What was recorded so far.
    pub fn keys(&self) -> KeysRead {
        self.keys.as_ref().map(|keys| keys.borrow().clone()).unwrap_or_default()
    }

    pub(crate) fn note_key(&self, mapping: &Place, key: &str, used: KeyUse) {
        let Some(keys) = &self.keys else { return };
        let mut keys = keys.borrow_mut();
        let known = keys.entry((mapping.clone(), key.to_owned())).or_default();
        known.is_container |= used.is_container;
        known.is_given |= used.is_given;
    }

    /// The file is not accepted.
    pub fn error(&self, at: &impl Located, message: impl Into<String>) {
        self.push(Level::Error, at, message.into(), None);
    }

    /// As [`Self::error`], with what to do about it.
    pub fn error_hint(&self, at: &impl Located, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Error, at, message.into(), Some(hint.into()));
    }

    /// Legal but wrong, or without effect yet.
    pub fn warning(&self, at: &impl Located, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Warning, at, message.into(), Some(hint.into()));
    }

    /// A fault of any level.
    pub fn push(&self, level: Level, at: &impl Located, message: String, hint: Option<String>) {
        let Place { file, line, column } = at.place();
        self.add(Diagnostic { level, file: file.to_string(), line, column, message, hint });
    }

    /// Takes a fault that was found elsewhere.
    pub fn add(&self, diagnostic: Diagnostic) {
        let mut list = self.list.borrow_mut();
        let is_error = diagnostic.level == Level::Error;
        // Warnings must not crowd out the errors that decide whether the file is accepted.
        let limit = if is_error { MAX_DIAGNOSTICS } else { MAX_DIAGNOSTICS / 2 };
        if list.len() < limit || (is_error && !list.iter().any(|have| have.level == Level::Error)) {
            list.push(diagnostic);
        }
    }

    /// Whether the file is not accepted.
    pub fn has_errors(&self) -> bool {
        self.list.borrow().iter().any(|diagnostic| diagnostic.level == Level::Error)
    }

    /// Everything found, in the order of its files and lines.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        let mut list = self.list.into_inner();
        list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        list
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// `file:line:col: error: message`, and on a line of its own the hint.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.line, self.column, self.level, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The candidate that `word` was probably meant to be: the fewest edits away, and few enough for its length.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = usize::max(1, word.chars().count() / 3);
    candidates
        .into_iter()
        .map(|candidate| (edits(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or else the whole list.
pub fn suggest(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", candidates.join(", ")),
    }
}

/// Optimal string alignment distance: insert, delete, replace, swap neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_a_person_meant() {
        let keys = ["threshold", "window", "action", "percentile"];
        for (word, near) in [
            ("treshold", Some("threshold")),
            ("widnow", Some("window")),
            ("Action", Some("action")),
            ("percent", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, keys), near, "{word}");
        }
    }

    #[test]
    fn an_error_is_kept_however_many_warnings_came_before_it() {
        let diagnostics = Diagnostics::default();
        let at = Place::start_of("ripcord.yml");
        for _ in 0..2 * MAX_DIAGNOSTICS {
            diagnostics.warning(&at, "odd", "mend it");
        }
        diagnostics.error(&at, "wrong");
        assert!(diagnostics.has_errors());
        assert!(diagnostics.into_vec().len() <= MAX_DIAGNOSTICS);
    }
}
