//! Who has what: a consumer in a group that fetches nothing. What it is given is read by `Reader`s, which begin
//! where the state of the one who reads says, and not where the group left off.
//!
//! The member is static (it has a name), so that a process which crashes and comes back in time gets its
//! partitions back without anybody else moving. `leave` gives them back at once: `unsubscribe` sends the
//! request to leave for static members too, closing does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use model::{Partition, Position};
use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Change, Revoked,
    kafka::{
        admission::{Admission, is_final},
        cluster::{Cluster, lock},
        name::Name,
    },
};

/// How long somebody may take to let go of partitions before they go to another member all the same.
const LET_GO_MAX: Duration = Duration::from_secs(5);

/// How often what was taken care of is told to the group.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// How long a goodbye may take.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Members learn by their heartbeats' answers that others come or go: however long a session is, that is known soon.
const HEARTBEAT_MAX: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(100);

/// Between two attempts to make a client.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One process's place in a group.
#[derive(Debug)]
pub(crate) struct Membership {
    changes: mpsc::UnboundedReceiver<Change>,
    shared: Arc<Shared>,
    left: oneshot::Receiver<()>,
}

struct Shared {
    cluster: Arc<Cluster>,
    topic: String,
    group: String,
    /// What was taken care of and not committed yet.
    to_commit: Mutex<BTreeMap<Partition, Position>>,
    admission: Admission,
    is_leaving: AtomicBool,
    is_dropped: AtomicBool,
    /// Times that partitions came or went.
    rebalances: Arc<AtomicU64>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.is_dropped.store(true, Ordering::Relaxed);
    }
}

impl Membership {
    /// Joins `group` for the partitions of `topic`.
    pub(crate) fn start(
        cluster: Arc<Cluster>,
        topic: String,
        group: &str,
        rebalances: Arc<AtomicU64>,
    ) -> Self {
        let group = format!("{}-{group}", cluster.config.topic_prefix);
        let admission = Admission::new(&group, &cluster.config.instance);
        let shared = Arc::new(Shared {
            cluster,
            topic,
            group,
            to_commit: Mutex::default(),
            admission,
            is_leaving: AtomicBool::new(false),
            is_dropped: AtomicBool::new(false),
            rebalances,
        });
        let (sender, changes) = mpsc::unbounded_channel();
        let (left_sender, left) = oneshot::channel();
        let thread = shared.clone();
        let started = thread::Builder::new().name("kafka-member".to_owned()).spawn(move || {
            thread.run(&sender);
            // `next` answers `None` from here on.
            drop(sender);
            drop(left_sender);
        });
        if let Err(error) = started {
            shared.admission.note_unable(&error.to_string());
        }
        Self { changes, shared, left }
    }

    pub(crate) async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }

    pub(crate) fn commit(&self, partition: Partition, next: Position) {
        lock(&self.shared.to_commit).insert(partition, next);
    }

    pub(crate) fn refusal(&self) -> Option<String> {
        self.shared.admission.refusal()
    }

    /// Resolves once the group knows that this member is gone, or after five seconds.
    pub(crate) async fn leave(mut self) {
        // Nobody lets go of what is revoked from here on: who leaves has done so.
        self.changes.close();
        while self.changes.try_recv().is_ok() {}
        self.shared.is_leaving.store(true, Ordering::Relaxed);
        if tokio::time::timeout(LEAVE_MAX, &mut self.left).await.is_err() {
            tracing::warn!(group = self.shared.group, "leaving a Kafka group takes too long");
        }
    }
}

type Client = BaseConsumer<Member>;

impl Shared {
    fn run(self: Arc<Self>, changes: &mpsc::UnboundedSender<Change>) {
        while !self.is_over() {
            match self.new_client(changes) {
                Ok(client) => {
                    self.take_part(&client);
                    self.let_go(&client);
                    // Closing may hang while no broker answers; nobody waits for this thread for ever.
                    drop(client);
                    self.wait_until_name_is_free();
                }
                Err(error) => {
                    self.admission.note_unable(&self.cluster.config.redact(&error.to_string()));
                    thread::sleep(AGAIN_AFTER);
                }
            }
        }
    }

    /// Once shut out: whoever takes care of what this member had hears at once that it is another one's. The client does
    /// not say so before it is closed.
    fn let_go(&self, client: &Client) {
        if self.is_over() {
            return;
        }
        let lost: Vec<_> = std::mem::take(&mut *lock(&client.context().owned)).into_iter().collect();
        if !lost.is_empty() {
            let (done, _) = oneshot::channel();
            // Nobody receives only when the member is leaving.
            drop(client.context().changes.send(Change::Revoked(Revoked::new(lost, done))));
        }
    }

    fn wait_until_name_is_free(&self) {
        let name = Name { group: &self.group, name: &self.name() };
        name.wait_until_free(&self.cluster, || self.is_over());
    }

    /// The same after a restart, another one in every process.
    fn name(&self) -> String {
        format!("{}-{}", self.group, self.cluster.config.instance)
    }

