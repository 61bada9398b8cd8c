//! The series table as it stands in a snapshot: series and label bytes. Where labels stand, what they hash to and
//! who follows whom is found anew: it changes how fast a series is found, never which.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::SeriesTable;
use crate::store::{
    arena::Arena,
    front::{self, Unpacker},
    hash::hash_bytes,
    series::SeriesState,
    slab::{NONE, Slab},
};

#[derive(Serialize, Deserialize)]
struct TableImage<S, L> {
    series: S,
    /// Of the series in use, in the order of their numbers.
    labels: L,
}

/// Bytes that are written in one go.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for SeriesTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let labels = front::pack(self.series.used().map(|(_, series)| self.arena.get(series.labels)));
        TableImage { series: &self.series, labels: Bytes(labels) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SeriesTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let TableImage::<Slab<SeriesState>, &[u8]> { series, labels } =
            TableImage::deserialize(deserializer)?;
        with_labels(series, labels).ok_or_else(|| D::Error::custom("labels that are not those of the series"))
    }
}

/// Gives the series their labels; `None` unless there is one set that is not empty for each.
fn with_labels(mut series: Slab<SeriesState>, labels: &[u8]) -> Option<SeriesTable> {
    let (mut arena, mut unpacker) = (Arena::default(), Unpacker::new(labels));
    for (_, state) in series.used_mut() {
        let labels = unpacker.next().filter(|labels| !labels.is_empty())?;
        state.labels = arena.add(labels);
        state.hash = hash_bytes(labels);
    }
    let mut index = hashbrown::HashTable::with_capacity(series.len());
    for (id, state) in series.used().filter(|(_, state)| !state.flags.is_beside) {
        index.insert_unique(state.hash, id, |&other| series[other].hash);
    }
    unpacker.is_at_end().then_some(SeriesTable { series, index, arena, cursor: NONE })
}
