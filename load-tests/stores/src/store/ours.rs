use std::path::Path;

use bytes::Bytes;
use model::{Position, Timestamp};
use tokio::runtime::Runtime;

use super::Store;

pub(crate) struct OurLog {
    runtime: Runtime,
    bus: bus::Bus,
}

impl Store for OurLog {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { runtime, bus: bus::open(bus::BusConfig::new(dir))? })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let appends: Vec<_> = records
            .iter()
            .map(|record| self.bus.events.append(Timestamp::default(), record.clone()))
            .collect();
        for append in appends {
            self.runtime.block_on(append)?;
        }
        Ok(())
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let events = &self.bus.events;
        let mut reader = events.reader(Position(0));
        while reader.position() < events.next_position() {
            take(&self.runtime.block_on(reader.next())?.payload);
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.bus.close());
        Ok(())
    }
}
