//! A circuit breaker per target: a target that is down is left alone for a while instead of being hammered by
//! every command that wants it.
//!
//! Counts consecutive failures, not a rate: rollbacks are rare, and five answers are no sample for a rate. An
//! open circuit makes commands wait, it does not fail them; their deadline does.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Consecutive failures that open the circuit: those of one command in its first seconds.
pub(crate) const FAILURES_TO_OPEN: u32 = 5;

/// How long an open circuit lets nothing through. Then one attempt finds out whether the target is back: all the
/// commands that wait for a target ask it once in this time, and the one that finds it back is not far from its
/// deadline.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(5);

/// Targets remembered; far more than a policy names. Beyond it the one that was touched longest ago is forgotten,
/// which only closes its circuit early.
const MAX_TARGETS: usize = 10_000;

#[derive(Debug)]
struct Circuit {
    failures: u32,
    open_until: Option<Instant>,
    /// One attempt is under way to find out whether the target is back.
    is_probing: bool,
    touched: Instant,
}

/// All circuits, by target.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    circuits: Mutex<BTreeMap<String, Circuit>>,
}

/// What the breaker says to an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Go,
    /// Ask again after this.
    Wait(Duration),
}

impl Breakers {
    /// Asks whether an attempt may go to `target`; after `Go`, [`Breakers::record`] or [`Breakers::abandon`]
    /// must follow.
    pub(crate) fn admit(&self, target: &str, now: Instant) -> Admission {
        let mut circuits = self.lock();
        let Some(circuit) = circuits.get_mut(target) else { return Admission::Go };
        circuit.touched = now;
        let Some(open_until) = circuit.open_until else { return Admission::Go };
        if now < open_until {
            return Admission::Wait(open_until - now);
        }
        if circuit.is_probing {
            return Admission::Wait(PROBE_POLL);
        }
        circuit.is_probing = true;
        Admission::Go
    }

    /// What came of the attempt; any answer of a living target is a success, whatever it says.
    pub(crate) fn record(&self, target: &str, is_success: bool, now: Instant) {
        let mut circuits = self.lock();
        if is_success {
            circuits.remove(target);
            return;
        }
        forget_oldest(&mut circuits, target);
        let circuit = circuits.entry(target.to_owned()).or_insert(Circuit {
            failures: 0,
            open_until: None,
            is_probing: false,
            touched: now,
        });
        circuit.failures = circuit.failures.saturating_add(1);
        circuit.is_probing = false;
        circuit.touched = now;
        if circuit.failures >= FAILURES_TO_OPEN {
            circuit.open_until = Some(now + OPEN_FOR);
        }
    }

    /// The attempt was not made after all: another one may probe.
    pub(crate) fn abandon(&self, target: &str) {
        if let Some(circuit) = self.lock().get_mut(target) {
            circuit.is_probing = false;
        }
    }

    /// How many circuits let nothing through.
    pub(crate) fn open(&self) -> usize {
        self.lock().values().filter(|circuit| circuit.open_until.is_some()).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How soon to ask again while somebody else's attempt probes the target.
const PROBE_POLL: Duration = Duration::from_millis(250);

fn forget_oldest(circuits: &mut BTreeMap<String, Circuit>, target: &str) {
    if circuits.len() < MAX_TARGETS || circuits.contains_key(target) {
        return;
    }
    let oldest = circuits.iter().min_by_key(|(_, circuit)| circuit.touched).map(|(name, _)| name.clone());
    if let Some(oldest) = oldest {
        circuits.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_the_circuit_and_one_probe_at_a_time_closes_it() {
        let breakers = Breakers::default();
        let start = Instant::now();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(breakers.admit("a", start), Admission::Go);
            breakers.record("a", false, start);
        }
        assert_eq!(breakers.admit("a", start), Admission::Wait(OPEN_FOR));
        assert_eq!(breakers.admit("b", start), Admission::Go, "another target is not concerned");
        assert_eq!(breakers.open(), 1);

        let later = start + OPEN_FOR;
        assert_eq!(breakers.admit("a", later), Admission::Go, "half open: the probe");
        assert_eq!(breakers.admit("a", later), Admission::Wait(PROBE_POLL), "and no second one beside it");
        breakers.abandon("a");
        assert_eq!(breakers.admit("a", later), Admission::Go, "an abandoned probe leaves the place free");
        breakers.record("a", false, later);
        assert_eq!(breakers.admit("a", later), Admission::Wait(OPEN_FOR), "a failed probe opens it again");
        breakers.record("a", true, later + OPEN_FOR);
        assert_eq!((breakers.admit("a", later), breakers.open()), (Admission::Go, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_starts_the_count_anew() {
        let breakers = Breakers::default();
        let now = Instant::now();
        for is_success in [false, false, false, false, true, false, false, false, false] {
            breakers.record("a", is_success, now);
        }
        assert_eq!(breakers.admit("a", now), Admission::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_remembered_targets_is_bounded() {
        let breakers = Breakers::default();
        let now = Instant::now();
        for n in 0..MAX_TARGETS + 10 {
            breakers.record(&format!("target {n}"), false, now);
        }
        assert_eq!(breakers.lock().len(), MAX_TARGETS);
    }
}
