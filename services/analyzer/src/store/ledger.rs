//! What of memory each service in an environment (a **place**) and each sender may take.
//!
//! A place is on the account of the sender that opened it. Bytes are an estimate from what was counted and never
//! measured, so that the same log leads to the same refusals, before a restart and after it. What is refused is
//! only what is new: a service that is known goes on being judged.

use std::{collections::BTreeMap, sync::Arc};

use model::ServiceKey;

/// Places of one analyzer: a hundred times a large shop.
pub const PLACES_MAX: usize = 20_000;

/// New versions and services that one event may open. A request of Prometheus has 2,000 samples and belongs to few
/// targets; what is beyond comes again with the next scrape.
const OPENED_MAX: usize = 1_000;

/// What a series takes beside its labels, in the table, its target, its family and its histogram.
const SERIES_BYTES: usize = 256;

/// Labels stand in the table, and parts of them in the keys of targets and joins.
const LABEL_COPIES: usize = 2;

/// Labels of one series. Prometheus' own are below 1 KB; a label with a whole document in it is no label.
pub(super) const LABEL_BYTES_MAX: usize = 16 << 10;

/// What a place that got in may take whatever its sender and all others have: two versions with request events. A
/// release of a service that is known is judged however full it is; 15,000 such places are 700 MB.
const PLACE_RESERVE_BYTES: usize = 48 << 10;

/// What the ledger holds against each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of one place: 20,000 series with 1 KB of labels, and as much again for its windows.
    place_bytes: usize,
    /// Of all places: what 2,000,000 series of usual labels take.
    all_bytes: usize,
    all_places: usize,
    opened: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { place_bytes: 64 << 20, all_bytes: 2 << 30, all_places: PLACES_MAX, opened: OPENED_MAX }
    }
}

/// The most that one sender may have of all: one that sends for a whole fleet needs most of it, and the others
/// still find room.
fn most_of(all: usize) -> usize {
    all / 4 * 3
}

/// What is a sender's even while the others have all the rest: a token of one team needs no more.
fn reserve_of(all: usize) -> usize {
    all / 16
}

/// Why something new is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The event opens too many services and versions.
    Event,
    /// The service has its share.
    Service,
    /// The sender has its share.
    Sender,
    /// All senders together have all there is.
    All,
    /// The labels of one series are too long.
    Labels,
}

impl Refusal {
    /// The name of the reason in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Service => "service",
            Self::Sender => "sender",
            Self::All => "all",
            Self::Labels => "labels",
        }
    }
}

impl Refusal {
    /// Lets what only the service's own share forbids.
    pub(super) fn unless_of_service(self) -> Result<(), Self> {
        if self == Self::Service { Ok(()) } else { Err(self) }
    }
}

/// Something that was refused, to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub refusal: Refusal,
    /// Whose event it was.
    pub sender: String,
    pub service: ServiceKey,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) places: usize,
    pub(super) bytes: usize,
}

/// The accounts. Nothing of it is in a snapshot: it follows from the places.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    limits: Limits,
    accounts: BTreeMap<Arc<str>, Account>,
    all: Account,
    /// What the event at hand opened.
    opened: usize,
}

impl Ledger {
    /// Another event is at hand.
    pub(super) fn begin(&mut self) {
        self.opened = 0;
    }

    /// Whether the event at hand may open another service or version.
    pub(super) fn may_open(&self) -> Result<(), Refusal> {
        if self.opened < self.limits.opened { Ok(()) } else { Err(Refusal::Event) }
    }

    /// Whether a sender may have another place.
    pub(super) fn may_enter(&self, sender: &str) -> Result<(), Refusal> {
        let own = self.account(sender);
        room(own.places, self.all.places, self.limits.all_places)?;
        room(own.bytes, self.all.bytes, self.limits.all_bytes)
    }

    /// Whether a place that takes `bytes` may grow on a sender's account.
    pub(super) fn may_grow(&self, sender: &str, bytes: usize) -> Result<(), Refusal> {
        if bytes >= self.limits.place_bytes {
            return Err(Refusal::Service);
        }
        // The sender's share bounds what it opens; a service that is known gets what nobody else needs.
        if bytes < PLACE_RESERVE_BYTES || self.all.bytes < self.limits.all_bytes {
            return Ok(());
        }
        room(self.account(sender).bytes, self.all.bytes, self.limits.all_bytes)
    }

