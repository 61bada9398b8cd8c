//! The plain release form: the body of `POST /api/v1/releases`, and the data of a CloudEvent of type
//! `ripcord.release.v1`.

use std::collections::BTreeMap;

use model::{
    Artifact, ChangeKind, DeploymentEvent, DeploymentStatus, Owner, ReleaseId, ServiceKey, is_same_version,
};
use serde_json::{Map, Value};

use super::{
    error::DecodeError,
    fields::{self, Fields},
    purl,
};

const KNOWN: [&str; 19] = [
    "service",
    "environment",
    "version",
    "cluster",
    "previous_version",
    "status",
    "kind",
    "change_id",
    "stage",
    "traffic_percentage",
    "artifact",
    "commit",
    "committed_at",
    "revertible",
    "rollback_floor",
    "owner",
    "links",
    "facts",
    "occurred_at",
];

const STATUSES: [(&str, DeploymentStatus); 5] = [
    ("started", DeploymentStatus::Started),
    ("deployed", DeploymentStatus::Deployed),
    ("promoted", DeploymentStatus::Promoted),
    ("failed", DeploymentStatus::Failed),
    ("rolled_back", DeploymentStatus::RolledBack),
];

const KINDS: [(&str, ChangeKind); 6] = [
    ("code", ChangeKind::Code),
    ("config", ChangeKind::Config),
    ("secret", ChangeKind::Secret),
    ("schema", ChangeKind::Schema),
    ("flag", ChangeKind::Flag),
    ("infra", ChangeKind::Infra),
];

/// Reads a body. `idempotency_key` makes the release's id where the body has no `change_id`.
pub fn decode(body: &[u8], idempotency_key: Option<&str>) -> Result<DeploymentEvent, DecodeError> {
    from_object(&fields::object(body)?, idempotency_key)
}

pub(crate) fn from_object(
    object: &Map<String, Value>,
    idempotency_key: Option<&str>,
) -> Result<DeploymentEvent, DecodeError> {
    let fields = Fields::new(object, "");
    fields.expect_only(&KNOWN)?;
    let key = ServiceKey::new(fields.required_name("service")?, fields.required_name("environment")?);
    let version = fields.required_name("version")?;
    let cluster = fields.name("cluster")?;
    let change_id = fields.name("change_id")?;
    let change = change_id.as_deref().or(idempotency_key).unwrap_or("");
    let event = DeploymentEvent {
        release_id: release_id(&key, cluster.as_deref(), &version, change),
        previous_version: fields.version("previous_version")?,
        status: fields.choice("status", &STATUSES)?.unwrap_or_default(),
        kind: fields.choice("kind", &KINDS)?.unwrap_or_default(),
        stage: fields.name("stage")?,
        traffic_percentage: fields.percentage("traffic_percentage")?,
        artifact: artifact(&fields)?,
        commit: fields.name("commit")?,
        committed_at: fields.moment("committed_at")?,
        revertible: fields.flag("revertible")?,
        rollback_floor: fields.version("rollback_floor")?,
        owner: owner(&fields)?,
        links: links(&fields)?,
        facts: fields.plain_values("facts")?,
        occurred_at: fields.moment("occurred_at")?,
        key,
        cluster,
        version,
        change_id,
    };
    expect_consistent(&event)?;
    Ok(event)
}

/// The bare id of a release.
pub(crate) fn release_id(key: &ServiceKey, cluster: Option<&str>, version: &str, change: &str) -> ReleaseId {
    ReleaseId::of(&key.service, &key.environment, cluster.unwrap_or(""), version, change)
}

fn expect_consistent(event: &DeploymentEvent) -> Result<(), DecodeError> {
    if event.previous_version.as_ref().is_some_and(|it| is_same_version(it, &event.version)) {
        let problem = "is the version itself: going back to it would change nothing";
        return Err(DecodeError::field("previous_version", problem));
    }
    let is_partial = event.traffic_percentage.is_some_and(|percentage| percentage < 100.0);
    if event.status == DeploymentStatus::Promoted && event.stage.is_none() && is_partial {
        let problem = "is below 100, but status is promoted and no stage is named";
        return Err(DecodeError::field("traffic_percentage", problem));
    }
    Ok(())
}

