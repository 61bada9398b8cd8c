//! The deployer: what a team has behind the rollback webhook. It checks the signature, puts the old version
//! back, and reports that it did.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use prometheus::Registry;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{WEBHOOK_SECRET, shop::Shop};
use crate::{cli::Client, connections::Connections, http};

/// A rollback request as it came in.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) service: String,
    pub(super) to_version: String,
    pub(super) body: Value,
}

/// The deployer and what it was asked to do.
pub(crate) struct Deployer {
    shop: Arc<Shop>,
    client: Client,
    requests: Mutex<Vec<Request>>,
}

impl Deployer {
    pub(super) fn start(
        listener: TcpListener,
        shop: Arc<Shop>,
        client: Client,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let deployer = Arc::new(Self { shop, client, requests: Mutex::default() });
        let router = Router::new().route("/rollback", post(rollback)).with_state(Arc::clone(&deployer));
        let connections = Connections::register(&Registry::new())?;
        tokio::spawn(http::serve(listener, router, connections, stop));
        Ok(deployer)
    }

    /// Every request so far, repeats included.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a version in place and tells Ripcord, as a pipeline does.
    pub(super) async fn release(
        &self,
        service: &str,
        version: &str,
        previous: &str,
    ) -> anyhow::Result<String> {
        self.shop.deploy(service, version);
        let body = json!({
            "service": service, "environment": "production", "version": version, "previous_version": previous,
        });
        let answer = self.client.post("/api/v1/releases", &body).await?;
        Ok(answer["id"].as_str().unwrap_or_default().to_owned())
    }
}

async fn rollback(State(deployer): State<Arc<Deployer>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(webhook) = Webhook::new(WEBHOOK_SECRET) else { return StatusCode::INTERNAL_SERVER_ERROR };
    if webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(json) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let request = Request {
        id: text(&json["id"]),
        service: text(&json["release"]["service"]),
        to_version: text(&json["to_version"]),
        body: json,
    };
    let is_repeat = deployer.requests().iter().any(|known| known.id == request.id);
    deployer.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    if !is_repeat {
        tokio::spawn(carry_out(deployer, request));
    }
    StatusCode::ACCEPTED
}

async fn carry_out(deployer: Arc<Deployer>, request: Request) {
    deployer.shop.deploy(&request.service, &request.to_version);
    let bad = request.body["release"]["version"].as_str().unwrap_or_default();
    let report = json!({
        "service": request.service, "environment": "production", "version": bad, "status": "rolled_back",
    });
    if let Err(error) = deployer.client.post("/api/v1/releases", &report).await {
        tracing::warn!(%error, "the rollback could not be reported");
    }
}
