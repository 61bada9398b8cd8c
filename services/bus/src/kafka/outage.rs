//! Whether a producer is known to get nothing onto its partitions.
//!
//! Of one producer and not of the cluster: a client that only reads, or that needs one broker of many, may have lost
//! all that it knows while the others take records. What ends an outage is a record that was acknowledged, and not a
//! connection: a broker that is back may not lead anything yet.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Nothing can be written, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// No broker is connected with.
    Unreachable,
    /// Brokers may be connected with, and acknowledged nothing for as long as an append may wait.
    Silent,
}

/// What is known of one producer's outages.
#[derive(Debug, Default)]
pub(crate) struct OutageWatch {
    acked: AtomicU64,
    is_unreachable: AtomicBool,
    is_silent: AtomicBool,
}

impl OutageWatch {
    /// How many records were acknowledged so far.
    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// A record was acknowledged: whatever was, is over.
    pub(crate) fn note_ack(&self) {
        self.acked.fetch_add(1, Ordering::Relaxed);
        self.is_unreachable.store(false, Ordering::Relaxed);
        self.is_silent.store(false, Ordering::Relaxed);
    }

    /// The client lost its last broker; one of several is not told here.
    pub(crate) fn note_all_down(&self) {
        self.is_unreachable.store(true, Ordering::Relaxed);
    }

    /// A record waited in vain for as long as it may; `acked_before`: [`Self::acked`] when it began to. Where others
    /// were acknowledged meanwhile, it is the trouble of one partition.
    pub(crate) fn note_timeout(&self, acked_before: u64) {
        if self.acked() == acked_before {
            self.is_silent.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn outage(&self) -> Option<Outage> {
        if self.is_unreachable.load(Ordering::Relaxed) {
            return Some(Outage::Unreachable);
        }
        self.is_silent.load(Ordering::Relaxed).then_some(Outage::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_with_the_last_broker_or_with_silence_and_ends_with_the_next_ack() {
        let watch = OutageWatch::default();
        assert_eq!(watch.outage(), None);
        watch.note_all_down();
        assert_eq!(watch.outage(), Some(Outage::Unreachable));
        watch.note_ack();
        assert_eq!(watch.outage(), None);

        let (first, second) = (watch.acked(), watch.acked());
        watch.note_timeout(first);
        assert_eq!(watch.outage(), Some(Outage::Silent));
        watch.note_ack();
        watch.note_timeout(second);
        assert_eq!(watch.outage(), None, "another partition's record was acknowledged meanwhile");
    }
}
