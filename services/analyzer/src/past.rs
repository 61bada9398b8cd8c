//! A partition's judge from both logs, where no snapshot fits.
//!
//! ```text
//! decisions log  ├── taken back at once ──────────┼── each with the event that it came of ──┤
//! events log                       rewind ────────┼── replayed: windows, stretches, alerts ──┼── judged: new
//! ```
//!
//! Each release has to stand, at every event that is replayed, where it stood then: whether a service was judged as
//! a whole or its release was, decides which stretches began. So decisions are not all taken back beforehand.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::{
    Decision, DecisionRecord, Event, Origin, Partition, Position, Proposal, Release, ReleaseId, ReleaseState,
    Timestamp,
};
use policy::Policy;

use crate::{Analyzer, Keeper, release::order::ANNOUNCED_LATE_MAX};

/// How long after a rollback its recovery is worth a longer replay: the numbers before the release, which recovery
/// may be measured by, come from the events alone. Most services recover at the next scrape.
const RECOVERY_AWAITED_MAX: Duration = Duration::from_secs(60 * 60);

/// How many records wait at least before it is looked which of them no replay will reach.
const WAITING_MIN: usize = 256;

/// What both logs tell of a partition. Every record of the decisions log that counts goes in first, in order; then
/// the events from [`Self::rewind_to`] on up to [`Self::decided`]; out comes the keeper.
#[derive(Debug)]
pub struct Past {
    partition: Partition,
    analyzer: Analyzer,
    decided: Option<Position>,
    /// Time as the decisions log tells it.
    now: Timestamp,
    /// Time as it was taken back or replayed.
    replayed: Timestamp,
    /// The newest that compiled.
    policy: Policy,
    /// When each release began whose own events are needed, and until when they are.
    needed: BTreeMap<ReleaseId, (Timestamp, Option<Timestamp>)>,
    /// Not taken back yet, oldest first.
    waiting: VecDeque<Proposed>,
    /// How many wait when it is looked next.
    tidy_at: usize,
}

/// The proposals of one record.
#[derive(Debug)]
struct Proposed {
    /// Of which event; `None`: it stands in the home partition, and a copy of it in this one.
    of: Option<Position>,
    at: Timestamp,
    proposals: Vec<Proposal>,
}

/// How far back the policy looks, so that at the oldest look that matters every window is full, and a counter has a
/// sample before it. Whether a version ran long before its release, which may be announced only after the restart,
/// has to be seen, too.
fn reach_of(policy: &Policy) -> Duration {
    let window = policy.windows().into_values().flatten().max().unwrap_or_default();
    let rules = std::iter::once(&policy.base).chain(&policy.policies);
    let hold = rules.flat_map(|rules| &rules.triggers).map(|trigger| trigger.hold).max();
    window * 2 + hold.unwrap_or_default().max(ANNOUNCED_LATE_MAX)
}

impl Past {
    pub fn new(partition: Partition) -> Self {
        Self {
            partition,
            analyzer: Analyzer::new(),
            decided: None,
            now: Timestamp::MIN,
            replayed: Timestamp::MIN,
            policy: Policy::default_policy(),
            needed: BTreeMap::new(),
            waiting: VecDeque::new(),
            tidy_at: WAITING_MIN,
        }
    }

    /// Takes the next record of the decisions log that counts.
    pub fn take(&mut self, record: &DecisionRecord) {
        if record.origin != Origin::Analyzer {
            return;
        }
        let is_own = record.partition == self.partition;
        if !is_own && record.partition != Partition::HOME {
            return;
        }
        let proposals = record.decisions.iter().filter_map(|decision| match decision {
            Decision::Proposal(proposal) => Some(proposal),
            _ => None,
        });
        let proposals = proposals.filter(|it| if is_own { is_restored(it) } else { self.is_copied(it) });
        let proposals: Vec<Proposal> = proposals.cloned().collect();
        proposals.iter().for_each(|proposal| self.note(proposal));
        if is_own {
            self.now = self.now.max(record.at);
            self.decided = Some(record.position);
        }
        if !proposals.is_empty() {
            let of = is_own.then_some(record.position);
            self.waiting.push_back(Proposed { of, at: record.at, proposals });
        }
        if self.waiting.len() >= self.tidy_at {
            self.tidy();
        }
    }

    /// The newest event about which the decisions log says something.
    pub fn decided(&self) -> Option<Position> {
        self.decided
    }

    /// The stamp of the oldest event that has to be replayed; `None` where nothing was decided yet.
    pub fn rewind_to(&self) -> Option<Timestamp> {
        self.decided.map(|_| self.rewind())
    }