    fn is_over(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed) || self.is_dropped.load(Ordering::Relaxed)
    }

    fn new_client(self: &Arc<Self>, changes: &mpsc::UnboundedSender<Change>) -> KafkaResult<Client> {
        let config = &self.cluster.config;
        let mut client = config.client();
        let session = config.session_timeout;
        let heartbeat = (session / 5).min(HEARTBEAT_MAX);
        client
            .set("group.id", &self.group)
            .set("group.instance.id", self.name())
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", heartbeat.as_millis().to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Should anything be fetched before the pause is in force, let it be little.
            .set("queued.min.messages", "1")
            .set("fetch.message.max.bytes", "1024");
        let member = Member { shared: self.clone(), changes: changes.clone(), owned: Mutex::default() };
        let client: Client = client.create_with_context(member)?;
        client.subscribe(&[&self.topic])?;
        Ok(client)
    }

    fn take_part(&self, client: &Client) {
        let mut committed_at = Instant::now();
        while !self.is_over() {
            if let Some(Err(error)) = client.poll(POLL) {
                if is_final(&error) {
                    self.admission.note_shut_out();
                    return;
                }
                self.admission.note_error(&error);
            }
            if committed_at.elapsed() >= COMMIT_EVERY {
                committed_at = Instant::now();
                self.commit(client, CommitMode::Async);
            }
        }
        if self.is_leaving.load(Ordering::Relaxed) {
            self.say_goodbye(client);
        }
    }

    fn say_goodbye(&self, client: &Client) {
        // Waits for the brokers' answer; should it not come, `leave` does not wait for this thread for ever.
        self.commit(client, CommitMode::Sync);
        client.unsubscribe();
        // The revocation comes by `poll`, and the request to leave follows it.
        let deadline = Instant::now() + LEAVE_MAX;
        while !lock(&client.context().owned).is_empty() && Instant::now() < deadline {
            drop(client.poll(POLL));
        }
        drop(client.poll(POLL));
    }

    /// Commits what is this member's to commit: what went to another one is that one's.
    fn commit(&self, client: &Client, mode: CommitMode) {
        let owned = lock(&client.context().owned).clone();
        let mut to_commit = std::mem::take(&mut *lock(&self.to_commit));
        to_commit.retain(|partition, _| owned.contains(partition));
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in &to_commit {
            let offset = Offset::Offset(i64::try_from(next.0).unwrap_or(i64::MAX));
            drop(offsets.add_partition_offset(&self.topic, partition.0 as i32, offset));
        }
        if offsets.count() == 0 {
            return;
        }
        if let Err(error) = client.commit(&offsets, mode) {
            tracing::debug!(group = self.group, %error, "a position was not committed");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("group", &self.group).finish_non_exhaustive()
    }
}

/// What librdkafka calls back with.
struct Member {
    shared: Arc<Shared>,
    changes: mpsc::UnboundedSender<Change>,
    owned: Mutex<BTreeSet<Partition>>,
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.shared.cluster.log(level, facility, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.cluster.note_error(&error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, client: &Client, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        self.shared.rebalances.fetch_add(1, Ordering::Relaxed);
        let changed = if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.shared.admission.note_admitted();
            self.assign(client, partitions)
        } else {
            self.revoke(client, partitions)
        };
        if let Err(error) = changed {
            tracing::error!(group = self.shared.group, %error, "a change of partitions failed");
        }
    }
}

impl Member {
    fn assign(&self, client: &Client, partitions: &mut TopicPartitionList) -> KafkaResult<()> {
        let assigned = numbers(partitions);
        // Any position will do, as nothing is read; without one librdkafka would ask the group for it first.
        partitions.set_all_offsets(Offset::Offset(0))?;
        // Before, so that nothing is fetched, which only partitions that are known already take; and after.
        drop(client.pause(partitions));
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_assign(partitions)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => client.assign(partitions)?,
        }
        if !assigned.is_empty() {
            client.pause(partitions)?;
            lock(&self.owned).extend(&assigned);
            // Nobody receives only when the member is leaving.
            drop(self.changes.send(Change::Assigned(assigned)));
        }
        Ok(())
    }

    fn revoke(&self, client: &Client, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let mut revoked = numbers(partitions);
        // Others were let go of before: a client that is closed says so once more.
        revoked.retain(|partition| lock(&self.owned).contains(partition));
        if !revoked.is_empty() {
            let is_lost = client.assignment_lost();
            let (done, is_done) = oneshot::channel();
            let told = self.changes.send(Change::Revoked(Revoked::new(revoked.clone(), done)));
            // What is lost may be another member's already: nothing to wait for, nothing to commit.
            if !is_lost {
                if told.is_ok() {
                    wait_for(is_done);
                }
                // Goes out before the request to join anew.
                self.shared.commit(client, CommitMode::Async);
            }
            lock(&self.owned).retain(|partition| !revoked.contains(partition));
        }
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_unassign(partitions),
            RebalanceProtocol::Eager | RebalanceProtocol::None => client.unassign(),
        }
    }
}

/// Waits until the other end is dropped, but not for too long.
fn wait_for(mut is_done: oneshot::Receiver<()>) {
    let deadline = Instant::now() + LET_GO_MAX;
    while Instant::now() < deadline {
        if !matches!(is_done.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    tracing::warn!("revoked partitions were not let go of in time");
}

fn numbers(partitions: &TopicPartitionList) -> Vec<Partition> {
    let mut numbers: Vec<_> =
        partitions.elements().iter().map(|one| Partition(one.partition().max(0) as u32)).collect();
    numbers.sort_unstable();
    numbers
}
