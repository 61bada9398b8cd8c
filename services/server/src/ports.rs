//! What the edges need of the rest, implemented over the log and the projection.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actuators::kafka::{Message, Published, Publisher};
use arc_swap::ArcSwap;
use bus::{AppendError, KafkaConfig, OpenError};
use console::{Projection, ReleaseView, SharedProjection};
use ingest::{Answered, BoxFuture, EventSink, KnownCommand, KnownRelease, Lookup, Terms, Unavailable};
use model::{
    Batch, Command, CommandId, EventId, HaltId, HaltScope, OPENED_BY, ReleaseId, ServiceKey, TargetRef,
    target::KAFKA_TIMEOUT,
};
use policy::{Policy, Target, Unresolved};
use proto::EventEnvelope;
use secrecy::SecretString;

use crate::{handover::Handover, placing::Placing, text::chain};

/// Ingest's way onto the log.
pub(crate) struct BusSink {
    pub(crate) placing: Arc<Placing>,
    pub(crate) handover: Handover,
}

impl EventSink for BusSink {
    fn append(
        &self,
        envelope: EventEnvelope,
        decoded: Option<Batch>,
    ) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            // A sender that is told at once comes back in time; one that is kept waiting gives up, and holds a
            // connection and its body's memory meanwhile. Ticks go on and notice that it is over.
            if let Some(outage) = self.placing.outage() {
                return Err(unavailable(outage));
            }
            let Some(decoded) = decoded else {
                return self.placing.append(envelope, None).await.map_err(unavailable);
            };
            if self.placing.partitions() > 1 {
                let under_way = self.placing.append(envelope, Some(&decoded));
                self.handover.give_back(decoded);
                return under_way.await.map_err(unavailable);
            }
            // Left before the record is appended: the judge may read it before this hears of it.
            let ticket = self.handover.leave(&envelope.id, decoded);
            self.placing.append(envelope, None).await.map_err(unavailable)?;
            ticket.keep();
            Ok(())
        })
    }

    fn spare_batch(&self) -> Batch {
        self.handover.spare()
    }
}

/// [`Unavailable`] says itself that the log cannot write: what is left is why.
fn unavailable(error: AppendError) -> Unavailable {
    let reason = match &error {
        AppendError::Unavailable(cause) => chain(&**cause),
        _ => error.to_string(),
    };
    Unavailable { reason }
}

/// Ingest's questions, answered from the projection.
pub(crate) struct ProjectionLookup(pub(crate) SharedProjection);

impl Lookup for ProjectionLookup {
    fn release(&self, id: &ReleaseId) -> Option<KnownRelease> {
        let projection = self.0.read();
        Some(known(&projection, projection.release(id)?))
    }

    fn releases_of(&self, key: &ServiceKey) -> Vec<KnownRelease> {
        let projection = self.0.read();
        let of_key = projection.releases().filter(|view| view.release.key == *key);
        of_key.map(|view| known(&projection, view)).collect()
    }

    fn command(&self, id: &CommandId) -> Option<KnownCommand> {
        let projection = self.0.read();
        let command = projection.command(id)?;
        Some(KnownCommand { release: command.release.clone(), state: command.state })
    }

    fn halt(&self, id: &HaltId) -> Option<HaltScope> {
        self.0.read().halt(id).map(|halt| halt.scope.clone())
    }

    fn bad_version(&self, key: &ServiceKey, version: &str) -> Option<String> {
        self.0.read().bad_version(key, version).map(|line| line.why.clone())
    }

    fn answered<'a>(&'a self, event: &'a EventId) -> BoxFuture<'a, Answered> {
        Box::pin(async move {
            let mut changes = self.0.changes();
            loop {
                changes.borrow_and_update();
                if let Some(answer) = self.0.read().answer(event) {
                    return answered(answer);
                }
                if changes.changed().await.is_err() {
                    // The process stops; whoever waits has a limit.
                    std::future::pending::<()>().await;
                }
            }
        })
    }
}

fn known(projection: &Projection, view: &ReleaseView) -> KnownRelease {
    let release = &view.release;
    let terms = Terms {
        opened_by: release.facts.get(OPENED_BY).cloned(),
        previous_version: release.previous_version.clone().filter(|_| !release.previous_is_guess),
        is_revertible: release.revertible,
        rollback_floor: release.rollback_floor.clone(),
        digest: release.artifact.as_ref().and_then(|artifact| artifact.digest.clone()),
        links: release.links.clone(),
        facts: release.facts.clone(),
    };
    KnownRelease { release: release.reference(), state: projection.state_of(view), terms }
}

fn answered(answer: &console::Answer) -> Answered {
    match answer.clone() {
        console::Answer::Verb { is_accepted, text } => Answered::Verb { is_accepted, text },
        console::Answer::Moved(moved) => Answered::Moved(moved),
        console::Answer::Ignored { release, why } => Answered::Ignored { release, why },
    }
}

/// The way out of `kafka` targets.
pub(crate) struct KafkaPublisher(bus::Outlet);

impl KafkaPublisher {
    /// Asks no broker yet.
    pub(crate) fn new(kafka: &KafkaConfig) -> Result<Self, OpenError> {
        // A little less than the attempt has, so that what is told is why, and not only that time was up.
        Ok(Self(bus::Outlet::new(kafka, KAFKA_TIMEOUT - Duration::from_millis(500))?))
    }
}

impl Publisher for KafkaPublisher {
    fn publish<'a>(
        &'a self,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<Published, actuators::kafka::PublishError>> {
        Box::pin(async move {
            let headers: Vec<(&str, &[u8])> =
                message.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let outgoing = bus::Outgoing {
                topic: &message.topic,
                key: message.key.as_bytes(),
                headers: &headers,
                payload: &message.payload,
            };
            match self.0.publish(outgoing).await {
                Ok((partition, offset)) => Ok(Published { partition: partition.0, offset: offset.0 }),
                Err(error) => Err(actuators::kafka::PublishError {
                    is_retryable: error.is_retryable(),
                    reason: error.to_string(),
                }),
            }
        })
    }
}

/// The policy of this process's own file: how the targets that commands name are reached.
pub(crate) struct OwnTargets(ArcSwap<Policy>);

impl OwnTargets {
    pub(crate) fn new(policy: Policy) -> Self {
        Self(ArcSwap::from_pointee(policy))
    }

    pub(crate) fn replace(&self, policy: Policy) {
        self.0.store(Arc::new(policy));
    }
}

impl actuators::TargetSource for OwnTargets {
    fn target(&self, command: &Command, named: &TargetRef) -> Result<Target, Unresolved> {
        let key = &command.release.key;
        self.0.load().effective(&key.service, &key.environment).resolve(named).cloned()
    }
}

/// Secrets of targets by the file that the policy names.
pub(crate) struct Secrets(RwLock<BTreeMap<String, SecretString>>);

impl Secrets {
    pub(crate) fn new(secrets: BTreeMap<String, SecretString>) -> Self {
        Self(RwLock::new(secrets))
    }

    pub(crate) fn replace(&self, secrets: BTreeMap<String, SecretString>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }
}

impl actuators::SecretSource for Secrets {
    fn secret(&self, file: &str) -> Option<SecretString> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }
}
