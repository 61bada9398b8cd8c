//! CDEvents `service.*` as deployment events. The types carry a version of their own, which is not looked at: the
//! fields read here are the same from 0.1 to 0.3.

use model::{DeploymentEvent, DeploymentStatus, ServiceKey, Timestamp};
use serde_json::{Map, Value};

use super::Occurrence;
use crate::wire::{
    error::DecodeError,
    fields::{Fields, checked_name, expect_no_dash},
    purl,
    release::release_id,
};

/// What happened to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceVerb {
    Deployed,
    Upgraded,
    RolledBack,
    Removed,
    Published,
}

/// The verb of `dev.cdevents.service.<verb>.<version>`.
pub(super) fn service_verb(kind: &str) -> Option<ServiceVerb> {
    let rest = kind.strip_prefix("dev.cdevents.service.")?;
    let verb = rest.split_once('.').map_or(rest, |(verb, _)| verb);
    Some(match verb {
        "deployed" => ServiceVerb::Deployed,
        "upgraded" => ServiceVerb::Upgraded,
        "rolledback" => ServiceVerb::RolledBack,
        "removed" => ServiceVerb::Removed,
        "published" => ServiceVerb::Published,
        _ => return None,
    })
}

/// Reads the event's data: `context`, `subject` and perhaps `customData`, of which `version`, `previous_version`,
/// `rolled_back_version`, `cluster` and `change_id` are understood.
pub(super) fn interpret(
    verb: ServiceVerb,
    kind: &str,
    data: &Map<String, Value>,
    time: Option<Timestamp>,
) -> Result<Occurrence, DecodeError> {
    let event = Fields::new(data, "data.");
    expect_same_type(verb, &event)?;
    let subject = Fields::new(event.required_object("subject")?, "data.subject.");
    let content = Fields::new(subject.required_object("content")?, "data.subject.content.");
    let environment =
        Fields::new(content.required_object("environment")?, "data.subject.content.environment.");
    let key = ServiceKey::new(subject.required_name("id")?, environment.required_name("id")?);
    let named = content.text("artifactId")?.map(|reference| purl::parse(&reference));
    let empty = Map::new();
    // Senders may put anything there; only an object can name what is read here.
    let custom = data.get("customData").and_then(Value::as_object).unwrap_or(&empty);
    let custom = Fields::new(custom, "data.customData.");
    let running = match (custom.version("version")?, &named) {
        (Some(version), _) => Some(version),
        (None, Some(named)) => {
            let derived = named.version.as_ref().or(named.artifact.digest.as_ref());
            derived.map(|derived| version_of(&content, derived)).transpose()?
        }
        (None, None) => None,
    };
    let rolled_back = custom.version("rolled_back_version")?;
    let previous = custom.version("previous_version")?;
    let moved = match moved(verb, running, rolled_back, previous) {
        Ok(moved) => moved,
        Err(Missing::Version) => {
            let problem = "names no version: neither artifactId nor customData.version does";
            return Err(DecodeError::field("data.subject.content", problem));
        }
        Err(Missing::Nothing(why)) => return Ok(Occurrence::Ignored { kind: kind.to_owned(), why }),
    };
    let (cluster, change_id) = (custom.name("cluster")?, custom.name("change_id")?);
    let change = change_id.as_deref().unwrap_or("");
    Ok(Occurrence::Deployment(Box::new(DeploymentEvent {
        release_id: release_id(&key, cluster.as_deref(), &moved.version, change),
        key,
        cluster,
        version: moved.version,
        previous_version: moved.previous,
        status: moved.status,
        change_id,
        artifact: named.map(|named| named.artifact).filter(|_| moved.status != DeploymentStatus::RolledBack),
        occurred_at: time,
        ..DeploymentEvent::default()
    })))
}

/// A version that an artifact's reference names. A reference is decoded, and may hold what no text of JSON's could.
fn version_of(content: &Fields<'_>, derived: &str) -> Result<String, DecodeError> {
    let checked = checked_name(derived).and_then(|name| expect_no_dash(name).map(|()| name.to_owned()));
    checked.map_err(|problem| content.error("artifactId", format!("names a version that {problem}")))
}

struct Moved {
    status: DeploymentStatus,
    version: String,
    previous: Option<String>,
}

enum Missing {
    Version,
    /// Not needed: there is nothing to say without it.
    Nothing(&'static str),
}

fn moved(
    verb: ServiceVerb,
    running: Option<String>,
    rolled_back: Option<String>,
    previous: Option<String>,
) -> Result<Moved, Missing> {
    let (status, version) = match verb {
        ServiceVerb::Deployed | ServiceVerb::Upgraded => (DeploymentStatus::Deployed, running),
        // The event's artifact is the one that runs now. Which one was rolled back CDEvents does not say; without
        // that, all that is known is what runs.
        ServiceVerb::RolledBack => match rolled_back {
            Some(version) => {
                return Ok(Moved { status: DeploymentStatus::RolledBack, version, previous: running });
            }
            None => (DeploymentStatus::Deployed, running),
        },
        ServiceVerb::Removed => (DeploymentStatus::Removed, Some(running.unwrap_or_default())),
        ServiceVerb::Published if running.is_none() => return Err(Missing::Nothing("names no version")),
        ServiceVerb::Published => (DeploymentStatus::Promoted, running),
    };
    let version = version.ok_or(Missing::Version)?;
    let previous = previous.filter(|previous| *previous != version);
    Ok(Moved { status, version, previous })
}

/// `context.type` says again what the CloudEvent's type says.
fn expect_same_type(verb: ServiceVerb, event: &Fields<'_>) -> Result<(), DecodeError> {
    let context = Fields::new(event.required_object("context")?, "data.context.");
    let Some(kind) = context.name("type")? else { return Ok(()) };
    if service_verb(&kind) == Some(verb) {
        return Ok(());
    }
    Err(context.error("type", format!("is {kind:?}, which is not what the CloudEvent's type says")))
}
