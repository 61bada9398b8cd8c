//! The read API over a projection that was built from records.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use console::{Console, SharedProjection, Values, api::Answer};
use model::{
    Action, Breach, Command, CommandId, CommandMode, CommandState, CommandVerb, Decision, DecisionRecord,
    Delivery, DeliveryResult, EventId, Evidence, Labels, Notice, NoticeId, NoticeKind, NoticeStatus,
    Position, Proposal, Reason, Release, ReleaseId, ReleaseState, Scope, SendId, ServiceKey, Severity,
    SharedBlame, Timestamp,
    values::{Discovery, Limit, ServiceValues, ValuesQuery},
};
use serde_json::Value;
use tower::ServiceExt as _;

/// Knows one service, in two environments.
struct Checkout;

impl Values for Checkout {
    fn values(&self, query: ValuesQuery) -> Answer<Vec<ServiceValues>> {
        let found = ["production", "staging"]
            .into_iter()
            .filter(|name| query.environment.as_deref().is_none_or(|wanted| wanted == *name))
            .map(|name| ServiceValues {
                key: ServiceKey::new("checkout", name),
                window: query.window.unwrap_or_default(),
                at: Timestamp::from_millis(0),
                versions: Vec::new(),
                limits: vec![Limit {
                    trigger: "error_rate".into(),
                    condition: "error_rate > 1%".into(),
                    window: Duration::from_secs(300),
                }],
            })
            .filter(|_| query.service == "checkout")
            .collect();
        Box::pin(async { Some(found) })
    }

    fn discovery(&self) -> Answer<Discovery> {
        Box::pin(async { None })
    }
}

fn console(projection: &SharedProjection) -> Console {
    Console {
        projection: projection.clone(),
        values: Arc::new(Checkout),
        authorize: Arc::new(|_| Ok(Scope::default())),
        readiness: Arc::new(|| Err("the log is being replayed".to_owned())),
        registry: prometheus::Registry::new(),
        before_scrape: Arc::new(|| ()),
        openapi_json: "{}".into(),
    }
}

