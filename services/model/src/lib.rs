//! The nouns of Ripcord: time, ids, labels, events, releases, alerts, proposals, commands, notices.
//!
//! Plain data and the small total functions on it. Nothing here reads a clock, draws a random number or
//! does I/O; how these nouns look on the log is `proto`'s business, how they look over HTTP is `console`'s
//! and `ingest`'s.

pub mod alert;
pub mod checkpoint;
pub mod command;
pub mod decision;
mod details;
pub mod event;
pub mod id;
pub mod label;
pub mod notice;
pub mod outcome;
pub mod proposal;
pub mod reason;
pub mod release;
pub mod scope;
pub mod send;
pub mod service;
mod stamps;
mod standing;
pub mod target;
pub mod telemetry;
pub mod time;
pub mod values;
pub mod verb;
pub mod version;

pub use alert::Alert;
pub use checkpoint::{AuditEntry, BadVersion, CHECKPOINT_AUDIT_MAX, Checkpoint, Fit};
pub use command::{Command, CommandMode, CommandState, CommandVerb};
pub use decision::{Decision, DecisionRecord, Origin};
pub use details::{DETAIL_BYTES_MAX, DETAIL_ENTRIES_MAX, TooManyDetails, merge_details};
pub use event::{Event, EventBody, PolicyLoad};
pub use id::{CommandId, EventId, HaltId, NoticeId, Partition, Position, ReleaseId, SendId};
pub use label::{LabelBytes, Labels};
pub use notice::{Notice, NoticeKind, NoticeStatus, Severity};
pub use outcome::{Delivery, DeliveryResult, Outcome, OutcomeStatus, Recipient, RecipientState};
pub use proposal::{Action, Breach, Finding, FindingKind, LimitState, Proposal, SharedBlame};
pub use reason::{BaselineKind, BaselineValue, Comparison, Counts, ErrorBound, Evidence, Reason, Rise, Test};
pub use release::{
    Artifact, ChangeKind, DeploymentEvent, DeploymentStatus, OPENED_BY, OWN_FACTS, Owner, Release,
    ReleaseRef, ReleaseState,
};
pub use scope::Scope;
pub use send::{Send, SendReason};
pub use service::ServiceKey;
pub use stamps::{STAMP_AHEAD_MAX, Stamps};
pub use standing::{Standing, Void};
pub use target::{TargetKind, TargetRef};
pub use telemetry::{Batch, RequestEvent, Sample, Series, SeriesKind};
pub use time::Timestamp;
pub use verb::{Actor, Halt, HaltScope, LOCAL_OPERATOR, Verb, VerbKind};
pub use version::{clean_version, is_invisible, is_same_version};
