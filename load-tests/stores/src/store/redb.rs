use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::Store;

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

pub(crate) struct Redb {
    database: Database,
    next: u64,
}

impl Store for Redb {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let database = Database::create(dir.join("log.redb"))?;
        let transaction = database.begin_write()?;
        let next = transaction.open_table(LOG)?.last()?.map_or(0, |(key, _)| key.value() + 1);
        transaction.commit()?;
        Ok(Self { database, next })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            for record in records {
                log.insert(self.next, &record[..])?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        for entry in self.database.begin_read()?.open_table(LOG)?.iter()? {
            take(entry?.1.value());
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
}
