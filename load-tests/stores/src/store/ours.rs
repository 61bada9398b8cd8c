use std::path::Path;

use bytes::Bytes;
use model::{Partition, Position, Timestamp};
use tokio::runtime::Runtime;

use super::Store;

const PARTITION: Partition = Partition(0);

pub(crate) struct OurLog {
    runtime: Runtime,
    bus: bus::Bus,
}

impl Store for OurLog {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let bus = runtime.block_on(bus::open(bus::BusConfig::Embedded(bus::EmbeddedConfig::new(dir))))?;
        Ok(Self { runtime, bus })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let append = |record: &Bytes| {
            self.bus.events.append(PARTITION, bus::NewRecord::new(Timestamp::default(), record.clone()))
        };
        for append in records.iter().map(append).collect::<Vec<_>>() {
            self.runtime.block_on(append)?;
        }
        Ok(())
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let events = &self.bus.events;
        let end = self.runtime.block_on(events.bounds(PARTITION))?.next;
        let mut reader = events.reader(PARTITION, Position(0));
        while let Some(record) = self.runtime.block_on(reader.next_before(end))? {
            take(&record.payload);
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.bus.close());
        Ok(())
    }
}
