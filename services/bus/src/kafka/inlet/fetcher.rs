//! The thread that fetches.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use bytes::Bytes;
use model::{Partition, Position, Timestamp};
use rdkafka::{
    Message,
    consumer::{CommitMode, Consumer},
    error::KafkaResult,
    message::{BorrowedMessage, Headers as _},
};
use tokio::time::Instant;

use super::{
    Delivered, InletTopic, STOP_MAX,
    member::{Client, Member},
    shared::{Place, Shared},
};
use crate::kafka::{
    admission::{Admission, is_final},
    cluster::Cluster,
    name::Name,
};

const POLL: Duration = Duration::from_millis(100);

/// How often what is done is told to the group.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// How often the same trouble is told again.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Between two attempts to make a client.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Fetcher {
    pub(super) cluster: Arc<Cluster>,
    pub(super) group: String,
    pub(super) topics: Arc<[InletTopic]>,
    pub(super) shared: Arc<Shared>,
    pub(super) admission: Arc<Admission>,
}

/// Trouble that was told.
#[derive(Default)]
struct Told(Option<(String, Instant)>);

impl Fetcher {
    pub(super) fn run(self) {
        while !self.shared.is_stopping() {
            match self.new_client() {
                Ok(client) => {
                    self.take_part(&client);
                    if self.shared.is_stopping() {
                        // Closing may hang while no broker answers; nobody waits for this thread for ever.
                        self.shared.end();
                    }
                    drop(client);
                    self.let_go();
                    self.wait_until_name_is_free();
                }
                Err(error) => {
                    self.admission.note_unable(&self.cluster.config.redact(&error.to_string()));
                    thread::sleep(AGAIN_AFTER);
                }
            }
        }
        self.shared.end();
    }

    fn new_client(&self) -> KafkaResult<Client> {
        let config = &self.cluster.config;
        let session = config.session_timeout;
        let mut client = config.client();
        for (key, value) in [
            // A few round trips at full speed; what waits for us in memory is bounded by this and by `Shared`.
            ("queued.min.messages", "10000"),
            ("queued.max.messages.kbytes", "8192"),
            ("fetch.queue.backoff.ms", "50"),
            // How fast a topic, or a partition, that is made later is found.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ] {
            if !config.properties.contains_key(key) {
                client.set(key, value);
            }
        }
        client
            .set("group.id", &self.group)
            .set("group.instance.id", self.name())
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", (session.as_millis() / 5).max(100).to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Only for positions that retention has overtaken: what is left must not be skipped.
            .set("auto.offset.reset", "earliest");
        let client: Client = client.create_with_context(Member {
            cluster: self.cluster.clone(),
            group: self.group.clone(),
            topics: self.topics.clone(),
            shared: self.shared.clone(),
            admission: self.admission.clone(),
        })?;
        let names: Vec<&str> = self.topics.iter().map(|topic| &*topic.name).collect();
        client.subscribe(&names)?;
        Ok(client)
    }

    /// Nothing is this member's any more, whether the client said so or not.
    fn let_go(&self) {
        for place in self.shared.places() {
            self.shared.recall(&place);
            self.shared.revoke(&place);
        }
    }

    fn wait_until_name_is_free(&self) {
        let name = Name { group: &self.group, name: &self.name() };
        name.wait_until_free(&self.cluster, || self.shared.is_stopping());
    }

    /// The same after a restart, another one in every process.
    fn name(&self) -> String {
        format!("{}-{}", self.group, self.cluster.config.instance)
    }

    fn take_part(&self, client: &Client) {
        let (mut committed_at, mut told) = (Instant::now(), Told::default());
        while !self.shared.is_stopping() {
            match client.poll(POLL) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) if is_final(&error) => {
                    self.admission.note_shut_out();
                    return;
                }
                Some(Err(error)) if self.admission.note_error(&error) => {}
                Some(Err(error)) => told.tell(&self.group, &self.cluster.config.redact(&error.to_string())),
                None => {}
            }
            self.throttle(client);
            if committed_at.elapsed() >= COMMIT_EVERY {
                committed_at = Instant::now();
                client.context().commit(client, CommitMode::Async);
            }
        }
        self.say_goodbye(client);
    }

    fn take(&self, message: &BorrowedMessage<'_>) {
        self.cluster.note_success();
        let place: Place = (message.topic().into(), message.partition());
        self.shared
            .push(&place, message.offset(), |epoch, life| delivered(message, place.0.clone(), (epoch, life)));
    }

    /// Stops the fetching while what was fetched is not taken, without ceasing to take part in the group.
    fn throttle(&self, client: &Client) {
        let is_paused = self.shared.is_paused.load(Ordering::Relaxed);
        let changed = match is_paused {
            false if self.shared.is_full() => client.assignment().and_then(|all| client.pause(&all)),
            true if self.shared.has_room() => client.assignment().and_then(|all| client.resume(&all)),
            _ => return,
        };
        match changed {
            Ok(()) => self.shared.is_paused.store(!is_paused, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(group = self.group, %error, "the inputs cannot be paused or resumed")
            }
        }
    }

    /// `unsubscribe` sends the request to leave for static members too; the revocation, in which what is done is
    /// committed, comes by `poll`, and the request follows it.
    fn say_goodbye(&self, client: &Client) {
        let deadline = Instant::now() + STOP_MAX;
        client.unsubscribe();
        while !self.shared.places().is_empty() && Instant::now() < deadline {
            drop(client.poll(POLL));
        }
        drop(client.poll(POLL));
    }
}

impl Told {
    fn tell(&mut self, group: &str, text: &str) {
        let is_known = |(before, at): &(String, Instant)| before == text && at.elapsed() < TELL_EVERY;
        if self.0.as_ref().is_some_and(is_known) {
            return;
        }
        tracing::warn!(group, error = text, "an input cannot be read; it is tried again");
        self.0 = Some((text.to_owned(), Instant::now()));
    }
}

fn delivered(message: &BorrowedMessage<'_>, topic: Arc<str>, (epoch, life): (u64, u64)) -> Delivered {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|it| (it.key.to_owned(), it.value.map(Bytes::copy_from_slice))).collect()
    });
    Delivered {
        topic,
        partition: Partition(message.partition().max(0).unsigned_abs()),
        offset: Position(message.offset().max(0).unsigned_abs()),
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        at: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        headers: headers.unwrap_or_default(),
        payload: message.payload().map(Bytes::copy_from_slice),
        epoch,
        life,
    }
}
