//! What librdkafka calls back with, on the thread that fetches: partitions that come and go, positions that were
//! committed, statistics.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use tokio::time::Instant;

use super::{
    Begin, InletTopic,
    shared::{Place, Shared},
};
use crate::kafka::{admission::Admission, cluster::Cluster};

/// How long a question to the group's or a partition's broker may take. Within it leaders are elected.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long the taker may still work on messages of a partition that goes to another member: what is done by then
/// does not come again there.
const LET_GO_MAX: Duration = Duration::from_secs(2);

pub(super) type Client = BaseConsumer<Member>;

/// This member of the group.
pub(super) struct Member {
    pub(super) cluster: Arc<Cluster>,
    pub(super) group: String,
    pub(super) topics: Arc<[InletTopic]>,
    pub(super) shared: Arc<Shared>,
    pub(super) admission: Arc<Admission>,
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.cluster.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        for place in self.shared.places() {
            let topic = statistics.topics.get(&*place.0);
            let end = topic.and_then(|topic| Some(topic.partitions.get(&place.1)?.hi_offset));
            if let Some(end) = end.filter(|end| *end >= 0) {
                self.shared.note_end(place, end);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.cluster.note_error(&error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, client: &Client, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let changed = if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.admission.note_admitted();
            self.assign(client, partitions)
        } else {
            self.revoke(client, partitions)
        };
        if let Err(error) = changed {
            tracing::error!(group = self.group, %error, "a change of partitions failed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        match result {
            Ok(()) => self.shared.committed(&positions(offsets)),
            // The next one says the same and more.
            Err(error) => tracing::debug!(group = self.group, %error, "a position was not committed"),
        }
    }
}

impl Member {
    fn assign(&self, client: &Client, partitions: &mut TopicPartitionList) -> KafkaResult<()> {
        if partitions.count() > 0 {
            let known = self.committed(client, partitions);
            for place in places(partitions) {
                let committed = known.as_ref().map(|known| known.get(&place).copied());
                let (begin, next) = match committed {
                    // Nobody can say: librdkafka asks again by itself, and begins with the oldest if there is nothing.
                    None => (Offset::Stored, -1),
                    Some(Some(committed)) => {
                        self.note_lost(client, &place, committed);
                        (Offset::Offset(committed), committed)
                    }
                    Some(None) => self.begin(client, &place),
                };
                partitions.set_partition_offset(&place.0, place.1, begin)?;
                self.shared.assign(place, next, committed.flatten());
            }
        }
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_assign(partitions)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => client.assign(partitions)?,
        }
        if partitions.count() > 0 {
            // A partition that was paused here, went and came back is still paused.
            match self.shared.is_paused.load(Ordering::Relaxed) {
                true => client.pause(partitions)?,
                false => client.resume(partitions)?,
            }
            // Where a new member begins has to stand before its first message: a crash must not move it.
            self.commit(client, CommitMode::Sync);
        }
        Ok(())
    }

    /// The group's positions; `None`: the group's broker does not say.
    fn committed(&self, client: &Client, partitions: &TopicPartitionList) -> Option<BTreeMap<Place, i64>> {
        match client.committed_offsets(partitions.clone(), ANSWER_MAX) {
            Ok(committed) => Some(positions(&committed)),
            Err(error) => {
                tracing::warn!(group = self.group, %error, "the group's positions are not told");
                None
            }
        }
    }

    /// What stood between the group's position and the oldest message that is left, if anything did.
    fn note_lost(&self, client: &Client, (topic, partition): &Place, committed: i64) {
        let Ok((first, end)) = client.fetch_watermarks(topic, *partition, ANSWER_MAX) else { return };
        // Beyond the end is a topic that was made again.
        if committed < first && committed <= end {
            let messages = first.saturating_sub(committed).unsigned_abs();
            self.shared.note_lost(topic, messages);
            tracing::error!(%topic, partition, messages, from = committed, to = first,
                "messages of an input are gone: retention took them before they were read");
        }
    }

    /// Where to begin on a partition where the group has no position, and its offset if that is known.
    fn begin(&self, client: &Client, (topic, partition): &Place) -> (Offset, i64) {
        let configured = self.topics.iter().find(|it| *it.name == **topic).map(|it| it.begin);
        let Some(Begin::At(at)) = configured else { return (Offset::Beginning, -1) };
        let found = || -> KafkaResult<i64> {
            // The end first: what comes in between is found by its time.
            let (_, end) = client.fetch_watermarks(topic, *partition, ANSWER_MAX)?;
            let mut times = TopicPartitionList::new();
            times.add_partition_offset(topic, *partition, Offset::Offset(at.as_millis().max(0)))?;
            let found = positions(&client.offsets_for_times(times, ANSWER_MAX)?);
            Ok(found.into_values().next().unwrap_or(end))
        };
        match found() {
            Ok(next) => (Offset::Offset(next), next),
            Err(error) => {
                tracing::warn!(
                    %topic, partition, %error,
                    "the broker does not say where now is; everything there is will be read"
                );
                (Offset::Beginning, -1)
            }
        }
    }

    fn revoke(&self, client: &Client, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let revoked = places(partitions);
        revoked.iter().for_each(|place| self.shared.recall(place));
        // What is lost may be another member's already: nothing to wait for, nothing to commit.
        if !client.assignment_lost() {
            self.wait_for(&revoked);
            self.commit(client, CommitMode::Sync);
        }
        revoked.iter().for_each(|place| self.shared.revoke(place));
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_unassign(partitions),
            RebalanceProtocol::Eager | RebalanceProtocol::None => client.unassign(),
        }
    }

    /// Whoever stops has finished, or will not.
    fn wait_for(&self, revoked: &[Place]) {
        let deadline = Instant::now() + LET_GO_MAX;
        while !self.shared.is_all_done(revoked) && !self.shared.is_stopping() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Commits what is done and not known to the group yet.
    pub(super) fn commit(&self, client: &Client, mode: CommitMode) {
        let to_commit = self.shared.to_commit();
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), next) in &to_commit {
            drop(offsets.add_partition_offset(topic, *partition, Offset::Offset(*next)));
        }
        if offsets.count() == 0 {
            return;
        }
        match client.commit(&offsets, mode) {
            // The other mode answers by `commit_callback`.
            Ok(()) if matches!(mode, CommitMode::Sync) => self.shared.committed(&to_commit),
            Ok(()) => {}
            Err(error) => tracing::debug!(group = self.group, %error, "a position was not committed"),
        }
    }
}

fn places(partitions: &TopicPartitionList) -> Vec<Place> {
    partitions.elements().iter().map(|it| (it.topic().into(), it.partition())).collect()
}

/// Those that are known.
fn positions(partitions: &TopicPartitionList) -> BTreeMap<Place, i64> {
    let known = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
    let elements = partitions.elements();
    let of =
        elements.iter().filter_map(|it| Some(((it.topic().into(), it.partition()), known(it.offset())?)));
    of.collect()
}
