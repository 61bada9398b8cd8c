//! OTLP's JSON, read by its schema and written as protobuf, which is then decoded as what came as protobuf is.
//!
//! The readers that `opentelemetry-proto` derives turn what they cannot read into "no data": a metric that comes
//! with an enum by name, a list of null or a negative count was accepted and lost. Here every value is read by
//! protobuf's JSON mapping or is a fault that names its place. A fault inside a data point costs that point, one
//! inside a metric costs the metric, both counted for the answer's partial success; one above, or JSON that is
//! broken, costs the request. Fields that the schema does not have are ignored, as the protocol asks, unless they
//! look like a misspelt one or stand where the content should.
//!
//! The JSON is never held as a tree: what it becomes is at most five times its size.

mod scalar;
mod schema;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use self::{
    scalar::Scalar,
    schema::{Field, Kind, Message, Part, REQUEST},
};
use crate::wire::{
    error::{DecodeError, Rejected, shortened},
    fields::nearest,
    protobuf::{Content, field},
};

/// The reason of what is left out, as a metric's label.
const UNREADABLE: &str = "unreadable_json";

/// The request as protobuf, and the data points that it had to do without.
pub(super) fn to_protobuf(body: &[u8]) -> Result<(Vec<u8>, Rejected), DecodeError> {
    let broken = |error: serde_json::Error| {
        DecodeError::malformed(format!("the body is no ExportMetricsServiceRequest in JSON: {error}"))
    };
    let mut reader = Reader::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    Fields { reader: &mut reader, message: &REQUEST }.deserialize(&mut json).map_err(broken)?;
    json.end().map_err(broken)?;
    match reader.fault {
        Some(Fault { path, problem }) if path.is_empty() => Err(DecodeError::malformed(format!(
            "the body is no ExportMetricsServiceRequest in JSON: {problem}"
        ))),
        Some(Fault { path, problem }) => Err(DecodeError::field(path, problem)),
        None => Ok((reader.out, reader.rejected)),
    }
}

#[derive(Default)]
struct Reader {
    /// The protobuf so far.
    out: Vec<u8>,
    path: Vec<Step>,
    /// The first fault that nothing was left out for yet.
    fault: Option<Fault>,
    metric: Metric,
    rejected: Rejected,
}

#[derive(Clone, Copy)]
enum Step {
    Field(&'static str),
    Element(usize),
}

struct Fault {
    path: String,
    problem: String,
}

/// The metric at hand.
#[derive(Default)]
struct Metric {
    name: String,
    points: u64,
    /// What is wrong with the first of the points that were left out, and how many these are.
    faults: Vec<Fault>,
    left_out: u64,
}

impl Reader {
    fn fault(&mut self, problem: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(Fault { path: path_of(&self.path), problem: problem() });
        }
    }

    /// Ends an element of a list that began at `from`; what is left out with it is its own fault only.
    fn end(&mut self, part: Part, from: usize) {
        match part {
            Part::Whole => {}
            Part::Point => self.end_point(from),
            Part::Metric => self.end_metric(from),
        }
    }

    fn end_point(&mut self, from: usize) {
        self.metric.points += 1;
        let Some(fault) = self.fault.take() else { return };
        self.out.truncate(from);
        self.metric.left_out += 1;
        if self.metric.faults.len() < Rejected::EXAMPLES_MAX {
            self.metric.faults.push(fault);
        }
    }

    fn end_metric(&mut self, from: usize) {
        let mut metric = std::mem::take(&mut self.metric);
        if let Some(fault) = self.fault.take() {
            self.out.truncate(from);
            metric.left_out = metric.points.max(1);
            metric.faults = vec![fault];
        }
        let shown = metric.faults.len() as u64;
        for (index, fault) in metric.faults.iter().enumerate() {
            let count = if index == 0 { 1 + metric.left_out - shown } else { 1 };
            self.rejected.note_many(UNREADABLE, count, || {
                format!("{}: {}: {}", metric.name, fault.path, fault.problem)
            });
        }
    }

    /// Notes the name of the metric at hand, whose field was written at `from`.
    fn name_metric(&mut self, from: usize) {
        if let Ok((_, Content::Length(start, stop), _)) = field(&self.out, from, self.out.len()) {
            self.metric.name = shortened(&String::from_utf8_lossy(&self.out[start..stop]), 80);
        }
    }
}

fn path_of(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.extend([".", name]),
            Step::Element(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The fields of a message.
struct Fields<'r> {
    reader: &'r mut Reader,
    message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value =
            Slot { reader: self.reader, kind: Kind::Message(self.message), number: None, is_list: false };
        deserializer.deserialize_any(value).map(drop)
    }
}

impl Fields<'_> {
    fn read<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { reader, message } = self;
        let mut seen = 0_u32;
        let mut unknown = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            let Some(at) = message.fields.iter().position(|field| is_name(&key, field.name)) else {
                let is_null = entries.next_value::<Option<IgnoredAny>>()?.is_none();
                if !is_null && unknown.len() < UNKNOWN_MAX {
                    unknown.push(shortened(&key, 80));
                }
                continue;
            };
            let field = &message.fields[at];
            let from = reader.out.len();
            reader.path.push(Step::Field(field.name));
            if entries.next_value_seed(Slot::of(reader, field))? {
                if seen & 1 << at != 0 {
                    reader.fault(|| "is given twice".to_owned());
                }
                seen |= 1 << at;
            }
            reader.path.pop();
            if message.part == Part::Metric && field.name == "name" {
                reader.name_metric(from);
            }
        }
        if let Some(problem) = message.fault_of(seen, &unknown) {
            reader.fault(|| problem);
        }
        Ok(())
    }
}

