//! Snapshots on a compacted topic: partition for partition as the events.
//!
//! A snapshot is cut into chunks under the keys `a/0`, `a/1` … or `b/0` …, and counts once a record under the key
//! `manifest` names its slot, its length and its checksum. The next one goes to the other slot, so that compaction
//! keeps what the manifest in force names until a new one is in its place. Two processes that both believe the
//! partition is theirs may spoil a slot; the checksum tells, and the state is rebuilt from the topics.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use model::{Partition, Position};

use crate::{
    NewRecord, Record, SnapshotError,
    kafka::{Append, Topic, cluster::lock},
};

/// Below what a broker takes by default (1 MiB), so that no setting stands in the way.
const CHUNK_BYTES: usize = 900 * 1000;

/// Chunks sent and not acknowledged yet: 7 MB.
const IN_FLIGHT_MAX: usize = 8;

/// Records read at first when the newest manifest is looked for: it is the last one, unless a save was cut short.
const LOOK_BACK: u64 = 2;
const LOOK_BACK_FACTOR: u64 = 32;

/// Rebuilding the state from the topics is an answer too.
const LOAD_MAX: Duration = Duration::from_secs(60);

/// A manifest's length is not believed beyond this before its chunks are there.
const BYTES_AT_ONCE_MAX: usize = 256 * 1024 * 1024;

const CHECKPOINT_PREFIX: &str = "checkpoint/";

const MANIFEST: &str = "manifest";

#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    topic: Topic,
    /// Before every key, so that other values stand beside them on the same topic.
    prefix: &'static str,
    /// The slot that the manifest in force names, for each partition that was saved or loaded here.
    slots: Arc<Mutex<BTreeMap<Partition, Slot>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    fn name(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn key(self, prefix: &str, chunk: u32) -> Bytes {
        format!("{prefix}{}/{chunk}", self.name()).into()
    }
}

/// What is known of the snapshot in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manifest {
    slot: Slot,
    chunks: u32,
    bytes: u64,
    crc: u32,
    /// Where its first chunk stands: nothing before has to be read.
    first: Position,
}

const MANIFEST_BYTES: usize = 1 + 4 + 8 + 4 + 8;

impl Manifest {
    fn encode(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(MANIFEST_BYTES);
        bytes.put_u8(self.slot.name() as u8);
        bytes.put_u32_le(self.chunks);
        bytes.put_u64_le(self.bytes);
        bytes.put_u32_le(self.crc);
        bytes.put_u64_le(self.first.0);
        bytes.freeze()
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != MANIFEST_BYTES {
            return None;
        }
        let slot = match bytes.get_u8() {
            b'a' => Slot::A,
            b'b' => Slot::B,
            _ => return None,
        };
        let (chunks, length, crc) = (bytes.get_u32_le(), bytes.get_u64_le(), bytes.get_u32_le());
        Some(Self { slot, chunks, bytes: length, crc, first: Position(bytes.get_u64_le()) })
    }
}

impl Snapshots {
    pub(crate) fn new(topic: Topic) -> Self {
        Self { topic, prefix: "", slots: Arc::default() }
    }

    /// Those of the decisions log, on the same topic.
    pub(crate) fn checkpoints(topic: Topic) -> Self {
        Self { topic, prefix: CHECKPOINT_PREFIX, slots: Arc::default() }
    }

    pub(crate) async fn save(&self, partition: Partition, snapshot: Bytes) -> Result<(), SnapshotError> {
        // Taken out: if the manifest's append fails nobody knows which one is in force, and the topic is asked.
        let known = lock(&self.slots).remove(&partition);
        let in_force = match known {
            Some(slot) => Some(slot),
            None => self.newest(partition).await?.map(|(_, manifest)| manifest.slot),
        };
        let slot = in_force.map_or(Slot::A, Slot::other);
        let first = self.send_chunks(partition, slot, &snapshot).await?;
        let chunks = snapshot.chunks(CHUNK_BYTES).len() as u32;
        let crc = crc32fast::hash(&snapshot);
        let manifest = Manifest { slot, chunks, bytes: snapshot.len() as u64, crc, first };
        ack(self.send(partition, self.manifest_key(), manifest.encode())).await?;
        lock(&self.slots).insert(partition, slot);
        Ok(())
    }

    pub(crate) fn forget(&self, partition: Partition) {
        lock(&self.slots).remove(&partition);
    }

    /// Whether a record is one of these values', and not of others on the same topic.
    fn has(&self, record: &Record) -> bool {
        match self.prefix {
            "" => !record.key.starts_with(CHECKPOINT_PREFIX.as_bytes()),
            prefix => record.key.starts_with(prefix.as_bytes()),
        }
    }

