//! Whether the release is to blame (DESIGN, invariant 6): whether it is worse than what runs beside it, or ran
//! before it, by an exact test of two samples.
//!
//! What runs beside it decides where it has enough requests: so many that a clean record would prove the release
//! worse. Else what ran before decides, its last minute by itself too. Where neither has enough, the limit alone
//! decides, unless the little that there is breaks it as well.

use model::{BaselineKind, Comparison as Compared, Counts, Rise, SharedBlame, Timestamp, is_same_version};
use policy::{Expression, GuardTest, Operator, Trigger};

use super::{
    compare::{Guarding, Limit, compare},
    condition::{Comparison, Judged},
    count::Yardstick,
    rise::rise,
    signal::Signal,
    subject::{Beside, Sources, Subject, slot},
};
use crate::{
    statistics,
    store::{Known, Versions},
};

/// What else there is to know about the release judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accused<'a> {
    pub(crate) version: &'a str,
    pub(crate) started_at: Timestamp,
    /// Whether telemetry tells the release from others by its version.
    pub(crate) by_version: bool,
    pub(crate) margin: f64,
    /// Whether telemetry carries versions since the release began.
    pub(crate) has_versions: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribution {
    pub(crate) blame: SharedBlame,
    /// One for each leaf that made the condition true.
    pub(crate) comparisons: Vec<Option<Compared>>,
    /// The release is worse by what it has shown, but the version beside it has not reported for the same time yet.
    pub(crate) is_early: bool,
}

/// What one leaf says.
#[derive(Clone, Debug)]
struct Leaf {
    verdict: Verdict,
    comparison: Option<Compared>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// The release is to blame.
    Worse,
    /// Known when the version beside it has reported.
    Early,
    /// No worse than the same window before the deployment, in which the metric was this.
    NoWorseThanBefore(f64),
    /// No worse than the version beside it, of which the metric is this.
    NoWorseThanBeside(f64),
}

impl From<Verdict> for Leaf {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, comparison: None }
    }
}

/// Everything that a leaf is compared by.
struct Case<'a> {
    trigger: &'a Trigger,
    accused: Accused<'a>,
    subject: &'a Subject<'a>,
    sources: Sources<'a>,
}

/// Looks at the leaves that made the condition true: the release is to blame when it is worse in any of them.
pub(crate) fn attribute(
    trigger: &Trigger,
    judged: &Judged<'_>,
    accused: Accused<'_>,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Attribution {
    let case = Case { trigger, accused, subject, sources };
    let leaves: Vec<Leaf> = judged.broken().map(|term| case.leaf(term.leaf)).collect();
    let is_any = |verdict| leaves.iter().any(|leaf| leaf.verdict == verdict);
    let mut blame = SharedBlame {
        is_unversioned: !accused.by_version && !case.is_named(judged),
        names_others: !accused.by_version && accused.has_versions,
        rise: case.rise(judged, &leaves),
        ..SharedBlame::default()
    };
    let is_worse = is_any(Verdict::Worse);
    match leaves.first().map(|leaf| leaf.verdict).filter(|_| !is_worse) {
        Some(Verdict::NoWorseThanBefore(value)) => blame.before = Some(value),
        Some(Verdict::NoWorseThanBeside(value)) => blame.beside = Some(value),
        _ => {}
    }
    let is_early = !is_worse && is_any(Verdict::Early);
    Attribution { blame, comparisons: leaves.into_iter().map(|leaf| leaf.comparison).collect(), is_early }
}

