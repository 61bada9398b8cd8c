//! What all endpoints share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{body::Body, extract::ConnectInfo};
use http::{Extensions, HeaderMap};
use model::{Alert, Batch, EventBody, HaltScope, Timestamp};
use prometheus::Registry;
use proto::{EnvelopeBody, EventEnvelope, wire::Rejected};
use telemetry::metrics::MetricsError;

use crate::{
    auth::{Auth, Caller, Role},
    body::{self, Budget, Taken},
    limits::{Limits, VERBS_IN_FLIGHT_BYTES_MAX},
    metrics::Metrics,
    pace::Pace,
    ports::{EventSink, KnownRelease, Lookup, Unavailable},
    problem::Problem,
    recent::Recent,
    refusals::Refusals,
    stamp::{Stamp, Stamper},
};

/// What ingest is made of.
pub struct Parts {
    pub sink: Arc<dyn EventSink>,
    pub lookup: Arc<dyn Lookup>,
    /// `telemetry::clock::now`, or a test's own.
    pub clock: fn() -> Timestamp,
    /// Text that no earlier start of this log had: part of every event's id.
    pub boot_nonce: String,
    /// Swapped at reload; shared with `console`.
    pub auth: Arc<ArcSwap<Auth>>,
    pub limits: Limits,
    /// Where it is noted what was left out of bodies; shared with whoever shows it.
    pub refusals: Refusals,
}

/// The one way in; clones share everything.
#[derive(Clone)]
pub struct Ingest(pub(crate) Core);

/// The state of every handler.
pub(crate) type Core = Arc<Shared>;

pub(crate) struct Shared {
    sink: Arc<dyn EventSink>,
    pub(crate) lookup: Arc<dyn Lookup>,
    auth: Arc<ArcSwap<Auth>>,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    verbs_budget: Budget,
    pace: Pace,
    pub(crate) metrics: Metrics,
    refusals: Refusals,
    stamper: Stamper,
    pub(crate) releases: Recent<KnownRelease>,
    pub(crate) halts: Recent<HaltScope>,
}

impl Ingest {
    /// Registers the metrics `ripcord_ingest_*` on `registry`; a second time on the same one is an error.
    pub fn try_new(parts: Parts, registry: &Registry) -> Result<Self, MetricsError> {
        let Parts { sink, lookup, clock, boot_nonce, auth, limits, refusals } = parts;
        Ok(Self(Arc::new(Shared {
            sink,
            lookup,
            auth,
            budget: Budget::of_bytes(limits.in_flight_bytes_max),
            verbs_budget: Budget::of_bytes(VERBS_IN_FLIGHT_BYTES_MAX),
            limits,
            pace: Pace::default(),
            metrics: Metrics::register(registry)?,
            refusals,
            stamper: Stamper::new(clock, boot_nonce),
            releases: Recent::default(),
            halts: Recent::default(),
        })))
    }
}

/// A request's head: all that is looked at before its body is.
pub(crate) struct Head {
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<SocketAddr>,
}

impl Head {
    pub(crate) fn new(headers: HeaderMap, extensions: &Extensions) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Self { headers, peer }
    }

    /// A header's value, if there is one and it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Shared {
    pub(crate) fn caller(&self, head: &Head, role: Role) -> Result<Caller, Problem> {
        Ok(self.auth.load().identify(&head.headers, head.peer, role)?)
    }

    /// Who notifies.
    pub(crate) fn alertmanager(&self, head: &Head) -> Result<Caller, Problem> {
        Ok(self.auth.load().identify_alertmanager(&head.headers, head.peer)?)
    }

    /// An error unless the caller's scope holds what each of the alerts is about.
    pub(crate) fn expect_alerts_within(&self, caller: &Caller, alerts: &[Alert]) -> Result<(), Problem> {
        if !caller.is_scoped() {
            return Ok(());
        }
        let auth = self.auth.load();
        for (index, alert) in alerts.iter().enumerate() {
            if let Err(error) = caller.expect_within(auth.alert_labels().reach_of(alert)) {
                let problem = Problem::from(error);
                return Err(Problem::new(problem.status, format!("alerts[{index}]: {}", problem.detail)));
            }
        }
        Ok(())
    }

    /// An error where the caller has brought as many alerts as it may in a minute.
    pub(crate) fn expect_alerts_in_pace(
        &self,
        caller: &Caller,
        alerts: usize,
        at: Timestamp,
    ) -> Result<(), Problem> {
        if self.pace.allows(&caller.actor.name, alerts, at) {
            return Ok(());
        }
        self.metrics.reject_alerts(alerts);
        Err(Problem::come_back(
            "more alerts than one sender may bring in a minute; come back in the next one",
        ))
    }

    /// How long after its last notification an alert counts as over.
    pub(crate) fn resolve_timeout(&self) -> Duration {
        self.auth.load().resolve_timeout()
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.stamper.next()
    }

    /// The body as it was sent, its compression taken off.
    pub(crate) async fn plain_body(
        &self,
        head: &Head,
        body: Body,
        bytes_max: usize,
    ) -> Result<Taken, Problem> {
        let taken = body::read_plain(&self.budget, &self.limits, &head.headers, body, bytes_max).await;
        self.metrics.in_flight.set(i64::try_from(self.budget.taken()).unwrap_or(i64::MAX));
        taken
    }

    /// The body of a verb, which waits behind no sender's.
    pub(crate) async fn verb_body(&self, head: &Head, body: Body) -> Result<Taken, Problem> {
        let (budget, bytes_max) = (&self.verbs_budget, self.limits.verb_bytes_max);
        body::read_plain(budget, &self.limits, &head.headers, body, bytes_max).await
    }

    /// Notes what was left out of a body that came in at `at`; `kind` is what its parts are called.
    pub(crate) fn reject(&self, kind: &str, rejected: &Rejected, at: Timestamp) {
        self.metrics.reject(kind, rejected);
        self.refusals.note(rejected, at);
    }

    /// Appends one record; returns when it is durable.
    pub(crate) async fn append(
        &self,
        stamp: &Stamp,
        source: &str,
        body: EnvelopeBody,
    ) -> Result<(), Problem> {
        self.sink.append(envelope_of(stamp, source, body), None).await.map_err(refused)
    }

    /// As [`Self::append`], with what the telemetry in `body` decodes to.
    pub(crate) async fn append_decoded(
        &self,
        stamp: &Stamp,
        source: &str,
        body: EnvelopeBody,
        decoded: Batch,
    ) -> Result<(), Problem> {
        self.sink.append(envelope_of(stamp, source, body), Some(decoded)).await.map_err(refused)
    }

    /// Memory for decoding into.
    pub(crate) fn spare_batch(&self) -> Batch {
        self.sink.spare_batch()
    }

    pub(crate) async fn append_event(
        &self,
        stamp: &Stamp,
        source: &str,
        body: EventBody,
    ) -> Result<(), Problem> {
        self.append(stamp, source, EnvelopeBody::Other(body)).await
    }
}

fn envelope_of(stamp: &Stamp, source: &str, body: EnvelopeBody) -> EventEnvelope {
    EventEnvelope { id: stamp.id.clone(), at: stamp.at, source: source.to_owned(), is_copy: false, body }
}

fn refused(error: Unavailable) -> Problem {
    tracing::warn!(%error, "an event was refused because the log cannot write");
    Problem::from(error)
}
