//! Notices and alerts that fire.

use model::{
    HaltId, NoticeKind, ReleaseId, Timestamp,
    checkpoint::{AlertRecord, FiringRecord, NoticeScope},
};

use crate::{
    DecodeError,
    conversion::{Noun, WireEnum as _, read, read_optional, required},
    v1::{self, notice_scope::Scope},
};

impl Noun for NoticeScope {
    type Wire = v1::NoticeScope;

    fn to_wire(&self) -> v1::NoticeScope {
        let scope = match self {
            Self::Release(id) => Scope::ReleaseId(id.as_str().to_owned()),
            Self::Service(key) => Scope::Service(key.to_wire()),
            Self::Environment(environment) => Scope::Environment(environment.clone()),
            Self::Halt(id) => Scope::HaltId(id.as_str().to_owned()),
        };
        v1::NoticeScope { scope: Some(scope) }
    }

    fn from_wire(wire: v1::NoticeScope) -> Result<Self, DecodeError> {
        Ok(match required(wire.scope, "NoticeScope.scope")? {
            Scope::ReleaseId(id) => Self::Release(ReleaseId::from_text(id)),
            Scope::Service(key) => Self::Service(Noun::from_wire(key)?),
            Scope::Environment(environment) => Self::Environment(environment),
            Scope::HaltId(id) => Self::Halt(HaltId::from_text(id)),
        })
    }
}

impl Noun for FiringRecord {
    type Wire = v1::FiringRecord;

    fn to_wire(&self) -> v1::FiringRecord {
        v1::FiringRecord {
            scope: Some(self.scope.to_wire()),
            kind: self.kind.to_wire(),
            about: self.about.clone(),
            notice: Some(self.notice.to_wire()),
        }
    }

    fn from_wire(wire: v1::FiringRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            scope: read(wire.scope, "FiringRecord.scope")?,
            kind: NoticeKind::from_wire(wire.kind, "FiringRecord.kind")?,
            about: wire.about,
            notice: read(wire.notice, "FiringRecord.notice")?,
        })
    }
}

impl Noun for AlertRecord {
    type Wire = v1::AlertRecord;

    fn to_wire(&self) -> v1::AlertRecord {
        v1::AlertRecord {
            fingerprint: self.fingerprint,
            labels: Some(self.labels.to_wire()),
            release_id: self.release.as_ref().map(|id| id.as_str().to_owned()),
            since_ms: self.since.to_wire(),
            ends_at_ms: self.ends_at.as_ref().map(Noun::to_wire),
            heard: self.heard,
        }
    }

    fn from_wire(wire: v1::AlertRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            fingerprint: wire.fingerprint,
            labels: read(wire.labels, "AlertRecord.labels")?,
            release: wire.release_id.map(ReleaseId::from_text),
            since: Timestamp::from_millis(wire.since_ms),
            ends_at: read_optional(wire.ends_at_ms)?,
            heard: wire.heard,
        })
    }
}
