//! Who wrote a record, and where: a message authentication code with a key that all roles share, the installation's
//! name, and the cluster's id.
//!
//! Kafka's ACLs say who may write to a topic. The code does not depend on them: a record of somebody who has not got the
//! key is handed out with a doubt, and no reader believes it. The code covers the topic's kind, the partition, the
//! installation, the cluster, the key and the value; the value holds the record's own time and what it answers, so that
//! a copy of an old record is an old record.
//!
//! Decisions and snapshots hold positions of events. In a copy of the log on another cluster they mean nothing, unless
//! the copy has the same offsets.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{Partition, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::{Doubt, KafkaConfig, NewRecord, Record, kafka::layout::TopicKind};

/// The header with the code.
const MAC: &str = "ripcord-mac";

/// The header with the installation's name.
const INSTALLATION: &str = "ripcord-installation";

/// The header with the id of the cluster whose positions the record holds.
const CLUSTER: &str = "ripcord-cluster";

/// A key that is shorter could be guessed; 32 bytes of randomness are 44 characters in base64.
const KEY_BYTES_MIN: usize = 32;

/// A rotation needs two.
const KEYS_MAX: usize = 4;

/// The keys of the roles: the first signs, all are accepted. Shows none of them.
#[derive(Clone)]
pub struct Keys(Arc<[SecretString]>);

impl Keys {
    /// A key a line, the one that signs first. Otherwise what is wrong, without any of them.
    pub fn parse(text: &SecretString) -> Result<Self, String> {
        let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Arc<[SecretString]> = lines.map(SecretString::from).collect();
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(format!("holds {} keys: one a line, {KEYS_MAX} at most", keys.len()));
        }
        if keys.iter().any(|key| key.expose_secret().len() < KEY_BYTES_MIN) {
            return Err(format!("holds a key of fewer than {KEY_BYTES_MIN} characters"));
        }
        Ok(Self(keys))
    }

    /// Tells one set of keys from another, and nothing else of them.
    pub fn fingerprint(&self) -> String {
        let codes =
            self.macs().into_iter().map(|mac| mac.chain_update(b"fingerprint").finalize().into_bytes());
        codes.map(|code| format!("{:02x}{:02x}{:02x}{:02x}", code[0], code[1], code[2], code[3])).collect()
    }

    fn macs(&self) -> Vec<Hmac<Sha256>> {
        // HMAC takes keys of every length.
        self.0.iter().filter_map(|key| Hmac::new_from_slice(key.expose_secret().as_bytes()).ok()).collect()
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        let exposed =
            |keys: &Self| keys.0.iter().map(|key| key.expose_secret().to_owned()).collect::<Vec<_>>();
        exposed(self) == exposed(other)
    }
}

impl Eq for Keys {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

/// Seals the records of one topic and looks at seals.
#[derive(Clone)]
pub(crate) struct Seal {
    kind: TopicKind,
    installation: Option<Bytes>,
    /// Of topics whose records hold positions, where it is known.
    cluster: Option<Bytes>,
    /// Clusters whose offsets are this one's.
    linked_from: Vec<String>,
    /// With the keys worked in; the first signs. Empty: records are not authenticated.
    macs: Vec<Hmac<Sha256>>,
    unsigned_before: Option<Timestamp>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Seal {
    /// `cluster`: the id of the one that the topic is on.
    pub(crate) fn new(kind: TopicKind, config: &KafkaConfig, cluster: Option<&str>) -> Self {
        let KafkaConfig { keys, installation, unsigned_before, linked_from, .. } = config;
        let holds_positions = matches!(kind, TopicKind::Decisions | TopicKind::State);
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Self {
            kind,
            installation: installation.as_deref().map(bytes),
            cluster: cluster.filter(|_| holds_positions).map(bytes),
            linked_from: linked_from.clone(),
            macs: keys.as_ref().map(Keys::macs).unwrap_or_default(),
            unsigned_before: *unsigned_before,
        }
    }

    /// The record with its headers.
    pub(crate) fn close(&self, partition: Partition, record: &NewRecord) -> NewRecord {
        let mut sealed = record.clone();
        for (header, value) in [(INSTALLATION, &self.installation), (CLUSTER, &self.cluster)] {
            if let Some(value) = value {
                sealed = sealed.with_header(header, value.clone());
            }
        }
        if let Some(mac) = self.macs.first() {
            let fields = [self.installation.as_ref(), self.cluster.as_ref(), Some(&record.key)];
            let mac = self.covered(mac, partition, fields, &record.payload);
            sealed = sealed.with_header(MAC, Bytes::copy_from_slice(&mac.finalize().into_bytes()));
        }
        sealed
    }

    /// Why the record is not to be believed. Looks at bytes only: nothing is parsed before.
    pub(crate) fn doubt(&self, partition: Partition, record: &Record) -> Option<Doubt> {
        let (name, cluster) = (record.header(INSTALLATION), record.header(CLUSTER));
        if !self.macs.is_empty() {
            let Some(code) = record.header(MAC) else { return Some(Doubt::Unsigned) };
            let fields = [name, cluster, Some(&record.key)];
            let is_right = |mac: &Hmac<Sha256>| {
                // Compared in constant time.
                self.covered(mac, partition, fields, &record.payload).verify_slice(code).is_ok()
            };
            if !self.macs.iter().any(is_right) {
                return Some(Doubt::WrongCode);
            }
        }
        if self.installation.as_ref().zip(name).is_some_and(|(own, name)| own != name) {
            return Some(Doubt::ForeignInstallation);
        }
        let is_linked = |id: &Bytes| self.linked_from.iter().any(|linked| linked.as_bytes() == id);
        let is_foreign =
            self.cluster.as_ref().zip(cluster).is_some_and(|(own, id)| own != id && !is_linked(id));
        is_foreign.then_some(Doubt::ForeignCluster)
    }

    /// Before when unsigned records were written by the roles themselves, which had no key then.
    pub(crate) fn unsigned_before(&self) -> Option<Timestamp> {
        self.unsigned_before
    }

    /// Lengths keep what stands in one field from being taken for a part of the next.
    fn covered(
        &self,
        mac: &Hmac<Sha256>,
        partition: Partition,
        fields: [Option<&Bytes>; 3],
        payload: &[u8],
    ) -> Hmac<Sha256> {
        let mut mac = mac.clone();
        mac.update(&[self.kind.code()]);
        mac.update(&partition.0.to_be_bytes());
        for field in fields {
            let field = field.map(|field| &field[..]).unwrap_or_default();
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac.update(payload);
        mac
    }
}

/// The name of the installation that wrote a record.
pub fn installation_of(record: &Record) -> Option<String> {
    record.header(INSTALLATION).map(|name| String::from_utf8_lossy(name).into_owned())
}

/// The id of the cluster whose positions a record holds.
pub fn cluster_of(record: &Record) -> Option<String> {
    record.header(CLUSTER).map(|id| String::from_utf8_lossy(id).into_owned())
}

#[cfg(test)]
mod tests;