impl Case<'_> {
    /// Whether every alert that made the condition true names the release's own version, and nothing else did.
    fn is_named(&self, judged: &Judged<'_>) -> bool {
        let (alerts, now) = (self.sources.alerts, self.sources.now);
        judged.broken().all(|term| match term.leaf {
            Expression::Alert(name) => {
                alerts.names_version(now, name, self.subject.key, self.accused.version)
            }
            _ => false,
        })
    }

    /// Of the first leaf that can be counted.
    fn rise(&self, judged: &Judged<'_>, leaves: &[Leaf]) -> Option<Rise> {
        judged.broken().zip(leaves).find_map(|(term, leaf)| {
            let before = leaf.comparison.as_ref().map(|it| it.before).unwrap_or_default();
            let comparison = Comparison::of(term.leaf)?;
            rise(&comparison, self.trigger.window, before, self.subject, self.sources)
        })
    }

    fn leaf(&self, leaf: &Expression) -> Leaf {
        if let Expression::Alert(name) = leaf {
            return self.alert(name).into();
        }
        // A comparison with a baseline says by itself that the release is worse than what it replaced.
        let Some(comparison) = Comparison::of(leaf).filter(|it| !it.is_relative()) else {
            return Verdict::Worse.into();
        };
        let Some(signal) = self.subject.read(self.sources, comparison.metric, self.trigger.window) else {
            return Verdict::Worse.into();
        };
        match Yardstick::of(&comparison, &signal) {
            Some(yardstick) => Counted { case: self, comparison, yardstick, signal }.leaf(),
            None => self.by_value(&comparison, &signal).into(),
        }
    }

    fn alert(&self, name: &str) -> Verdict {
        let subject = self.subject;
        let since =
            self.sources.alerts.firing_since(self.sources.now, name, subject.key, subject.alert_version);
        let is_older = since.is_some_and(|since| since < self.accused.started_at);
        if is_older { Verdict::NoWorseThanBefore(1.0) } else { Verdict::Worse }
    }

    /// What has no requests to count: the bare value decides, with the margin.
    fn by_value(&self, comparison: &Comparison<'_>, signal: &Signal) -> Verdict {
        let (window, quantile) = (self.trigger.window, comparison.quantile_or_default());
        let Some(own) = signal.value(quantile) else { return Verdict::Worse };
        let is_worse = |value: f64| match comparison.operator {
            Operator::Greater | Operator::GreaterOrEqual => own > value * self.accused.margin,
            Operator::Less | Operator::LessOrEqual => own * self.accused.margin < value,
            Operator::Equal | Operator::NotEqual => false,
        };
        let shared = |signal: &Signal| {
            exceeds(comparison, signal, &Guarding::shared(self.trigger)).filter(|value| !is_worse(*value))
        };
        let beside = self.beside_it().into_iter().find_map(|(versions, beside)| {
            let since = Some(beside.since);
            let read = self.subject.read_of(self.sources, versions, since, comparison.metric, window)?;
            shared(&read)
        });
        let before = || self.subject.baselines.before?.get(comparison.metric, window).and_then(shared);
        match beside {
            Some(value) => Verdict::NoWorseThanBeside(value),
            None => before().map_or(Verdict::Worse, Verdict::NoWorseThanBefore),
        }
    }

    /// What may run beside the release, the version that it replaces first.
    fn beside_it(&self) -> Vec<(Versions<'_>, Beside<'_>)> {
        let Some(beside) = self.subject.baselines.beside.filter(|_| self.accused.by_version) else {
            return Vec::new();
        };
        let previous = beside.previous_version.filter(|previous| !is_same_version(previous, beside.version));
        let previous = previous.map(|previous| (Versions::One(previous), beside));
        previous.into_iter().chain([(Versions::AllBut(beside.version), beside)]).collect()
    }
}

/// A leaf whose requests can be counted.
struct Counted<'a> {
    case: &'a Case<'a>,
    comparison: Comparison<'a>,
    yardstick: Yardstick,
    signal: Signal,
}

/// A baseline's side of the comparison.
enum Tested {
    Worse(Compared),
    NoWorse(Compared),
    /// Worse, but for what the baseline has still to report.
    Early(Compared),
    /// Too few requests to prove anything, and what they show is no excuse either.
    Thin,
}

