//! Notices.

use model::{EventId, Notice, NoticeId, NoticeKind, NoticeStatus, Severity, Timestamp};

use super::{Noun, WireEnum as _, read, read_all, read_optional, wire_enum, write_all};
use crate::{DecodeError, v1};

wire_enum!(Severity, v1::Severity { Info, Warning, Critical });

wire_enum!(NoticeStatus, v1::NoticeStatus { Firing, Resolved });

wire_enum!(
    NoticeKind,
    v1::NoticeKind {
        ReleaseProgress,
        Breach,
        RollbackPrepared,
        RollbackStarted,
        RolledBack,
        RollbackFailed,
        Recovered,
        Finding,
        Safety,
        Alert,
    }
);

impl Noun for Notice {
    type Wire = v1::Notice;

    fn to_wire(&self) -> v1::Notice {
        v1::Notice {
            id: self.id.as_str().to_owned(),
            kind: self.kind.to_wire(),
            severity: self.severity.to_wire(),
            status: self.status.to_wire(),
            labels: Some(self.labels.to_wire()),
            annotations: Some(self.annotations.to_wire()),
            starts_at_ms: self.starts_at.to_wire(),
            ends_at_ms: self.ends_at.as_ref().map(Noun::to_wire),
            generator_url: self.generator_url.clone(),
            release: self.release.as_deref().map(Noun::to_wire),
            command: self.command.as_deref().map(Noun::to_wire),
            reasons: write_all(&self.reasons),
            owner: self.owner.as_ref().map(Noun::to_wire),
            cause: self.cause.as_str().to_owned(),
        }
    }

    fn from_wire(wire: v1::Notice) -> Result<Self, DecodeError> {
        Ok(Self {
            id: NoticeId::from_text(wire.id),
            kind: NoticeKind::from_wire(wire.kind, "Notice.kind")?,
            severity: Severity::from_wire(wire.severity, "Notice.severity")?,
            status: NoticeStatus::from_wire(wire.status, "Notice.status")?,
            labels: read(wire.labels, "Notice.labels")?,
            annotations: read(wire.annotations, "Notice.annotations")?,
            starts_at: Timestamp::from_millis(wire.starts_at_ms),
            ends_at: read_optional(wire.ends_at_ms)?,
            generator_url: wire.generator_url,
            release: read_optional(wire.release)?.map(Box::new),
            command: read_optional(wire.command)?.map(Box::new),
            reasons: read_all(wire.reasons)?,
            owner: read_optional(wire.owner)?,
            cause: EventId::from_text(wire.cause),
        })
    }
}
