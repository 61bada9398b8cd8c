//! Log lines about what there was no room for: one for each sender and reason, repeated when their number has doubled.

use std::collections::BTreeMap;

use analyzer::store::{Refusal, Refused};
use model::Partition;

/// Events of which something was refused, by sender and reason. Senders are those of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Crowding(BTreeMap<(String, Refusal), u64>);

impl Crowding {
    pub(crate) fn note(&mut self, partition: Partition, refused: Vec<Refused>) {
        for Refused { refusal, sender, service } in refused {
            let events = self.0.entry((sender.clone(), refusal)).or_default();
            *events += 1;
            if events.is_power_of_two() {
                let (reason, events) = (refusal.as_str(), *events);
                tracing::warn!(
                    %partition, reason, sender, service = %service, events,
                    "there is no room for what a sender opens: it is not judged (ripcord_store_refused_total, and \
                     the limits in the README)"
                );
            }
        }
    }
}