async fn get(projection: &SharedProjection, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = console::operations(console(projection))
        .merge(console::router(console(projection)))
        .oneshot(request)
        .await
        .unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn release(version: &str, state: ReleaseState) -> Release {
    Release {
        id: ReleaseId::of("checkout", "production", "", version, ""),
        key: ServiceKey::new("checkout", "production"),
        version: version.to_owned(),
        state,
        ..Release::default()
    }
}

fn breach(release: &Release) -> Breach {
    let evidence = Evidence {
        metric: "error_rate".into(),
        value: 0.083,
        limit: 0.01,
        requests: 1000,
        errors: 83,
        ..Evidence::default()
    };
    Breach {
        key: release.key.clone(),
        release: Some(release.reference()),
        action: Action::ImmediateRollback,
        reason: Reason {
            trigger: "error_rate".into(),
            condition: "error_rate > 1%".into(),
            evidence: vec![evidence],
            ..Reason::default()
        },
        blame: SharedBlame::default(),
    }
}

fn command(release: &Release, state: CommandState) -> Command {
    Command {
        id: CommandId::of(&release.id, "rollback", 1),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: release.reference(),
        to_version: Some("2.4.0".into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state,
        state_reason: String::new(),
        targets: Vec::new(),
        reasons: vec![breach(release).reason],
        decided_at: Timestamp::default(),
        deadline: Timestamp::default(),
        evidence_at: Timestamp::default(),
        fencing: 1,
        approvals_needed: 1,
        approved_by: Vec::new(),
    }
}

fn apply(projection: &SharedProjection, at: i64, decisions: Vec<Decision>) {
    let at = Timestamp::from_millis(at);
    let next = projection.read().next();
    let record = DecisionRecord {
        cause: EventId::from_text("evt_1"),
        position: Position(next.0 + 1),
        at,
        decisions,
        ..DecisionRecord::default()
    };
    assert_eq!(projection.apply(next, &record), None);
}

fn opened(release: &Release) -> Decision {
    Decision::Proposal(Proposal::Release(Box::new(release.clone())))
}

#[tokio::test]
async fn a_release_shows_what_happened_to_it_in_order() {
    let projection = SharedProjection::default();
    let bad = release("2.4.1", ReleaseState::Watching);
    apply(&projection, 1000, vec![opened(&bad)]);
    apply(
        &projection,
        2000,
        vec![
            Decision::Proposal(Proposal::Breach(Box::new(breach(&bad)))),
            Decision::Command(Box::new(command(&bad, CommandState::Ready))),
        ],
    );
    let (status, json) = get(&projection, &format!("/api/v1/releases/{}", bad.id)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json["state"], "rolling_back", "a command under way says more than the analyzer's state");
    assert_eq!(json["verdict"]["status"], "fail");
    assert_eq!(json["verdict"]["reasons"][0]["evidence"][0]["errors"], 83);
    let told: Vec<_> =
        json["timeline"].as_array().unwrap().iter().map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(told, ["opened", "state", "breach", "command"]);
    assert_eq!(json["timeline"][2]["at"], "1970-01-01T00:00:02.000Z");
}

fn alert(release: &Release, name: &str, status: NoticeStatus) -> Decision {
    Decision::Notice(Box::new(Notice {
        id: NoticeId::from_text("ntc_1"),
        kind: NoticeKind::Alert,
        severity: Severity::Critical,
        status,
        labels: Labels::from_pairs([("alertname", name), ("service", "checkout")]),
        annotations: Labels::from_pairs([("summary", "the queue grows")]),
        starts_at: Timestamp::default(),
        ends_at: None,
        generator_url: String::new(),
        release: Some(Box::new(release.clone())),
        command: None,
        reasons: Vec::new(),
        owner: None,
        cause: EventId::from_text("evt_1"),
    }))
}

#[tokio::test]
async fn an_alert_from_elsewhere_stands_on_the_timeline_when_it_begins_and_when_it_ends() {
    use NoticeStatus::{Firing, Resolved};
    let projection = SharedProjection::default();
    let watched = release("2.4.1", ReleaseState::Watching);
    let never_fired = alert(&watched, "DiskFull", Resolved);
    apply(&projection, 1000, vec![opened(&watched), never_fired]);
    apply(&projection, 2000, vec![alert(&watched, "QueueGrows", Firing)]);
    apply(&projection, 3000, vec![alert(&watched, "QueueGrows", Firing)]);
    apply(&projection, 4000, vec![alert(&watched, "QueueGrows", Resolved)]);
    let (_, shown) = get(&projection, &format!("/api/v1/releases/{}", watched.id)).await;
    let line = |it: &Value| format!("{} {}", it["what"].as_str().unwrap(), it["text"].as_str().unwrap());
    let timeline: Vec<String> = shown["timeline"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(
        timeline[2..],
        ["alert QueueGrows: the queue grows", "alert_ended QueueGrows"],
        "{timeline:?}"
    );
}

#[tokio::test]
async fn a_message_that_did_not_arrive_stands_on_the_timeline_with_the_reason() {
    let projection = SharedProjection::default();
    let watched = release("2.4.1", ReleaseState::Watching);
    apply(&projection, 1000, vec![opened(&watched)]);
    let delivery = |result, detail: &str| {
        Decision::Proposal(Proposal::Delivery(Box::new(Delivery {
            send: SendId::from_text("snd_1"),
            notices: Vec::new(),
            release: Some(watched.reference()),
            receiver: "sre".into(),
            integration: "slack".into(),
            index: 0,
            group_key: String::new(),
            result,
            attempts: 1,
            detail: detail.into(),
            thread: None,
            firing: Vec::new(),
            resolved: Vec::new(),
            recipients: Vec::new(),
        })))
    };
    let failed = delivery(DeliveryResult::Failed, "Slack says channel_not_found");
    apply(&projection, 2000, vec![failed, delivery(DeliveryResult::Delivered, "posted in C1")]);
    let (_, shown) = get(&projection, &format!("/api/v1/releases/{}", watched.id)).await;
    let timeline: Vec<&str> =
        shown["timeline"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()).collect();
    let expected = ["sre by slack failed: Slack says channel_not_found", "sre by slack delivered"];
    assert_eq!(timeline[2..], expected);
}

#[tokio::test]
async fn verdicts_follow_the_state() {
    let rows = [
        (ReleaseState::Pending, "pending"),
        (ReleaseState::Watching, "pending"),
        (ReleaseState::Succeeded, "pass"),
        (ReleaseState::Unproven, "inconclusive"),
        (ReleaseState::Superseded, "inconclusive"),
        (ReleaseState::RolledBack, "fail"),
        (ReleaseState::Recovered, "fail"),
    ];
    for (state, verdict) in rows {
        let projection = SharedProjection::default();
        let release = release("1", state);
        apply(&projection, 0, vec![opened(&release)]);
        let (_, json) = get(&projection, &format!("/api/v1/releases/{}/verdict", release.id)).await;
        assert_eq!(json["status"], verdict, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_pipeline_hears_of_the_verdict_when_it_falls() {
    let projection = SharedProjection::default();
    let watched = release("1", ReleaseState::Watching);
    apply(&projection, 0, vec![opened(&watched)]);
    let path = format!("/api/v1/releases/{}/verdict?wait=50s", watched.id);
    let (waiting, ending) = (projection.clone(), projection.clone());
    let answer = tokio::spawn(async move { get(&waiting, &path).await });
    tokio::task::yield_now().await;
    apply(&ending, 1, vec![opened(&release("1", ReleaseState::Succeeded))]);
    assert_eq!(answer.await.unwrap().1["status"], "pass");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_in_vain_ends_with_pending() {
    let projection = SharedProjection::default();
    let watched = release("1", ReleaseState::Watching);
    apply(&projection, 0, vec![opened(&watched)]);
    let (status, json) = get(&projection, &format!("/api/v1/releases/{}/verdict?wait=30s", watched.id)).await;
    assert_eq!((status, json["status"].as_str()), (StatusCode::OK, Some("pending")));
}

#[tokio::test]
async fn the_bare_id_means_the_newest_release_of_that_name() {
    let projection = SharedProjection::default();
    let first = release("1", ReleaseState::RolledBack);
    let mut again = release("1", ReleaseState::Watching);
    again.id = first.id.again(2);
    again.started_at = Timestamp::from_millis(10);
    apply(&projection, 0, vec![opened(&first), opened(&again)]);
    let (_, json) = get(&projection, &format!("/api/v1/releases/{}", first.id)).await;
    assert_eq!(json["id"], again.id.as_str());
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let projection = SharedProjection::default();
    for version in ["1", "2", "3"] {
        apply(&projection, 0, vec![opened(&release(version, ReleaseState::Succeeded))]);
    }
    let versions = |json: &Value| -> Vec<String> {
        json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["version"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, first) = get(&projection, "/api/v1/releases?limit=2").await;
    assert_eq!(versions(&first), ["3", "2"]);
    let next = first["next"].as_str().unwrap();
    let (_, second) = get(&projection, &format!("/api/v1/releases?limit=2&after={next}")).await;
    assert_eq!((versions(&second), &second["next"]), (vec!["1".to_owned()], &Value::Null));
    let (_, none) = get(&projection, "/api/v1/releases?state=watching").await;
    assert_eq!(versions(&none), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_known_is_a_404_that_says_where_to_look() {
    let projection = SharedProjection::default();
    for path in [
        "/api/v1/releases/rel_x",
        "/api/v1/releases/rel_x/verdict",
        "/api/v1/commands/cmd_x",
        "/api/v1/services/x/metrics",
    ] {
        let (status, json) = get(&projection, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(json["detail"].as_str().unwrap().contains("GET /api/v1/"), "{json}");
    }
    assert_eq!(get(&projection, "/api/v1/releases/rel_x/verdict?wait=soon").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn readiness_names_what_is_in_the_way_and_an_analyzer_that_is_starting_is_503() {
    let projection = SharedProjection::default();
    assert_eq!(get(&projection, "/-/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&projection, "/-/healthy").await.0, StatusCode::OK);
    assert_eq!(get(&projection, "/api/v1/discovery").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn rolling_values_are_one_object_of_one_environment() {
    let projection = SharedProjection::default();
    let at = "/api/v1/services/checkout/metrics";
    let (status, json) = get(&projection, &format!("{at}?environment=staging&window=5m&by=route")).await;
    assert_eq!(status, StatusCode::OK, "{json}");
    assert_eq!((&json["environment"], &json["window"]), (&"staging".into(), &"5m".into()));
    assert_eq!((&json["at"], &json["versions"]), (&"1970-01-01T00:00:00.000Z".into(), &Value::Array(vec![])));
    let limit = serde_json::json!({"trigger": "error_rate", "condition": "error_rate > 1%", "window": "5m"});
    assert_eq!(json["limits"], Value::Array(vec![limit]));
    for (parameters, named) in [
        ("", "production, staging"),
        ("?environment=staging&route=/pay", "route"),
        ("?environment=staging&by=colour", "colour"),
        ("?environment=staging&window=0s", "0s"),
        ("?environment=staging&window=25h", "24h"),
    ] {
        let (status, json) = get(&projection, &format!("{at}{parameters}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{parameters}");
        assert!(json["detail"].as_str().unwrap().contains(named), "{parameters}: {json}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_a_problem_that_names_it() {
    let projection = SharedProjection::default();
    for (path, status, named) in [
        ("/api/v1/releases?state=bogus", 400, "rollback_prepared"),
        ("/api/v1/releases?limit=x", 400, "limit"),
        ("/api/v1/deliveries?limit=-1", 400, "limit"),
    ] {
        let (answered, json) = get(&projection, path).await;
        assert_eq!(answered.as_u16(), status, "{path}");
        assert!(json["detail"].as_str().unwrap().contains(named), "{path}: {json}");
    }
}

#[tokio::test]
async fn commands_are_listed_by_service_and_by_what_they_wait_for() {
    let projection = SharedProjection::default();
    let (first, second) =
        (release("2.4.1", ReleaseState::Watching), release("2.4.2", ReleaseState::Watching));
    for (at, (release, state)) in
        (0..).zip([(&first, CommandState::Failed), (&second, CommandState::Prepared)])
    {
        apply(&projection, at, vec![opened(release), Decision::Command(Box::new(command(release, state)))]);
    }
    for (query, versions) in [
        ("", vec!["2.4.2", "2.4.1"]),
        ("?state=open", vec!["2.4.2"]),
        ("?state=failed", vec!["2.4.1"]),
        ("?service=search", vec![]),
        ("?limit=1&after=1", vec!["2.4.1"]),
    ] {
        let (status, json) = get(&projection, &format!("/api/v1/commands{query}")).await;
        assert_eq!(status, StatusCode::OK);
        let listed: Vec<_> =
            json["items"].as_array().unwrap().iter().map(|it| it["version"].as_str().unwrap()).collect();
        assert_eq!(listed, versions, "{query}");
    }
    let (status, json) = get(&projection, "/api/v1/commands?state=nowhere").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(json["detail"].as_str().unwrap().contains("prepared, ready"), "{json}");
}

#[tokio::test]
async fn a_release_whose_rollback_failed_or_waits_is_never_shown_as_merely_watched() {
    for (state, shown) in [
        (CommandState::Prepared, "rollback_prepared"),
        (CommandState::Ready, "rolling_back"),
        (CommandState::Failed, "rollback_failed"),
        (CommandState::Rejected, "watching"),
    ] {
        let projection = SharedProjection::default();
        let bad = release("2.4.1", ReleaseState::Watching);
        apply(&projection, 0, vec![opened(&bad), Decision::Command(Box::new(command(&bad, state)))]);
        let (_, json) = get(&projection, &format!("/api/v1/releases/{}", bad.id)).await;
        assert_eq!(json["state"], shown);
    }
}
