//! `POST /api/v1/releases` and people's verbs on a release.

use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use model::{
    DeploymentEvent, DeploymentStatus, EventBody, ReleaseId, ReleaseRef, ReleaseState, Timestamp, Verb,
    VerbKind,
};
use proto::wire::{release, verb::VerbBody};
use serde_json::json;

use crate::{
    auth::{Caller, Reach, Role},
    endpoints::{answers, details, own},
    ports::{Answered, KnownRelease, Terms},
    problem::Problem,
    stamp::Stamp,
    state::{Core, Head, Shared},
};

/// Longest `Idempotency-Key`.
const KEY_BYTES_MAX: usize = 255;

/// A deployment tool says that a version went out.
#[utoipa::path(
    post, path = "/api/v1/releases", tag = "deployments", operation_id = "postRelease",
    request_body = crate::openapi::ReleaseBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Names this release where the body has no change_id; repeats are then harmless for ever")),
    responses(
        (status = 201, description = "A release is opened", body = crate::openapi::ReleaseAnswer),
        (status = 200, description = "Known: what is new in it is noted; `ignored` says why nothing was", body = crate::openapi::ReleaseAnswer),
        (status = 202, description = "A report that is on the log and not answered yet", body = crate::openapi::ReleaseAnswer),
        (status = 404, description = "A report about a release that is not known: ignored, and why"),
        (status = 409, description = "No release is opened; the detail says why"),
        (status = 400, description = "The field that is wrong is named"),
        (status = 401, description = "No valid token"), (status = 403, description = "The token may not do this"),
        (status = 413, description = "Over a limit"), (status = 503, description = "Come back after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn create(State(ingest): State<Core>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Deploy)?;
    let key = idempotency_key(&head)?;
    let taken = ingest.plain_body(&head, body, ingest.limits.release_bytes_max).await?;
    let mut event = release::decode(&taken.bytes, key)?;
    caller.expect_within(Reach::ServiceIn(&event.key.service, &event.key.environment))?;
    let answer = announce(&ingest, &caller, &mut event, key.is_some())?;
    let stamp = ingest.stamp();
    not_ahead(&mut event, stamp.at);
    let mut body = json!({
        "id": answer.release.id.as_str(), "service": event.key.service, "environment": event.key.environment,
        "version": event.version, "accepted_at": stamp.at.to_string(),
    });
    let status = match answer.meaning {
        Meaning::Opens => StatusCode::CREATED,
        Meaning::Continues => StatusCode::OK,
        // The analyzer knows no keys: on the log it would go out again.
        Meaning::Repeats => return Ok((StatusCode::OK, Json(body)).into_response()),
    };
    let warnings = warnings(&ingest, &event);
    let is_report = !begins(event.status);
    append(&ingest, &caller, &stamp, Box::new(event), &answer).await?;
    ingest.metrics.accept("deployments", 1);
    let became = became(&answer, answers::wait(&ingest, &stamp.id, answers::DEPLOYMENT_WAIT).await);
    forget_unless_opened(&ingest, &answer, &became);
    if is_report && let Became::Ignored { release: None, why } = &became {
        return Err(Problem::not_found(format!("ignored: {why}")).with("event_id", stamp.id.as_str()));
    }
    // An id that names no release would be asked for in vain.
    if let Became::Ignored { release: None, why } = &became {
        return Err(Problem::conflict(format!("not taken: {why}")).with("event_id", stamp.id.as_str()));
    }
    let (id, status) = match &became {
        Became::Moved(id) => (id.as_str(), status),
        Became::Ignored { release, .. } => {
            (release.as_ref().map_or(answer.release.id.as_str(), ReleaseId::as_str), StatusCode::OK)
        }
        // Whether there is a release that the report is about is not known yet.
        Became::Unknown if is_report && known(&ingest, &answer.bare).is_none() => {
            (answer.release.id.as_str(), StatusCode::ACCEPTED)
        }
        Became::Unknown => (answer.release.id.as_str(), status),
    };
    body["id"] = id.into();
    if let Became::Ignored { why, .. } = &became {
        body["ignored"] = why.as_str().into();
    }
    if !warnings.is_empty() {
        body["warnings"] = warnings.into();
    }
    Ok((status, Json(body)).into_response())
}

/// What became of a deployment event.
pub(super) enum Became {
    /// It opened or moved this release.
    Moved(ReleaseId),
    /// It changed nothing.
    Ignored { release: Option<ReleaseId>, why: String },
    /// Nothing answered in time: what it most likely is about is what was expected beforehand.
    Unknown,
}

/// An event moves the release that it names and those that it replaces; a report may name the version that came back.
pub(super) fn became(expected: &Answer, answered: Option<Answered>) -> Became {
    match answered {
        Some(Answered::Moved(moved)) => {
            let named = moved.iter().find(|(id, _)| id.bare() == expected.bare.bare());
            let rolled_back = || moved.iter().find(|(_, state)| *state == ReleaseState::RolledBack);
            let meant = named.or_else(rolled_back).or(moved.first());
            meant.map_or(Became::Unknown, |(id, _)| Became::Moved(id.clone()))
        }
        Some(Answered::Ignored { release, why }) => Became::Ignored { release, why },
        Some(Answered::Verb { .. }) | None => Became::Unknown,
    }
}

/// What whoever announces a release should know of the versions that it names.
pub(super) fn warnings(ingest: &Shared, event: &DeploymentEvent) -> Vec<String> {
    if !begins(event.status) {
        return Vec::new();
    }
    let bad = |version: &str| ingest.lookup.bad_version(&event.key, version);
    let own = bad(&event.version).map(|why| {
        format!(
            "version {} is marked bad ({why}): no rollback leads to it until it is cleared with \
             POST /api/v1/versions/clear",
            event.version
        )
    });
    let previous = event.previous_version.as_deref().and_then(|version| {
        let why = bad(version)?;
        Some(format!(
            "previous_version {version} is marked bad ({why}): a rollback of this release does not go there"
        ))
    });
    own.into_iter().chain(previous).collect()
}

/// Whether an event of this status announces a release; the others report on one.
fn begins(status: DeploymentStatus) -> bool {
    matches!(status, DeploymentStatus::Started | DeploymentStatus::Deployed | DeploymentStatus::Promoted)
}

fn idempotency_key(head: &Head) -> Result<Option<&str>, Problem> {
    let Some(value) = head.headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().map(|key| key.trim().trim_matches('"'));
    let is_key = |key: &&str| !key.is_empty() && key.len() <= KEY_BYTES_MAX;
    let fault =
        || Problem::bad_request(format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable characters"));
    key.filter(is_key).ok_or_else(fault).map(Some)
}

/// What a deployment event is answered with.
pub(super) struct Answer {
    pub(super) release: ReleaseRef,
    bare: ReleaseId,
    pub(super) meaning: Meaning,
}

/// What a deployment event means to the releases of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A release begins.
    Opens,
    /// One that is known is spoken of, or one that never began.
    Continues,
    /// One that has ended is reported a second time under the key that names it.
    Repeats,
}

/// Which release `event` is about: the one that is under way, or a new one where the last of that name has ended
/// and goes out once more. Who names each release with a key of its own (`is_keyed`) does not mean that.
fn answer(ingest: &Shared, event: &DeploymentEvent, is_keyed: bool) -> Answer {
    use DeploymentStatus::{Deployed, Started};
    let bare = event.release_id.clone();
    let reference = |id: ReleaseId| ReleaseRef {
        id,
        key: event.key.clone(),
        cluster: event.cluster.clone(),
        version: event.version.clone(),
    };
    let Some(known) = known(ingest, &bare) else {
        let meaning = if begins(event.status) { Meaning::Opens } else { Meaning::Continues };
        return Answer { release: reference(bare.clone()), bare, meaning };
    };
    let is_open = known.state == ReleaseState::Pending || known.state.is_under_watch();
    // A word of `promoted` still belongs to what went out before.
    if is_open || !matches!(event.status, Started | Deployed) {
        return Answer { release: known.release, bare, meaning: Meaning::Continues };
    }
    if is_keyed {
        return Answer { release: known.release, bare, meaning: Meaning::Repeats };
    }
    let release = reference(bare.again(repeat_of(&known.release.id).saturating_add(1)));
    Answer { release, bare, meaning: Meaning::Opens }
}

/// Which time of its name this is: 1 for a bare id.
fn repeat_of(id: &ReleaseId) -> u32 {
    id.as_str().split_once('-').and_then(|(_, count)| count.parse().ok()).unwrap_or(1)
}

/// What the event means, once it is sure that the caller may say so. A release that it opens is the caller's from
/// here on.
pub(super) fn announce(
    ingest: &Shared,
    caller: &Caller,
    event: &mut DeploymentEvent,
    is_keyed: bool,
) -> Result<Answer, Problem> {
    details::expect_room(ingest, event)?;
    let mut meant = answer(ingest, event, is_keyed);
    if meant.meaning == Meaning::Opens && !claim(ingest, caller, event, &meant) {
        // Another sender opened it since.
        meant = answer(ingest, event, is_keyed);
    }
    own::expect_may_say(ingest, caller, event)?;
    if meant.meaning == Meaning::Opens {
        own::sign(event, &caller.actor.name);
    }
    Ok(meant)
}

/// Keeps a new release known until the projection shows it; `false`: it is known already.
fn claim(ingest: &Shared, caller: &Caller, event: &DeploymentEvent, answer: &Answer) -> bool {
    let terms = Terms {
        opened_by: Some(caller.actor.name.clone()),
        previous_version: event.previous_version.clone(),
        is_revertible: event.revertible.unwrap_or(true),
        rollback_floor: event.rollback_floor.clone(),
        digest: event.artifact.as_ref().and_then(|artifact| artifact.digest.clone()),
        links: event.links.clone(),
        facts: event.facts.clone(),
    };
    let known = KnownRelease { release: answer.release.clone(), state: ReleaseState::Pending, terms };
    let is_new = ingest.releases.insert_new(answer.release.id.as_str(), known.clone());
    if is_new {
        ingest.releases.insert(answer.bare.as_str(), known);
    }
    is_new
}

/// Puts the event onto the log. Where that fails, the release that it would have opened is nobody's.
pub(super) async fn append(
    ingest: &Shared,
    caller: &Caller,
    stamp: &Stamp,
    event: Box<DeploymentEvent>,
    answer: &Answer,
) -> Result<(), Problem> {
    let appended = ingest.append_event(stamp, &caller.actor.name, EventBody::Deployment(event)).await;
    if appended.is_err() {
        forget(ingest, answer);
    }
    appended
}

/// A release that was not opened after all is nobody's: the next who announces it opens it.
pub(super) fn forget_unless_opened(ingest: &Shared, answer: &Answer, became: &Became) {
    if matches!(became, Became::Ignored { .. }) {
        forget(ingest, answer);
    }
}

fn forget(ingest: &Shared, answer: &Answer) {
    if answer.meaning == Meaning::Opens {
        ingest.releases.remove(answer.release.id.as_str());
        ingest.releases.remove(answer.bare.as_str());
    }
}

/// A sender's clock that is ahead must not make every later word an old one.
pub(super) fn not_ahead(event: &mut DeploymentEvent, now: Timestamp) {
    event.occurred_at = event.occurred_at.map(|at| at.min(now));
}

/// What the projection shows, or what was accepted since: of one name, the later counts.
pub(super) fn known(ingest: &Shared, id: &ReleaseId) -> Option<KnownRelease> {
    let (shown, recent) = (ingest.lookup.release(id), ingest.releases.get(id.as_str()));
    match (shown, recent) {
        (Some(shown), Some(recent)) if repeat_of(&recent.release.id) > repeat_of(&shown.release.id) => {
            Some(recent)
        }
        (Some(shown), _) => Some(shown),
        (None, recent) => recent,
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $operation:literal;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "verbs", operation_id = $operation,
            params(("id" = String, Path, description = "rel_…; a bare id means the newest of that name")),
            request_body = crate::openapi::VerbBody,
            responses(
                (status = 202, description = "Done, or with `accepted: null` on the log and not answered yet", body = crate::openapi::Accepted),
                (status = 400, description = "The field that is wrong is named"),
                (status = 401, description = "No valid token"),
                (status = 403, description = "The token may not do this"),
                (status = 404, description = "No such release"),
                (status = 409, description = "Refused; the detail says why"),
                (status = 503, description = "Come back after Retry-After"),
            ),
            security(("bearer" = [])),
        )]
        pub(crate) async fn $name(
            State(ingest): State<Core>,
            Path(id): Path<String>,
            request: Request,
        ) -> Result<Response, Problem> {
            take(&ingest, &id, request, ReleaseVerb::$name).await
        }
    )*};
}

