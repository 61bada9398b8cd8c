//! Every endpoint fed good, malformed, oversized, unauthenticated and contradictory bodies: the status, the words,
//! and that the log got what it should and nothing else.

mod deployments;
mod limits;
mod telemetry;
mod verbs;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body_util::BodyExt as _;
use model::{CommandId, HaltId, HaltScope, ReleaseId, ReleaseRef, ReleaseState, ServiceKey, Timestamp};
use prometheus::Registry;
use proto::{EnvelopeBody, EventEnvelope};
use secrecy::SecretString;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::*;

const AT: Timestamp = Timestamp::from_millis(1_795_428_000_000);

/// Remembers what it was given; refuses everything while `is_down`.
#[derive(Default)]
struct Recorder {
    records: Mutex<Vec<EventEnvelope>>,
    is_down: Mutex<bool>,
}

impl EventSink for Recorder {
    fn append(
        &self,
        envelope: EventEnvelope,
        _: Option<model::Batch>,
    ) -> BoxFuture<'_, Result<(), Unavailable>> {
        // What cannot be read back must not get onto the log.
        let envelope = proto::decode_event(&proto::encode_event(&envelope)).unwrap();
        Box::pin(async move {
            if *self.is_down.lock().unwrap() {
                return Err(Unavailable { reason: "no space left on device".to_owned() });
            }
            self.records.lock().unwrap().push(envelope);
            Ok(())
        })
    }
}

/// What a test says exists.
#[derive(Default)]
struct Known {
    releases: Mutex<BTreeMap<String, KnownRelease>>,
    commands: Mutex<BTreeMap<String, KnownCommand>>,
    bad: Mutex<BTreeMap<String, String>>,
    /// What becomes of every event; `None`: verbs are done.
    answered: Mutex<Option<Answered>>,
    is_silent: Mutex<bool>,
}

impl Lookup for Known {
    fn release(&self, id: &ReleaseId) -> Option<KnownRelease> {
        self.releases.lock().unwrap().get(id.as_str()).cloned()
    }

    fn releases_of(&self, key: &ServiceKey) -> Vec<KnownRelease> {
        let releases = self.releases.lock().unwrap();
        releases.values().filter(|known| known.release.key == *key).cloned().collect()
    }

    fn command(&self, id: &CommandId) -> Option<KnownCommand> {
        self.commands.lock().unwrap().get(id.as_str()).cloned()
    }

    fn halt(&self, id: &HaltId) -> Option<HaltScope> {
        (id.as_str() == "hlt_known").then_some(HaltScope::All)
    }

    fn bad_version(&self, _: &ServiceKey, version: &str) -> Option<String> {
        self.bad.lock().unwrap().get(version).cloned()
    }

    fn answered<'a>(&'a self, _: &'a model::EventId) -> BoxFuture<'a, Answered> {
        Box::pin(async {
            if *self.is_silent.lock().unwrap() {
                std::future::pending::<()>().await;
            }
            let done = Answered::Verb { is_accepted: true, text: "done".to_owned() };
            self.answered.lock().unwrap().clone().unwrap_or(done)
        })
    }
}

struct Bench {
    router: Router,
    sink: Arc<Recorder>,
    known: Arc<Known>,
    registry: Registry,
    refusals: Refusals,
}

fn token(name: &str, roles: Vec<Role>) -> Token {
    Token::try_new(name, &SecretString::from(format!("{name}-secret-1234")), roles).unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let sender = vec![Role::Telemetry, Role::Deploy];
        let scoped = token("scoped", vec![Role::Telemetry, Role::Deploy, Role::Alerts, Role::Operate])
            .scoped_to(vec!["checkout".into()], vec!["production".into()]);
        let tokens = vec![
            token("sender", sender),
            token("person", vec![Role::Telemetry, Role::Deploy, Role::Operate]),
            token("other", vec![Role::Telemetry, Role::Deploy]),
            token("alerter", vec![Role::Alerts]),
            scoped,
        ];
        let (sink, known, registry) =
            (Arc::new(Recorder::default()), Arc::new(Known::default()), Registry::new());
        let refusals = Refusals::default();
        let labels = AlertLabels { service: vec!["service".into()], environment: vec!["environment".into()] };
        let parts = Parts {
            sink: Arc::<Recorder>::clone(&sink),
            lookup: Arc::<Known>::clone(&known),
            clock: || AT,
            boot_nonce: "boot".to_owned(),
            auth: Arc::new(ArcSwap::from_pointee(Auth::new(tokens, Vec::new()).with_alert_labels(labels))),
            limits,
            refusals: refusals.clone(),
        };
        let router = router(Ingest::try_new(parts, &registry).unwrap());
        Self { router, sink, known, registry, refusals }
    }

    /// A request as `name` (nobody, if empty) from another machine.
    async fn send(
        &self,
        method: &str,
        path: &str,
        name: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !name.is_empty() {
            request = request.header("authorization", format!("Bearer {name}-secret-1234"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 7], 40_000))));
        self.request(request).await
    }

    async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    async fn post(&self, path: &str, name: &str, body: impl Into<Body>) -> Answer {
        self.send("POST", path, name, &[], body).await
    }

    /// What the log got, and forgets it.
    fn taken(&self) -> Vec<EventEnvelope> {
        std::mem::take(&mut self.sink.records.lock().unwrap())
    }

    /// The one event the log got.
    fn event(&self) -> model::EventBody {
        let mut records = self.taken();
        assert_eq!(records.len(), 1);
        match records.remove(0).body {
            EnvelopeBody::Other(body) => body,
            EnvelopeBody::Telemetry { .. } => panic!("telemetry"),
        }
    }

    /// The one telemetry body the log got, read back as the analyzer does.
    fn telemetry(&self) -> model::EventBody {
        let mut records = self.taken();
        assert_eq!(records.len(), 1);
        let record = records.remove(0);
        match record.body {
            EnvelopeBody::Telemetry { encoding, body } => {
                proto::wire::decode_telemetry(encoding, &body, record.at).unwrap()
            }
            EnvelopeBody::Other(body) => panic!("{body:?}"),
        }
    }

    fn know_release(&self, id: &str, state: ReleaseState) {
        let known = KnownRelease { release: release(id), state, terms: Terms::default() };
        self.known.releases.lock().unwrap().insert(id.to_owned(), known);
    }

    fn know_command(&self, id: &str, state: model::CommandState) {
        let known = KnownCommand { release: release("rel_1"), state };
        self.known.commands.lock().unwrap().insert(id.to_owned(), known);
    }
}

fn release(id: &str) -> ReleaseRef {
    ReleaseRef {
        id: ReleaseId::from_text(id),
        key: ServiceKey::new("checkout", "production"),
        cluster: None,
        version: "2.4.1".to_owned(),
    }
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    /// The detail of a problem, after a look at its form.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let body = self.json();
        assert_eq!(body["status"], self.status);
        (self.status, body["detail"].as_str().unwrap().to_owned())
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_description_names_every_endpoint() {
    let described = openapi();
    let paths: Vec<&str> = described.paths.paths.keys().map(String::as_str).collect();
    assert_eq!(paths.len(), 16, "{paths:?}");
    assert!(serde_json::to_string(&described).unwrap().contains("\"bearer\""));
}
