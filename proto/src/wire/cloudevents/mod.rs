//! CloudEvents 1.0 over HTTP in its three modes and over Kafka in its two, and what Ripcord makes of the types it
//! knows: CDEvents `service.*` and its own `ripcord.release.v1`. Other types are taken and ignored, so that a broker
//! may forward everything it has.

mod cdevents;
mod headers;
pub mod kafka;

use model::{DeploymentEvent, Timestamp};
use serde_json::{Map, Value};

use self::headers::Style;
pub(crate) use self::headers::percent_decoded;
use super::{
    error::{DecodeError, shortened},
    fields::{self, Fields},
    is_json, release,
};

/// Four times what the specification asks of every consumer for one event, for batches' sake more.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Events of one batch.
pub const BATCH_MAX: usize = 1000;

/// The type under which a plain release travels as a CloudEvent.
pub const RELEASE_TYPE: &str = "ripcord.release.v1";

/// What one event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Occurrence {
    Deployment(Box<DeploymentEvent>),
    /// Of a type, or with a content, that Ripcord does nothing with.
    Ignored {
        /// The event's type.
        kind: String,
        why: &'static str,
    },
}

/// The attributes that decide, and the data.
struct CloudEvent {
    kind: String,
    /// A time that cannot be read may be replaced by another one.
    time: Time,
    data: Value,
}

impl CloudEvent {
    /// An event whose sender is told what is wrong with it.
    fn strict(self) -> Result<Occurrence, DecodeError> {
        let time = self.time?;
        interpret(&self.kind, time, &self.data)
    }
}

/// Reads a request. The content type decides on the mode; `headers` are the request's, names in lower case. One bad
/// event of a batch refuses the batch, so that its sender may mend it and send the same again.
pub fn decode<'a>(
    content_type: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: &[u8],
) -> Result<Vec<Occurrence>, DecodeError> {
    expect_within_limit(body)?;
    let media_type = media_type(content_type);
    if media_type.starts_with("application/cloudevents-batch") {
        expect_json(&media_type, "application/cloudevents-batch+json")?;
        return batch(body);
    }
    if media_type.starts_with("application/cloudevents") {
        expect_json(&media_type, "application/cloudevents+json")?;
        return Ok(vec![structured(&fields::object(body)?)?.strict()?]);
    }
    let attributes = headers::attributes(Style::Http, headers)?;
    Ok(vec![binary(Style::Http, &attributes, &media_type, body)?.strict()?])
}

fn expect_within_limit(body: &[u8]) -> Result<(), DecodeError> {
    let (size, limit) = (body.len() as u64, BODY_BYTES_MAX as u64);
    if size > limit { Err(DecodeError::TooLarge { what: "body bytes", size, limit }) } else { Ok(()) }
}

/// Without parameters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn expect_json(media_type: &str, expected: &str) -> Result<(), DecodeError> {
    if media_type == expected {
        return Ok(());
    }
    Err(DecodeError::field("Content-Type", format!("{media_type} is not understood, {expected} is")))
}

fn batch(body: &[u8]) -> Result<Vec<Occurrence>, DecodeError> {
    let events: Vec<fields::TopObject> = serde_json::from_slice(fields::without_bom(body))
        .map_err(|error| DecodeError::malformed(format!("the body is no batch of CloudEvents: {error}")))?;
    if events.len() > BATCH_MAX {
        let (size, limit) = (events.len() as u64, BATCH_MAX as u64);
        return Err(DecodeError::TooLarge { what: "events of a batch", size, limit });
    }
    let read = |(index, event): (usize, &fields::TopObject)| {
        structured(&event.0).and_then(CloudEvent::strict).map_err(|error| match error {
            DecodeError::Field { field, problem } => {
                DecodeError::field(format!("[{index}].{field}"), problem)
            }
            DecodeError::Malformed(why) => DecodeError::Malformed(format!("[{index}]: {why}")),
            other => other,
        })
    };
    events.iter().enumerate().map(read).collect()
}

