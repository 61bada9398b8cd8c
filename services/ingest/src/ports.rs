//! What ingest needs of the rest of the program: somewhere to put events, and answers to "is there such a …".

use std::{collections::BTreeMap, future::Future, pin::Pin};

use model::{
    Batch, CommandId, CommandState, EventId, HaltId, HaltScope, ReleaseId, ReleaseRef, ReleaseState,
    ServiceKey,
};
use proto::EventEnvelope;

/// A future that can be sent to another thread and named in a trait that is used as an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The log cannot write now. Retryable: the sender is answered 503 and comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot write: {reason}")]
pub struct Unavailable {
    pub reason: String,
}

/// Where events go.
pub trait EventSink: Send + Sync {
    /// Appends one event, in slices where the log keeps services apart. `decoded`: what its telemetry decodes to,
    /// so that nobody in this process need decode it again. `Ok` means durable: on disk, or acked by every
    /// replica in sync.
    fn append(
        &self,
        envelope: EventEnvelope,
        decoded: Option<Batch>,
    ) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// A batch whose memory is free to be used again; what it holds is nobody's.
    fn spare_batch(&self) -> Batch {
        Batch::default()
    }
}

/// A release that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRelease {
    /// With the id it has now: of a release that went out again, the newest.
    pub release: ReleaseRef,
    pub state: ReleaseState,
    pub terms: Terms,
}

/// What was said of a release that decides whether it is rolled back, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The token that opened it; `None`: not known.
    pub opened_by: Option<String>,
    pub previous_version: Option<String>,
    pub is_revertible: bool,
    pub rollback_floor: Option<String>,
    pub digest: Option<String>,
    pub links: BTreeMap<String, String>,
    pub facts: BTreeMap<String, String>,
}

/// A command that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCommand {
    pub release: ReleaseRef,
    pub state: CommandState,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A person's verb was done, or refused; the sentence says what or why.
    Verb { is_accepted: bool, text: String },
    /// A deployment event opened or moved these releases.
    Moved(Vec<(ReleaseId, ReleaseState)>),
    /// A deployment event changed nothing; the release that it names, where one exists.
    Ignored { release: Option<ReleaseId>, why: String },
}

/// What is known of things named by id. A projection: it may be some milliseconds behind the log.
pub trait Lookup: Send + Sync {
    /// The release of this id; a bare id means the newest of that name.
    fn release(&self, id: &ReleaseId) -> Option<KnownRelease>;
    /// The releases of a service.
    fn releases_of(&self, key: &ServiceKey) -> Vec<KnownRelease>;
    fn command(&self, id: &CommandId) -> Option<KnownCommand>;
    /// What an active halt stops.
    fn halt(&self, id: &HaltId) -> Option<HaltScope>;
    /// Why no rollback may lead to a version of a service; `None`: one may.
    fn bad_version(&self, key: &ServiceKey, version: &str) -> Option<String>;
    /// Resolves when it is known what became of an event that is on the log. Takes as long as that takes.
    fn answered<'a>(&'a self, event: &'a EventId) -> BoxFuture<'a, Answered>;
}
