//! The kafka target: the command as one CloudEvent on a topic, for whatever deploys and reads topics.
//!
//! What Kafka is, only `bus` knows: here a message has a topic, a key, headers and a payload, and goes out through
//! a [`Publisher`]. Attempts of one command are the same message under the same `ce_id`; a consumer that has seen
//! the id has seen the command.

pub mod double;
#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, time::Duration};

use model::{Command, target::KAFKA_TIMEOUT};
use proto::wire::cloudevents::kafka::command_headers;
use telemetry::trace::{TRACEPARENT, traceparent};

use crate::{
    body,
    retry::{Failure, within},
    text::{MAX_BODY_CHARS, one_line},
};

/// Why a command for a topic is not sent where nobody can publish.
pub(crate) const NO_PUBLISHER: &str =
    "this process has no brokers to publish to: set bus.brokers in its configuration and start it again";

/// Longest pause between two attempts: brokers that are back, or a topic that was made, are found within a second.
/// Each attempt asks the gate again; a single long one in the client's queue would outlive a halt.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Who says so: the context in which `ce_id` is unique. All processes of one Ripcord are one source, as any of them
/// may carry a command out again.
const SOURCE: &str = "/ripcord";

/// A message on its way to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    /// Messages of one key stay in order.
    pub key: String,
    /// By name, in the order in which they are written.
    pub headers: Vec<(&'static str, String)>,
    pub payload: Vec<u8>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub partition: u32,
    pub offset: u64,
}

/// The message is not known to be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PublishError {
    /// One sentence for a person, without secrets.
    pub reason: String,
    /// Whether the same message may get through later.
    pub is_retryable: bool,
}

/// Publishes messages; the server implements it over `bus`.
pub trait Publisher: Send + Sync {
    /// Resolves to `Ok` once every replica in sync has the message. After [`KAFKA_TIMEOUT`] the message must have been
    /// given up: what nobody waits for any more must not be delivered later.
    fn publish<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Published, PublishError>> + Send + 'a>>;
}

/// The message that every attempt sends.
pub(crate) fn message(command: &Command, topic: &str) -> Result<Message, String> {
    let key = &command.release.key;
    Ok(Message {
        topic: topic.to_owned(),
        key: format!("{}/{}", key.service, key.environment),
        headers: headers(command),
        payload: body::render(command).map_err(|error| format!("the body cannot be written: {error}"))?,
    })
}

/// CloudEvents 1.0 in binary mode, and where the trace goes on.
fn headers(command: &Command) -> Vec<(&'static str, String)> {
    let mut headers = command_headers(command, SOURCE);
    headers.extend(traceparent().map(|parent| (TRACEPARENT, parent)));
    headers
}

/// One attempt. A message cannot be called back from a broker's queue, so none is handed over that might still wait
/// there when the command's time is up.
pub(crate) async fn attempt(
    publisher: &dyn Publisher,
    message: &Message,
    limit: Duration,
) -> Result<String, Failure> {
    if limit < KAFKA_TIMEOUT {
        let left = limit.as_millis();
        return Err(Failure::last(format!(
            "not published: {left} ms are left of the command's time, and a message may need {} s",
            KAFKA_TIMEOUT.as_secs()
        )));
    }
    within(limit, async {
        match publisher.publish(message).await {
            Ok(Published { partition, offset }) => {
                Ok(format!("partition {partition}, offset {offset}, on all replicas in sync"))
            }
            Err(error) => {
                let reason = one_line(&error.reason, MAX_BODY_CHARS);
                Err(if error.is_retryable { Failure::retryable(reason) } else { Failure::last(reason) })
            }
        }
    })
    .await
}
