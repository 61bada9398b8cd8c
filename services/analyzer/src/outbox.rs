//! Proposals waiting to be taken, in the order in which the arbiter has to see them.

use std::collections::VecDeque;

use model::{Breach, Finding, LimitState, Proposal, Release, ReleaseId, ReleaseRef, ServiceKey};

/// What comes before what among the proposals of one event: the arbiter must know which releases there are, and
/// which other services exceed a limit, before it sees a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    PassedThrough,
    Release,
    Limit,
    Finding,
    Breach,
}

/// Sorted within one event by rank, then by service; as made within both.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    of_event: Vec<(Rank, ServiceKey, Proposal)>,
    ready: VecDeque<Proposal>,
    /// The event is a copy: what passes through does so in another partition.
    is_copy: bool,
}

impl Outbox {
    /// Begins an event.
    pub(crate) fn begin(&mut self, is_copy: bool) {
        self.is_copy = is_copy;
    }

    pub(crate) fn pass(&mut self, proposal: Proposal) {
        if self.is_copy {
            return;
        }
        self.of_event.push((Rank::PassedThrough, ServiceKey::default(), proposal));
    }

    /// Whether the event at hand opened or moved a release so far.
    pub(crate) fn has_release(&self) -> bool {
        self.of_event.iter().any(|(rank, ..)| *rank == Rank::Release)
    }

    pub(crate) fn ignored(&mut self, release: Option<ReleaseId>, why: String) {
        self.pass(Proposal::Ignored { release, why });
    }

    pub(crate) fn release(&mut self, release: &Release) {
        self.push(Rank::Release, &release.key, Proposal::Release(Box::new(release.clone())));
    }

    pub(crate) fn limit(&mut self, limit: LimitState) {
        let key = limit.key.clone();
        self.push(Rank::Limit, &key, Proposal::Limit(limit));
    }

    pub(crate) fn finding(&mut self, finding: Finding) {
        let key = finding.key.clone();
        self.push(Rank::Finding, &key, Proposal::Finding(finding));
    }

    pub(crate) fn breach(&mut self, breach: Breach) {
        let key = breach.key.clone();
        self.push(Rank::Breach, &key, Proposal::Breach(Box::new(breach)));
    }

    pub(crate) fn breach_continues(&mut self, breach: Breach) {
        let key = breach.key.clone();
        self.push(Rank::Breach, &key, Proposal::BreachContinues(Box::new(breach)));
    }

    pub(crate) fn breach_ended(&mut self, key: &ServiceKey, release: Option<ReleaseRef>, trigger: &str) {
        let ended = Proposal::BreachEnded { key: key.clone(), release, trigger: trigger.to_owned() };
        self.push(Rank::Breach, key, ended);
    }

    fn push(&mut self, rank: Rank, key: &ServiceKey, proposal: Proposal) {
        self.of_event.push((rank, key.clone(), proposal));
    }

    /// The event is done: what it led to can be taken.
    pub(crate) fn flush(&mut self) {
        self.of_event.sort_by(|one, two| (one.0, &one.1).cmp(&(two.0, &two.1)));
        self.ready.extend(self.of_event.drain(..).map(|(_, _, proposal)| proposal));
    }

    /// Drops what the event led to: it was proposed before.
    pub(crate) fn discard(&mut self) {
        self.of_event.clear();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.of_event.is_empty() && self.ready.is_empty()
    }

    pub(crate) fn take(&mut self) -> Option<Proposal> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_any_service_come_before_breaches_of_any_service() {
        let mut outbox = Outbox::default();
        let (a, b) = (ServiceKey::new("a", "p"), ServiceKey::new("b", "p"));
        outbox.breach_ended(&a, None, "error_rate");
        let limit = |key: &ServiceKey| LimitState {
            key: key.clone(),
            trigger: "error_rate".into(),
            condition: "error_rate > 1%".into(),
            is_exceeded: true,
            value: 0.2,
            rise: None,
        };
        outbox.limit(limit(&b));
        outbox.limit(limit(&a));
        outbox.release(&Release { key: b, ..Release::default() });
        assert!(outbox.take().is_none(), "nothing before the event is done");
        outbox.flush();
        let kinds: Vec<_> = std::iter::from_fn(|| outbox.take())
            .map(|proposal| match proposal {
                Proposal::Release(release) => format!("release {}", release.key.service),
                Proposal::Limit(limit) => format!("limit {}", limit.key.service),
                Proposal::BreachEnded { key, .. } => format!("ended {}", key.service),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["release b", "limit a", "limit b", "ended a"]);
    }
}
