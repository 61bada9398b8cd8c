//! Alerts.

use model::{Alert, Timestamp};

use super::{Noun, read, read_optional};
use crate::{DecodeError, v1};

impl Noun for Alert {
    type Wire = v1::Alert;

    fn to_wire(&self) -> v1::Alert {
        v1::Alert {
            labels: Some(self.labels.to_wire()),
            annotations: Some(self.annotations.to_wire()),
            starts_at_ms: self.starts_at.to_wire(),
            ends_at_ms: self.ends_at.as_ref().map(Noun::to_wire),
            generator_url: self.generator_url.clone(),
        }
    }

    fn from_wire(wire: v1::Alert) -> Result<Self, DecodeError> {
        Ok(Self {
            labels: read(wire.labels, "Alert.labels")?,
            annotations: read(wire.annotations, "Alert.annotations")?,
            starts_at: Timestamp::from_millis(wire.starts_at_ms),
            ends_at: read_optional(wire.ends_at_ms)?,
            generator_url: wire.generator_url,
        })
    }
}
