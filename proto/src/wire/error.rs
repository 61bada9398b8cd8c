//! What can be wrong with what a sender sent.

use std::collections::BTreeMap;

/// The whole of a body cannot be used. Sending it again will not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{0}")]
    Malformed(String),
    #[error("{what}: {size} is over the limit of {limit}")]
    TooLarge { what: &'static str, size: u64, limit: u64 },
    /// One field of a JSON body; `field` is its path, e.g. `owner.slack`.
    #[error("{field}: {problem}")]
    Field { field: String, problem: String },
}

impl DecodeError {
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }

    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }

    /// Whether it is the size and not the content that cannot be taken (413 instead of 400).
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// A body of which the valid part is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded<T> {
    pub body: T,
    pub rejected: Rejected,
}

/// The parts of a body that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Series, data points or lines.
    pub parts: u64,
    /// Samples they carried.
    pub samples: u64,
    /// How many parts for which reason; the reasons are a closed list, fit for a metric's label.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// The first few, each naming the part and what is wrong with it.
    pub examples: Vec<String>,
    /// For the first [`Self::SERVICES_MAX`] pairs of service (empty where that is not known) and reason, how many
    /// parts, and one of them with what is wrong with it.
    pub by_service: BTreeMap<(String, &'static str), (u64, String)>,
    /// Whose parts are noted from here on.
    pub(crate) service: String,
}

impl Rejected {
    /// Enough to find the fault, too few to fill a log with.
    pub const EXAMPLES_MAX: usize = 10;
    /// Senders log the answer as one line; Prometheus cuts it at 512 bytes.
    const EXAMPLE_CHARS_MAX: usize = 300;

    /// Enough for a Collector's batch, which is of many services.
    pub const SERVICES_MAX: usize = 100;

    /// Whether everything was kept.
    pub fn is_empty(&self) -> bool {
        self.parts == 0
    }

    /// Notes `parts` of one sample each that have the same fault.
    pub(crate) fn note_many(&mut self, reason: &'static str, parts: u64, example: impl FnOnce() -> String) {
        if parts > 0 {
            self.add(reason, (parts, parts), example);
        }
    }

    pub(crate) fn note(&mut self, reason: &'static str, samples: u64, example: impl FnOnce() -> String) {
        self.add(reason, (1, samples), example);
    }

    fn add(&mut self, reason: &'static str, (parts, samples): (u64, u64), example: impl FnOnce() -> String) {
        self.parts += parts;
        self.samples += samples;
        *self.by_reason.entry(reason).or_default() += parts;
        let key = (self.service.clone(), reason);
        let is_shown = self.examples.len() < Self::EXAMPLES_MAX;
        let is_new = self.by_service.len() < Self::SERVICES_MAX && !self.by_service.contains_key(&key);
        if let Some((counted, _)) = self.by_service.get_mut(&key) {
            *counted += parts;
        }
        if !is_shown && !is_new {
            return;
        }
        let example = shortened(&example(), Self::EXAMPLE_CHARS_MAX);
        if is_new {
            self.by_service.insert(key, (parts, example.clone()));
        }
        if is_shown {
            self.examples.push(example);
        }
    }
}

/// `text` cut to `chars_max` characters, the cut shown.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
