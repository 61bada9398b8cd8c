use std::path::Path;

use bytes::Bytes;
use rusqlite::Connection;

use super::Store;

pub(crate) struct Sqlite {
    connection: Connection,
}

impl Store for Sqlite {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(dir.join("log.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection
            .execute("CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, record BLOB)", ())?;
        Ok(Self { connection })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log (record) VALUES (?1)")?;
            for record in records {
                insert.execute([&record[..]])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let mut select = self.connection.prepare("SELECT record FROM log ORDER BY position")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            take(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