    /// All records were taken, and events follow of which `first` is the oldest: where it stands, and its stamp.
    pub fn begin_replay(&mut self, first: Option<(Position, Timestamp)>) {
        let is_before = |it: &Proposed| match (it.of, first) {
            (_, None) => true,
            (Some(of), Some((position, _))) => of < position,
            // An event of the same stamp may be that copy: it tells the same once more.
            (None, Some((_, at))) => it.at <= at,
        };
        // One by one: the judge of the home partition may be behind this one, or ahead of it.
        for proposed in std::mem::take(&mut self.waiting) {
            if is_before(&proposed) {
                self.take_back(&proposed);
            } else if proposed.of.is_some() {
                self.waiting.push_back(proposed);
            }
        }
    }

    /// Replays the next event.
    pub fn replay(&mut self, position: Position, event: &Event) {
        self.replayed = self.replayed.max(event.at);
        self.take_back_while(|it| it.of < Some(position));
        let own = self.waiting.pop_front_if(|it| it.of == Some(position));
        let proposals = own.map(|it| it.proposals).unwrap_or_default();
        self.analyzer.replay_event(self.replayed, position, event, &proposals);
    }

    /// The keeper that judges what comes behind [`Self::decided`].
    pub fn into_keeper(mut self) -> Keeper {
        // Of events that are lost.
        self.take_back_while(|_| true);
        Keeper::new(self.partition, self.analyzer, self.now, self.now, self.decided)
    }

    fn note(&mut self, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => match needed_until(release) {
                Need::Now => drop(self.needed.insert(release.id.clone(), (release.started_at, None))),
                Need::Until(at) => {
                    self.needed.insert(release.id.clone(), (release.started_at, Some(at)));
                }
                Need::NoMore => drop(self.needed.remove(&release.id)),
            },
            // One that does not compile leaves the one before in force.
            Proposal::PolicyLoad(load) => {
                if let (Some(policy), _) = policy::compile(load) {
                    self.policy = policy;
                }
            }
            _ => {}
        }
    }

    /// What no replay will reach any more does not wait: a log may be years long. Should a release that was
    /// announced long ago come under watch yet, decisions older than this moment precede the events that they came
    /// of; only which stretches began then can differ, and those are over.
    fn tidy(&mut self) {
        let (from, now) = (self.rewind(), self.now);
        self.take_back_while(|it| it.at < from);
        self.needed.retain(|_, (_, until)| until.is_none_or(|until| now < until));
        self.tidy_at = WAITING_MIN.max(self.waiting.len() * 2);
    }

    fn rewind(&self) -> Timestamp {
        let is_needed = |until: Option<Timestamp>| until.is_none_or(|until| self.now < until);
        let needed = self.needed.values().filter(|(_, until)| is_needed(*until));
        let oldest = needed.map(|(started_at, _)| *started_at).min();
        oldest.map_or(self.now, |oldest| oldest.min(self.now)) - reach_of(&self.policy)
    }

    /// Whether the home partition's word about it concerns this partition too, which has copies of those events.
    fn is_copied(&self, proposal: &Proposal) -> bool {
        match proposal {
            Proposal::PolicyLoad(_) => true,
            Proposal::Alert { alert, .. } => {
                let names = &self.policy.identity.environment;
                !names.iter().any(|name| alert.labels.get(name).is_some())
            }
            _ => false,
        }
    }

    fn take_back_while(&mut self, is_due: impl Fn(&Proposed) -> bool) {
        while let Some(proposed) = self.waiting.pop_front_if(|it| is_due(it)) {
            self.take_back(&proposed);
        }
    }

    fn take_back(&mut self, proposed: &Proposed) {
        self.replayed = self.replayed.max(proposed.at);
        proposed.proposals.iter().for_each(|proposal| self.analyzer.restore(proposed.at, proposal));
    }
}

/// Whether [`Analyzer::restore`] has a use for it.
fn is_restored(proposal: &Proposal) -> bool {
    use Proposal::{Alert, Breach, BreachEnded, Finding, Limit, Outcome, PolicyLoad, Release};
    matches!(
        proposal,
        Release(_)
            | Breach(_)
            | BreachEnded { .. }
            | Limit(_)
            | Finding(_)
            | Outcome(_)
            | Alert { .. }
            | PolicyLoad(_)
    )
}

/// Whether a release's own events have to be read again.
enum Need {
    Now,
    Until(Timestamp),
    NoMore,
}

