use std::collections::BTreeMap;

use model::{DeploymentEvent, DeploymentStatus, EventBody};
use serde_json::json;

use super::*;

const RELEASE: &str = r#"{"service":"checkout","environment":"production","version":"2.4.1"}"#;

fn deployment(body: EventBody) -> DeploymentEvent {
    match body {
        EventBody::Deployment(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn id() -> ReleaseId {
    ReleaseId::of("checkout", "production", "", "2.4.1", "")
}

#[tokio::test]
async fn a_release_is_opened_once_and_repeats_are_harmless() {
    let bench = Bench::new();
    let answer = bench.post("/api/v1/releases", "sender", RELEASE).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        json!({"id": id().as_str(), "service": "checkout", "environment": "production", "version": "2.4.1",
               "accepted_at": "2026-11-23T10:00:00.000Z"})
    );
    assert_eq!(deployment(bench.event()).release_id, id());
    let repeat = bench.post("/api/v1/releases", "sender", RELEASE).await;
    assert_eq!(
        (repeat.status, &repeat.json()["id"]),
        (200, &id().as_str().into()),
        "before the projection shows it"
    );
    assert_eq!(bench.taken().len(), 1, "what is new in a repeat is for the analyzer to see");
}

#[tokio::test]
async fn a_finished_release_that_goes_out_again_gets_a_number() {
    use DeploymentStatus::{Deployed, RolledBack};
    for (known_as, state, status, expected, code) in [
        ("", ReleaseState::Watching, Deployed, "", 200),
        ("", ReleaseState::Superseded, Deployed, "-2", 201),
        ("", ReleaseState::RolledBack, Deployed, "-2", 201),
        ("-2", ReleaseState::Succeeded, Deployed, "-3", 201),
        ("-2", ReleaseState::Succeeded, RolledBack, "-2", 200),
    ] {
        let bench = Bench::new();
        let release = release(&format!("{}{known_as}", id()));
        let known = KnownRelease { release, state, terms: Terms::default() };
        bench.known.releases.lock().unwrap().insert(id().as_str().to_owned(), known);
        let status_text = if status == Deployed { "deployed" } else { "rolled_back" };
        let body = RELEASE.replace('}', &format!(r#","status":"{status_text}"}}"#));
        let answer = bench.post("/api/v1/releases", "sender", body).await;
        assert_eq!(
            (answer.status, answer.json()["id"].as_str().unwrap()),
            (code, format!("{}{expected}", id()).as_str())
        );
        let event = deployment(bench.event());
        assert_eq!((event.release_id, event.status), (id(), status), "the log carries the bare id");
    }
}

#[tokio::test]
async fn an_idempotency_key_names_the_release_for_ever() {
    let bench = Bench::new();
    let keyed = ReleaseId::of("checkout", "production", "", "2.4.1", "build-7");
    let send =
        || bench.send("POST", "/api/v1/releases", "sender", &[("idempotency-key", "build-7")], RELEASE);
    let answer = send().await;
    assert_eq!((answer.status, answer.json()["id"].as_str().unwrap()), (201, keyed.as_str()));
    bench.know_release(keyed.as_str(), ReleaseState::Succeeded);
    bench.taken();
    let answer = send().await;
    assert_eq!((answer.status, answer.json()["id"].as_str().unwrap()), (200, keyed.as_str()));
    assert!(bench.taken().is_empty(), "it does not go out again");
    let long = "k".repeat(256);
    let answer =
        bench.send("POST", "/api/v1/releases", "sender", &[("idempotency-key", &long)], RELEASE).await;
    assert_eq!(answer.problem(), (400, "Idempotency-Key must be 1 to 255 printable characters".to_owned()));
}

#[tokio::test]
async fn a_release_that_is_none_leaves_no_trace_and_the_field_is_named() {
    let bench = Bench::new();
    let large = format!(r#"{{"service":"{}"}}"#, "x".repeat(300 << 10));
    for (name, body, status, field, text) in [
        ("", RELEASE, 401, None, "a valid bearer token is needed"),
        (
            "scoped",
            r#"{"service":"cart","environment":"production","version":"1"}"#,
            403,
            None,
            r#""cart" in "production""#,
        ),
        ("sender", "", 400, None, "the body is not the JSON expected"),
        ("sender", "[1]", 400, None, "expected a JSON object"),
        ("sender", r#"{"service":"a","service":"b"}"#, 400, None, r#""service" is given twice"#),
        ("sender", r#"{"servcie":"a"}"#, 400, Some("servcie"), r#"did you mean "service"?"#),
        ("sender", r#"{"service":"a","environment":"b"}"#, 400, Some("version"), "version: is required"),
        (
            "sender",
            r#"{"service":"a","environment":"b","version":"1","previous_version":"1"}"#,
            400,
            Some("previous_version"),
            "is the version itself",
        ),
        ("sender", large.as_str(), 413, None, "bytes of the body"),
    ] {
        let answer = bench.post("/api/v1/releases", name, body.to_owned()).await;
        let (found, detail) = answer.problem();
        assert_eq!((found, answer.json()["field"].as_str()), (status, field), "{detail}");
        assert!(detail.contains(text), "{detail}");
        assert!(bench.taken().is_empty());
    }
    *bench.sink.is_down.lock().unwrap() = true;
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.problem().0, 503);
    *bench.sink.is_down.lock().unwrap() = false;
    assert_eq!(
        bench.post("/api/v1/releases", "sender", RELEASE).await.status,
        201,
        "what failed was not remembered"
    );
}

fn cloudevent(kind: &str, service: &str) -> serde_json::Value {
    json!({"specversion": "1.0", "id": "1", "source": "ci", "type": kind,
           "data": {"service": service, "environment": "production", "version": "2.4.1"}})
}

const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");

#[tokio::test]
async fn cloudevents_become_deployment_events_in_every_mode() {
    let bench = Bench::new();
    let event = cloudevent("ripcord.release.v1", "checkout");
    let answer = bench.send("POST", "/api/v1/events", "sender", &[STRUCTURED], event.to_string()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"accepted": 1, "ignored": [], "releases": [id().as_str()]}))
    );
    assert_eq!(deployment(bench.event()).release_id, id());

    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "a%20b"),
        ("ce-source", "ci"),
        ("ce-type", "ripcord.release.v1"),
    ];
    let answer = bench.send("POST", "/api/v1/events", "sender", &headers, RELEASE).await;
    assert_eq!(answer.status, 202);
    assert_eq!(deployment(bench.event()).version, "2.4.1");

    let batch = json!([event, cloudevent("com.example.other", "x"), event]).to_string();
    let answer = bench.send("POST", "/api/v1/events", "sender", &[BATCH], batch).await;
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &2.into()));
    assert_eq!(bench.taken().len(), 2);

    let other = cloudevent("com.example.other", "x").to_string();
    let answer = bench.send("POST", "/api/v1/events", "sender", &[STRUCTURED], other).await;
    assert_eq!((answer.status, &answer.json()["ignored"][0]["type"]), (200, &"com.example.other".into()));
    assert!(bench.taken().is_empty());
}

