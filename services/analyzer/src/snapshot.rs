//! The analyzer as bytes: a restart that has them reads only the log that came after.
//!
//! ```text
//! magic, 8 bytes │ format, u32 │ parts, postcard │ CRC-32 of all before, u32        numbers little-endian
//! ```
//!
//! Everything that affects what is proposed later is in the parts: who continues from a snapshot proposes, byte for
//! byte, what the one that took it goes on to propose. What follows from the parts is not, and neither is the
//! policy: its text is, and is compiled again.
//!
//! [`FORMAT`] has to be raised with every change of a type that is serialised, be it a field's order, here, in the
//! store, or in `model`; postcard's bytes do not say what they mean. A snapshot of another format is refused, and
//! the logs are read instead. The test `the_shape_is_known` fails when a change was not noticed.

use std::{collections::BTreeMap, sync::Arc};

use model::{EventId, PolicyLoad, Position, ServiceKey, Timestamp};
use policy::Policy;
use serde::{Deserialize, Serialize};

use crate::{
    Analyzer, Counters,
    agenda::Agenda,
    judge::alerts::Alerts,
    outbox::Outbox,
    room::count_senders,
    service::Service,
    store::{Store, StoreFault, StoreImage, StoreParts},
};

const MAGIC: [u8; 8] = *b"RIPCORDA";

/// Raised with every change of what is serialised.
pub(crate) const FORMAT: u32 = 19;

const CHECKSUM_BYTES: usize = 4;

/// Why a snapshot is not taken up. The logs have it all: whoever gets this reads them from further back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("these bytes are no snapshot of an analyzer")]
    NotASnapshot,
    #[error("the snapshot has format {found}, and only format {supported} can be read")]
    Version { found: u32, supported: u32 },
    #[error("the snapshot is damaged: its bytes are not those that were written")]
    Damaged,
    #[error("the snapshot was taken after decisions that are not on the log any more")]
    Ahead,
    #[error("the policy in the snapshot does not come out as it did when the snapshot was taken")]
    Policy,
}

#[derive(Serialize)]
struct Image<'a> {
    now: Timestamp,
    load: Option<&'a PolicyLoad>,
    store: StoreImage<'a>,
    services: Vec<&'a Service>,
    room_tried_at: Timestamp,
    alerts: &'a Alerts,
    cause: &'a EventId,
    position: Position,
    counters: Counters,
}

/// The same, read: field by field what [`Image`] has.
#[derive(Deserialize)]
struct Parts {
    now: Timestamp,
    load: Option<PolicyLoad>,
    store: StoreParts,
    services: Vec<Service>,
    room_tried_at: Timestamp,
    alerts: Alerts,
    cause: EventId,
    position: Position,
    counters: Counters,
}

impl Analyzer {
    /// Everything there is to know, as bytes; the same state gives the same bytes. To be called when all proposals
    /// were taken: they are not in it.
    pub fn snapshot(&self) -> Vec<u8> {
        debug_assert!(self.outbox.is_empty(), "proposals are waiting");
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        // Writing to memory cannot fail; were it to, what is there is refused when it is read.
        let mut bytes = postcard::to_extend(&self.image(), bytes).unwrap_or_default();
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// The analyzer that the snapshot was taken of. It says by [`Self::position`] which record it saw last.
    ///
    /// Refuses any other bytes. Lengths that they claim are not believed: memory is taken as they are read.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let parts = postcard::take_from_bytes(checked(bytes)?);
        let Ok((parts, [])) = parts else { return Err(SnapshotError::Damaged) };
        Self::of_parts(parts)
    }

    fn image(&self) -> Image<'_> {
        let Self {
            now,
            policy: _,
            load,
            store,
            services,
            senders: _,
            sender: _,
            room_tried_at,
            alerts,
            outbox: _,
            cause,
            position,
            is_replay: _,
            agenda: _,
            is_woken: _,
            counters,
        } = self;
        Image {
            now: *now,
            load: load.as_ref(),
            store: store.image(),
            services: services.values().collect(),
            room_tried_at: *room_tried_at,
            alerts,
            cause,
            position: *position,
            counters: *counters,
        }
    }

    fn of_parts(parts: Parts) -> Result<Self, SnapshotError> {
        let Parts { now, load, store, services, room_tried_at, alerts, cause, position, counters } = parts;
        let policy = match &load {
            Some(load) => policy::compile(load).0.ok_or(SnapshotError::Policy)?,
            None => Policy::default_policy(),
        };
        let store = Store::of_parts(store, &policy).map_err(|fault| match fault {
            StoreFault::OtherConfig => SnapshotError::Policy,
            StoreFault::Damaged => SnapshotError::Damaged,
        })?;
        let services = by_key(services)?;
        Ok(Self {
            now,
            policy,
            load,
            store,
            agenda: Agenda::of(&services),
            is_woken: false,
            senders: count_senders(&services),
            services,
            sender: Arc::default(),
            room_tried_at,
            alerts,
            outbox: Outbox::default(),
            cause,
            position,
            is_replay: false,
            counters,
        })
    }
}

fn by_key(services: Vec<Service>) -> Result<BTreeMap<ServiceKey, Service>, SnapshotError> {
    if !services.is_sorted_by(|a, b| a.key < b.key) {
        return Err(SnapshotError::Damaged);
    }
    Ok(services.into_iter().map(|service| (service.key.clone(), service)).collect())
}

/// What stands between a header and a checksum that are both as they should be.
fn checked(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(SnapshotError::NotASnapshot)?;
    let (format, _) = rest.split_first_chunk().ok_or(SnapshotError::NotASnapshot)?;
    if *magic != MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    let found = u32::from_le_bytes(*format);
    if found != FORMAT {
        return Err(SnapshotError::Version { found, supported: FORMAT });
    }
    let (summed, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(SnapshotError::Damaged)?;
    if crc32fast::hash(summed) != u32::from_le_bytes(*checksum) {
        return Err(SnapshotError::Damaged);
    }
    summed.get(MAGIC.len() + size_of_val(&FORMAT)..).ok_or(SnapshotError::Damaged)
}

#[cfg(test)]
impl Analyzer {
    /// Everything that has to come out of a snapshot as it was.
    pub(crate) fn shown(&self) -> String {
        let services = self.services.iter().map(|(key, it)| {
            let Service {
                key: own, sender, releases, own: triggers, is_torn, last_look_at, quiet_since, ..
            } = it;
            format!(
                "{key} {own} {sender} {releases:?} {triggers:?} {is_torn} {last_look_at:?} {quiet_since:?}"
            )
        });
        let own =
            (self.now, &self.load, &self.alerts, &self.cause, self.position, &self.agenda, self.counters);
        let own = (own, &self.senders, self.room_tried_at);
        format!("{}\n{}\n{own:?}", self.store.shown(), services.collect::<Vec<_>>().join("\n"))
    }

    /// A checksum of what a snapshot would hold.
    pub(crate) fn shape(&self) -> u32 {
        let image = self.image();
        let image = Image { store: image.store.without_config(), ..image };
        crc32fast::hash(&postcard::to_allocvec(&image).unwrap())
    }
}