    fn manifest_key(&self) -> Bytes {
        format!("{}{MANIFEST}", self.prefix).into()
    }

    /// Answers where the first one stands.
    async fn send_chunks(
        &self,
        partition: Partition,
        slot: Slot,
        snapshot: &Bytes,
    ) -> Result<Position, SnapshotError> {
        let mut first = None;
        let mut under_way = VecDeque::new();
        for (chunk, start) in (0..).zip((0..snapshot.len()).step_by(CHUNK_BYTES)) {
            if under_way.len() == IN_FLIGHT_MAX
                && let Some(oldest) = under_way.pop_front()
            {
                let position = ack(oldest).await?;
                first.get_or_insert(position);
            }
            let end = snapshot.len().min(start + CHUNK_BYTES);
            under_way.push_back(self.send(
                partition,
                slot.key(self.prefix, chunk),
                snapshot.slice(start..end),
            ));
        }
        for append in under_way {
            let position = ack(append).await?;
            first.get_or_insert(position);
        }
        Ok(first.unwrap_or_default())
    }

    fn send(&self, partition: Partition, key: Bytes, payload: Bytes) -> Append {
        // With the time of sending, by which compaction goes.
        self.topic.append_now(partition, &NewRecord { key, payload, ..NewRecord::default() })
    }

    pub(crate) async fn load(&self, partition: Partition) -> Result<Option<Bytes>, SnapshotError> {
        let loaded = tokio::time::timeout(LOAD_MAX, self.read_newest(partition)).await;
        loaded.map_err(|_| failed("the brokers did not answer in time"))?
    }

    async fn read_newest(&self, partition: Partition) -> Result<Option<Bytes>, SnapshotError> {
        let Some((stands_at, manifest)) = self.newest(partition).await? else { return Ok(None) };
        lock(&self.slots).insert(partition, manifest.slot);
        let records = if manifest.chunks == 0 {
            Vec::new()
        } else {
            self.read(partition, manifest.first, stands_at).await?
        };
        let snapshot = assemble(self.prefix, manifest, &records);
        if snapshot.is_none() {
            tracing::warn!(%partition, "a damaged value on the state topic is not used");
        }
        Ok(snapshot)
    }

    /// The manifest in force, and where it stands: almost always the last record.
    async fn newest(&self, partition: Partition) -> Result<Option<(Position, Manifest)>, SnapshotError> {
        let bounds = self.topic.bounds(partition).await.map_err(failed)?;
        let mut back = LOOK_BACK;
        loop {
            let from = Position(bounds.next.0.saturating_sub(back).max(bounds.first.0));
            let records = self.read(partition, from, bounds.next).await?;
            let manifests = records.iter().rev().filter(|record| record.key == self.manifest_key());
            let newest = manifests
                .filter_map(|record| Some((record.position, Manifest::decode(&record.payload)?)))
                .next();
            if newest.is_some() || from <= bounds.first {
                return Ok(newest);
            }
            back = back.saturating_mul(LOOK_BACK_FACTOR);
        }
    }

    async fn read(
        &self,
        partition: Partition,
        from: Position,
        end: Position,
    ) -> Result<Vec<Record>, SnapshotError> {
        let mut records = Vec::new();
        if from >= end {
            return Ok(records);
        }
        let mut reader = self.topic.reader(partition, from);
        // The newest record of a key is never compacted away, so the last position before the end is there.
        while reader.position() < end {
            let record = reader.next().await.map_err(failed)?;
            // A state that somebody else wrote is worse than none.
            if record.doubt.is_none() && self.has(&record) {
                records.push(record);
            }
        }
        Ok(records)
    }
}

/// The snapshot that `manifest` names, if it is whole.
fn assemble(prefix: &str, manifest: Manifest, records: &[Record]) -> Option<Bytes> {
    let by_key: BTreeMap<&[u8], &Bytes> =
        records.iter().map(|record| (&record.key[..], &record.payload)).collect();
    let mut snapshot = BytesMut::with_capacity(usize::try_from(manifest.bytes).ok()?.min(BYTES_AT_ONCE_MAX));
    for chunk in 0..manifest.chunks {
        snapshot.extend_from_slice(by_key.get(&manifest.slot.key(prefix, chunk)[..])?);
    }
    let is_whole = snapshot.len() as u64 == manifest.bytes && crc32fast::hash(&snapshot) == manifest.crc;
    is_whole.then(|| snapshot.freeze())
}

async fn ack(append: Append) -> Result<Position, SnapshotError> {
    append.await.map_err(failed)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SnapshotError {
    SnapshotError(Arc::new(io::Error::other(error)))
}
