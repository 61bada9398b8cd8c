//! How many alerts each sender may bring in a minute.
//!
//! Each alert is passed on to people, and all other notices would wait behind a flood. Alertmanager keeps what is
//! refused and sends it again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::Timestamp;

/// Ten thousand alerts that fire or end in a minute are beyond what anybody reads; a large Alertmanager sends some
/// hundreds. It is also the most that one notification has.
const ALERTS_PER_MINUTE_MAX: usize = 10_000;

const MINUTE_MS: i64 = 60_000;

/// What each sender brought in the minute at hand. Senders are those of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<BTreeMap<String, Spent>>);

#[derive(Debug, Default)]
struct Spent {
    minute: i64,
    alerts: usize,
    is_refused: bool,
}

impl Pace {
    /// Whether so many more alerts may come in.
    pub(crate) fn allows(&self, sender: &str, alerts: usize, at: Timestamp) -> bool {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = senders.entry(sender.to_owned()).or_default();
        let minute = at.as_millis().div_euclid(MINUTE_MS);
        if spent.minute != minute {
            *spent = Spent { minute, ..Spent::default() };
        }
        let is_allowed = spent.alerts.saturating_add(alerts) <= ALERTS_PER_MINUTE_MAX;
        if is_allowed {
            spent.alerts += alerts;
        } else if !std::mem::replace(&mut spent.is_refused, true) {
            tracing::warn!(
                sender,
                alerts,
                "a sender has more alerts than it may bring in a minute; it is to come back"
            );
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_floods_is_to_come_back_in_the_next_minute_and_others_are_not() {
        let pace = Pace::default();
        let at = |seconds: i64| Timestamp::from_millis(1_800_000_000_000 + seconds * 1000);
        for (sender, alerts, seconds, is_allowed) in [
            ("loud", 7_000, 0, true),
            ("loud", 7_000, 1, false),
            ("loud", 3_000, 2, true),
            ("loud", 1, 3, false),
            ("quiet", 1, 4, true),
            ("loud", 10_000, 60, true),
            ("loud", 1, 61, false),
        ] {
            assert_eq!(pace.allows(sender, alerts, at(seconds)), is_allowed, "{sender} at {seconds} s");
        }
    }
}
