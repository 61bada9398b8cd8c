//! The stamp each record gets once: when it came in, and what it is called.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use model::{EventId, Timestamp, id::stable_hash};

/// A record's time and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) id: EventId,
}

/// Stamps records; one a process.
#[derive(Debug)]
pub(crate) struct Stamper {
    clock: fn() -> Timestamp,
    /// Differs from start to start, so that ids of two runs never meet even if the clock goes back.
    boot_nonce: String,
    counter: AtomicU64,
    latest: AtomicI64,
}

impl Stamper {
    pub(crate) fn new(clock: fn() -> Timestamp, boot_nonce: String) -> Self {
        Self { clock, boot_nonce, counter: AtomicU64::new(0), latest: AtomicI64::new(i64::MIN) }
    }

    /// A new stamp. Time never goes back, whatever the clock does.
    pub(crate) fn next(&self) -> Stamp {
        let read = (self.clock)().as_millis();
        let millis = self.latest.fetch_max(read, Ordering::Relaxed).max(read);
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let hash = stable_hash(&[&millis.to_string(), &count.to_string(), &self.boot_nonce]);
        Stamp { at: Timestamp::from_millis(millis), id: EventId::from_text(format!("evt_{hash}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stepping_back() -> Timestamp {
        static CALLS: AtomicI64 = AtomicI64::new(0);
        Timestamp::from_millis(1000 - 100 * CALLS.fetch_add(1, Ordering::Relaxed))
    }

    #[test]
    fn stamps_never_go_back_and_never_repeat() {
        let stamper = Stamper::new(stepping_back, "boot-1".to_owned());
        let (first, second) = (stamper.next(), stamper.next());
        assert_eq!((first.at.as_millis(), second.at.as_millis()), (1000, 1000));
        assert_ne!(first.id, second.id);
        assert!(first.id.as_str().starts_with("evt_"));
        let other_boot = Stamper::new(|| Timestamp::from_millis(1000), "boot-2".to_owned());
        assert_ne!(other_boot.next().id, first.id);
    }
}
