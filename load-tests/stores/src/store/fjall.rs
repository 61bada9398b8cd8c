use std::path::Path;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::Store;

pub(crate) struct Fjall {
    database: Database,
    log: Keyspace,
    next: u64,
}

impl Store for Fjall {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let database = Database::builder(dir).open()?;
        let log = database.keyspace("log", KeyspaceCreateOptions::default)?;
        let last = log.iter().next_back().map(|entry| entry.key()).transpose()?;
        let next =
            last.and_then(|key| key.first_chunk().map(|key| u64::from_be_bytes(*key) + 1)).unwrap_or(0);
        Ok(Self { database, log, next })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for record in records {
            batch.insert(&self.log, self.next.to_be_bytes(), &record[..]);
            self.next += 1;
        }
        Ok(batch.commit()?)
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        for entry in self.log.iter() {
            take(&entry.value()?);
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