#[tokio::test]
async fn of_a_batch_with_one_bad_event_nothing_is_kept() {
    let bench = Bench::new();
    let good = cloudevent("ripcord.release.v1", "checkout");
    let mut bad = good.clone();
    bad["data"]["version"] = json!(7);
    let foreign = cloudevent("ripcord.release.v1", "cart");
    for (name, content_type, body, status, text) in [
        ("", BATCH, json!([good]), 401, "a valid bearer token"),
        ("sender", BATCH, json!([good, bad]), 400, "[1].data.version: must be text, not a number"),
        ("sender", BATCH, good.clone(), 400, "no batch of CloudEvents"),
        ("scoped", BATCH, json!([good, foreign]), 403, r#""cart" in "production""#),
        ("sender", STRUCTURED, json!([good]), 400, "expected a JSON object"),
        ("sender", ("content-type", "application/json"), good.clone(), 400, "no CloudEvent"),
        ("sender", ("content-type", "application/cloudevents+avro"), good.clone(), 400, "Content-Type: "),
        ("sender", STRUCTURED, json!({"pad": "x".repeat(2 << 20)}), 413, "bytes of the body"),
    ] {
        let answer = bench.send("POST", "/api/v1/events", name, &[content_type], body.to_string()).await;
        let (found, detail) = answer.problem();
        assert_eq!(found, status, "{detail}");
        assert!(detail.contains(text), "{detail}");
        assert!(bench.taken().is_empty());
    }
}

#[tokio::test]
async fn a_word_about_a_release_that_never_began_opens_none() {
    let bench = Bench::new();
    let body = RELEASE.replace('}', r#","status":"failed"}"#);
    assert_eq!(bench.post("/api/v1/releases", "person", body).await.status, 202, "nothing answered");
    assert_eq!(deployment(bench.event()).status, DeploymentStatus::Failed);
    let answer = bench.post(&format!("/api/v1/releases/{}/hold", id()), "person", "").await;
    assert_eq!(answer.problem().0, 404);
}

#[tokio::test]
async fn what_became_of_a_deployment_event_is_its_answer() {
    let reported = RELEASE.replace('}', r#","status":"rolled_back"}"#);
    let moved = |id: &str| Answered::Moved(vec![(ReleaseId::from_text(id), ReleaseState::RolledBack)]);
    let ignored = |release: Option<&str>| Answered::Ignored {
        release: release.map(ReleaseId::from_text),
        why: "it is so already".into(),
    };
    for (body, answered, status, expected, story) in [
        (&reported, ignored(None), 404, json!({"detail": "ignored: it is so already"}), "no such release"),
        (
            &reported,
            ignored(Some("rel_1")),
            200,
            json!({"id": "rel_1", "ignored": "it is so already"}),
            "the release that exists, and why nothing changed",
        ),
        (&reported, moved("rel_2"), 200, json!({"id": "rel_2"}), "the release that came after it was meant"),
        (
            &RELEASE.to_owned(),
            ignored(None),
            409,
            json!({"detail": "not taken: it is so already"}),
            "no release is opened, so that there is no id to give",
        ),
        (
            &RELEASE.to_owned(),
            ignored(Some("rel_1")),
            200,
            json!({"id": "rel_1", "ignored": "it is so already"}),
            "a repeat after later releases opens none",
        ),
    ] {
        let bench = Bench::new();
        *bench.known.answered.lock().unwrap() = Some(answered);
        let answer = bench.post("/api/v1/releases", "person", body.clone()).await;
        assert_eq!(answer.status, status, "{story}");
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(answer.json()[member], *value, "{story}");
        }
        assert_eq!(bench.taken().len(), 1, "it is on the log all the same: {story}");
    }
}

#[tokio::test]
async fn ignored_cloudevents_are_named_with_the_reason() {
    let bench = Bench::new();
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "ci", "type": "ripcord.release.v1",
        "data": {"service": "checkout", "environment": "production", "version": "2.4.1", "status": "rolled_back"},
    });
    let why = "no release of checkout/production 2.4.1 is known".to_owned();
    *bench.known.answered.lock().unwrap() = Some(Answered::Ignored { release: None, why: why.clone() });
    let headers = [("content-type", "application/cloudevents+json")];
    let answer = bench.send("POST", "/api/v1/events", "person", &headers, event.to_string()).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["accepted"], &said["releases"]), (200, &json!(0), &json!([])));
    assert_eq!(said["ignored"][0]["why"], why);
}

