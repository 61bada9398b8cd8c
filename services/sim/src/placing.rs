//! Which partitions an event goes to; mirrors the slicing in `proto` and `server`'s `placing.rs`.

use std::collections::BTreeMap;

use model::{Alert, EventBody, Partition, RequestEvent, ServiceKey, Verb, VerbKind};

use crate::projection::Projection;

/// A slice of an event, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) partition: Partition,
    /// Stands in another partition too, which passes it through.
    pub(crate) is_copy: bool,
    pub(crate) body: EventBody,
}

/// `of`: whose the telemetry in `body` is, where it is telemetry: here a batch holds one service's series.
pub(crate) fn place(body: EventBody, of: Option<&ServiceKey>, count: u32, known: &Projection) -> Vec<Slice> {
    let one = |key: Option<&ServiceKey>, body| {
        let partition = key.map_or(Partition::HOME, |key| Partition::of(key, count));
        vec![Slice { partition, is_copy: false, body }]
    };
    match &body {
        EventBody::Telemetry(_) => one(of, body),
        EventBody::Requests(requests) => place_requests(requests, count),
        EventBody::Deployment(deployment) => one(Some(&deployment.key.clone()), body),
        EventBody::Outcome(outcome) => one(Some(&outcome.release.key.clone()), body),
        EventBody::Delivery(delivery) => {
            let key = delivery.release.as_ref().map(|release| release.key.clone());
            one(key.as_ref(), body)
        }
        EventBody::Verb(verb) => match home_of(verb, known) {
            Home::Key(key) => one(Some(&key), body),
            Home::None => one(None, body),
            Home::Unknown => everywhere(&body, count),
        },
        EventBody::PolicyLoad(_) | EventBody::Tick => everywhere(&body, count),
        EventBody::Alerts(alerts) => place_alerts(alerts, count),
    }
}

fn everywhere(body: &EventBody, count: u32) -> Vec<Slice> {
    let copy = |partition| Slice { partition, is_copy: partition != Partition::HOME, body: body.clone() };
    (0..count).map(Partition).map(copy).collect()
}

fn place_requests(requests: &[RequestEvent], count: u32) -> Vec<Slice> {
    let mut slices = BTreeMap::<Partition, Vec<RequestEvent>>::new();
    for request in requests {
        slices.entry(Partition::of(&request.key, count)).or_default().push(request.clone());
    }
    let slice =
        |(partition, requests)| Slice { partition, is_copy: false, body: EventBody::Requests(requests) };
    slices.into_iter().map(slice).collect()
}

fn place_alerts(alerts: &[Alert], count: u32) -> Vec<Slice> {
    let mut slices = BTreeMap::<(Partition, bool), Vec<Alert>>::new();
    for alert in alerts {
        let mut put = |partition, is_copy| {
            slices.entry((partition, is_copy)).or_default().push(alert.clone());
        };
        match alert.labels.get("service").zip(alert.labels.get("environment")) {
            Some((service, environment)) => {
                put(Partition::of(&ServiceKey::new(service, environment), count), false);
            }
            None => (0..count).map(Partition).for_each(|it| put(it, it != Partition::HOME)),
        }
    }
    let slice =
        |((partition, is_copy), alerts)| Slice { partition, is_copy, body: EventBody::Alerts(alerts) };
    slices.into_iter().map(slice).collect()
}

enum Home {
    Key(ServiceKey),
    /// It concerns no release.
    None,
    /// It names a release that is not known here: the analyzer that knows it has to act.
    Unknown,
}

fn home_of(verb: &Verb, known: &Projection) -> Home {
    match &verb.kind {
        VerbKind::Rollback { release, .. }
        | VerbKind::Promote { release }
        | VerbKind::Hold { release }
        | VerbKind::Cancel { release } => {
            known.releases.get(release.bare()).map_or(Home::Unknown, |key| Home::Key(key.clone()))
        }
        VerbKind::Approve { command, .. } | VerbKind::Reject { command } => {
            known.commands.get(command).map_or(Home::None, |command| Home::Key(command.release.key.clone()))
        }
        VerbKind::Halt(_) | VerbKind::Unhalt { .. } => Home::None,
        VerbKind::ClearBad { service, environment, .. } => {
            Home::Key(ServiceKey::new(service.clone(), environment.clone()))
        }
    }
}
