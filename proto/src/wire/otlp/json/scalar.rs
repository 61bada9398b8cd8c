//! Plain values of JSON as protobuf writes them, by protobuf's JSON mapping and what OTLP has otherwise.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::schema::Kind;
use crate::wire::error::shortened;

/// A value as it stands in the JSON.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

impl std::fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(it) => write!(f, "{it}"),
            Self::Unsigned(it) => write!(f, "{it}"),
            Self::Signed(it) => write!(f, "{it}"),
            Self::Float(it) => write!(f, "{it}"),
            Self::Text(it) => write!(f, "{:?}", shortened(it, 80)),
        }
    }
}

/// Appends field `number` with this value; says what is wrong if it is none of that kind.
pub(super) fn write(out: &mut Vec<u8>, number: u64, kind: Kind, value: Scalar<'_>) -> Result<(), String> {
    let bytes = |out: &mut Vec<u8>, bytes: &[u8]| {
        tag(out, number, 2);
        varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    };
    match kind {
        Kind::Text => bytes(out, text(value)?.as_bytes()),
        Kind::Bytes => bytes(out, &base64(text(value)?)?),
        Kind::Id => bytes(out, &id(text(value)?)?),
        Kind::Bool => {
            let Scalar::Bool(it) = value else { return Err(format!("must be true or false, not {value}")) };
            number_of(out, number, u64::from(it));
        }
        Kind::Double => fixed(out, number, double(value)?.to_le_bytes()),
        Kind::Fixed64 => fixed(out, number, unsigned(value)?.to_le_bytes()),
        Kind::SignedFixed64 => fixed(out, number, signed(value)?.to_le_bytes()),
        Kind::Unsigned64 => number_of(out, number, unsigned(value)?),
        Kind::Signed64 => number_of(out, number, signed(value)? as u64),
        Kind::Unsigned32 => {
            let it = unsigned(value).ok().and_then(|it| u32::try_from(it).ok());
            number_of(out, number, it.ok_or_else(|| integer("an unsigned 32-bit", value))?.into());
        }
        Kind::Signed32 => number_of(out, number, i64::from(signed_32(value)?) as u64),
        Kind::ZigZag32 => {
            let it = signed_32(value)?;
            number_of(out, number, u64::from(((it << 1) ^ (it >> 31)) as u32));
        }
        Kind::Enum(names) => number_of(out, number, i64::from(choice(names, value)?) as u64),
        Kind::Message(_) => return Err(format!("must be an object, not {value}")),
    }
    Ok(())
}

pub(super) fn tag(out: &mut Vec<u8>, number: u64, wire_type: u64) {
    varint(out, number << 3 | wire_type);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number_of(out: &mut Vec<u8>, number: u64, value: u64) {
    tag(out, number, 0);
    varint(out, value);
}

fn fixed(out: &mut Vec<u8>, number: u64, bytes: [u8; 8]) {
    tag(out, number, 1);
    out.extend_from_slice(&bytes);
}

fn text(value: Scalar<'_>) -> Result<&str, String> {
    match value {
        Scalar::Text(text) => Ok(text),
        other => Err(format!("must be text, not {other}")),
    }
}

fn integer(what: &str, value: Scalar<'_>) -> String {
    format!("must be {what} integer, not {value}")
}

/// Numbers and texts alike; `1e3` is an integer too.
fn unsigned(value: Scalar<'_>) -> Result<u64, String> {
    let found = match value {
        Scalar::Unsigned(it) => Some(it),
        Scalar::Float(it) => whole_unsigned(it),
        Scalar::Text(text) => text.parse().ok().or_else(|| whole_unsigned(number_text(text)?)),
        Scalar::Signed(_) | Scalar::Bool(_) => None,
    };
    found.ok_or_else(|| integer("an unsigned 64-bit", value))
}

fn signed(value: Scalar<'_>) -> Result<i64, String> {
    let found = match value {
        Scalar::Unsigned(it) => i64::try_from(it).ok(),
        Scalar::Signed(it) => Some(it),
        Scalar::Float(it) => whole_signed(it),
        Scalar::Text(text) => text.parse().ok().or_else(|| whole_signed(number_text(text)?)),
        Scalar::Bool(_) => None,
    };
    found.ok_or_else(|| integer("a 64-bit", value))
}

fn signed_32(value: Scalar<'_>) -> Result<i32, String> {
    let it = signed(value).ok().and_then(|it| i32::try_from(it).ok());
    it.ok_or_else(|| integer("a 32-bit", value))
}

/// 2^64 and 2^63, the first numbers that do not fit.
const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;
const SIGNED_END: f64 = 9_223_372_036_854_775_808.0;

fn whole_unsigned(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..UNSIGNED_END).contains(&value)).then_some(value as u64)
}

fn whole_signed(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && (-SIGNED_END..SIGNED_END).contains(&value)).then_some(value as i64)
}

/// A number in a text; not Rust's own `inf`, `nan` and `infinity`, which the mapping does not have.
fn number_text(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|it: &f64| is_number && it.is_finite())
}

fn double(value: Scalar<'_>) -> Result<f64, String> {
    let found = match value {
        Scalar::Unsigned(it) => Some(it as f64),
        Scalar::Signed(it) => Some(it as f64),
        Scalar::Float(it) => Some(it),
        Scalar::Text("NaN") => Some(f64::NAN),
        Scalar::Text("Infinity") => Some(f64::INFINITY),
        Scalar::Text("-Infinity") => Some(f64::NEG_INFINITY),
        Scalar::Text(text) => number_text(text),
        Scalar::Bool(_) => None,
    };
    found.ok_or_else(|| format!(r#"must be a number, "NaN", "Infinity" or "-Infinity", not {value}"#))
}

fn choice(names: &[(&str, i32)], value: Scalar<'_>) -> Result<i32, String> {
    if let Scalar::Text(text) = value
        && let Some((_, number)) = names.iter().find(|(name, _)| *name == text)
    {
        return Ok(*number);
    }
    let expected = || {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("must be a number or one of {}, not {value}", names.join(", "))
    };
    signed_32(value).map_err(|_| expected())
}

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const IN_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

fn base64(text: &str) -> Result<Vec<u8>, String> {
    let decoded = PLAIN.decode(text).or_else(|_| IN_URLS.decode(text));
    decoded.map_err(|_| format!("must be base64, not {:?}", shortened(text, 80)))
}

/// OTLP's JSON has ids in hexadecimal; senders that go by protobuf's own mapping write base64.
fn id(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        _ => base64(text).map_err(|_| format!("must be hexadecimal, not {:?}", shortened(text, 80))),
    }
}