verbs! {
    /// Rolls back now, to `to_version` or to where Ripcord would go.
    rollback, "/api/v1/releases/{id}/rollback", "rollbackRelease";
    /// Promotes to the next stage.
    promote, "/api/v1/releases/{id}/promote", "promoteRelease";
    /// Holds at the present stage.
    hold, "/api/v1/releases/{id}/hold", "holdRelease";
    /// Stops watching.
    cancel, "/api/v1/releases/{id}/cancel", "cancelRelease";
}

/// The verbs, under the names of their paths.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the same word names the path, the function and this")]
enum ReleaseVerb {
    rollback,
    promote,
    hold,
    cancel,
}

async fn take(ingest: &Shared, id: &str, request: Request, verb: ReleaseVerb) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.headers, &parts.extensions);
    let caller = ingest.caller(&head, Role::Operate)?;
    let taken = ingest.verb_body(&head, body).await?;
    let said = VerbBody::decode(&taken.bytes, verb == ReleaseVerb::rollback)?;
    let known = known(ingest, &ReleaseId::from_text(id)).ok_or_else(|| {
        Problem::not_found("there is no release of this id; GET /api/v1/releases lists them")
    })?;
    let key = &known.release.key;
    caller.expect_within(Reach::ServiceIn(&key.service, &key.environment))?;
    expect_open(&known, verb)?;
    if said.to_version.as_ref() == Some(&known.release.version) {
        return Err(
            Problem::bad_request("to_version: is the version to be rolled back").with("field", "to_version")
        );
    }
    let release = known.release.id;
    let kind = match verb {
        ReleaseVerb::rollback => {
            VerbKind::Rollback { release, to_version: said.to_version, force: said.force }
        }
        ReleaseVerb::promote => VerbKind::Promote { release },
        ReleaseVerb::hold => VerbKind::Hold { release },
        ReleaseVerb::cancel => VerbKind::Cancel { release },
    };
    let stamp = ingest.stamp();
    let verb = Verb { kind, actor: caller.actor.clone(), comment: said.comment };
    ingest.append_event(&stamp, &caller.actor.name, EventBody::Verb(Box::new(verb))).await?;
    ingest.metrics.accept("verbs", 1);
    answers::to_plain_verb(ingest, &stamp).await
}

/// A person may still roll back what ended well; whatever else has ended cannot be moved.
fn expect_open(known: &KnownRelease, verb: ReleaseVerb) -> Result<(), Problem> {
    let is_open = match (verb, known.state) {
        (ReleaseVerb::rollback, ReleaseState::Succeeded | ReleaseState::Unproven) => true,
        (_, ReleaseState::RolledBack) => verb == ReleaseVerb::cancel,
        (_, state) => !state.is_final(),
    };
    if is_open {
        return Ok(());
    }
    let detail = format!("release {} is {}: it cannot be moved any more", known.release.id, known.state);
    Err(Problem::conflict(detail).with("state", known.state.as_str()))
}
