//! inlet: messages of other people's topics become events, as what is posted does.
//!
//! A message is done with, and its offset committed, only when what it says is durable: nothing is lost, wherever
//! the process is killed. What was done and not committed yet comes again. Deployment events know their release,
//! so that a repeat changes nothing. Request events have no such key: a repeat within this process is told by
//! [`Taken`]; after a crash, or when a partition moves to another process that could not hear of the last commit,
//! the requests of about a second count twice.
//!
//! A log that cannot write is waited for; what nobody can read is kept as a dead letter, and what is behind it goes
//! on.

mod message;
mod metrics;
mod taken;

use std::{sync::Arc, time::Duration};

use bus::{Begin, Delivered, Inlet, InletTopic, KafkaConfig, OpenError};
use model::{EventBody, EventId};
use proto::{EnvelopeBody, EventEnvelope};
use tokio::{
    task::{JoinError, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::metrics::InletMetrics;
use self::{message::Content, taken::Taken};
use super::{
    member::{look_interval, say},
    records::{Poison, Unreadable},
};
use crate::{
    config::{Input, InputFormat, InputStart},
    placing::Placing,
    readiness::Readiness,
};

/// The group's name, behind the prefix.
const GROUP: &str = "inputs";

/// Messages of request events on their way to the log at once: enough that each group commit of the log holds many,
/// little enough to hold in memory.
const UNDER_WAY_MAX: usize = 256;

/// Pause before a message is offered again to a log that cannot write.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How often the lag is looked at.
const LAG_PERIOD: Duration = Duration::from_secs(5);

/// The loop around an [`Inlet`].
pub(crate) struct InletRole {
    inlet: Inlet,
    taken: Taken,
    writing: Arc<Writing>,
    readiness: Readiness,
    stop: CancellationToken,
}

/// What each message on its way needs.
struct Writing {
    inputs: Vec<Input>,
    placing: Arc<Placing>,
    poison: Poison,
    metrics: InletMetrics,
    stop: CancellationToken,
}

/// The process stops: the message is not done.
struct Stopped;

impl InletRole {
    /// Joins the group.
    pub(crate) fn start(
        kafka: &KafkaConfig,
        inputs: Vec<Input>,
        placing: Arc<Placing>,
        poison: Poison,
        metrics: InletMetrics,
        readiness: Readiness,
        stop: CancellationToken,
    ) -> Result<Self, OpenError> {
        let now = telemetry::clock::now();
        let topic = |input: &Input| InletTopic {
            name: input.topic.clone(),
            begin: match input.start {
                InputStart::Latest => Begin::At(now),
                InputStart::Earliest => Begin::Earliest,
            },
        };
        let inlet = Inlet::start(kafka, GROUP, inputs.iter().map(topic).collect())?;
        let writing = Writing { inputs, placing, poison, metrics, stop: stop.clone() };
        Ok(Self { inlet, taken: Taken::default(), writing: Arc::new(writing), readiness, stop })
    }

    /// Runs until told to stop; what is under way then is finished if the log can write.
    pub(crate) async fn run(mut self) {
        let mut under_way = JoinSet::new();
        let mut lag = tokio::time::interval(LAG_PERIOD);
        lag.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = look_interval();
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => self.end(ended),
                _ = look.tick() => self.say_whether_refused(),
                _ = lag.tick() => {
                    self.writing.metrics.lag(&self.inlet.lag());
                    self.writing.metrics.lost(&self.inlet.lost());
                }
                message = self.inlet.next(), if under_way.len() < UNDER_WAY_MAX => match message {
                    Some(message) => self.take(message, &mut under_way).await,
                    None => {
                        self.say_whether_refused();
                        stop.cancelled().await;
                    }
                },
            }
        }
        while let Some(ended) = under_way.join_next().await {
            self.end(ended);
        }
        self.inlet.stop().await;
    }

    fn say_whether_refused(&self) {
        say(&self.readiness, GROUP, self.inlet.refusal());
    }

    async fn take(&mut self, message: Delivered, under_way: &mut JoinSet<Result<Delivered, Stopped>>) {
        let Some(at) = self.writing.input_of(&message) else { return };
        let format = self.writing.inputs[at].format;
        if !self.taken.is_new(&message) {
            return self.repeat(&message, under_way).await;
        }
        let written = Arc::clone(&self.writing).write(message, at);
        match format {
            // Of a release the later event must not overtake the earlier one; there are few.
            InputFormat::CloudEvents => self.end(Ok(written.await)),
            InputFormat::Requests => drop(under_way.spawn(written)),
        }
    }

    /// What was taken before may still be on its way: only when it has arrived nothing can be lost any more.
    async fn repeat(&mut self, message: &Delivered, under_way: &mut JoinSet<Result<Delivered, Stopped>>) {
        while let Some(ended) = under_way.join_next().await {
            self.end(ended);
        }
        if !self.stop.is_cancelled() {
            self.writing.metrics.count(message, "repeated");
            self.inlet.done(message);
        }
    }

    fn end(&mut self, ended: Result<Result<Delivered, Stopped>, JoinError>) {
        match ended {
            Ok(Ok(message)) => self.inlet.done(&message),
            Ok(Err(Stopped)) => {}
            Err(error) => {
                // Not done, so that it comes again, at the next start at the latest; and it must not be taken for one
                // that arrived.
                self.taken = Taken::default();
                tracing::error!(%error, "a message of an input could not be worked on");
            }
        }
    }
}