/// A reference as text, or `{reference, digest}`.
fn artifact(fields: &Fields<'_>) -> Result<Option<Artifact>, DecodeError> {
    if fields.is_text("artifact") {
        return Ok(fields.text("artifact")?.map(|reference| purl::parse(&reference).artifact));
    }
    let Some(object) = fields.object("artifact")? else { return Ok(None) };
    let inner = Fields::new(object, "artifact.");
    inner.expect_only(&["reference", "digest"])?;
    let given = inner.name("digest")?;
    let reference = inner.text("reference")?.or_else(|| given.clone());
    let Some(reference) = reference else {
        return Err(DecodeError::field("artifact", "names neither reference nor digest"));
    };
    let named = purl::parse(&reference).artifact;
    if let (Some(given), Some(named)) = (&given, &named.digest)
        && given != named
    {
        return Err(DecodeError::field(
            "artifact.digest",
            format!("differs from the reference's own, {named}"),
        ));
    }
    Ok(Some(Artifact { digest: given.or(named.digest), reference }))
}

fn owner(fields: &Fields<'_>) -> Result<Option<Owner>, DecodeError> {
    let Some(object) = fields.object("owner")? else { return Ok(None) };
    let inner = Fields::new(object, "owner.");
    inner.expect_only(&["team", "slack", "email"])?;
    let (team, slack, email) = (inner.name("team")?, inner.name("slack")?, inner.name("email")?);
    // Whom a message mentions is the policy's to say: a deploy token may not call a whole workspace.
    Ok(Some(Owner { team, slack, email, mention: None }))
}

