//! A target of rollback webhooks that takes everything and keeps it.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

/// The sink.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    answers: watch::Sender<bool>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let sink = Self::start_silent().await;
        sink.answer();
        sink
    }

    /// Takes requests and leaves them without an answer until told to.
    pub(crate) async fn start_silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/rollback", listener.local_addr().unwrap());
        let sink = Self { url, received: Arc::default(), answers: watch::Sender::new(false) };
        let router = Router::new().route("/rollback", post(take)).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        sink
    }

    /// Answers everything from here on, and what waits for an answer.
    pub(crate) fn answer(&self) {
        self.answers.send_replace(true);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Requests about one service, by distinct id.
    pub(crate) fn commands_for(&self, service: &str) -> Vec<Value> {
        let mut commands: Vec<Value> = Vec::new();
        for request in self.received() {
            let is_new = commands.iter().all(|known| known["id"] != request.body["id"]);
            if request.body["release"]["service"] == service && is_new {
                commands.push(request.body);
            }
        }
        commands
    }
}

async fn take(State(sink): State<Sink>, headers: HeaderMap, raw: Bytes) {
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    sink.received.lock().unwrap().push(Received { headers, raw, body });
    sink.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
}
