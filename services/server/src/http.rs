//! The HTTP server: one listener, a bounded number of connections, a limit on how long a head may take.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{Method, StatusCode, Uri, header},
    response::IntoResponse,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Prometheus' own default of `--web.max-connections`.
const MAX_CONNECTIONS: usize = 512;

/// A head that takes longer than this comes from nobody who means well.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open requests may take once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until told to stop, then lets open requests finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // Acks are small and awaited; waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let service = router.clone().map_request(move |request: Request<_>| with_peer(request, peer));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection ended badly");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("open requests did not finish in time and are cut off");
    }
}

/// Gives paths and methods that nobody answers an answer that a person can act on (RFC 9457).
pub(crate) fn with_problems(router: Router) -> Router {
    router.fallback(no_such_path).method_not_allowed_fallback(no_such_method)
}

async fn no_such_path(uri: Uri) -> impl IntoResponse {
    let detail = format!("there is nothing at {}; GET /api/v1/openapi.json lists every endpoint", uri.path());
    problem(StatusCode::NOT_FOUND, &detail)
}

async fn no_such_method(method: Method, uri: Uri) -> impl IntoResponse {
    problem(StatusCode::METHOD_NOT_ALLOWED, &format!("{} does not take {method}", uri.path()))
}

fn problem(status: StatusCode, detail: &str) -> impl IntoResponse + use<> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Problem"),
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string())
}

fn with_peer<B>(request: Request<B>, peer: SocketAddr) -> Request<axum::body::Body>
where
    B: axum::body::HttpBody<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(ConnectInfo(peer));
    Request::from_parts(parts, axum::body::Body::new(body))
}
