//! Over real sockets, against an endpoint that does as it is told.

use std::{collections::VecDeque, sync::Mutex};

use axum::{Router, extract::State, response::IntoResponse as _, routing::any};
use model::{Delivery, DeliveryResult};
use secrecy::SecretString;

use super::*;
use crate::{
    Config, Receiver, Receivers,
    fixture::{self, T0},
    retry::Policy,
};

type Heard = Vec<(HeaderMap, serde_json::Value)>;

#[derive(Default)]
struct Endpoint {
    answers: Mutex<VecDeque<(u16, Option<&'static str>, String)>>,
    heard: Mutex<Heard>,
}

async fn answer(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    body: String,
) -> axum::response::Response {
    endpoint.heard.lock().unwrap().push((headers, serde_json::from_str(&body).unwrap()));
    let (status, location, text) =
        endpoint.answers.lock().unwrap().pop_front().unwrap_or((200, None, String::new()));
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(location));
    }
    response
}

async fn deliver(answers: Vec<(u16, Option<&'static str>, String)>) -> (Delivery, Heard) {
    let endpoint = Arc::new(Endpoint { answers: Mutex::new(answers.into()), ..Endpoint::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/s3cr3t-path?token=s3cr3t-query", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&endpoint));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let delivery = deliver_to(&url).await;
    serving.abort();
    (delivery, std::mem::take(&mut *endpoint.heard.lock().unwrap()))
}

async fn deliver_to(url: &str) -> Delivery {
    let mut config = WebhookConfig::new(SecretString::from(url));
    config.authorization = Some(Authorization::bearer(SecretString::from("s3cr3t-bearer\n")));
    config.headers.insert("X-Team".into(), SecretString::from("s3cr3t-header"));
    let receiver = Receiver { webhook: vec![config], ..Receiver::default() };
    let config = Config { receivers: [("sre".to_owned(), receiver)].into(), ..Config::default() };
    let pause = Duration::from_millis(1);
    let policy = Policy { attempts: 3, first_pause: pause, max_pause: pause, ..Policy::default() };
    let receivers = Receivers::new(config, &prometheus::Registry::new(), telemetry::clock::now).unwrap();
    receivers.with_policy(policy).deliver(&fixture::send("webhook")).await
}

#[tokio::test]
async fn a_message_gets_through_a_faulty_endpoint() {
    let (delivery, heard) = deliver(vec![(500, None, "oops".into()), (429, None, String::new())]).await;
    assert_eq!(
        (delivery.result, delivery.attempts, delivery.detail.as_str()),
        (DeliveryResult::Delivered, 3, "200 OK")
    );
    assert_eq!((delivery.firing.len(), delivery.resolved.len(), delivery.thread), (2, 0, None));
    let (headers, body) = &heard[2];
    assert_eq!(body, &heard[0].1, "the same body each time");
    assert_eq!(headers["user-agent"], concat!("Ripcord/", env!("CARGO_PKG_VERSION")));
    assert_eq!(headers["authorization"], "Bearer s3cr3t-bearer");
    assert_eq!(headers["content-type"], "application/json");
    assert!(heard.iter().all(|(headers, _)| headers["webhook-id"] == "snd_1"), "the same on every attempt");
}

#[tokio::test]
async fn final_answers_are_not_asked_for_twice_and_redirects_not_followed() {
    for (status, location, detail) in [
        (400, None, "400 Bad Request: no"),
        (410, None, "410 Gone: no"),
        (302, Some("http://169.254.169.254/"), "302 Found: redirects are not followed"),
    ] {
        let (delivery, heard) = deliver(vec![(status, location, "no".into())]).await;
        assert_eq!((delivery.result, delivery.detail.as_str()), (DeliveryResult::Failed, detail));
        assert_eq!((delivery.attempts, heard.len()), (1, 1));
    }
}

#[tokio::test]
async fn no_secret_shows_in_a_delivery() {
    let echo = "s3cr3t-path s3cr3t-query s3cr3t-bearer s3cr3t-header hooks/s3cr3t-path?token=s3cr3t-query"
        .to_owned();
    let (echoed, _) = deliver(vec![(403, None, echo)]).await;
    let unreachable = deliver_to("http://127.0.0.1:1/hooks/s3cr3t-path?token=s3cr3t-query").await;
    let metadata = deliver_to("http://169.254.169.254/s3cr3t-path").await;
    let config = WebhookConfig::new(SecretString::from("https://example.org/s3cr3t-path"));
    assert!(!format!("{config:?} {:?}", check(&config)).contains("s3cr3t"));
    for delivery in [echoed, unreachable, metadata] {
        assert_eq!(delivery.result, DeliveryResult::Failed);
        assert!(!format!("{delivery:?}").contains("s3cr3t"), "{delivery:?}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (text, expected) in [
        ("7", Some(Duration::from_secs(7))),
        ("Mon, 23 Nov 2026 10:00:05 GMT", Some(Duration::from_secs(5))),
        ("soon", None),
    ] {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers, T0), expected, "{text}");
    }
}
