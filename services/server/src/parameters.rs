//! Query parameters that no endpoint has are refused, as fields of bodies are: a misspelt filter that is ignored
//! answers another question than the one that was asked.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use crate::http::problem;

/// Where senders are configured with an address of their own: what they add to it is theirs.
const OPEN: [&str; 3] = ["/api/v1/write", "/v1/", "/hooks/"];

/// The parameters of every path, as the OpenAPI document lists them.
type Known = BTreeMap<String, Vec<String>>;

/// Refuses what `document` does not know.
pub(crate) fn expect_known(router: Router, document: &str) -> Router {
    let known = Arc::new(known(document));
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let known = Arc::clone(&known);
        async move {
            match unknown(&known, &request) {
                Some(detail) => refusal(&detail),
                None => next.run(request).await,
            }
        }
    }))
}

fn refusal(detail: &str) -> Response {
    problem(axum::http::StatusCode::BAD_REQUEST, detail).into_response()
}

fn known(document: &str) -> Known {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let paths = document["paths"].as_object().into_iter().flatten();
    let names = |methods: &Value| {
        let parameters = methods.as_object().into_iter().flatten();
        let parameters = parameters.filter_map(|(_, method)| method["parameters"].as_array()).flatten();
        let in_query = parameters.filter(|it| it["in"] == "query");
        in_query.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
    };
    paths.map(|(path, methods)| (path.clone(), names(methods))).collect()
}

/// What to say of the first parameter that is not known.
fn unknown(known: &Known, request: &Request) -> Option<String> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let names = known.get(path).filter(|_| !OPEN.iter().any(|open| path.starts_with(open)))?;
    let query = request.uri().query()?;
    let mut given = url::form_urlencoded::parse(query.as_bytes());
    let (name, _) = given.find(|(name, _)| !names.iter().any(|known| known == name))?;
    let hint = match policy::diagnostic::nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None if names.is_empty() => "this endpoint has none".to_owned(),
        None => format!("known here: {}", names.join(", ")),
    };
    Some(format!("{name:?} is no query parameter of {path}; {hint}"))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    const DOCUMENT: &str = r#"{"paths": {
        "/api/v1/releases": {"get": {"parameters": [{"name": "service", "in": "query"}, {"name": "state", "in": "query"}]}},
        "/api/v1/releases/{id}": {"get": {"parameters": [{"name": "id", "in": "path"}]}},
        "/api/v1/write": {"post": {}}
    }}"#;

    #[tokio::test]
    async fn a_parameter_that_an_endpoint_does_not_have_is_refused_with_the_nearest_name() {
        let router = Router::new()
            .route("/api/v1/releases", get(|| async { "all" }))
            .route("/api/v1/releases/{id}", get(|| async { "one" }))
            .route("/api/v1/write", get(|| async { "taken" }));
        let router = expect_known(router, DOCUMENT);
        for (uri, status, text) in [
            ("/api/v1/releases?service=checkout&state=watching", 200, "all"),
            ("/api/v1/releases?servce=checkout", 400, "did you mean \\\"service\\\"?"),
            ("/api/v1/releases?state=watching&x=1", 400, "known here: service, state"),
            ("/api/v1/releases/rel_1?wait=30s", 400, "this endpoint has none"),
            ("/api/v1/releases/rel_1", 200, "one"),
            ("/api/v1/write?tenant=a", 200, "taken"),
        ] {
            let request = Request::get(uri).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{uri}");
            let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains(text), "{uri}: {body}");
        }
    }
}
