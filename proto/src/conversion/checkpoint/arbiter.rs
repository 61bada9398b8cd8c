//! What the arbiter remembers of releases, commands and services.

use model::{
    BadVersion, CommandId, EventId, FindingKind, OutcomeStatus, ReleaseId, Timestamp,
    checkpoint::{ArbiterState, CommandRecord, ExceedanceRecord, FindingRecord, PlaceState, ReleaseRecord},
};

use crate::{
    DecodeError,
    conversion::{Noun, WireEnum as _, read, read_all, read_optional, write_all},
    v1,
};

impl Noun for ArbiterState {
    type Wire = v1::ArbiterState;

    fn to_wire(&self) -> v1::ArbiterState {
        v1::ArbiterState {
            policy: self.policy.as_ref().map(Noun::to_wire),
            places: write_all(&self.places),
            opened: self.opened,
            commands: write_all(&self.commands),
            made: self.made,
            bad_versions: write_all(&self.bad_versions),
            halts: write_all(&self.halts),
            exceedances: write_all(&self.exceedances),
            findings: write_all(&self.findings),
            storms: write_all(&self.storms),
            firing: write_all(&self.firing),
            alerts: write_all(&self.alerts),
            alerts_heard: self.alerts_heard,
            timers: write_all(&self.timers),
            fencing: self.fencing,
        }
    }

    fn from_wire(wire: v1::ArbiterState) -> Result<Self, DecodeError> {
        Ok(Self {
            policy: read_optional(wire.policy)?,
            places: read_all(wire.places)?,
            opened: wire.opened,
            commands: read_all(wire.commands)?,
            made: wire.made,
            bad_versions: read_all(wire.bad_versions)?,
            halts: read_all(wire.halts)?,
            exceedances: read_all(wire.exceedances)?,
            findings: read_all(wire.findings)?,
            storms: read_all(wire.storms)?,
            firing: read_all(wire.firing)?,
            alerts: read_all(wire.alerts)?,
            alerts_heard: wire.alerts_heard,
            timers: read_all(wire.timers)?,
            fencing: wire.fencing,
        })
    }
}

impl Noun for PlaceState {
    type Wire = v1::PlaceState;

    fn to_wire(&self) -> v1::PlaceState {
        let automatic = self.last_automatic.as_ref();
        v1::PlaceState {
            releases: write_all(&self.releases),
            last_automatic_at_ms: automatic.map(|(at, _)| at.to_wire()),
            last_automatic_release_id: automatic.map(|(_, id)| id.as_str().to_owned()).unwrap_or_default(),
        }
    }

    fn from_wire(wire: v1::PlaceState) -> Result<Self, DecodeError> {
        let id = ReleaseId::from_text(wire.last_automatic_release_id);
        Ok(Self {
            releases: read_all(wire.releases)?,
            last_automatic: wire.last_automatic_at_ms.map(|at_ms| (Timestamp::from_millis(at_ms), id)),
        })
    }
}

impl Noun for ReleaseRecord {
    type Wire = v1::ReleaseRecord;

    fn to_wire(&self) -> v1::ReleaseRecord {
        v1::ReleaseRecord {
            release: Some(self.release.to_wire()),
            opened: self.opened,
            attempts: self.attempts,
            sent: self.sent,
            retry_at_ms: self.retry_at.as_ref().map(Noun::to_wire),
            expired: self.expired,
            newest_command_id: self.newest_command.as_ref().map(|id| id.as_str().to_owned()),
            broken: write_all(&self.broken),
            is_previous_late: self.is_previous_late,
            is_rolled_back: self.is_rolled_back,
        }
    }

    fn from_wire(wire: v1::ReleaseRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            release: read(wire.release, "ReleaseRecord.release")?,
            opened: wire.opened,
            attempts: wire.attempts,
            sent: wire.sent,
            retry_at: read_optional(wire.retry_at_ms)?,
            expired: wire.expired,
            newest_command: wire.newest_command_id.map(CommandId::from_text),
            broken: read_all(wire.broken)?,
            is_previous_late: wire.is_previous_late,
            is_rolled_back: wire.is_rolled_back,
        })
    }
}

impl Noun for CommandRecord {
    type Wire = v1::CommandRecord;

    fn to_wire(&self) -> v1::CommandRecord {
        let report = |(target, status): (&String, &OutcomeStatus)| v1::command_record::Report {
            target: target.clone(),
            status: status.to_wire(),
        };
        v1::CommandRecord {
            number: self.number,
            command: Some(self.command.to_wire()),
            reports: self.reports.iter().map(report).collect(),
            is_retryable: self.is_retryable,
            cause: self.cause.as_str().to_owned(),
        }
    }

    fn from_wire(wire: v1::CommandRecord) -> Result<Self, DecodeError> {
        let reports = wire.reports.into_iter().map(|report| {
            Ok((report.target, OutcomeStatus::from_wire(report.status, "CommandRecord.Report.status")?))
        });
        Ok(Self {
            number: wire.number,
            command: read(wire.command, "CommandRecord.command")?,
            reports: reports.collect::<Result<_, DecodeError>>()?,
            is_retryable: wire.is_retryable,
            cause: EventId::from_text(wire.cause),
        })
    }
}

impl Noun for BadVersion {
    type Wire = v1::BadVersionRecord;

    fn to_wire(&self) -> v1::BadVersionRecord {
        v1::BadVersionRecord {
            key: Some(self.key.to_wire()),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
            digest: self.digest.clone(),
            why: self.why.clone(),
            since_ms: self.since.to_wire(),
        }
    }

    fn from_wire(wire: v1::BadVersionRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "BadVersionRecord.key")?,
            cluster: wire.cluster,
            version: wire.version,
            digest: wire.digest,
            why: wire.why,
            since: Timestamp::from_millis(wire.since_ms),
        })
    }
}

impl Noun for ExceedanceRecord {
    type Wire = v1::ExceedanceRecord;

    fn to_wire(&self) -> v1::ExceedanceRecord {
        v1::ExceedanceRecord {
            key: Some(self.key.to_wire()),
            trigger: self.trigger.clone(),
            since_ms: self.since.to_wire(),
            rise: self.rise.as_ref().map(Noun::to_wire),
            ended_at_ms: self.ended_at.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::ExceedanceRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "ExceedanceRecord.key")?,
            trigger: wire.trigger,
            since: Timestamp::from_millis(wire.since_ms),
            rise: read_optional(wire.rise)?,
            ended_at: read_optional(wire.ended_at_ms)?,
        })
    }
}

impl Noun for FindingRecord {
    type Wire = v1::FindingRecord;

    fn to_wire(&self) -> v1::FindingRecord {
        v1::FindingRecord {
            key: Some(self.key.to_wire()),
            kind: self.kind.to_wire(),
            release_id: self.release.as_ref().map(|id| id.as_str().to_owned()),
        }
    }

    fn from_wire(wire: v1::FindingRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "FindingRecord.key")?,
            kind: FindingKind::from_wire(wire.kind, "FindingRecord.kind")?,
            release: wire.release_id.map(ReleaseId::from_text),
        })
    }
}
