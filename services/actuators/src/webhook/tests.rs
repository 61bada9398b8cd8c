//! Over real sockets, against the double.

use std::sync::atomic::Ordering;

use expect_test::expect;
use model::{Outcome, OutcomeStatus};
use policy::Target;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    double::{Answer, WebhookDouble},
    *,
};
use crate::fixture::{self, GateAfter};

const SECRET: &str = "whsec_dGhlIHRlc3RzIHNpZ24gdGhlaXIgd2ViaG9va3M=";

async fn execute(target: Target) -> Outcome {
    execute_with(target, &GateAfter::open()).await
}

async fn execute_with(target: Target, gate: &GateAfter) -> Outcome {
    let actuators = fixture::actuators(vec![("webhook.secret", SECRET)]);
    actuators.execute(&fixture::command_at(target), gate).await.remove(0)
}

#[tokio::test]
async fn every_attempt_is_signed_and_carries_the_same_id_and_body() {
    let double = WebhookDouble::start(Some(SECRET)).await.unwrap();
    double.answer_next([Answer::status(500), Answer::RetryAfter(429, 1)]);
    let outcome = execute(fixture::webhook(&double.url(), Some("webhook.secret"))).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Accepted, 3), "{outcome:?}");
    assert_eq!(outcome.detail, "202 Accepted");
    let received = double.received();
    assert_eq!(received.len(), 3);
    for request in &received {
        assert_eq!(request.is_signature_valid, Some(true));
        assert_eq!((request.header("webhook-id"), request.header("idempotency-key")), ("cmd_1", "cmd_1"));
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/rollback"));
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.header("user-agent").starts_with("Ripcord/"));
        assert_eq!(request.body, received[0].body);
        assert_eq!((&request.body["id"], &request.body["to_version"]), (&"cmd_1".into(), &"2.4.0".into()));
    }
}

#[tokio::test]
async fn a_target_without_a_secret_file_gets_an_unsigned_request_and_one_whose_secret_is_missing_gets_none() {
    let double = WebhookDouble::start(None).await.unwrap();
    let unsigned = execute(fixture::webhook(&double.url(), None)).await;
    assert_eq!(unsigned.status, OutcomeStatus::Accepted);
    assert_eq!(double.received()[0].header("webhook-signature"), "");
    let missing = execute(fixture::webhook(&double.url(), Some("gone.secret"))).await;
    assert_eq!((missing.status, missing.attempts), (OutcomeStatus::Failed, 0));
    assert_eq!(missing.detail, "the secret file gone.secret could not be read");
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, double) =
        (WebhookDouble::start(None).await.unwrap(), WebhookDouble::start(None).await.unwrap());
    double.answer_always(Answer::Redirect(elsewhere.url()));
    let outcome = execute(fixture::webhook(&double.url(), None)).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 1));
    assert_eq!(outcome.detail, format!("302 Found: redirect to {} is not followed", elsewhere.url()));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn the_gate_is_asked_again_before_each_attempt() {
    let double = WebhookDouble::start(None).await.unwrap();
    double.answer_always(Answer::status(503));
    let gate = GateAfter::checks(1);
    let outcome = execute_with(fixture::webhook(&double.url(), None), &gate).await;
    assert_eq!((outcome.status, double.received().len()), (OutcomeStatus::Refused, 1), "{outcome:?}");
    assert_eq!(gate.checks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn metadata_addresses_are_not_asked() {
    let outcome = execute(fixture::webhook("http://169.254.169.254/latest/meta-data", None)).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 0));
    expect![
        "169.254.169.254 is at 169.254.169.254, a link-local or metadata address, which nothing is sent to"
    ]
    .assert_eq(&outcome.detail);
}

#[tokio::test]
async fn targets_that_break_off_or_are_not_there_are_retried_and_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 64];
            stream.read_exact(&mut some).await.unwrap();
            stream.write_all(b"HTTP/1.1 202 Acc").await.unwrap();
        }
    });
    let outcome = execute(fixture::webhook(&format!("http://{address}/"), None)).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 3), "{outcome:?}");
    serving.abort();
    drop(serving.await);

    let outcome = execute(fixture::webhook(&format!("http://{address}/"), None)).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 3));
    assert!(outcome.detail.contains("refused"), "{outcome:?}");
}

#[tokio::test]
async fn a_tls_handshake_that_fails_is_a_failure_with_its_reason() {
    let double = WebhookDouble::start(None).await.unwrap();
    let url = double.url().replace("http:", "https:");
    let outcome = execute(fixture::webhook(&url, None)).await;
    assert_eq!(outcome.status, OutcomeStatus::Failed);
    assert!(double.received().is_empty());
}

#[tokio::test]
async fn a_hanging_target_is_cut_off() {
    let double = WebhookDouble::start(None).await.unwrap();
    double.answer_always(Answer::Hang);
    let mut target = fixture::webhook(&double.url(), None);
    if let Target::Webhook { timeout, .. } = &mut target {
        *timeout = Duration::from_millis(50);
    }
    let outcome = execute(target).await;
    assert_eq!(outcome.detail, "gave up after 3 attempts: no answer within 50ms");
}

