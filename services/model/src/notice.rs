//! Notices: decisions addressed to the router.

use crate::{Command, EventId, Labels, NoticeId, Owner, Reason, Release, Timestamp};

/// How bad it is; also the value of the label `severity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    #[default]
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Firing until the thing is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeStatus {
    #[default]
    Firing,
    Resolved,
}

/// What a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// A release began, moved a stage, or ended its watch.
    ReleaseProgress,
    /// A limit is broken and people are told; nothing else happens.
    Breach,
    /// A rollback waits for approval.
    RollbackPrepared,
    RollbackStarted,
    RolledBack,
    RollbackFailed,
    Recovered,
    /// Something about the data: a silent sender, a torn ratio.
    Finding,
    /// A halt began or ended, a storm was held back.
    Safety,
    /// An alert from elsewhere, passed on.
    Alert,
}

impl NoticeKind {
    pub const ALL: [Self; 10] = [
        Self::ReleaseProgress,
        Self::Breach,
        Self::RollbackPrepared,
        Self::RollbackStarted,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::Recovered,
        Self::Finding,
        Self::Safety,
        Self::Alert,
    ];

    /// The kind's name: label `kind` of the notice.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseProgress => "release_progress",
            Self::Breach => "breach",
            Self::RollbackPrepared => "rollback_prepared",
            Self::RollbackStarted => "rollback_started",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
            Self::Recovered => "recovered",
            Self::Finding => "finding",
            Self::Safety => "safety",
            Self::Alert => "alert",
        }
    }
}

/// One thing to tell. Routed by its labels exactly like an alert (`alertname`, `service`, `environment`,
/// `release`, `version`, `severity`, `kind`, `team`); two notices with equal labels are the same thing at two
/// times.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub id: NoticeId,
    pub kind: NoticeKind,
    pub severity: Severity,
    pub status: NoticeStatus,
    pub labels: Labels,
    /// `summary` and `description` at least; links by name.
    pub annotations: Labels,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub generator_url: String,
    /// The release it is about, as it stood.
    pub release: Option<Box<Release>>,
    pub command: Option<Box<Command>>,
    pub reasons: Vec<Reason>,
    /// Whom the owner of the service names.
    pub owner: Option<Owner>,
    /// The record that caused it.
    pub cause: EventId,
}
