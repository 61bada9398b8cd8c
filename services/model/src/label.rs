//! Label sets, and the byte form in which the series of a batch carry them.

use std::fmt;

/// A sorted set of label names and values; no name twice, no empty value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// Builds the set from pairs in any order; of a name given twice the last one stays, and an empty value
    /// is the same as no label (as in Prometheus).
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(have, _)| have.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets `name`; an empty value removes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.binary_search_by(|(have, _)| have.cmp(&name)) {
            Ok(at) if value.is_empty() => drop(self.0.remove(at)),
            Ok(at) => self.0[at].1 = value,
            Err(_) if value.is_empty() => {}
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Names and values in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Alertmanager's fingerprint: FNV-1a, 64 bit, over names and values, each followed by byte 255
    /// (`prometheus/common`, `model/signature.go`).
    pub fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut feed = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        for (name, value) in &self.0 {
            name.bytes().for_each(&mut feed);
            feed(255);
            value.bytes().for_each(&mut feed);
            feed(255);
        }
        hash
    }
}

/// `{name="value", …}`, quotes and backslashes escaped.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

/// The labels of one series in the form in which remote write 1.0 sends them: a run of
/// `0x0a <length> 0x0a <length> name 0x12 <length> value`, lengths as base-128 varints (protobuf field 1,
/// message `Label {name = 1, value = 2}`). Kept as bytes so that a series already known costs one comparison
/// and no parsing; other senders' labels are brought into this form by [`LabelBytes::encode`].
#[derive(Clone, Copy, Debug)]
pub struct LabelBytes;

impl LabelBytes {
    /// Appends `labels` to `out`.
    pub fn encode<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) {
        for (name, value) in labels {
            let inner = field_len(name) + field_len(value);
            out.push(0x0a);
            put_varint(inner, out);
            for (tag, text) in [(0x0a, name), (0x12, value)] {
                out.push(tag);
                put_varint(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Parses a region; `None` if it is cut short, is not UTF-8, or holds anything but labels. Unknown fields
    /// inside a label are an error too: nothing sends them.
    pub fn parse(mut region: &[u8]) -> Option<Vec<(&str, &str)>> {
        let mut labels = Vec::with_capacity(12);
        while !region.is_empty() {
            let mut label = take_field(&mut region, 0x0a)?;
            let (mut name, mut value) = ("", "");
            while let Some(&tag) = label.first() {
                let text = std::str::from_utf8(take_field(&mut label, tag)?).ok()?;
                match tag {
                    0x0a => name = text,
                    0x12 => value = text,
                    _ => return None,
                }
            }
            labels.push((name, value));
        }
        Some(labels)
    }
}

fn field_len(text: &str) -> usize {
    1 + varint_len(text.len()) + text.len()
}

fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - value.leading_zeros();
    usize::max(1, bits.div_ceil(7) as usize)
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_field<'a>(region: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&first, rest) = region.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = take_varint(rest)?;
    let (field, rest) = rest.split_at_checked(length)?;
    *region = rest;
    Some(field)
}

fn take_varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sets_are_sorted_unique_and_without_empty_values() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!((labels.get("b"), labels.get("c")), (Some("3"), None));
    }

    #[test]
    fn fingerprints_are_alertmanagers() {
        // FNV-1a's offset basis: prometheus/common gives the same for an empty label set.
        assert_eq!(Labels::default().fingerprint(), 0xcbf2_9ce4_8422_2325);
        assert_ne!(
            Labels::from_pairs([("a", "bc")]).fingerprint(),
            Labels::from_pairs([("ab", "c")]).fingerprint()
        );
    }

    proptest! {
        #[test]
        fn label_bytes_round_trip(pairs in prop::collection::vec((".{0,200}", ".{0,20}"), 0..8)) {
            let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut region = Vec::new();
            LabelBytes::encode(borrowed.iter().copied(), &mut region);
            prop_assert_eq!(LabelBytes::parse(&region), Some(borrowed));
        }

        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(region in prop::collection::vec(any::<u8>(), 0..64)) {
            LabelBytes::parse(&region);
        }
    }
}
