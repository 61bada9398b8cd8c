//! The labels of one series: found, checked and, for an answer to the sender, shown.

use std::{fmt, ops::Range};

use super::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX, delimited};
use crate::wire::{
    error::shortened,
    protobuf::{Broken, Content, field},
    shared,
};

/// What is wrong with a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoName,
    MetricName(String),
    LabelName(String),
    EmptyLabelName,
    Duplicate(String),
    NotUtf8,
    TooManyLabels,
    NameTooLong,
    ValueTooLong(String),
    LabelsTooLong,
    NativeHistogram,
}

impl Fault {
    /// The reason as a metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoName => "no_name",
            Self::MetricName(_) => "metric_name",
            Self::LabelName(_) | Self::EmptyLabelName => "label_name",
            Self::Duplicate(_) => "label_duplicate",
            Self::NotUtf8 => "not_utf8",
            Self::TooManyLabels | Self::NameTooLong | Self::ValueTooLong(_) | Self::LabelsTooLong => {
                "labels_too_large"
            }
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
            Self::Duplicate(name) => write!(f, "label {name:?} is given twice"),
            Self::NotUtf8 => write!(f, "a label is not UTF-8"),
            Self::TooManyLabels => write!(f, "more than {LABELS_MAX} labels"),
            Self::NameTooLong => write!(f, "a label name is longer than {LABEL_NAME_BYTES_MAX} bytes"),
            Self::ValueTooLong(name) => {
                write!(f, "the value of label {name:?} is longer than {LABEL_VALUE_BYTES_MAX} bytes")
            }
            Self::LabelsTooLong => write!(f, "the labels are longer than {LABELS_BYTES_MAX} bytes together"),
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
    /// Whether they are valid, and stand in the form and the order of [`model::LabelBytes`]. If not, [`mended`]
    /// finds out what can be made of them.
    pub(super) is_sound: bool,
}

/// The last series that was sound.
///
/// The series of one metric differ in a label or two: a label whose bytes stand where they stood in the series
/// before is as sound as it was there, and costs no more than finding that out, which is done for all of them at
/// once, eight bytes at a time.
#[derive(Default)]
pub(super) struct Before<'a> {
    region: &'a [u8],
    labels: Vec<Span>,
    /// Which of them is `__name__`, and its value.
    metric: Option<(usize, &'a [u8])>,
}

/// A label in a region.
#[derive(Clone, Copy)]
struct Span {
    name_from: u32,
    name_to: u32,
    end: u32,
}

/// Finds and checks the labels at the start of the series at `from..to`.
#[inline]
pub(super) fn scan<'a>(
    bytes: &'a [u8],
    from: usize,
    to: usize,
    before: &mut Before<'a>,
) -> Result<Scanned, Broken> {
    let series = &bytes[from..to];
    let mut scan = Scan::new(before);
    let mut at = 0;
    while series.get(at) == Some(&0x0a) {
        at = match scan.skip_shared(series, at) {
            Some(next) => next,
            None => scan.label(series, at)?,
        };
    }
    let Scan { checker, index, is_plain, metric, .. } = scan;
    // A region is a little longer than its names and values: what is too long here may be none too long there.
    let is_sound = is_plain && checker.is_sound() && at <= LABELS_BYTES_MAX;
    before.labels.truncate(if is_sound { index } else { 0 });
    before.region = if is_sound { &series[..at] } else { &[] };
    before.metric = metric.filter(|_| is_sound);
    Ok(Scanned { end: from + at, is_sound })
}