fn structured(event: &Map<String, Value>) -> Result<CloudEvent, DecodeError> {
    let attributes = Fields::new(event, "");
    let (kind, time) = required_attributes(&attributes)?;
    // JSON event format, 2.2: an attribute of null is an absent one.
    let given = |name: &str| event.get(name).filter(|value| !value.is_null());
    let data = match (given("data"), given("data_base64")) {
        (Some(_), Some(_)) => return Err(DecodeError::field("data_base64", "is given beside data")),
        (None, Some(Value::String(text))) => from_base64(text)?,
        (None, Some(_)) => return Err(DecodeError::field("data_base64", "must be text")),
        (data, None) => data.cloned().unwrap_or_default(),
    };
    Ok(CloudEvent { kind, time, data })
}

fn from_base64(text: &str) -> Result<Value, DecodeError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| DecodeError::field("data_base64", format!("is no base64: {error}")))?;
    // Data of other types than ours need not be JSON, and is not looked at.
    Ok(serde_json::from_slice(fields::without_bom(&bytes)).unwrap_or_default())
}

fn binary(
    style: Style,
    attributes: &Map<String, Value>,
    media_type: &str,
    body: &[u8],
) -> Result<CloudEvent, DecodeError> {
    let prefix = style.prefix();
    if attributes.is_empty() {
        return Err(DecodeError::malformed(format!(
            "this is no CloudEvent: neither a content type of application/cloudevents+json nor {prefix} headers"
        )));
    }
    let (kind, time) = required_attributes(&Fields::new(attributes, prefix))?;
    let is_json = is_json(media_type) || media_type.is_empty();
    let body = fields::without_bom(body);
    let data = match body {
        [] => Value::Null,
        body if is_json => json_data(&kind, body)?,
        // The type says that the data is JSON, whatever a producer's library writes by default. Over HTTP the sender is
        // told, and a browser's form, which may be sent from any page, stays out.
        body if matches!(style, Style::Kafka) && is_known(&kind) => {
            serde_json::from_slice(body).unwrap_or_default()
        }
        _ => Value::Null,
    };
    Ok(CloudEvent { kind, time, data })
}

fn json_data(kind: &str, body: &[u8]) -> Result<Value, DecodeError> {
    match serde_json::from_slice(body) {
        Ok(data) => Ok(data),
        Err(error) if is_known(kind) => Err(DecodeError::malformed(format!("data: {error}"))),
        Err(_) => Ok(Value::Null),
    }
}

/// What `time` says, or why that cannot be read.
type Time = Result<Option<Timestamp>, DecodeError>;

/// Type and time; the other required attributes are looked at too, for an event without them is none.
fn required_attributes(attributes: &Fields<'_>) -> Result<(String, Time), DecodeError> {
    let specversion = attributes.required_name("specversion")?;
    if specversion != "1.0" {
        let problem = format!("must be \"1.0\", not {:?}", shortened(&specversion, 20));
        return Err(attributes.error("specversion", problem));
    }
    attributes.required_text("id")?;
    attributes.required_text("source")?;
    Ok((attributes.required_name("type")?, attributes.moment("time")))
}

fn is_known(kind: &str) -> bool {
    kind == RELEASE_TYPE || cdevents::service_verb(kind).is_some()
}

fn interpret(kind: &str, time: Option<Timestamp>, data: &Value) -> Result<Occurrence, DecodeError> {
    if !is_known(kind) {
        return Ok(Occurrence::Ignored { kind: kind.to_owned(), why: "unknown type" });
    }
    let Value::Object(data) = data else {
        return Err(DecodeError::field("data", format!("must be a JSON object for type {kind:?}")));
    };
    if let Some(verb) = cdevents::service_verb(kind) {
        return cdevents::interpret(verb, kind, data, time);
    }
    let mut deployment = release::from_object(data, None).map_err(within_data)?;
    deployment.occurred_at = deployment.occurred_at.or(time);
    Ok(Occurrence::Deployment(Box::new(deployment)))
}

fn within_data(error: DecodeError) -> DecodeError {
    match error {
        DecodeError::Field { field, problem } => DecodeError::field(format!("data.{field}"), problem),
        other => other,
    }
}

#[cfg(test)]
mod tests;