fn needed_until(release: &Release) -> Need {
    match release.state {
        // What ran before one that is only announced is what it will be compared with.
        state if state.is_under_watch() || state == ReleaseState::Pending => Need::Now,
        ReleaseState::RolledBack => Need::Until(release.state_since + RECOVERY_AWAITED_MAX),
        _ => Need::NoMore,
    }
}

#[cfg(test)]
mod tests {
    use model::{EventId, PolicyLoad, ServiceKey};

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn record(at: i64, proposals: Vec<Proposal>) -> DecisionRecord {
        DecisionRecord {
            cause: EventId::default(),
            partition: Partition::HOME,
            position: Position(at as u64),
            at: second(at),
            origin: Origin::Analyzer,
            decisions: proposals.into_iter().map(Decision::Proposal).collect(),
        }
    }

    fn load(text: &str) -> Proposal {
        let files = vec![("ripcord.yml".to_owned(), text.to_owned())];
        Proposal::PolicyLoad(Box::new(PolicyLoad { files, origin: "start".to_owned() }))
    }

    fn release(version: &str, started_at: i64, state: ReleaseState, state_since: i64) -> Proposal {
        Proposal::Release(Box::new(Release {
            id: ReleaseId::of("checkout", "production", "", version, ""),
            key: ServiceKey::new("checkout", "production"),
            version: version.to_owned(),
            started_at: second(started_at),
            state,
            state_since: second(state_since),
            ..Release::default()
        }))
    }

    #[test]
    fn a_policy_is_in_force_that_the_home_partition_told_of_late() {
        let windows = |window: &str| {
            load(&format!(
                "alerts: [{{ name: Held, condition: \"error_rate > 5%\", window: {window}, action: alert_team }}]"
            ))
        };
        let mut past = Past::new(Partition(1));
        let own = |at| DecisionRecord {
            partition: Partition(1),
            ..record(at, vec![release(&at.to_string(), at, ReleaseState::Succeeded, at)])
        };
        // The judge of this partition is far ahead when that of the home partition gets to the load.
        for record in [own(100), own(9_000), record(200, vec![windows("7m")])] {
            past.take(&record);
        }
        past.begin_replay(Some((Position(8_000), second(8_000))));
        let in_force = past.analyzer.policy().windows();
        assert!(in_force.values().flatten().any(|window| window.as_secs() == 420), "{in_force:?}");
        assert_eq!(past.analyzer.releases().count(), 1, "the other belongs to an event that is replayed");
    }

    #[test]
    fn the_events_are_read_again_from_where_something_may_still_depend_on_them() {
        use ReleaseState::{RolledBack, Succeeded, Watching};
        let windows = |window: &str, hold: &str| {
            load(&format!(
                "alerts: [{{ name: Held, condition: \"error_rate > 5%\", window: {window}, for: {hold}, action: alert_team }}]"
            ))
        };
        for (records, want, story) in [
            (vec![], None, "nothing was decided: everything"),
            (
                vec![record(9_000, vec![])],
                Some(7_500),
                "two windows of the values that are shown, and what a release may be late",
            ),
            (vec![record(9_000, vec![windows("10m", "0s")])], Some(6_900), "two of the longest window"),
            (
                vec![record(9_000, vec![windows("1m", "1h")])],
                Some(4_800),
                "the longest stretch, and two windows",
            ),
            (
                vec![record(8_000, vec![windows("1h", "0s")]), record(9_000, vec![windows("1m", "0s")])],
                Some(7_500),
                "the policy in force counts, not the one before",
            ),
            (
                vec![record(8_000, vec![windows("10m", "0s")]), record(9_000, vec![load("nonsense: [")])],
                Some(6_900),
                "one that does not compile is not in force",
            ),
            (
                vec![record(6_000, vec![release("2", 6_000, Watching, 6_000)]), record(9_000, vec![])],
                Some(4_500),
                "what ran before a release under watch",
            ),
            (
                vec![
                    record(6_000, vec![release("2", 6_000, Watching, 6_000)]),
                    record(9_000, vec![release("2", 6_000, Succeeded, 9_000)]),
                ],
                Some(7_500),
                "its watch is over",
            ),
            (
                vec![record(9_000, vec![release("2", 6_000, RolledBack, 8_000)])],
                Some(4_500),
                "it may recover, and that is measured by what ran before it",
            ),
            (
                vec![record(9_000, vec![release("2", 3_000, RolledBack, 4_000)])],
                Some(7_500),
                "it did not recover for an hour",
            ),
        ] {
            let mut past = Past::new(Partition::HOME);
            records.iter().for_each(|record| past.take(record));
            assert_eq!(past.rewind_to(), want.map(second), "{story}");
        }
    }
}
