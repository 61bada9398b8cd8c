//! The HTTP server: one listener, a bounded number of connections, a limit on how long a head may take.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};

use crate::{
    connections::{Connections, Kind, Place},
    role::Roles,
};

/// A head that takes longer than this comes from nobody who means well.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open requests may take once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until told to stop, then lets open requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = connections.room() => {}
        }
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
        let place = connections.enter(peer);
        let (router, of_requests) = (router.clone(), Arc::clone(&place));
        let service = service_fn(move |request: Request<_>| {
            answer(router.clone(), with_peer(request, peer), Arc::clone(&of_requests))
        });
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                () = place.gives_way.cancelled() => tracing::debug!(%peer, "a connection gave way"),
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection ended badly");
                },
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("open requests did not finish in time and are cut off");
    }
}

/// Answers a request if not too many others are being answered.
async fn answer(
    router: Router,
    request: Request<Body>,
    place: Arc<Place>,
) -> Result<Response, std::convert::Infallible> {
    let Some(answering) = place.answer(Kind::of(request.uri().path(), request.uri().query())) else {
        let detail = "too many requests are being answered, or wait for a verdict; come back in a moment";
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return Ok(response);
    };
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| answering.until_sent(body)))
}

/// Gives paths and methods that nobody answers an answer that a person can act on (RFC 9457).
pub(crate) fn with_problems(router: Router, roles: Roles) -> Router {
    router
        .fallback(move |uri| no_such_path(roles, uri))
        .method_not_allowed_fallback(move |method, uri| no_such_method(roles, method, uri))
}

async fn no_such_path(roles: Roles, uri: Uri) -> impl IntoResponse {
    let detail = format!(
        "there is nothing at {}; GET /api/v1/openapi.json lists every endpoint{}",
        uri.path(),
        elsewhere(roles)
    );
    problem(StatusCode::NOT_FOUND, &detail)
}

async fn no_such_method(roles: Roles, method: Method, uri: Uri) -> impl IntoResponse {
    let detail = format!("{} does not take {method}{}", uri.path(), elsewhere(roles));
    problem(StatusCode::METHOD_NOT_ALLOWED, &detail)
}

/// Where else to ask, if this process has not got all that answers.
fn elsewhere(roles: Roles) -> &'static str {
    match (roles.ingest, roles.console) {
        (true, true) => "",
        (true, false) => {
            "; this process has not got the role `console`, which answers what is read: ask one that has"
        }
        (false, true) => {
            "; this process has not got the role `ingest`, which takes what is sent and people's verbs: ask one that has"
        }
        (false, false) => {
            "; this process has neither the role `ingest`, which takes what is sent and people's verbs, nor `console`, \
             which answers what is read: ask one that has"
        }
    }
}

pub(crate) fn problem(status: StatusCode, detail: &str) -> impl IntoResponse + use<> {
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
