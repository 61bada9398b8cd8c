//! What a message says.

use bus::Delivered;
use model::{
    DeploymentEvent, DeploymentStatus, EventBody, OPENED_BY, RequestEvent, Scope, ServiceKey, Timestamp,
};
use proto::wire::{
    DecodeError, Rejected,
    cloudevents::{self, Occurrence},
    requests,
};

use crate::{
    config::{Input, InputFormat},
    roles::records::Unreadable,
};

/// A message that was read.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// `None`: nothing in it means anything here.
    pub(super) event: Option<EventBody>,
    /// Request events in it.
    pub(super) requests: usize,
    /// Why some of its lines were left out.
    pub(super) rejected: Option<Unreadable>,
}

/// Reads a message as its HTTP endpoint would.
pub(super) fn read(input: &Input, message: &Delivered, now: Timestamp) -> Result<Content, Unreadable> {
    // On a compacted topic this deletes what its key said; nothing of it is news.
    let Some(payload) = &message.payload else { return Ok(Content::default()) };
    match input.format {
        InputFormat::CloudEvents => {
            let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            let read = cloudevents::kafka::decode(headers, Some(payload))
                .map_err(|error| Unreadable::new("cloudevents", error))?;
            let sent_at = read.time_fault.map(|fault| sent_at(message, &fault, now));
            Ok(match read.occurrence {
                Occurrence::Deployment(event)
                    if !input.scope.holds(&event.key.service, &event.key.environment) =>
                {
                    return Err(outside(&event.key));
                }
                Occurrence::Deployment(mut event) => {
                    event.occurred_at = event.occurred_at.or(sent_at);
                    let event = announced(event, &message.topic, now);
                    Content { event: Some(EventBody::Deployment(event)), ..Content::default() }
                }
                Occurrence::Ignored { .. } => Content::default(),
            })
        }
        InputFormat::Requests => read_requests(payload, stamp(message.at, now), &input.scope),
    }
}

/// When the message of an event was sent whose own time cannot be read.
fn sent_at(message: &Delivered, fault: &DecodeError, now: Timestamp) -> Timestamp {
    let (topic, partition, offset) = (&*message.topic, message.partition, message.offset.0);
    tracing::warn!(topic, %partition, offset, %fault, "an event's time cannot be read: it is when its message was sent");
    stamp(message.at, now)
}

/// As HTTP's endpoints do: no time is ahead, and the release's opener is noted. Who may write to the topic may speak
/// for what the topic announces.
fn announced(mut event: Box<DeploymentEvent>, topic: &str, now: Timestamp) -> Box<DeploymentEvent> {
    event.occurred_at = event.occurred_at.map(|at| at.min(now));
    if matches!(event.status, DeploymentStatus::Started | DeploymentStatus::Deployed) {
        event.facts.insert(OPENED_BY.to_owned(), format!("kafka {topic}"));
    }
    event
}

/// When a request without a time of its own was: when its message was sent. Not in the future, whatever its
/// producer's clock says.
fn stamp(at: Timestamp, now: Timestamp) -> Timestamp {
    if at.as_millis() > 0 { at.min(now) } else { now }
}

fn read_requests(payload: &[u8], at: Timestamp, scope: &Scope) -> Result<Content, Unreadable> {
    let mut decoded = requests::decode_message(payload, at).map_err(|error| unreadable(&error))?;
    let is_outside = |it: &RequestEvent| !scope.holds(&it.key.service, &it.key.environment);
    let outside = decoded.body.iter().find(|it| is_outside(it)).map(|it| outside(&it.key));
    decoded.body.retain(|it| !is_outside(it));
    let rejected = (!decoded.rejected.is_empty()).then(|| left_out(&decoded.rejected)).or(outside);
    match rejected {
        Some(why) if decoded.body.is_empty() => Err(why),
        rejected => Ok(Content {
            requests: decoded.body.len(),
            event: (!decoded.body.is_empty()).then_some(EventBody::Requests(decoded.body)),
            rejected,
        }),
    }
}

fn outside(key: &ServiceKey) -> Unreadable {
    let ServiceKey { service, environment } = key;
    Unreadable::new("scope", format!("the input may not speak of {service} in {environment}"))
}

fn unreadable(error: &DecodeError) -> Unreadable {
    Unreadable::new("requests", error)
}

fn left_out(rejected: &Rejected) -> Unreadable {
    let first = rejected.examples.first().map_or("", String::as_str);
    Unreadable::new("requests", format!("{} lines were left out; first: {first}", rejected.parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_topic_announces_is_the_topics_and_never_ahead_of_the_clock() {
        let now = Timestamp::from_millis(1000);
        for (status, sent, kept, opener) in [
            (DeploymentStatus::Deployed, Some(5000), Some(1000), Some("kafka deployments")),
            (DeploymentStatus::Started, Some(500), Some(500), Some("kafka deployments")),
            (DeploymentStatus::RolledBack, None, None, None),
        ] {
            let occurred_at = sent.map(Timestamp::from_millis);
            let event = DeploymentEvent { status, occurred_at, ..DeploymentEvent::default() };
            let event = announced(Box::new(event), "deployments", now);
            assert_eq!(event.occurred_at, kept.map(Timestamp::from_millis), "{status:?}");
            assert_eq!(event.facts.get(OPENED_BY).map(String::as_str), opener, "{status:?}");
        }
    }

    #[test]
    fn an_input_speaks_only_of_what_it_is_for() {
        let lines = |services: &[&str]| {
            let line = |it: &&str| format!(r#"{{"service":"{it}","environment":"production","status":200}}"#);
            services.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        let scope = Scope { services: vec!["checkout".into()], environments: Vec::new() };
        for (services, taken, reason) in [
            (&["checkout"][..], Some(1), None),
            (&["checkout", "search", "checkout"], Some(2), Some("scope")),
            (&["search"], None, Some("scope")),
        ] {
            let read = read_requests(lines(services).as_bytes(), Timestamp::from_millis(1), &scope);
            let (requests, why) = match read {
                Ok(content) => (Some(content.requests), content.rejected),
                Err(why) => (None, Some(why)),
            };
            assert_eq!((requests, why.map(|why| why.reason())), (taken, reason), "{services:?}");
        }
    }
}
