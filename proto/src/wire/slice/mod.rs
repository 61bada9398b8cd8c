//! One event as the records it becomes on a log of several partitions.
//!
//! Each partition is one order of events and has one analyzer, so an event goes to the partition of the service and
//! environment that it concerns. Telemetry concerns many: it is cut, and every slice is a valid event with the same
//! id and stamp. What concerns all services (a policy) goes to every partition, for every analyzer works by it; but
//! it must reach the arbiter once, so all copies but the one at [`Partition::HOME`] say that they are copies.
//!
//! A log of one partition is not sliced: its records hold what senders sent.

mod telemetry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{
    Alert, Batch, CommandId, EventBody, Partition, ReleaseId, ReleaseRef, ServiceKey, Timestamp, Verb,
    VerbKind,
};

use super::error::DecodeError;
use crate::{EnvelopeBody, EventEnvelope};

/// Says what belongs where. Ingest knows neither the policy's identity nor the releases; who calls it does.
pub trait Places {
    /// Where the series of a batch that came in at `at` go: appends pairs of a series' place in the batch and a
    /// partition, in the order of the batch, one or more for each series.
    fn series(&mut self, at: Timestamp, batch: &Batch, to: &mut Vec<(u32, Partition)>);

    /// Whom an alert is about; `None` unless its labels name both service and environment.
    fn alert(&mut self, alert: &Alert) -> Option<ServiceKey>;

    /// Whose a release is, if it is known.
    fn release(&mut self, _id: &ReleaseId) -> Option<ServiceKey> {
        None
    }

    /// Whose release a command is about, if it is known.
    fn command(&mut self, _id: &CommandId) -> Option<ServiceKey> {
        None
    }
}

/// The records of `envelope` on a log of `partitions` partitions, in the order of partitions: one or more, of one
/// partition at most two (its own alerts, and copies of those that concern all).
///
/// `decoded` spares decoding a telemetry body again; it has to be what that body decodes to. An error is the one
/// with which decoding fails. A tick is given back for [`Partition::HOME`] only: whoever makes it knows which
/// partitions need one.
pub fn slice(
    envelope: EventEnvelope,
    decoded: Option<&Batch>,
    partitions: u32,
    places: &mut dyn Places,
) -> Result<Vec<(Partition, EventEnvelope)>, DecodeError> {
    if partitions <= 1 {
        return Ok(vec![(Partition::HOME, envelope)]);
    }
    let body = match &envelope.body {
        EnvelopeBody::Telemetry { encoding, body } => {
            let parts = telemetry::slice_body(*encoding, body, envelope.at, decoded, partitions, places)?;
            return Ok(filled(envelope, parts));
        }
        EnvelopeBody::Other(body) => body,
    };
    let of = |key: Option<&ServiceKey>| key.map_or(Partition::HOME, |key| Partition::of(key, partitions));
    let one = |partition, envelope| Ok(vec![(partition, envelope)]);
    match body {
        EventBody::Telemetry(batch) => {
            let parts = telemetry::slice_batch(batch, envelope.at, places);
            Ok(filled(envelope, parts))
        }
        EventBody::Requests(requests) => {
            let parts = telemetry::slice_requests(requests, partitions);
            Ok(filled(envelope, parts))
        }
        EventBody::Deployment(deployment) => one(of(Some(&deployment.key)), envelope),
        EventBody::Outcome(outcome) => one(of(Some(&outcome.release.key)), envelope),
        EventBody::Delivery(delivery) => one(of(delivery.release.as_ref().map(key_of)), envelope),
        EventBody::Verb(verb) => match home_of(verb, places) {
            Home::Key(key) => one(of(Some(&key)), envelope),
            Home::None => one(Partition::HOME, envelope),
            Home::Unknown => Ok(everywhere(&envelope, partitions)),
        },
        EventBody::PolicyLoad(_) => Ok(everywhere(&envelope, partitions)),
        EventBody::Alerts(alerts) => Ok(slice_alerts(&envelope, alerts, partitions, places)),
        EventBody::Tick => one(Partition::HOME, envelope),
    }
}

/// The parts of a body.
enum Parts {
    /// All of it belongs to one partition and stays as it is.
    Whole(Partition),
    Cut(BTreeMap<Partition, EnvelopeBody>),
}

fn filled(envelope: EventEnvelope, parts: Parts) -> Vec<(Partition, EventEnvelope)> {
    match parts {
        Parts::Whole(partition) => vec![(partition, envelope)],
        Parts::Cut(bodies) => {
            bodies.into_iter().map(|(partition, body)| (partition, with_body(&envelope, body))).collect()
        }
    }
}

fn with_body(envelope: &EventEnvelope, body: EnvelopeBody) -> EventEnvelope {
    let EventEnvelope { id, at, source, is_copy, body: _ } = envelope;
    EventEnvelope { id: id.clone(), at: *at, source: source.clone(), is_copy: *is_copy, body }
}

/// A copy in every partition.
fn everywhere(envelope: &EventEnvelope, partitions: u32) -> Vec<(Partition, EventEnvelope)> {
    let copy = |partition| {
        let is_copy = envelope.is_copy || partition != Partition::HOME;
        (partition, EventEnvelope { is_copy, ..envelope.clone() })
    };
    (0..partitions).map(Partition).map(copy).collect()
}

fn key_of(release: &ReleaseRef) -> &ServiceKey {
    &release.key
}

enum Home {
    Key(ServiceKey),
    /// It concerns no release.
    None,
    /// It names a release that is not known here: it goes everywhere, for the analyzer that knows it has to act.
    Unknown,
}

fn home_of(verb: &Verb, places: &mut dyn Places) -> Home {
    match &verb.kind {
        VerbKind::Rollback { release, .. }
        | VerbKind::Promote { release }
        | VerbKind::Hold { release }
        | VerbKind::Cancel { release } => places.release(release).map_or(Home::Unknown, Home::Key),
        // Only the arbiter acts on these, wherever they pass through.
        VerbKind::Approve { command, .. } | VerbKind::Reject { command } => {
            places.command(command).map_or(Home::None, Home::Key)
        }
        // A halt and its end have to stand in one order.
        VerbKind::Halt(_) | VerbKind::Unhalt { .. } => Home::None,
        VerbKind::ClearBad { service, environment, .. } => {
            Home::Key(ServiceKey::new(service.clone(), environment.clone()))
        }
    }
}

fn slice_alerts(
    envelope: &EventEnvelope,
    alerts: &[Alert],
    partitions: u32,
    places: &mut dyn Places,
) -> Vec<(Partition, EventEnvelope)> {
    // By partition and whether they are copies.
    let mut slices = BTreeMap::<(Partition, bool), Vec<Alert>>::new();
    for alert in alerts {
        let mut put = |partition, is_copy| {
            slices.entry((partition, is_copy || envelope.is_copy)).or_default().push(alert.clone());
        };
        match places.alert(alert) {
            Some(key) => put(Partition::of(&key, partitions), false),
            None => (0..partitions).map(Partition).for_each(|it| put(it, it != Partition::HOME)),
        }
    }
    if slices.is_empty() {
        slices.insert((Partition::HOME, envelope.is_copy), Vec::new());
    }
    let record = |((partition, is_copy), alerts)| {
        let body = EnvelopeBody::Other(EventBody::Alerts(alerts));
        (partition, EventEnvelope { is_copy, ..with_body(envelope, body) })
    };
    slices.into_iter().map(record).collect()
}