    /// Whether a place has all that one may have.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        bytes >= self.limits.place_bytes
    }

    /// Notes that the event at hand opened a service or a version.
    pub(super) fn note_opened(&mut self) {
        self.opened += 1;
    }

    pub(super) fn enter(&mut self, sender: &Arc<str>) {
        self.accounts.entry(Arc::clone(sender)).or_default().places += 1;
        self.all.places += 1;
    }

    pub(super) fn leave(&mut self, sender: &str) {
        self.all.places -= 1;
        if let Some(account) = self.accounts.get_mut(sender) {
            account.places -= 1;
            if account.places == 0 {
                self.accounts.remove(sender);
            }
        }
    }

    /// Books that a place of the sender takes `grown` bytes more, or less.
    pub(super) fn book(&mut self, sender: &str, grown: isize) {
        if let Some(account) = self.accounts.get_mut(sender) {
            account.bytes = account.bytes.saturating_add_signed(grown);
        }
        self.all.bytes = self.all.bytes.saturating_add_signed(grown);
    }

    /// What all places take.
    pub(super) fn all(&self) -> Account {
        self.all
    }

    /// Senders that have nearly their share; where only all together have nearly all there is, the largest.
    pub(super) fn crowded(&self) -> Vec<Arc<str>> {
        let is_crowded = |(_, account): &(&Arc<str>, &Account)| self.is_near(**account, most_of);
        let crowded: Vec<_> = self.accounts.iter().filter(is_crowded).map(|(name, _)| name.clone()).collect();
        if !crowded.is_empty() || !self.is_near(self.all, std::convert::identity) {
            return crowded;
        }
        let largest = self.accounts.iter().max_by_key(|(_, account)| (account.bytes, account.places));
        largest.map(|(name, _)| name.clone()).into_iter().collect()
    }

    /// Whether a sender has nearly its share, or all together nearly all there is.
    pub(super) fn is_crowded_by(&self, sender: &str) -> bool {
        self.is_near(self.account(sender), most_of) || self.is_near(self.all, std::convert::identity)
    }

    /// Whether less than an eighth is left.
    fn is_near(&self, account: Account, share: fn(usize) -> usize) -> bool {
        let Limits { all_bytes, all_places, .. } = self.limits;
        account.bytes > share(all_bytes) / 8 * 7 || account.places > share(all_places) / 8 * 7
    }

    fn account(&self, sender: &str) -> Account {
        self.accounts.get(sender).copied().unwrap_or_default()
    }
}

/// Whether a sender with `own` of `taken` services that are remembered may have another one.
pub(crate) fn room_for_place(own: usize, taken: usize) -> Result<(), Refusal> {
    room(own, taken, PLACES_MAX)
}

fn room(own: usize, taken: usize, all: usize) -> Result<(), Refusal> {
    if own >= most_of(all) {
        return Err(Refusal::Sender);
    }
    if taken >= all && own >= reserve_of(all) { Err(Refusal::All) } else { Ok(()) }
}

/// What a series with labels of this length takes.
pub(super) fn bytes_of_series(label_bytes: usize) -> usize {
    SERIES_BYTES + LABEL_COPIES * label_bytes
}

#[cfg(test)]
impl Ledger {
    /// With limits that are reached soon.
    pub(super) fn of(place_bytes: usize, all_bytes: usize, all_places: usize, opened: usize) -> Self {
        let limits = Limits { place_bytes, all_bytes, all_places, opened };
        Self { limits, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_gets_three_quarters_and_leaves_the_others_their_share() {
        let mut ledger = Ledger::of(1 << 20, 1 << 30, 160, 1_000);
        let senders: Vec<Arc<str>> = ["loud", "also", "late"].map(Arc::from).to_vec();
        let entered = |ledger: &mut Ledger, sender: usize| {
            (0..1_000)
                .take_while(|_| {
                    ledger.may_enter(&senders[sender]).map(|()| ledger.enter(&senders[sender])).is_ok()
                })
                .count()
        };
        assert_eq!(entered(&mut ledger, 0), 120);
        assert_eq!(ledger.may_enter("loud"), Err(Refusal::Sender));
        assert_eq!(entered(&mut ledger, 1), 40);
        assert_eq!(ledger.may_enter("also"), Err(Refusal::All));
        assert_eq!(entered(&mut ledger, 2), 10, "a reserve of its own");
        (0..120).for_each(|_| ledger.leave("loud"));
        assert_eq!(ledger.may_enter("also"), Ok(()));
    }
}
