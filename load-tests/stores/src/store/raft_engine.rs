use std::path::Path;

use bytes::Bytes;
use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use super::Store;

const REGION: u64 = 1;
const INDEX_BYTES: usize = 8;

/// An entry has to know its own index, so it stands before the record.
struct Entry;

impl MessageExt for Entry {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.value.first_chunk().map_or(0, |index| u64::from_le_bytes(*index))
    }
}

pub(crate) struct RaftEngine {
    engine: Engine,
    next: u64,
}

impl Store for RaftEngine {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        // Nothing here can be compressed; trying it would only cost.
        let engine = Engine::open(Config {
            dir: dir.display().to_string(),
            batch_compression_threshold: ReadableSize::kb(0),
            ..Config::default()
        })?;
        let next = engine.last_index(REGION).map_or(1, |last| last + 1);
        Ok(Self { engine, next })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let entries: Vec<_> = records
            .iter()
            .zip(self.next..)
            .map(|(record, index)| {
                let mut entry = BytesValue::new();
                entry.value = [&index.to_le_bytes()[..], record].concat();
                entry
            })
            .collect();
        let mut batch = LogBatch::with_capacity(1);
        batch.add_entries::<Entry>(REGION, &entries)?;
        self.engine.write(&mut batch, true)?;
        self.next += records.len() as u64;
        Ok(())
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        const AT_ONCE: u64 = 128;
        let mut entries = Vec::new();
        let mut from = self.engine.first_index(REGION).unwrap_or(self.next);
        while from < self.next {
            let to = self.next.min(from + AT_ONCE);
            self.engine.fetch_entries_to::<Entry>(REGION, from, to, None, &mut entries)?;
            entries.drain(..).for_each(|entry| take(&entry.value[INDEX_BYTES..]));
            from = to;
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
}