#[tokio::test]
async fn several_targets_are_tried_together_and_each_has_its_outcome() {
    let (good, bad) = (WebhookDouble::start(None).await.unwrap(), WebhookDouble::start(None).await.unwrap());
    bad.answer_always(Answer::Status(404, "no such pipeline".into()));
    let mut command = fixture::command_at(fixture::webhook(&bad.url(), None));
    command.targets.push(fixture::configured(fixture::webhook(&good.url(), None)));
    let outcomes = fixture::actuators(vec![]).execute(&command, &GateAfter::open()).await;
    let told: Vec<_> = outcomes.iter().map(|outcome| (outcome.status, outcome.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            (OutcomeStatus::Failed, "404 Not Found: no such pipeline"),
            (OutcomeStatus::Accepted, "202 Accepted")
        ]
    );
}

#[tokio::test]
async fn no_secret_shows_in_an_outcome_even_if_the_target_echoes_it() {
    let double = WebhookDouble::start(None).await.unwrap();
    let echo =
        format!("you sent {SECRET}, Bearer hunter22 and token=s3cr3t to me\r\n{}", "x".repeat(100_000));
    for answer in
        [Answer::Status(400, echo.clone()), Answer::Status(500, echo.clone()), Answer::Status(200, echo)]
    {
        double.answer_always(answer);
        let mut target = fixture::webhook(&format!("{}?token=s3cr3t", double.url()), Some("webhook.secret"));
        if let Target::Webhook { headers, .. } = &mut target {
            headers.insert("Authorization".into(), HeaderText::Given("Bearer hunter22".into()));
            headers.insert("Webhook-Id".into(), HeaderText::Given("mine".into()));
        }
        let outcome = execute(target).await;
        let shown = format!("{outcome:?}");
        for secret in ["s3cr3t", "hunter22", "dGhlIHRlc3Rz"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.len() < 3000, "{} bytes", shown.len());
        let received = double.received().pop().unwrap();
        assert_eq!(received.header("authorization"), "Bearer hunter22");
        assert_eq!(received.header("webhook-id"), "cmd_1", "a configured header cannot take the id's place");
    }
    let unreachable = execute(fixture::webhook("http://user:s3cr3t@127.0.0.1:1/?token=s3cr3t", None)).await;
    assert!(!format!("{unreachable:?}").contains("s3cr3t"), "{unreachable:?}");
}

#[tokio::test]
async fn a_rollback_to_nowhere_is_refused_and_a_command_without_targets_has_no_outcome() {
    let double = WebhookDouble::start(None).await.unwrap();
    let mut command = fixture::command_at(fixture::webhook(&double.url(), None));
    command.to_version = None;
    let actuators = fixture::actuators(vec![]);
    let outcome = actuators.execute(&command, &GateAfter::open()).await.remove(0);
    assert_eq!((outcome.status, outcome.is_stale), (OutcomeStatus::Refused, false));
    assert!(double.received().is_empty());
    command.targets.clear();
    assert!(actuators.execute(&command, &GateAfter::open()).await.is_empty());
}

#[tokio::test]
async fn an_overtaken_command_is_not_sent() {
    let double = WebhookDouble::start(None).await.unwrap();
    let newer = fixture::command_at(fixture::webhook(&double.url(), None));
    let older = Command { fencing: newer.fencing - 1, ..newer.clone() };
    let actuators = fixture::actuators(vec![]);
    actuators.execute(&newer, &GateAfter::open()).await;
    let outcome = actuators.execute(&older, &GateAfter::open()).await.remove(0);
    assert_eq!(outcome.status, OutcomeStatus::Refused);
    assert_eq!(
        outcome.detail,
        "fenced: a newer command (7 > 6) was seen for the same service, environment and cluster"
    );
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn a_headers_value_comes_from_a_file_and_nothing_is_sent_without_it() {
    let double = WebhookDouble::start(None).await.unwrap();
    for (file, status, why) in [
        ("header.secret", OutcomeStatus::Accepted, "the file is there"),
        ("gone.secret", OutcomeStatus::Failed, "the file is gone"),
    ] {
        let mut target = fixture::webhook(&double.url(), None);
        if let Target::Webhook { headers, .. } = &mut target {
            headers.insert("X-Token".into(), HeaderText::File(file.into()));
        }
        let actuators = fixture::actuators(vec![("header.secret", "hunter22")]);
        let command = fixture::command_of(fixture::replaced(target));
        let outcome = actuators.execute(&command, &GateAfter::open()).await.remove(0);
        assert_eq!(outcome.status, status, "{why}: {outcome:?}");
    }
    let received = double.received();
    assert_eq!((received.len(), received[0].header("x-token")), (1, "hunter22"));
}
