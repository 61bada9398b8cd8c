//! Between the log's messages and the nouns of `model`, one file a noun.
//!
//! Encoding is total. Decoding refuses what it does not know and names the field: a guess here would be a
//! decision about somebody's production.

mod alert;
mod checkpoint;
mod command;
mod common;
mod decision;
mod event;
mod notice;
mod outcome;
mod policy_load;
mod proposal;
mod reason;
mod release;
mod telemetry;
mod verb;

use crate::DecodeError;

/// A noun that is a message on the log.
pub(crate) trait Noun: Sized {
    type Wire;

    fn to_wire(&self) -> Self::Wire;
    fn from_wire(wire: Self::Wire) -> Result<Self, DecodeError>;
}

/// A noun that is an enum on the log.
pub(crate) trait WireEnum: Sized {
    fn to_wire(self) -> i32;
    /// `field` is named if the value is not known.
    fn from_wire(value: i32, field: &'static str) -> Result<Self, DecodeError>;
}

/// Implements [`WireEnum`] between two enums whose variants have the same names.
macro_rules! wire_enum {
    ($noun:ty, $wire:ty { $($variant:ident),+ $(,)? }) => {
        impl crate::conversion::WireEnum for $noun {
            fn to_wire(self) -> i32 {
                match self {
                    $(Self::$variant => <$wire>::$variant.into(),)+
                }
            }

            fn from_wire(value: i32, field: &'static str) -> Result<Self, crate::DecodeError> {
                match <$wire>::try_from(value) {
                    $(Ok(<$wire>::$variant) => Ok(Self::$variant),)+
                    _ => Err(crate::DecodeError::UnknownValue { field, value }),
                }
            }
        }
    };
}
pub(crate) use wire_enum;

/// The field's value, or an error that names it.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}

fn read<N: Noun>(wire: Option<N::Wire>, field: &'static str) -> Result<N, DecodeError> {
    N::from_wire(required(wire, field)?)
}

fn read_optional<N: Noun>(wire: Option<N::Wire>) -> Result<Option<N>, DecodeError> {
    wire.map(N::from_wire).transpose()
}

fn read_all<N: Noun>(wires: Vec<N::Wire>) -> Result<Vec<N>, DecodeError> {
    wires.into_iter().map(N::from_wire).collect()
}

fn write_all<N: Noun>(nouns: &[N]) -> Vec<N::Wire> {
    nouns.iter().map(N::to_wire).collect()
}
