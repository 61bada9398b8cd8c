use model::{CommandState, EventBody, OutcomeStatus, Verb, VerbKind};
use serde_json::json;

use super::*;

fn verb(body: EventBody) -> Verb {
    match body {
        EventBody::Verb(verb) => *verb,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn verbs_on_a_release_become_events_that_say_who() {
    let bench = Bench::new();
    bench.know_release("rel_1", ReleaseState::Watching);
    let release = ReleaseId::from_text("rel_1");
    let rollback =
        VerbKind::Rollback { release: release.clone(), to_version: Some("2.4.0".into()), force: false };
    for (path, body, kind, comment) in [
        ("rollback", r#"{"to_version":"2.4.0","comment":"too slow"}"#, rollback, "too slow"),
        ("promote", "", VerbKind::Promote { release: release.clone() }, ""),
        ("hold", r#"{"reason":"lunch"}"#, VerbKind::Hold { release: release.clone() }, "lunch"),
        ("cancel", "{}", VerbKind::Cancel { release: release.clone() }, ""),
    ] {
        let answer = bench.post(&format!("/api/v1/releases/rel_1/{path}"), "person", body.to_owned()).await;
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &true.into()), "{path}");
        let found = verb(bench.event());
        assert_eq!((found.kind, found.comment.as_str()), (kind, comment));
        assert_eq!(
            (found.actor.name.as_str(), found.actor.via.as_str(), found.actor.address.as_str()),
            ("person", "api", "10.0.0.7")
        );
    }
}

#[tokio::test]
async fn a_release_just_posted_is_known_before_the_projection_shows_it() {
    let bench = Bench::new();
    let body = r#"{"service":"checkout","environment":"production","version":"2.4.1"}"#;
    let id = bench.post("/api/v1/releases", "person", body).await.json()["id"].as_str().unwrap().to_owned();
    bench.taken();
    assert_eq!(bench.post(&format!("/api/v1/releases/{id}/hold"), "person", "").await.status, 202);
    assert_eq!(bench.taken().len(), 1);
}

#[tokio::test]
async fn verbs_that_cannot_be_are_refused_and_leave_no_trace() {
    let bench = Bench::new();
    bench.know_release("rel_1", ReleaseState::Watching);
    bench.know_release("rel_done", ReleaseState::Superseded);
    bench.know_release("rel_back", ReleaseState::RolledBack);
    for (id, prepared) in [
        ("cmd_open", CommandState::Prepared),
        ("cmd_sent", CommandState::Accepted),
        ("cmd_late", CommandState::Expired),
    ] {
        bench.know_command(id, prepared);
    }
    for (path, name, body, status, text) in [
        ("/api/v1/releases/rel_1/rollback", "", "", 401, "a valid bearer token"),
        (
            "/api/v1/releases/rel_1/rollback",
            "sender",
            "",
            403,
            r#""sender" does not have the role "operate""#,
        ),
        ("/api/v1/releases/rel_2/rollback", "person", "", 404, "there is no release of this id"),
        ("/api/v1/releases/rel_1/rollback", "person", "{", 400, "the body is not the JSON expected"),
        ("/api/v1/releases/rel_1/rollback", "person", r#"{"to":"1"}"#, 400, "to: unknown field"),
        (
            "/api/v1/releases/rel_1/rollback",
            "person",
            r#"{"to_version":"2.4.1"}"#,
            400,
            "is the version to be rolled back",
        ),
        (
            "/api/v1/releases/rel_1/promote",
            "person",
            r#"{"to_version":"1"}"#,
            400,
            "to_version: unknown field",
        ),
        ("/api/v1/releases/rel_done/promote", "person", "", 409, "is superseded: it cannot be moved"),
        ("/api/v1/releases/rel_back/rollback", "person", "", 409, "is rolled_back: it cannot be moved"),
        ("/api/v1/commands/cmd_none/approve", "person", "", 404, "there is no command of this id"),
        ("/api/v1/commands/cmd_open/approve", "sender", "", 403, "does not have the role"),
        ("/api/v1/commands/cmd_late/approve", "person", "", 409, "command cmd_late is expired already"),
        ("/api/v1/commands/cmd_sent/reject", "person", "", 409, "command cmd_sent is accepted already"),
        ("/api/v1/commands/cmd_open/outcome", "person", r#"{"status":"failed"}"#, 409, "it was never sent"),
        (
            "/api/v1/commands/cmd_sent/outcome",
            "person",
            r#"{"status":"done"}"#,
            400,
            "status: must be one of",
        ),
        ("/api/v1/halt", "person", r#"{"for":"2h","reason":"r"}"#, 400, "service: is required"),
        (
            "/api/v1/halt",
            "person",
            r#"{"all":true,"service":"a","for":"2h","reason":"r"}"#,
            400,
            "all: contradicts",
        ),
        (
            "/api/v1/halt",
            "person",
            r#"{"all":true,"for":"forever","reason":"r"}"#,
            400,
            "for: must be a duration",
        ),
        (
            "/api/v1/halt",
            "scoped",
            r#"{"all":true,"for":"2h","reason":"r"}"#,
            403,
            "may not touch every service",
        ),
        (
            "/api/v1/halt",
            "scoped",
            r#"{"service":"checkout","for":"2h","reason":"r"}"#,
            403,
            "in every environment",
        ),
        ("/api/v1/versions/clear", "person", r#"{"service":"a"}"#, 400, "environment: is required"),
        (
            "/api/v1/versions/clear",
            "scoped",
            r#"{"service":"cart","environment":"production","version":"1"}"#,
            403,
            r#""cart" in "production""#,
        ),
    ] {
        let (found, detail) = bench.post(path, name, body.to_owned()).await.problem();
        assert_eq!(found, status, "{path} {body}: {detail}");
        assert!(detail.contains(text), "{path} {body}: {detail}");
        assert!(bench.taken().is_empty());
    }
    let large = format!(r#"{{"comment":"{}"}}"#, "x".repeat(20 << 10));
    assert_eq!(bench.post("/api/v1/releases/rel_1/hold", "person", large).await.problem().0, 413);
}

#[tokio::test]
async fn commands_are_approved_rejected_and_reported_on() {
    let bench = Bench::new();
    bench.know_command("cmd_1", CommandState::Prepared);
    let command = CommandId::from_text("cmd_1");
    let answer = bench.post("/api/v1/commands/cmd_1/approve", "scoped", r#"{"to_version":"2.4.0"}"#).await;
    assert_eq!(answer.status, 202);
    let approve =
        VerbKind::Approve { command: command.clone(), to_version: Some("2.4.0".into()), force: false };
    assert_eq!(verb(bench.event()).kind, approve);
    assert_eq!(bench.post("/api/v1/commands/cmd_1/reject", "person", "").await.status, 202);
    assert_eq!(verb(bench.event()).kind, VerbKind::Reject { command: command.clone() });

    bench.know_command("cmd_1", CommandState::Accepted);
    assert_eq!(bench.post("/api/v1/commands/cmd_1/approve", "person", "").await.status, 202, "pressed twice");
    bench.taken();
    let body = r#"{"status":"succeeded","detail":"3 of 3 pods"}"#;
    assert_eq!(bench.post("/api/v1/commands/cmd_1/outcome", "person", body).await.status, 202);
    let EventBody::Outcome(outcome) = bench.event() else { panic!() };
    assert_eq!(
        (outcome.command, outcome.status, outcome.target.as_str()),
        (command, OutcomeStatus::Succeeded, "person")
    );
    assert_eq!((outcome.release, outcome.detail.as_str()), (release("rel_1"), "3 of 3 pods"));
}

#[tokio::test]
async fn halts_have_an_end_and_can_be_ended_at_once() {
    let bench = Bench::new();
    let body = r#"{"service":"checkout","environment":"production","for":"2h","reason":"incident 7"}"#;
    let answer = bench.post("/api/v1/halt", "scoped", body).await;
    assert_eq!((answer.status, &answer.json()["until"]), (202, &json!("2026-11-23T12:00:00.000Z")));
    let VerbKind::Halt(halt) = verb(bench.event()).kind else { panic!() };
    assert_eq!(
        (answer.json()["id"].as_str().unwrap(), halt.reason.as_str()),
        (halt.id.as_str(), "incident 7")
    );

    let path = format!("/api/v1/halt/{}", halt.id);
    assert_eq!(bench.send("DELETE", &path, "scoped", &[], "").await.status, 202);
    assert_eq!(verb(bench.event()).kind, VerbKind::Unhalt { id: halt.id });
    assert_eq!(bench.send("DELETE", "/api/v1/halt/hlt_none", "person", &[], "").await.problem().0, 404);
    assert_eq!(bench.send("DELETE", "/api/v1/halt/hlt_known", "scoped", &[], "").await.problem().0, 403);
    assert_eq!(bench.send("DELETE", "/api/v1/halt/hlt_known", "person", &[], "").await.status, 202);
}

#[tokio::test]
async fn a_bad_version_is_cleared_by_name() {
    let bench = Bench::new();
    let body =
        r#"{"service":"checkout","environment":"production","version":"2.4.1","comment":"was the database"}"#;
    assert_eq!(bench.post("/api/v1/versions/clear", "scoped", body).await.status, 202);
    let kind = VerbKind::ClearBad {
        service: "checkout".into(),
        environment: "production".into(),
        version: "2.4.1".into(),
    };
    assert_eq!(
        verb(bench.event()),
        Verb { kind, comment: "was the database".into(), actor: verb_actor("scoped") }
    );
}

fn verb_actor(name: &str) -> model::Actor {
    model::Actor { name: name.into(), via: "api".into(), address: "10.0.0.7".into() }
}

#[tokio::test]
async fn a_verb_is_answered_with_what_the_arbiter_made_of_it() {
    let bench = Bench::new();
    bench.know_release("rel_1", ReleaseState::Watching);
    bench.know_command("cmd_1", CommandState::Prepared);
    let verbs = [
        ("POST", "/api/v1/commands/cmd_1/approve", ""),
        ("POST", "/api/v1/commands/cmd_1/reject", ""),
        ("POST", "/api/v1/releases/rel_1/rollback", ""),
        ("POST", "/api/v1/releases/rel_1/hold", ""),
        ("POST", "/api/v1/halt", r#"{"all":true,"for":"1h","reason":"r"}"#),
        ("DELETE", "/api/v1/halt/hlt_known", ""),
        (
            "POST",
            "/api/v1/versions/clear",
            r#"{"service":"checkout","environment":"production","version":"1"}"#,
        ),
    ];
    for (method, path, body) in verbs {
        let answer = bench.send(method, path, "person", &[], body.to_owned()).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["accepted"], &said["result"]), (202, &json!(true), &json!("done")));
    }
    let refused = Answered::Verb { is_accepted: false, text: "halted by ada".to_owned() };
    *bench.known.answered.lock().unwrap() = Some(refused);
    for (method, path, body) in verbs {
        let answer = bench.send(method, path, "person", &[], body.to_owned()).await;
        assert_eq!(answer.problem(), (409, "halted by ada".to_owned()), "{path}");
        assert!(answer.json()["event_id"].as_str().unwrap().starts_with("evt_"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verb_that_nothing_answers_in_time_is_not_called_accepted() {
    let bench = Bench::new();
    bench.know_command("cmd_1", CommandState::Prepared);
    *bench.known.is_silent.lock().unwrap() = true;
    let answer = bench.post("/api/v1/commands/cmd_1/approve", "person", "").await;
    let said = answer.json();
    assert_eq!((answer.status, &said["accepted"]), (202, &Value::Null));
    assert!(said["detail"].as_str().unwrap().contains("GET /api/v1/audit"), "{said}");
}

#[tokio::test]
async fn a_forced_rollback_says_so_on_the_log() {
    let bench = Bench::new();
    bench.know_release("rel_1", ReleaseState::Watching);
    let body = r#"{"to_version":"0.9","force":true}"#;
    assert_eq!(bench.post("/api/v1/releases/rel_1/rollback", "person", body).await.status, 202);
    assert!(matches!(verb(bench.event()).kind, VerbKind::Rollback { force: true, .. }));
    let answer = bench.post("/api/v1/releases/rel_1/hold", "person", r#"{"force":true}"#).await;
    assert_eq!(answer.problem().0, 400, "only where a version is named");
}

#[tokio::test]
async fn the_audit_names_the_token_and_who_ran_the_command_line() {
    let bench = Bench::new();
    bench.know_release("rel_1", ReleaseState::Watching);
    for (user, via) in [("ada", "cli (ada)"), ("a b", "cli (ab)"), ("", "cli"), ("x;<y>", "cli (xy)")] {
        let headers = [("ripcord-cli-user", user)];
        bench.send("POST", "/api/v1/releases/rel_1/cancel", "person", &headers, "").await;
        let actor = verb(bench.event()).actor;
        assert_eq!((actor.name.as_str(), actor.via.as_str()), ("person", via), "{user:?}");
    }
}
