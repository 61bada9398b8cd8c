//! The labels of one series: found, checked and, for an answer to the sender, shown.

use std::fmt;

use super::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, delimited};
use crate::wire::{
    error::shortened,
    protobuf::{Broken, Content, field},
};

/// What is wrong with a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoName,
    MetricName(String),
    LabelName(String),
    EmptyLabelName,
    EmptyLabelValue(String),
    Unsorted { name: String, after: String },
    Duplicate(String),
    NotUtf8,
    TooManyLabels,
    NameTooLong,
    ValueTooLong(String),
    NativeHistogram,
}

impl Fault {
    /// The reason as a metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoName => "no_name",
            Self::MetricName(_) => "metric_name",
            Self::LabelName(_) | Self::EmptyLabelName => "label_name",
            Self::EmptyLabelValue(_) => "empty_label_value",
            Self::Unsorted { .. } => "labels_unsorted",
            Self::Duplicate(_) => "label_duplicate",
            Self::NotUtf8 => "not_utf8",
            Self::TooManyLabels | Self::NameTooLong | Self::ValueTooLong(_) => "labels_too_large",
            Self::NativeHistogram => "native_histogram",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => write!(f, "no __name__"),
            Self::MetricName(name) => {
                write!(f, "metric name {name:?} does not match [a-zA-Z_:][a-zA-Z0-9_:]*")
            }
            Self::LabelName(name) => write!(f, "label name {name:?} does not match [a-zA-Z_][a-zA-Z0-9_]*"),
            Self::EmptyLabelName => write!(f, "a label has no name"),
            Self::EmptyLabelValue(name) => write!(f, "label {name:?} has no value"),
            Self::Unsorted { name, after } => {
                write!(f, "labels are not sorted: {name:?} stands after {after:?}")
            }
            Self::Duplicate(name) => write!(f, "label {name:?} is given twice"),
            Self::NotUtf8 => write!(f, "a label is not UTF-8"),
            Self::TooManyLabels => write!(f, "more than {LABELS_MAX} labels"),
            Self::NameTooLong => write!(f, "a label name is longer than {LABEL_NAME_BYTES_MAX} bytes"),
            Self::ValueTooLong(name) => {
                write!(f, "the value of label {name:?} is longer than {LABEL_VALUE_BYTES_MAX} bytes")
            }
            Self::NativeHistogram => {
                write!(f, "native histograms are not supported (send_native_histograms: false)")
            }
        }
    }
}

/// A label's name and value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// What a single pass over the leading labels of a series found.
pub(super) struct Scanned {
    /// Where the labels that stand first end.
    pub(super) end: usize,
    /// Whether each stands in the form of [`model::LabelBytes`].
    pub(super) is_plain: bool,
    /// Holds only if `is_plain`.
    pub(super) fault: Option<Fault>,
}

/// The label names of the last series that was sound.
///
/// The series of one metric name the same labels, one after another: a name that stands where it stood in the
/// series before, behind names that did too, needs no second check of its letters or its place. That is half of
/// what checking costs.
#[derive(Default)]
pub(super) struct Names<'a> {
    names: Vec<&'a [u8]>,
    metric: &'a [u8],
}

/// Finds and checks the labels at the start of the series at `from..to`.
#[inline]
pub(super) fn scan<'a>(
    bytes: &'a [u8],
    from: usize,
    to: usize,
    before: &mut Names<'a>,
) -> Result<Scanned, Broken> {
    let mut checker = Checker { metric_before: before.metric, ..Checker::default() };
    let mut is_plain = true;
    let mut same = 0;
    let mut at = from;
    while at < to && bytes[at] == 0x0a {
        let (start, stop) = delimited(bytes, at + 1, to)?;
        match plain_label(bytes, at, start, stop) {
            Some((name, value)) if checker.count == same && before.names.get(same) == Some(&name) => {
                checker.take_again(name, value);
                same += 1;
            }
            Some((name, value)) => {
                checker.take(name, value);
                before.names.truncate(same.max(checker.count - 1));
                before.names.push(name);
            }
            None => is_plain = false,
        }
        at = stop;
    }
    before.metric = checker.metric;
    let fault = checker.finish(&bytes[from..at]);
    if fault.is_some() || !is_plain {
        *before = Names::default();
    }
    Ok(Scanned { end: at, is_plain, fault })
}

