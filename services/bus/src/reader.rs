//! Reading one partition in order.

use model::Position;

use crate::{ReadError, Record, embedded, kafka};

/// Reads one partition. Sees durable records only; as many readers as wanted, each on its own.
#[derive(Debug)]
pub struct Reader(Backend);

#[derive(Debug)]
enum Backend {
    Embedded(embedded::Reader),
    Kafka(kafka::Reader),
}

impl From<kafka::Reader> for Reader {
    fn from(reader: kafka::Reader) -> Self {
        Self(Backend::Kafka(reader))
    }
}

impl From<embedded::Reader> for Reader {
    fn from(reader: embedded::Reader) -> Self {
        Self(Backend::Embedded(reader))
    }
}

impl Reader {
    /// The position of the next record to be handed out, if it can be read.
    pub fn position(&self) -> Position {
        match &self.0 {
            Backend::Embedded(reader) => reader.position(),
            Backend::Kafka(reader) => reader.position(),
        }
    }

    /// The next record; waits until there is one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Record, ReadError> {
        match &mut self.0 {
            Backend::Embedded(reader) => reader.next().await,
            Backend::Kafka(reader) => reader.next().await,
        }
    }

    /// The next record before `end`, a position up to which everything is known to be durable; `None`: the
    /// reader is there. What is read up to an end ends, whatever is appended meanwhile, and whatever is gone.
    pub async fn next_before(&mut self, end: Position) -> Result<Option<Record>, ReadError> {
        if self.position() >= end {
            return Ok(None);
        }
        match &mut self.0 {
            Backend::Embedded(reader) => reader.next_before(end).await,
            Backend::Kafka(reader) => reader.next_before(end).await,
        }
    }
}
