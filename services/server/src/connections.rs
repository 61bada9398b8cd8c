//! Who keeps a connection when there are no more, and which requests are answered when many are open.
//!
//! A connection on which no request is being answered (its head has not come, or it is kept alive) **waits**. Where
//! all are in use, one that waits gives way to a new one: the one that has waited longest, of the address that has
//! most of them. The head of a real request comes within milliseconds, so that heads that never end take places only
//! from each other. Requests that are being answered keep their connections; how many may be so is limited,
//! long polls to half, so that people's verbs always find a place.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Body;
use http_body_util::BodyExt as _;
use prometheus::{IntCounter, Registry};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many connections there may be, and what they may be used for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Prometheus' own default of `--web.max-connections`.
    pub(crate) connections: usize,
    /// Requests that are being answered, people's verbs not among them: an eighth of the connections is theirs.
    pub(crate) requests: usize,
    /// Long polls among them.
    pub(crate) polls: usize,
}

impl Default for Shares {
    fn default() -> Self {
        Self { connections: 512, requests: 448, polls: 256 }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person's verb, or a question about health or metrics: it has a place whatever else is going on.
    Verb,
    /// Waits for a verdict.
    Poll,
    Other,
}

impl Kind {
    pub(crate) fn of(path: &str, query: Option<&str>) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["-", _]
            | ["metrics"]
            | ["api", "v1", "halt", ..]
            | ["api", "v1", "versions", "clear"]
            | ["api", "v1", "commands", _, "approve" | "reject"]
            | ["api", "v1", "releases", _, "rollback" | "promote" | "hold" | "cancel"] => Self::Verb,
            ["api", "v1", "releases", _, "verdict"] if query.is_some_and(|it| it.contains("wait=")) => {
                Self::Poll
            }
            _ => Self::Other,
        }
    }
}

/// All connections of a listener; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    requests: Arc<Semaphore>,
    polls: Arc<Semaphore>,
    state: Mutex<State>,
    ended: Notify,
    closed: IntCounter,
    refused: IntCounter,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Those that wait, by since when.
    waiting: BTreeMap<u64, (IpAddr, CancellationToken)>,
    /// Counts changes: what came before what.
    turn: u64,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Connections,
    peer: IpAddr,
    /// Since when it waits; `None` while a request is being answered.
    waits_since: Mutex<Option<u64>>,
    /// Cancelled when it has to give way.
    pub(crate) gives_way: CancellationToken,
}

impl Connections {
    pub(crate) fn new(shares: Shares, closed: IntCounter, refused: IntCounter) -> Self {
        Self(Arc::new(Shared {
            max: shares.connections,
            requests: Arc::new(Semaphore::new(shares.requests)),
            polls: Arc::new(Semaphore::new(shares.polls)),
            state: Mutex::default(),
            ended: Notify::new(),
            closed,
            refused,
        }))
    }

    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        use telemetry::metrics::counter;
        let closed = counter(
            registry,
            "ripcord_http_connections_closed_total",
            "Connections without a request that gave way to new ones, as all were in use.",
            &[],
        )?;
        let refused = counter(
            registry,
            "ripcord_http_requests_refused_total",
            "Requests that were answered 503, as too many others were being answered.",
            &[],
        )?;
        let plain = |it: prometheus::IntCounterVec| it.with_label_values::<&str>(&[]);
        Ok(Self::new(Shares::default(), plain(closed), plain(refused)))
    }

    /// Until there is a place for another connection, or one that waits can give way to it.
    pub(crate) async fn room(&self) {
        loop {
            let ended = self.0.ended.notified();
            {
                let state = self.state();
                if state.open < self.0.max || !state.waiting.is_empty() {
                    return;
                }
            }
            ended.await;
        }
    }

    /// Gives a new connection its place.
    pub(crate) fn enter(&self, peer: SocketAddr) -> Arc<Place> {
        let mut state = self.state();
        if state.open >= self.0.max {
            self.close_one(&mut state);
        }
        state.open += 1;
        let gives_way = CancellationToken::new();
        let since = state.wait(peer.ip(), gives_way.clone());
        drop(state);
        Arc::new(Place {
            connections: self.clone(),
            peer: peer.ip(),
            waits_since: Mutex::new(Some(since)),
            gives_way,
        })
    }

    fn close_one(&self, state: &mut State) {
        let mut of_peers: BTreeMap<IpAddr, (usize, u64)> = BTreeMap::new();
        for (&since, (peer, _)) in &state.waiting {
            of_peers.entry(*peer).or_insert((0, since)).0 += 1;
        }
        let most = of_peers.into_values().max_by_key(|&(count, since)| (count, u64::MAX - since));
        let Some((_, gives_way)) = most.and_then(|(_, since)| state.waiting.remove(&since)) else { return };
        gives_way.cancel();
        self.0.closed.inc();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, peer: IpAddr, gives_way: CancellationToken) -> u64 {
        self.turn += 1;
        self.waiting.insert(self.turn, (peer, gives_way));
        self.turn
    }
}

impl Place {
    /// A request is being answered until the answer is dropped; `None`: too many others are.
    pub(crate) fn answer(self: &Arc<Self>, kind: Kind) -> Option<Answering> {
        let shared = &self.connections.0;
        let take = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).try_acquire_owned().ok();
        let permits = match kind {
            Kind::Verb => Some(Vec::new()),
            Kind::Poll => take(&shared.polls).and_then(|poll| Some(vec![poll, take(&shared.requests)?])),
            Kind::Other => take(&shared.requests).map(|request| vec![request]),
        };
        let Some(permits) = permits else {
            shared.refused.inc();
            return None;
        };
        if let Some(since) = self.since().take() {
            self.connections.state().waiting.remove(&since);
        }
        Some(Answering { place: Arc::clone(self), _permits: permits })
    }

    fn since(&self) -> MutexGuard<'_, Option<u64>> {
        self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let since = self.since().take();
        let mut state = self.connections.state();
        since.map(|since| state.waiting.remove(&since));
        state.open -= 1;
        drop(state);
        self.connections.0.ended.notify_one();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering {
    place: Arc<Place>,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Answering {
    /// The answer's body, with which answering ends.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        // What handles an error of the body lives as long as the body does.
        Body::new(body.map_err(move |error| {
            let _answering = &self;
            error
        }))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let place = &self.place;
        let since = place.connections.state().wait(place.peer, place.gives_way.clone());
        *place.since() = Some(since);
        place.connections.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests;