/// Name and value, if the label is written as every known sender writes it: name, value, nothing else, lengths in
/// as few bytes as they need. Only then do equal labels have equal bytes.
#[inline]
fn plain_label(bytes: &[u8], at: usize, start: usize, stop: usize) -> Option<Pair<'_>> {
    if bytes[start..stop].first() != Some(&0x0a) {
        return None;
    }
    let (name_from, name_to) = delimited(bytes, start + 1, stop).ok()?;
    if bytes[name_to..stop].first() != Some(&0x12) {
        return None;
    }
    let (value_from, value_to) = delimited(bytes, name_to + 1, stop).ok()?;
    let is_plain = value_to == stop
        && is_shortest(at + 1, start, stop - start)
        && is_shortest(start + 1, name_from, name_to - name_from)
        && is_shortest(name_to + 1, value_from, value_to - value_from);
    is_plain.then_some((&bytes[name_from..name_to], &bytes[value_from..value_to]))
}

#[inline]
fn is_shortest(from: usize, to: usize, length: usize) -> bool {
    let taken = to - from;
    taken == 1 || length >> (7 * (taken - 1)) != 0
}

/// All labels of a series wherever they stand, later fields of one label replacing earlier ones, as protobuf says.
pub(super) fn collect(bytes: &[u8], from: usize, to: usize) -> Result<Vec<Pair<'_>>, Broken> {
    let mut labels = Vec::new();
    let mut at = from;
    while at < to {
        let (number, content, next) = field(bytes, at, to)?;
        at = next;
        if let (1, Content::Length(start, stop)) = (number, content) {
            labels.push(label(bytes, start, stop)?);
        }
        // One more than may be: enough for the check to see it.
        if labels.len() > LABELS_MAX {
            break;
        }
    }
    Ok(labels)
}

fn label(bytes: &[u8], from: usize, to: usize) -> Result<Pair<'_>, Broken> {
    let (mut name, mut value) = (&bytes[..0], &bytes[..0]);
    let mut at = from;
    while at < to {
        let (number, content, next) = field(bytes, at, to)?;
        at = next;
        match (number, content) {
            (1, Content::Length(start, stop)) => name = &bytes[start..stop],
            (2, Content::Length(start, stop)) => value = &bytes[start..stop],
            (1 | 2, _) => return Err(Broken),
            _ => {}
        }
    }
    Ok((name, value))
}

/// The same check as [`scan`]'s, over labels already taken apart.
pub(super) fn check<'a>(pairs: &[Pair<'a>]) -> Option<Fault> {
    let mut checker = Checker::default();
    for (name, value) in pairs {
        checker.take(name, value);
    }
    let is_text = pairs.iter().all(|(_, value)| std::str::from_utf8(value).is_ok());
    checker.finish(&[]).or((!is_text).then_some(Fault::NotUtf8))
}

/// Sees each label once, in the order sent; remembers the first fault.
#[derive(Default)]
struct Checker<'a> {
    last: &'a [u8],
    count: usize,
    /// The value of `__name__`, and that of the series before.
    metric: &'a [u8],
    metric_before: &'a [u8],
    has_name: bool,
    fault: Option<Fault>,
}

impl<'a> Checker<'a> {
    #[inline]
    fn take(&mut self, name: &'a [u8], value: &'a [u8]) {
        let is_sound = self.last < name && name.len() <= LABEL_NAME_BYTES_MAX && is_label_name(name);
        self.take_checked(name, value, is_sound);
    }

    /// As `take`, of a name known to be sound in its place.
    #[inline]
    fn take_again(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.take_checked(name, value, true);
    }

