//! Ids. Those that name a thing decided are hashes of what was decided, so that a crash, a replay or a
//! second replica arrives at the same id.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ServiceKey;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Takes an id as it was written down.
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// One record that came in; stamped by ingest, carried by every reason it causes.
    EventId
);
string_id!(
    /// `rel_…`: one version of one service going out in one environment.
    ReleaseId
);
string_id!(
    /// `cmd_…`: hash of release, verb and attempt; the idempotency key of what an actuator does.
    CommandId
);
string_id!(
    /// `ntc_…`: one thing to tell.
    NoticeId
);
string_id!(
    /// `hlt_…`: one halt.
    HaltId
);
string_id!(
    /// `snd_…`: one message to one receiver; the same after any crash.
    SendId
);

/// Where a record stands on its log; positions of one log only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u64);

/// One of the orders into which the events are split: those of one service in one environment stand in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

impl Partition {
    /// Where what concerns no service, or all of them, stands.
    pub const HOME: Self = Self(0);

    /// Where the events of a service stand among `count` partitions. Never changes: who begins with a number of
    /// partitions stays with it.
    pub fn of(key: &ServiceKey, count: u32) -> Self {
        let hash = stable_hash_number(&[&key.service, &key.environment]);
        Self((hash % u128::from(count.max(1))) as u32)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stable hash of `parts` as 20 hexadecimal digits (80 bits).
///
/// FNV-1a, 128 bit, over each part's length and bytes: lengths keep `("ab","c")` and `("a","bc")` apart.
/// Not a defence against forged collisions: who can publish events can name releases anyway.
pub fn stable_hash(parts: &[&str]) -> String {
    format!("{:032x}", stable_hash_number(parts))[..20].to_owned()
}

fn stable_hash_number(parts: &[&str]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = OFFSET;
    let mut feed = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    };
    for part in parts {
        feed(&(part.len() as u64).to_le_bytes());
        feed(part.as_bytes());
    }
    hash
}

impl ReleaseId {
    /// `rel_` + hash(service, environment, cluster, version, `change_id` or idempotency key or nothing).
    pub fn of(service: &str, environment: &str, cluster: &str, version: &str, change: &str) -> Self {
        Self(format!("rel_{}", stable_hash(&[service, environment, cluster, version, change])))
    }

    /// The id of the `n`-th time this release goes out (`n` >= 2): `rel_…-2`. The bare id means the newest.
    pub fn again(&self, n: u32) -> Self {
        Self(format!("{}-{n}", self.bare()))
    }

    /// The id without its `-2`.
    pub fn bare(&self) -> &str {
        self.0.split_once('-').map_or(self.0.as_str(), |(bare, _)| bare)
    }
}

impl CommandId {
    /// `cmd_` + hash(release, verb, attempt).
    ///
    /// What is hashed last changes few digits, and two attempts of one release stand under each other in every list:
    /// from the second on the attempt comes first. The first keeps the id that it has on logs of earlier versions.
    pub fn of(release: &ReleaseId, verb: &str, attempt: u32) -> Self {
        let attempt_text = attempt.to_string();
        let parts = if attempt > 1 {
            [&attempt_text, release.as_str(), verb]
        } else {
            [release.as_str(), verb, &attempt_text]
        };
        Self(format!("cmd_{}", stable_hash(&parts)))
    }
}

impl NoticeId {
    /// `ntc_` + hash of what makes this notice different from any other.
    pub fn of(parts: &[&str]) -> Self {
        Self(format!("ntc_{}", stable_hash(parts)))
    }
}

impl HaltId {
    /// `hlt_` + hash of the record that asked for it.
    pub fn of(event: &EventId) -> Self {
        Self(format!("hlt_{}", stable_hash(&[event.as_str()])))
    }
}

impl SendId {
    /// `snd_` + hash(receiver, group, content).
    pub fn of(parts: &[&str]) -> Self {
        Self(format!("snd_{}", stable_hash(parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_same_parts_and_differs_where_the_parts_are_cut_elsewhere() {
        assert_eq!(stable_hash(&["ab", "c"]), stable_hash(&["ab", "c"]));
        assert_ne!(stable_hash(&["ab", "c"]), stable_hash(&["a", "bc"]));
        assert_ne!(stable_hash(&["a"]), stable_hash(&["a", ""]));
        assert_eq!(stable_hash(&["checkout", "production"]).len(), 20);
    }

    #[test]
    fn a_service_stays_in_its_partition_and_services_spread_over_all() {
        let key = |n: u32| ServiceKey::new(format!("service-{n}"), "production");
        let mut seen = [0; 24];
        (0..2400).for_each(|n| seen[Partition::of(&key(n), 24).0 as usize] += 1);
        assert!(seen.iter().all(|count| (60..150).contains(count)), "{seen:?}");
        assert_eq!(Partition::of(&ServiceKey::new("checkout", "production"), 24), Partition(4));
        assert_eq!(Partition::of(&key(1), 1), Partition::HOME);
        assert_eq!(Partition::of(&key(1), 0), Partition::HOME, "there is no topic without partitions");
    }

    #[test]
    fn the_ids_of_a_releases_commands_differ_at_first_sight() {
        let release = ReleaseId::of("checkout", "production", "", "2.4.1", "");
        let ids: Vec<String> =
            (1..=16).map(|attempt| CommandId::of(&release, "rollback", attempt).to_string()).collect();
        for (at, one) in ids.iter().enumerate() {
            for other in &ids[at + 1..] {
                let differing = one.chars().zip(other.chars()).filter(|(one, other)| one != other).count();
                assert!(differing >= 8, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_redeployed_release_keeps_its_bare_id() {
        let first = ReleaseId::of("checkout", "production", "", "2.4.1", "");
        assert_eq!(first.again(2).as_str(), format!("{first}-2"));
        assert_eq!(first.again(2).again(3).as_str(), format!("{first}-3"));
        assert_eq!(first.again(2).bare(), first.as_str());
    }
}