/// Unknown fields of one object that are looked at: real ones have a few.
const UNKNOWN_MAX: usize = 16;

impl Message {
    /// What is wrong with an object that has these fields and these unknown ones.
    fn fault_of(&self, seen: u32, unknown: &[String]) -> Option<String> {
        let has = |at: usize| seen & 1 << at != 0;
        let fields = || self.fields.iter().enumerate();
        let mut given =
            fields().filter(|(at, field)| field.is_alternative && has(*at)).map(|(_, it)| it.name);
        let alternative = given.next();
        if let (Some(one), Some(other)) = (alternative, given.next()) {
            return Some(format!("has both {one} and {other}"));
        }
        let first = unknown.first()?;
        if let Some(retired) = unknown.iter().find(|key| self.retired.contains(&key.as_str())) {
            return Some(format!("{retired:?} is of an OTLP before 1.0, which is not understood"));
        }
        let absent: Vec<&str> = fields().filter(|(at, _)| !has(*at)).map(|(_, field)| field.name).collect();
        let misspelt = |key: &String| Some((key.clone(), nearest(key, &absent)?));
        if let Some((key, meant)) = unknown.iter().find_map(misspelt) {
            return Some(format!("unknown field {key:?}, did you mean {meant:?}?"));
        }
        if let Some(needed) = self.needs.iter().find(|name| absent.contains(name)) {
            return Some(format!("no {needed:?} but an unknown field {first:?}"));
        }
        // A metric or point without any is refused as such, whatever else it has.
        let is_one_needed = self.part == Part::Whole && self.fields.iter().all(|field| field.is_alternative);
        (is_one_needed && alternative.is_none()).then(|| format!("unknown kind of value {first:?}"))
    }
}

/// Whether `key` is the field's name in lowerCamelCase, or as the schema has it.
fn is_name(key: &str, camel: &str) -> bool {
    if key == camel {
        return true;
    }
    let mut rest = camel.chars();
    let mut is_after_underscore = false;
    for c in key.chars() {
        if c == '_' {
            is_after_underscore = true;
            continue;
        }
        let expected = if is_after_underscore { c.to_ascii_uppercase() } else { c };
        if rest.next() != Some(expected) {
            return false;
        }
        is_after_underscore = false;
    }
    rest.next().is_none() && !is_after_underscore
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a field, or an element of one; says whether there was any (null is none).
struct Slot<'r> {
    reader: &'r mut Reader,
    kind: Kind,
    /// `None`: the request itself, which has no tag.
    number: Option<u64>,
    is_list: bool,
}

impl<'r> Slot<'r> {
    fn of(reader: &'r mut Reader, field: &Field) -> Self {
        Self { reader, kind: field.kind, number: Some(field.number), is_list: field.is_list }
    }

    fn scalar(self, value: Scalar<'_>) -> bool {
        if self.is_list {
            self.reader.fault(|| format!("must be a list, not {value}"));
            return true;
        }
        let number = self.number.unwrap_or_default();
        if let Err(problem) = scalar::write(&mut self.reader.out, number, self.kind, value) {
            self.reader.fault(|| problem);
        }
        true
    }
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.scalar(Scalar::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.scalar(Scalar::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.scalar(Scalar::Signed(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.scalar(Scalar::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(self.scalar(Scalar::Text(value)))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let Self { reader, kind, number, is_list } = self;
        if !is_list {
            reader.fault(|| "must not be a list".to_owned());
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(true);
        }
        let part = if let Kind::Message(message) = kind { message.part } else { Part::Whole };
        for index in 0.. {
            let from = reader.out.len();
            let outer = if part == Part::Whole { None } else { reader.fault.take() };
            reader.path.push(Step::Element(index));
            let element = elements.next_element_seed(Slot { reader, kind, number, is_list: false })?;
            if element == Some(false) {
                reader.fault(|| "must not be null".to_owned());
            }
            if element.is_some() {
                reader.end(part, from);
            }
            reader.fault = outer.or(reader.fault.take());
            reader.path.pop();
            if element.is_none() {
                break;
            }
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        let Self { reader, kind, number, is_list } = self;
        let Kind::Message(message) = kind else {
            reader.fault(|| "must not be an object".to_owned());
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(true);
        };
        if is_list {
            reader.fault(|| "must be a list, not an object".to_owned());
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(true);
        }
        let Some(number) = number else {
            Fields { reader, message }.read(entries)?;
            return Ok(true);
        };
        scalar::tag(&mut reader.out, number, 2);
        let from = reader.out.len();
        reader.out.extend_from_slice(&[0; LENGTH_BYTES]);
        Fields { reader: &mut *reader, message }.read(entries)?;
        let length = reader.out.len() - from - LENGTH_BYTES;
        put_length(&mut reader.out[from..from + LENGTH_BYTES], length);
        Ok(true)
    }
}

/// A length is written when its content is; four bytes hold 256 MiB, and no body becomes as much.
const LENGTH_BYTES: usize = 4;

fn put_length(to: &mut [u8], length: usize) {
    let last = to.len() - 1;
    for (at, byte) in to.iter_mut().enumerate() {
        let continues = if at == last { 0 } else { 0x80 };
        *byte = (length >> (7 * at) & 0x7f) as u8 | continues;
    }
}