/// Only what a browser may safely follow.
fn links(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, DecodeError> {
    let links = fields.plain_values("links")?;
    let is_web = |url: &str| {
        let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
        lower.starts_with("https://") || lower.starts_with("http://")
    };
    match links.iter().find(|(_, url)| !is_web(url)) {
        Some((name, _)) => {
            Err(DecodeError::field(format!("links.{name}"), "must begin with https:// or http://"))
        }
        None => Ok(links),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(body: Value) -> String {
        decode(body.to_string().as_bytes(), None).unwrap_err().to_string()
    }

    #[test]
    fn the_whole_form_is_read() {
        let body = json!({
            "service": "checkout", "environment": "production", "version": "2.4.1", "cluster": "eu-1",
            "previous_version": "2.4.0", "status": "started", "kind": "config", "change_id": "c-7", "stage": "canary",
            "traffic_percentage": "5%", "artifact": "ghcr.io/a/checkout:2.4.1", "commit": "abc",
            "committed_at": "2026-11-23T10:00:00Z", "revertible": false, "rollback_floor": "2.0.0",
            "owner": {"team": "payments"}, "links": {"build": "https://ci/1"},
            "facts": {"coverage": 87.5, "tests": true, "note": "ok"}
        });
        let event = decode(body.to_string().as_bytes(), Some("ignored")).unwrap();
        assert_eq!(event.release_id, ReleaseId::of("checkout", "production", "eu-1", "2.4.1", "c-7"));
        assert_eq!((event.status, event.kind), (DeploymentStatus::Started, ChangeKind::Config));
        assert_eq!((event.traffic_percentage, event.revertible), (Some(5.0), Some(false)));
        assert_eq!(event.facts["coverage"], "87.5");
        assert_eq!(event.facts["tests"], "true");
        assert_eq!(event.owner.unwrap().team.as_deref(), Some("payments"));
    }

    #[test]
    fn white_space_around_a_name_is_no_part_of_it() {
        let body = br#"{"service":" a","environment":"b\u00a0","version":" 1 ","previous_version":"0 "}"#;
        let event = decode(body, None).unwrap();
        assert_eq!((event.key, event.version.as_str()), (ServiceKey::new("a", "b"), "1"));
        assert_eq!(event.previous_version.as_deref(), Some("0"));
        assert_eq!(event.release_id, ReleaseId::of("a", "b", "", "1", ""));
    }

    #[test]
    fn an_idempotency_key_makes_the_id_only_where_there_is_no_change_id() {
        let body = br#"{"service":"a","environment":"b","version":"1"}"#;
        let id = |key| decode(body, key).unwrap().release_id;
        assert_eq!(id(None), ReleaseId::of("a", "b", "", "1", ""));
        assert_eq!(id(Some("k")), ReleaseId::of("a", "b", "", "1", "k"));
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let base = json!({"service": "a", "environment": "b", "version": "1"});
        for (key, value, expected) in [
            ("versoin", json!("1"), r#"versoin: unknown field, did you mean "version"?"#),
            ("version", json!(1), "version: must be text, not a number"),
            ("version", json!(""), "version: must not be empty"),
            ("version", json!(null), "version: is required"),
            ("service", json!("a\nb"), "service: must not hold control characters"),
            (
                "version",
                json!("2.0\u{200b}"),
                "version: must not hold characters that cannot be seen (U+200B)",
            ),
            (
                "version",
                json!("2.0\u{202e}"),
                "version: must not hold characters that cannot be seen (U+202E)",
            ),
            ("service", json!("a\u{3164}"), "service: must not hold characters that cannot be seen (U+3164)"),
            ("cluster", json!("a\u{a0}b"), "cluster: must not hold characters that cannot be seen (U+00A0)"),
            ("version", json!("-rf"), "version: must not begin with a dash"),
            ("rollback_floor", json!("--x"), "rollback_floor: must not begin with a dash"),
            (
                "previous_version",
                json!(" 1 "),
                "previous_version: is the version itself: going back to it would change nothing",
            ),
            (
                "facts",
                json!({"ripcord.opened_by": "me"}),
                "facts.ripcord.opened_by: names that begin with `ripcord.` are Ripcord's own",
            ),
            ("service", json!("x".repeat(300)), "service: is 300 bytes long, at most 256 are taken"),
            (
                "status",
                json!("live"),
                r#"status: must be one of started, deployed, promoted, failed, rolled_back, not "live""#,
            ),
            ("traffic_percentage", json!(101), "traffic_percentage: must be a number from 0 to 100"),
            ("traffic_percentage", json!("half"), "traffic_percentage: must be a number from 0 to 100"),
            (
                "committed_at",
                json!("now"),
                "committed_at: must be a time as in RFC 3339, e.g. 2026-11-23T10:00:00Z",
            ),
            ("revertible", json!("no"), "revertible: must be true or false, not text"),
            (
                "previous_version",
                json!("1"),
                "previous_version: is the version itself: going back to it would change nothing",
            ),
            ("owner", json!("me"), "owner: must be an object, not text"),
            ("owner", json!({"mail": "x"}), r#"owner.mail: unknown field, did you mean "email"?"#),
            ("links", json!({"x": "javascript:alert(1)"}), "links.x: must begin with https:// or http://"),
            ("facts", json!({"x": [1]}), "facts.x: must be text, a number or a boolean, not a list"),
            ("artifact", json!({}), "artifact: names neither reference nor digest"),
        ] {
            let mut body = base.clone();
            body[key] = value;
            assert_eq!(fault(body), expected);
        }
    }

    #[test]
    fn bodies_that_are_no_object_or_contradict_themselves_are_refused() {
        for (body, expected) in [
            ("", "EOF while parsing"),
            ("[]", "expected a JSON object"),
            (r#"{"service":"a","service":"b"}"#, r#""service" is given twice"#),
            (r#"{"service":"a"} trailing"#, "trailing characters"),
        ] {
            let error = decode(body.as_bytes(), None).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
