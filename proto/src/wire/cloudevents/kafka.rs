//! CloudEvents as Kafka messages (Kafka protocol binding, 1.0.3-wip): a message is one event, in binary or in
//! structured mode; there is no batch mode.

use model::{Command, CommandVerb};

use super::{
    CloudEvent, Occurrence,
    headers::{self, Style},
    interpret, is_known, media_type, structured,
};
use crate::wire::{error::DecodeError, fields};

const CONTENT_TYPE: &str = "content-type";

/// A message that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub occurrence: Occurrence,
    /// Why the event's `time` cannot be read; the occurrence has none of it then. Nobody waits for an answer who might
    /// mend the event, and when the message was sent is known besides.
    pub time_fault: Option<DecodeError>,
}

/// Reads a message. `headers` are its own in their order; a value may be null, and so may `payload`.
///
/// In binary mode a message without a payload is an event without data, and on a compacted topic what deletes the
/// events of its key (a tombstone). Of a type that needs data it is refused, as is one that is no event at all.
pub fn decode<'a>(
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    payload: Option<&[u8]>,
) -> Result<Message, DecodeError> {
    let payload = payload.unwrap_or_default();
    super::expect_within_limit(payload)?;
    let mut content_type = String::new();
    let mut given = Vec::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(CONTENT_TYPE) {
            let text = std::str::from_utf8(value.unwrap_or_default());
            content_type = text.map_err(|_| DecodeError::field(CONTENT_TYPE, "is not UTF-8"))?.to_owned();
        } else if Style::Kafka.attribute(name).is_some() {
            given.push((name, value.ok_or_else(|| DecodeError::field(name, "has no value"))?));
        }
    }
    let media_type = media_type(&content_type);
    if media_type.starts_with("application/cloudevents-batch") {
        return Err(DecodeError::field(
            CONTENT_TYPE,
            "a message is one event, there are no batches in Kafka",
        ));
    }
    if media_type.starts_with("application/cloudevents") {
        super::expect_json(&media_type, "application/cloudevents+json")?;
        return lenient(structured(&fields::object(payload)?)?);
    }
    let attributes = headers::attributes(Style::Kafka, given)?;
    if attributes.is_empty() && payload.is_empty() {
        return Err(DecodeError::malformed("a message with neither event nor content is a tombstone"));
    }
    if attributes.is_empty() && media_type.is_empty() {
        // Up to version 1.0.1 of the binding a message without a content type was in structured mode.
        if let Some(event) = fields::object(payload).ok().filter(|event| event.contains_key("specversion")) {
            return lenient(structured(&event)?);
        }
    }
    let event = super::binary(Style::Kafka, &attributes, &media_type, payload)?;
    if payload.is_empty() && is_known(&event.kind) {
        let kind = event.kind;
        return Err(DecodeError::malformed(format!(
            "a message of type {kind:?} without content is a tombstone"
        )));
    }
    lenient(event)
}

fn lenient(event: CloudEvent) -> Result<Message, DecodeError> {
    let (time, time_fault) = match event.time {
        Ok(time) => (time, None),
        Err(fault) => (None, Some(fault)),
    };
    Ok(Message { occurrence: interpret(&event.kind, time, &event.data)?, time_fault })
}

/// The type under which a command goes out, as in its JSON body.
pub fn command_type(verb: CommandVerb) -> &'static str {
    match verb {
        CommandVerb::Rollback => "ripcord.rollback.v1",
        CommandVerb::Promote => "ripcord.promote.v1",
        CommandVerb::Hold => "ripcord.hold.v1",
    }
}

/// The headers of a command in binary mode, its JSON body being the payload. `source` is a URI reference that names
/// this Ripcord; with the id, which is the command's, it tells an event from all others, so that a command sent
/// again is the same event again. The subject is the service: what a consumer filters by without opening the body.
pub fn command_headers(command: &Command, source: &str) -> Vec<(&'static str, String)> {
    vec![
        (CONTENT_TYPE, "application/json".to_owned()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", command.id.as_str().to_owned()),
        ("ce_type", command_type(command.verb).to_owned()),
        ("ce_source", source.to_owned()),
        ("ce_subject", command.release.key.service.clone()),
        ("ce_time", command.decided_at.to_string()),
    ]
}

#[cfg(test)]
mod tests;