    #[inline]
    fn take_checked(&mut self, name: &'a [u8], value: &'a [u8], is_name_sound: bool) {
        self.count += 1;
        let is_metric_name = name == b"__name__";
        if is_metric_name {
            self.has_name = true;
            self.metric = value;
        }
        let is_sound = is_name_sound
            && self.count <= LABELS_MAX
            && !value.is_empty()
            && value.len() <= LABEL_VALUE_BYTES_MAX
            && (!is_metric_name || value == self.metric_before || is_metric(value));
        if !is_sound && self.fault.is_none() {
            self.fault = Some(self.fault_of(name, value));
        }
        self.last = name;
    }

    #[cold]
    fn fault_of(&self, name: &[u8], value: &[u8]) -> Fault {
        if self.count > LABELS_MAX {
            return Fault::TooManyLabels;
        }
        if name.is_empty() {
            return Fault::EmptyLabelName;
        }
        if name.len() > LABEL_NAME_BYTES_MAX {
            return Fault::NameTooLong;
        }
        if !is_label_name(name) {
            return Fault::LabelName(text(name));
        }
        if value.is_empty() {
            return Fault::EmptyLabelValue(text(name));
        }
        if value.len() > LABEL_VALUE_BYTES_MAX {
            return Fault::ValueTooLong(text(name));
        }
        if name == self.last {
            return Fault::Duplicate(text(name));
        }
        if name < self.last {
            return Fault::Unsorted { name: text(name), after: text(self.last) };
        }
        Fault::MetricName(text(value))
    }

    /// `region` holds the labels' bytes, for one UTF-8 check over all of them.
    fn finish(self, region: &[u8]) -> Option<Fault> {
        if self.fault.is_some() {
            return self.fault;
        }
        if !self.has_name {
            return Some(Fault::NoName);
        }
        (!is_text_region(region)).then_some(Fault::NotUtf8)
    }
}

/// Whether every name and value of a plain region is UTF-8.
///
/// If the region as a whole is, so is each text in it: a text stands between bytes below 0x80 (a tag, the last
/// byte of a length), which no character continues across. The converse fails for lengths of 128 and more, whose
/// first byte is above 0x7f: those regions are looked at label by label.
#[inline]
fn is_text_region(region: &[u8]) -> bool {
    std::str::from_utf8(region).is_ok() || model::LabelBytes::parse(region).is_some()
}

/// Which bytes may stand in a label name: 1 anywhere, 2 not first, 4 in a metric name only.
const NAME_BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 128 {
        let it = byte as u8;
        if it.is_ascii_alphabetic() || it == b'_' {
            table[byte] = 1;
        } else if it.is_ascii_digit() {
            table[byte] = 2;
        } else if it == b':' {
            table[byte] = 4;
        }
        byte += 1;
    }
    table
};

#[inline]
fn is_label_name(name: &[u8]) -> bool {
    let all = name.iter().all(|byte| NAME_BYTES[usize::from(*byte)] & 3 != 0);
    all && name.first().is_some_and(|byte| NAME_BYTES[usize::from(*byte)] == 1)
}

#[inline]
fn is_metric(name: &[u8]) -> bool {
    let all = name.iter().all(|byte| NAME_BYTES[usize::from(*byte)] != 0);
    all && name.first().is_some_and(|byte| NAME_BYTES[usize::from(*byte)] & 5 != 0)
}

/// Long enough to recognise, short enough for a line.
const SHOWN_CHARS_MAX: usize = 80;

fn text(bytes: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(bytes), SHOWN_CHARS_MAX)
}

/// The series as `name{label="value", …}`, for a person.
pub(super) fn display(bytes: &[u8], from: usize, to: usize) -> String {
    let pairs = collect(bytes, from, to).unwrap_or_default();
    let name = pairs.iter().find(|(name, _)| name == b"__name__").map(|(_, value)| text(value));
    let labels: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| name != b"__name__")
        .map(|(name, value)| format!("{}={:?}", text(name), text(value)))
        .collect();
    format!("{}{{{}}}", name.unwrap_or_default(), labels.join(", "))
}