/// A series beside the one before; `labels` turn from that one's into this one's as they are seen.
struct Scan<'a, 'b> {
    region: &'a [u8],
    labels: &'b mut Vec<Span>,
    metric_before: Option<(usize, &'a [u8])>,
    /// The next label, and where the one of the series before begins in its region.
    index: usize,
    before_at: usize,
    /// By how much this series' labels stand behind the other's.
    shift: u32,
    /// Whether the label before has the name that it had there: only then is the order of the next one known.
    is_in_step: bool,
    is_plain: bool,
    metric: Option<(usize, &'a [u8])>,
    checker: Checker<'a>,
}

impl<'a, 'b> Scan<'a, 'b> {
    fn new(before: &'b mut Before<'a>) -> Self {
        let value = before.metric.map_or(&[][..], |(_, value)| value);
        Self {
            region: before.region,
            labels: &mut before.labels,
            metric_before: before.metric,
            index: 0,
            before_at: 0,
            shift: 0,
            is_in_step: true,
            is_plain: true,
            metric: None,
            checker: Checker { metric_before: value, ..Checker::default() },
        }
    }

    /// Passes over the labels at `at` that are those of the series before; says where they end, if there are any.
    #[inline]
    fn skip_shared(&mut self, series: &'a [u8], at: usize) -> Option<usize> {
        if !self.is_in_step || !self.is_plain || self.index >= self.labels.len() {
            return None;
        }
        let shared = shared::front(&self.region[self.before_at..], &series[at..]);
        let (first, before_at) = (self.index, self.before_at);
        for label in &mut self.labels[first..] {
            let end = label.end as usize;
            if end - before_at > shared {
                break;
            }
            (self.index, self.before_at) = (self.index + 1, end);
            *label = label.moved(self.shift);
        }
        let last = self.labels[first..self.index].last()?;
        self.checker.count += self.index - first;
        self.checker.last = &series[last.name_from as usize..last.name_to as usize];
        if let Some((place, value)) = self.metric_before
            && (first..self.index).contains(&place)
        {
            self.metric = Some((place, value));
            self.checker.has_name = true;
        }
        Some(at + self.before_at - before_at)
    }

    /// Checks the label at `at`; says where it ends.
    #[inline]
    fn label(&mut self, series: &'a [u8], at: usize) -> Result<usize, Broken> {
        let (start, stop) = delimited(series, at + 1, series.len())?;
        let Some((name, value)) = plain_label(series, at, start, stop) else {
            self.is_plain = false;
            return Ok(stop);
        };
        let span = Span { name_from: name.start as u32, name_to: name.end as u32, end: stop as u32 };
        let (name, value) = (&series[name], &series[value]);
        let before = self.labels.get(self.index).copied().filter(|_| self.is_plain);
        let is_same_name = before.is_some_and(|it| self.region.get(it.name()) == Some(name));
        if is_same_name && self.is_in_step {
            self.checker.take_again(name, value);
        } else {
            self.checker.take(name, value);
        }
        if name == b"__name__" {
            self.metric = Some((self.index, value));
        }
        self.is_in_step = is_same_name;
        match before {
            Some(before) => {
                (self.before_at, self.shift) = (before.end as usize, span.end.wrapping_sub(before.end));
                self.labels[self.index] = span;
            }
            None => {
                self.labels.truncate(self.index);
                self.labels.push(span);
            }
        }
        self.index += 1;
        Ok(stop)
    }
}

impl Span {
    fn name(self) -> std::ops::Range<usize> {
        self.name_from as usize..self.name_to as usize
    }

    /// Where it stands in a region in which it is `shift` bytes further, or less far if that wraps.
    fn moved(self, shift: u32) -> Self {
        Self {
            name_from: self.name_from.wrapping_add(shift),
            name_to: self.name_to.wrapping_add(shift),
            end: self.end.wrapping_add(shift),
        }
    }
}

/// Where name and value stand, if the label is written as every known sender writes it: name, value, nothing else, lengths in
/// as few bytes as they need. Only then do equal labels have equal bytes.
#[inline]
fn plain_label(bytes: &[u8], at: usize, start: usize, stop: usize) -> Option<(Range<usize>, Range<usize>)> {
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
    is_plain.then_some((name_from..name_to, value_from..value_to))
}

#[inline]
fn is_shortest(from: usize, to: usize, length: usize) -> bool {
    let taken = to - from;
    taken == 1 || length >> (7 * (taken - 1)) != 0
}

/// The labels of a series in the form that senders should have given them: sorted by name, and without those that
/// have no value, which are the same as no label. Prometheus, Mimir and VictoriaMetrics mend both too: Prometheus
/// sends an external label that expands to nothing as an empty value, vmagent sends labels in the order in which
/// they were exposed.
pub(super) fn mended(bytes: &[u8], from: usize, to: usize) -> Result<Result<Vec<Pair<'_>>, Fault>, Broken> {
    let mut pairs = collect(bytes, from, to)?;
    pairs.sort_by_key(|(name, _)| *name);
    Ok(match fault_of(&pairs) {
        Some(fault) => Err(fault),
        None => Ok(pairs),
    })
}

/// All labels of a series that have a value, wherever they stand; later fields of one label replace earlier ones,
/// as protobuf says.
fn collect(bytes: &[u8], from: usize, to: usize) -> Result<Vec<Pair<'_>>, Broken> {
    let mut labels = Vec::new();
    let mut at = from;
    while at < to {
        let (number, content, next) = field(bytes, at, to)?;
        at = next;
        if let (1, Content::Length(start, stop)) = (number, content) {
            let (name, value) = label(bytes, start, stop)?;
            if !value.is_empty() {
                labels.push((name, value));
            }
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

/// The first fault of labels that are sorted and have values.
fn fault_of(pairs: &[Pair<'_>]) -> Option<Fault> {
    if pairs.len() > LABELS_MAX {
        return Some(Fault::TooManyLabels);
    }
    let twice = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0);
    if let Some([(name, _), _]) = twice {
        return Some(Fault::Duplicate(text(name)));
    }
    let fault = pairs.iter().find_map(|(name, value)| fault_of_label(name, value));
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fault = fault.or((bytes > LABELS_BYTES_MAX).then_some(Fault::LabelsTooLong));
    let has_name = pairs.iter().any(|(name, _)| name == b"__name__");
    fault.or((!has_name).then_some(Fault::NoName))
}

fn fault_of_label(name: &[u8], value: &[u8]) -> Option<Fault> {
    if name.is_empty() {
        return Some(Fault::EmptyLabelName);
    }
    if name.len() > LABEL_NAME_BYTES_MAX {
        return Some(Fault::NameTooLong);
    }
    if value.len() > LABEL_VALUE_BYTES_MAX {
        return Some(Fault::ValueTooLong(text(name)));
    }
    if std::str::from_utf8(name).is_err() || std::str::from_utf8(value).is_err() {
        return Some(Fault::NotUtf8);
    }
    if !is_label_name(name) {
        return Some(Fault::LabelName(text(name)));
    }
    (name == b"__name__" && !is_metric(value)).then(|| Fault::MetricName(text(value)))
}

/// Sees each label once, in the order sent. Whether all are sound is all that it finds out, for that is what most
/// series are; [`fault_of`] says what is wrong with the others.
#[derive(Default)]
struct Checker<'a> {
    last: &'a [u8],
    count: usize,
    /// The value of `__name__` in the series before.
    metric_before: &'a [u8],
    has_name: bool,
    is_faulty: bool,
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
        self.has_name |= is_metric_name;
        let is_sound = is_name_sound
            && !value.is_empty()
            && value.len() <= LABEL_VALUE_BYTES_MAX
            && std::str::from_utf8(value).is_ok()
            && (!is_metric_name || value == self.metric_before || is_metric(value));
        self.is_faulty |= !is_sound;
        self.last = name;
    }

    fn is_sound(&self) -> bool {
        !self.is_faulty && self.has_name && self.count <= LABELS_MAX
    }
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

/// `[a-zA-Z_][a-zA-Z0-9_]*`, or a name of Prometheus 3.
#[inline]
fn is_label_name(name: &[u8]) -> bool {
    let all = name.iter().all(|byte| NAME_BYTES[usize::from(*byte)] & 3 != 0);
    let is_classic = all && name.first().is_some_and(|byte| NAME_BYTES[usize::from(*byte)] == 1);
    is_classic || is_utf8_name(name)
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`, or a name of Prometheus 3.
#[inline]
fn is_metric(name: &[u8]) -> bool {
    let all = name.iter().all(|byte| NAME_BYTES[usize::from(*byte)] != 0);
    let is_classic = all && name.first().is_some_and(|byte| NAME_BYTES[usize::from(*byte)] & 5 != 0);
    is_classic || is_utf8_name(name)
}

/// Whether it is one of the names that Prometheus 3 sends beside the classic ones: UTF-8 that a classic name cannot
/// spell, such as OpenTelemetry's `http.request.method` or `größe`.
///
/// The specification of remote write 1.0 forbids them all; Prometheus 3 sends them all the same. A name of plain
/// ASCII that is neither classic nor dotted (`a-b`, `{}`) is what a broken exporter or relabelling writes, and
/// stays refused, so that its sender hears of it.
fn is_utf8_name(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    name.contains(|c: char| c == '.' || !c.is_ascii()) && !name.contains(char::is_control)
}

/// Long enough to recognise, short enough for a line.
const SHOWN_CHARS_MAX: usize = 80;

fn text(bytes: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(bytes), SHOWN_CHARS_MAX)
}

/// A name without quotes; what would break the line is escaped.
fn shown(bytes: &[u8]) -> String {
    text(bytes).escape_debug().to_string()
}

/// The series as `name{label="value", …}`, for a person; labels without a value are left out.
pub(super) fn display(bytes: &[u8], from: usize, to: usize) -> String {
    let pairs = collect(bytes, from, to).unwrap_or_default();
    let name = pairs.iter().find(|(name, _)| name == b"__name__").map(|(_, value)| shown(value));
    let labels: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| name != b"__name__")
        .map(|(name, value)| format!("{}={:?}", shown(name), text(value)))
        .collect();
    format!("{}{{{}}}", name.unwrap_or_default(), labels.join(", "))
}