#[tokio::test]
async fn a_version_that_is_marked_bad_is_warned_about_when_it_is_announced_or_named_as_the_previous_one() {
    let bench = Bench::new();
    for version in ["2.4.1", "2.4.0"] {
        bench.known.bad.lock().unwrap().insert(version.to_owned(), "it was rolled back".to_owned());
    }
    let body = RELEASE.replace('}', r#","previous_version":"2.4.0"}"#);
    let answer = bench.post("/api/v1/releases", "person", body.clone()).await;
    assert_eq!(answer.status, 201, "it is opened all the same");
    let warnings: Vec<String> = serde_json::from_value(answer.json()["warnings"].clone()).unwrap();
    assert!(warnings[0].starts_with("version 2.4.1 is marked bad (it was rolled back)"), "{warnings:?}");
    assert!(warnings[1].starts_with("previous_version 2.4.0 is marked bad"), "{warnings:?}");
    let fine = body.replace("2.4.1", "2.5.0").replace("2.4.0", "2.3.0");
    assert_eq!(bench.post("/api/v1/releases", "person", fine).await.json()["warnings"], Value::Null);
}

/// What the projection shows of a release that the token `sender` opened.
fn of_sender(version: &str, state: ReleaseState) -> KnownRelease {
    let id = ReleaseId::of("checkout", "production", "", version, "");
    let terms = Terms {
        opened_by: Some("sender".to_owned()),
        previous_version: Some("2.4.0".to_owned()),
        is_revertible: true,
        ..Terms::default()
    };
    let release = ReleaseRef { id, version: version.to_owned(), ..release("") };
    KnownRelease { release, state, terms }
}

#[tokio::test]
async fn only_the_token_that_opened_a_release_may_weaken_it_and_operators_may_always() {
    use ReleaseState::{Succeeded, Watching};
    let digest = format!("shop@sha256:{}", "a".repeat(64));
    for (state, version, more, refused, why) in [
        (Watching, "2.4.1", json!({}), "", "a repeat says nothing new"),
        (
            Watching,
            "2.4.1",
            json!({"status": "promoted", "facts": {"a": 1}}),
            "",
            "a promotion weakens nothing",
        ),
        (
            Watching,
            "2.4.1",
            json!({"previous_version": "v2.4.0"}),
            "",
            "the same version before, spelt otherwise",
        ),
        (
            Watching,
            "2.4.1",
            json!({"previous_version": "6.6.6"}),
            "previous_version",
            "another version before",
        ),
        (Watching, "2.4.1", json!({"revertible": true}), "", "it is revertible anyway"),
        (Watching, "2.4.1", json!({"revertible": false}), "revertible", "no rollback at all"),
        (Watching, "2.4.1", json!({"rollback_floor": "99.0.0"}), "rollback_floor", "nothing is new enough"),
        (Watching, "2.4.1", json!({"artifact": digest}), "artifact.digest", "two contents of one name"),
        (Watching, "2.4.1", json!({"status": "failed"}), "failed", "it ends"),
        (Watching, "2.4.1", json!({"status": "rolled_back"}), "rolled_back", "it ends"),
        (
            Watching,
            "2.4.0",
            json!({"status": "rolled_back"}),
            "rolled_back",
            "the version that it replaced is named",
        ),
        (Watching, "2.4.0", json!({"status": "failed"}), "", "another version's deployment failed"),
        (Succeeded, "2.4.1", json!({"status": "rolled_back"}), "rolled_back", "it is marked bad"),
        (Succeeded, "2.4.1", json!({"revertible": false}), "", "it goes out again, and is the caller's"),
    ] {
        for (name, may) in
            [("other", refused.is_empty()), ("scoped", true), ("person", true), ("sender", true)]
        {
            let bench = Bench::new();
            let known = of_sender("2.4.1", state);
            bench.known.releases.lock().unwrap().insert(known.release.id.as_str().to_owned(), known);
            let mut body = json!({"service": "checkout", "environment": "production", "version": version});
            for (key, value) in more.as_object().unwrap() {
                body[key] = value.clone();
            }
            let answer = bench.post("/api/v1/releases", name, body.to_string()).await;
            assert_eq!(
                (answer.status != 403, bench.taken().len()),
                (may, usize::from(may)),
                "{why}, as {name}: {}",
                answer.text()
            );
            let event = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": "ripcord.release.v1", "data": body});
            let batch = json!([cloudevent("ripcord.release.v1", "checkout-2"), event]).to_string();
            if name != "scoped" {
                let answer = bench.send("POST", "/api/v1/events", name, &[BATCH], batch).await;
                let taken = bench.taken().len();
                assert_eq!((answer.status != 403, taken), (may, if may { 2 } else { 0 }), "{why}, as {name}");
            }
            if !may {
                let (_, detail) = answer.problem();
                assert!(
                    detail.contains("opened by \"sender\"") && detail.contains(&format!("`{refused}`")),
                    "{detail}"
                );
            }
        }
    }
}

#[tokio::test]
async fn links_and_facts_of_a_release_are_bounded_in_all_and_the_update_beyond_them_is_refused() {
    let values = |names: std::ops::Range<usize>, bytes: usize| -> Value {
        names.map(|n| (format!("{n:04}"), json!(format!("https://ci/{}", "x".repeat(bytes))))).collect()
    };
    for (name, have, new, fits, why) in [
        ("facts", 0..64, values(0..64, 1), true, "the same names again"),
        ("facts", 0..64, values(64..65, 1), false, "one more than are kept"),
        ("links", 0..64, values(64..65, 1), false, "one more than are kept"),
        ("facts", 0..1, values(1..17, 2_000), true, "long ones that fit"),
        ("links", 0..1, values(1..18, 2_000), false, "too long in all"),
        ("facts", 0..0, values(0..30, 2_000), false, "too long in one event, of a release that nobody knows"),
    ] {
        let bench = Bench::new();
        if !have.is_empty() {
            let mut known = of_sender("2.4.1", ReleaseState::Watching);
            let held: BTreeMap<String, String> = have.map(|n| (format!("{n:04}"), "x".to_owned())).collect();
            (known.terms.links, known.terms.facts) = (held.clone(), held);
            bench.known.releases.lock().unwrap().insert(known.release.id.as_str().to_owned(), known);
        }
        let mut body = json!({"service": "checkout", "environment": "production", "version": "2.4.1"});
        body[name] = new;
        let answer = bench.post("/api/v1/releases", "sender", body.to_string()).await;
        assert_eq!(
            (answer.status == 413, bench.taken().len()),
            (!fits, usize::from(fits)),
            "{why}: {}",
            answer.text()
        );
        if !fits {
            let (_, detail) = answer.problem();
            assert!(
                detail.starts_with(name) && detail.contains("at most 64 entries of 32768 bytes"),
                "{detail}"
            );
        }
        let event = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": "ripcord.release.v1", "data": body});
        let answer = bench.send("POST", "/api/v1/events", "sender", &[STRUCTURED], event.to_string()).await;
        assert_eq!(
            (answer.status == 413, bench.taken().len()),
            (!fits, usize::from(fits)),
            "{why}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_removal_of_what_others_opened_is_refused() {
    let bench = Bench::new();
    let known = of_sender("2.4.1", ReleaseState::Watching);
    bench.known.releases.lock().unwrap().insert(known.release.id.as_str().to_owned(), known);
    let removed = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": "dev.cdevents.service.removed.0.1.1",
        "data": {"context": {"type": "dev.cdevents.service.removed.0.1.1"},
                 "subject": {"id": "checkout", "content": {"environment": {"id": "production"}}}}});
    for (name, status) in [("other", 403), ("sender", 202)] {
        let answer = bench.send("POST", "/api/v1/events", name, &[STRUCTURED], removed.to_string()).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn who_opened_a_release_is_noted_and_nobody_else_can_say_so() {
    let bench = Bench::new();
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.status, 201);
    let opener = |event: DeploymentEvent| event.facts.get(model::OPENED_BY).cloned();
    assert_eq!(opener(deployment(bench.event())).as_deref(), Some("sender"));
    let weaker = RELEASE.replace('}', r#","revertible":false}"#);
    assert_eq!(
        bench.post("/api/v1/releases", "other", weaker).await.status,
        403,
        "before the projection shows it"
    );
    assert_eq!(bench.post("/api/v1/releases", "other", RELEASE).await.status, 200);
    assert_eq!(opener(deployment(bench.event())), None, "the release has its opener already");
    let forged = RELEASE.replace('}', r#","facts":{"ripcord.opened_by":"other"}}"#);
    let (status, detail) = bench.post("/api/v1/releases", "other", forged).await.problem();
    assert_eq!(status, 400);
    assert!(detail.contains("are Ripcord's own"), "{detail}");
}

#[tokio::test]
async fn times_that_are_ahead_are_clamped_to_the_clock() {
    let bench = Bench::new();
    for (sent, kept) in
        [("2100-01-01T00:00:00Z", AT), ("2026-11-23T09:00:00Z", Timestamp::from_millis(1_795_424_400_000))]
    {
        let body = RELEASE.replace('}', &format!(r#","occurred_at":"{sent}"}}"#));
        bench.post("/api/v1/releases", "sender", body).await;
        assert_eq!(deployment(bench.event()).occurred_at, Some(kept));
        let mut event = cloudevent("ripcord.release.v1", "checkout");
        event["time"] = json!(sent);
        bench.send("POST", "/api/v1/events", "sender", &[STRUCTURED], event.to_string()).await;
        assert_eq!(deployment(bench.event()).occurred_at, Some(kept));
    }
}

#[tokio::test]
async fn a_release_that_was_not_opened_after_all_is_nobodys() {
    let bench = Bench::new();
    let opener = |event: DeploymentEvent| event.facts.get(model::OPENED_BY).cloned();
    *bench.known.answered.lock().unwrap() =
        Some(Answered::Ignored { release: None, why: "too many releases are open".into() });
    assert_eq!(bench.post("/api/v1/releases", "other", RELEASE).await.status, 409);
    let event = cloudevent("ripcord.release.v1", "checkout").to_string();
    bench.send("POST", "/api/v1/events", "other", &[STRUCTURED], event).await;
    bench.taken();
    *bench.known.answered.lock().unwrap() = None;
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.status, 201);
    assert_eq!(opener(deployment(bench.event())).as_deref(), Some("sender"));
}