impl Counted<'_> {
    fn leaf(&self) -> Leaf {
        let Some(release) = self.yardstick.certain(&self.signal) else { return Verdict::Worse.into() };
        for (versions, beside) in self.case.beside_it() {
            let Some((tested, value)) = self.beside(release, versions, beside) else { continue };
            let (verdict, comparison) = match tested {
                Tested::Worse(comparison) => (Verdict::Worse, comparison),
                Tested::Early(comparison) => (Verdict::Early, comparison),
                Tested::NoWorse(comparison) => (Verdict::NoWorseThanBeside(value), comparison),
                Tested::Thin => continue,
            };
            return Leaf { verdict, comparison: Some(comparison) };
        }
        self.before(release)
    }

    /// Against what ran before: the whole window, and its last minute if that has enough requests.
    fn before(&self, release: Counts) -> Leaf {
        let (metric, window) = (self.comparison.metric, self.case.trigger.window);
        let frozen = self.case.subject.baselines.before;
        let signals =
            [frozen.and_then(|it| it.get(metric, window)), frozen.and_then(|it| it.recent(metric, window))];
        let mut worst: Option<(Compared, f64)> = None;
        for signal in signals.into_iter().flatten() {
            let value = self.shown(signal);
            let Some(counts) = self.yardstick.possible(signal) else { continue };
            let compared = self.compared(BaselineKind::Before, release, counts);
            if !compared.is_worse() && !self.is_enough(release, counts) && !self.shows_it_too(signal) {
                continue;
            }
            if worst.as_ref().is_none_or(|(other, _)| compared.probability > other.probability) {
                worst = Some((compared, value));
            }
        }
        match worst {
            None => Verdict::Worse.into(),
            Some((compared, _)) if compared.is_worse() => {
                Leaf { verdict: Verdict::Worse, comparison: Some(compared) }
            }
            Some((compared, value)) => {
                Leaf { verdict: Verdict::NoWorseThanBefore(value), comparison: Some(compared) }
            }
        }
    }

    /// Against `versions` beside it, up to the moment until which it is known what they did. The release is read
    /// only so far: a fault that both have is seen first of the one that is scraped first.
    fn beside(&self, release: Counts, versions: Versions<'_>, beside: Beside<'_>) -> Option<(Tested, f64)> {
        let case = self.case;
        let subject = case.subject;
        let known = case.sources.store.known(subject.key, versions, subject.at)?;
        let as_of = as_of(known, case);
        let read = |at: Timestamp, versions, since| {
            let subject = Subject { at, ..*subject };
            subject.read_of(case.sources, versions, since, self.comparison.metric, case.trigger.window)
        };
        let together = Some(beside.since);
        let signal = read(subject.at, versions, together)?;
        let value = self.shown(&signal);
        let name = match versions {
            Versions::One(version) => version,
            _ => "other versions",
        };
        let kind = BaselineKind::Beside { version: name.to_owned() };
        let newest = self.yardstick.possible(&signal)?;
        let sofar = read(as_of, versions, together).and_then(|signal| self.yardstick.possible(&signal));
        let own = read(as_of, subject.versions, subject.since.max(together))
            .and_then(|signal| self.yardstick.certain(&signal))
            .unwrap_or_default();
        // What came after that moment may be better or worse than before it: the release gets the benefit.
        let of_both = [Some(newest), sofar].into_iter().flatten();
        let aligned = of_both.map(|counts| self.compared(kind.clone(), own, counts));
        let aligned = aligned.max_by(|one, two| one.probability.total_cmp(&two.probability))?;
        if aligned.is_worse() {
            return Some((Tested::Worse(aligned), value));
        }
        let by_all = self.compared(kind, release, newest);
        let tested = if !known.is_alive {
            Tested::Thin
        } else if !self.is_enough(release, newest) {
            if self.shows_it_too(&signal) { Tested::NoWorse(by_all) } else { Tested::Thin }
        } else if by_all.is_worse() && known.until < subject.at {
            Tested::Early(by_all)
        } else {
            Tested::NoWorse(by_all)
        };
        Some((tested, value))
    }

    fn compared(&self, baseline: BaselineKind, release: Counts, before: Counts) -> Compared {
        let margin = self.case.accused.margin;
        let level = Guarding::of(self.case.trigger).level;
        let probability = statistics::worse_tail(release, before, margin);
        Compared { baseline, release, before, margin, level, probability }
    }

    /// The metric's value; where a histogram has no bound to say one, the limit that it is beyond.
    fn shown(&self, signal: &Signal) -> f64 {
        let limit = match self.comparison.right {
            policy::Operand::Number(limit) => *limit,
            _ => 0.0,
        };
        signal.value(self.comparison.quantile_or_default()).unwrap_or(limit)
    }

    /// Whether so many requests would prove the release worse if none of them were bad.
    fn is_enough(&self, release: Counts, baseline: Counts) -> bool {
        self.compared(BaselineKind::Before, release, Counts { bad: 0, ..baseline }).is_worse()
    }

    /// A handful of requests can still show the fault: their tail decides alone.
    fn shows_it_too(&self, signal: &Signal) -> bool {
        exceeds(&self.comparison, signal, &Guarding::shared(self.case.trigger)).is_some()
    }
}

/// Until when the release is read beside others: a slot less than what is known of them, as a slot is read whole.
fn as_of(known: Known, case: &Case<'_>) -> Timestamp {
    let at = case.subject.at;
    if known.until >= at { at } else { known.until - slot(case.trigger.window) }
}

/// The value, if it is beyond the comparison's number by itself and by the softer test.
fn exceeds(comparison: &Comparison<'_>, signal: &Signal, guarding: &Guarding) -> Option<f64> {
    let policy::Operand::Number(number) = comparison.right else { return None };
    let min_requests = if guarding.test == GuardTest::Exact { 0 } else { guarding.min_requests };
    let guarding = Guarding { min_requests, ..*guarding };
    let quantile = comparison.quantile_or_default();
    let limit = Limit::Number(*number);
    let compared = compare(comparison.metric, signal, quantile, comparison.operator, &limit, &guarding);
    compared.guarded.is_true().then(|| compared.evidence.map_or(0.0, |evidence| evidence.value))
}