impl Writing {
    fn input_of(&self, message: &Delivered) -> Option<usize> {
        self.inputs.iter().position(|input| *input.topic == *message.topic)
    }

    /// Puts what the message says onto the log; durable when this resolves.
    async fn write(self: Arc<Self>, message: Delivered, at: usize) -> Result<Delivered, Stopped> {
        let now = telemetry::clock::now();
        let content = match message::read(&self.inputs[at], &message, now) {
            Ok(content) => content,
            Err(why) => return self.bury(message, &why, "poison").await,
        };
        let Content { event, requests, rejected } = content;
        let Some(event) = event else {
            self.metrics.count(&message, "ignored");
            return Ok(message);
        };
        if let Err(why) = self.append(&message, event).await? {
            return self.bury(message, &why, "poison").await;
        }
        self.metrics.requests(&message, requests);
        let Some(why) = rejected else {
            self.metrics.count(&message, "taken");
            return Ok(message);
        };
        self.bury(message, &why, "taken_in_part").await
    }

    async fn append(&self, message: &Delivered, body: EventBody) -> Result<Result<(), Unreadable>, Stopped> {
        let envelope = EventEnvelope {
            id: event_id(message),
            at: telemetry::clock::now(),
            source: format!("kafka {}", message.topic),
            is_copy: false,
            body: EnvelopeBody::Other(body),
        };
        loop {
            match self.placing.append(envelope.clone(), None).await {
                Ok(()) => return Ok(Ok(())),
                Err(error) if error.is_retryable() => self.wait(&error).await?,
                Err(error) => return Ok(Err(Unreadable::new("too_large", error))),
            }
        }
    }

    /// The message stays on its own topic only as long as that keeps it: the dead letter is waited for.
    async fn bury(
        &self,
        message: Delivered,
        why: &Unreadable,
        result: &'static str,
    ) -> Result<Delivered, Stopped> {
        self.metrics.count(&message, result);
        self.poison.note_message(&message, why);
        loop {
            match self.poison.bury_message(&message, why).await {
                Ok(_) => return Ok(message),
                Err(error) if error.is_retryable() => self.wait(&error).await?,
                Err(error) => {
                    let (topic, offset) = (&*message.topic, message.offset.0);
                    tracing::error!(%error, topic, offset, "a message that cannot be read is too large to be kept");
                    return Ok(message);
                }
            }
        }
    }

    async fn wait(&self, error: &bus::AppendError) -> Result<(), Stopped> {
        self.metrics.wait(error);
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            () = tokio::time::sleep(RETRY_PAUSE) => Ok(()),
        }
    }
}

/// The same for the same message, whoever reads it.
fn event_id(message: &Delivered) -> EventId {
    let (partition, offset) = (message.partition.to_string(), message.offset.0.to_string());
    let hash = model::id::stable_hash(&["inlet", &message.topic, &partition, &offset]);
    EventId::from_text(format!("evt_{hash}"))
}
