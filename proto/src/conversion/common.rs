//! What many nouns share: keys, labels, durations, actors.

use std::time::Duration;

use model::{Actor, Labels, ServiceKey, Timestamp};

use super::Noun;
use crate::{DecodeError, v1};

impl Noun for ServiceKey {
    type Wire = v1::ServiceKey;

    fn to_wire(&self) -> v1::ServiceKey {
        v1::ServiceKey { service: self.service.clone(), environment: self.environment.clone() }
    }

    fn from_wire(wire: v1::ServiceKey) -> Result<Self, DecodeError> {
        Ok(Self { service: wire.service, environment: wire.environment })
    }
}

impl Noun for Labels {
    type Wire = v1::Labels;

    fn to_wire(&self) -> v1::Labels {
        let label = |(name, value): (&str, &str)| v1::Label { name: name.into(), value: value.into() };
        v1::Labels { labels: self.iter().map(label).collect() }
    }

    fn from_wire(wire: v1::Labels) -> Result<Self, DecodeError> {
        Ok(Self::from_pairs(wire.labels.into_iter().map(|label| (label.name, label.value))))
    }
}

impl Noun for Duration {
    type Wire = v1::Duration;

    fn to_wire(&self) -> v1::Duration {
        v1::Duration { seconds: self.as_secs(), nanos: self.subsec_nanos() }
    }

    fn from_wire(wire: v1::Duration) -> Result<Self, DecodeError> {
        // `Duration::new` carries whole seconds over and panics where they do not fit.
        if wire.nanos >= 1_000_000_000 {
            return Err(DecodeError::OutOfRange { field: "Duration.nanos" });
        }
        Ok(Self::new(wire.seconds, wire.nanos))
    }
}

impl Noun for Actor {
    type Wire = v1::Actor;

    fn to_wire(&self) -> v1::Actor {
        v1::Actor { name: self.name.clone(), via: self.via.clone(), address: self.address.clone() }
    }

    fn from_wire(wire: v1::Actor) -> Result<Self, DecodeError> {
        Ok(Self { name: wire.name, via: wire.via, address: wire.address })
    }
}

/// A moment that a field may leave out.
impl Noun for Timestamp {
    type Wire = i64;

    fn to_wire(&self) -> i64 {
        self.as_millis()
    }

    fn from_wire(millis: i64) -> Result<Self, DecodeError> {
        Ok(Self::from_millis(millis))
    }
}
