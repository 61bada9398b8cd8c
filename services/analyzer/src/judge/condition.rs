//! A whole condition: its comparisons, alerts and facts, each with its numbers.

use std::time::Duration;

use model::{BaselineValue, Evidence, Timestamp};
use policy::{Expression, GuardTest, Operand, Operator, RatioKind, Trigger};

use super::{
    compare::{Compared, Guarding, Limit, compare, holds},
    signal::Signal,
    subject::{Sources, Subject},
    truth::{Truth, Unknown},
};
use crate::{statistics, store::Sight};

/// A latency metric named without a quantile means this one: what the handbook's own example watches.
pub(crate) const QUANTILE_DEFAULT: f64 = 0.95;

/// A fresh release has a short window, and in an outage that hits everything it breaks its limit scrapes before
/// the full windows of others do. So that a shared cause is seen in time, others are judged over the last minute
/// too: four usual scrapes.
pub(crate) const SHARED_RECENT: Duration = Duration::from_secs(60);

impl Guarding {
    /// What a trigger asks for before it counts as broken (DESIGN, "When a trigger fires").
    pub(crate) fn of(trigger: &Trigger) -> Self {
        let acts = trigger.action == model::Action::ImmediateRollback;
        Self {
            test: trigger.test,
            level: if acts { statistics::LEVEL_ACT } else { statistics::LEVEL_NOTIFY },
            min_requests: trigger.min_requests,
            events_min: statistics::EVENTS_MIN,
        }
    }

    /// What is asked of a service that nothing would be done to but telling.
    pub(crate) fn telling(trigger: &Trigger) -> Self {
        Self { level: statistics::LEVEL_NOTIFY, ..Self::of(trigger) }
    }

    /// Softer: enough to doubt that the release is to blame.
    pub(crate) fn shared(trigger: &Trigger) -> Self {
        Self { level: statistics::LEVEL_SHARED, events_min: 0, ..Self::of(trigger) }
    }

    /// For the last minute by itself, see [`SHARED_RECENT`].
    pub(crate) fn shared_recently(trigger: &Trigger) -> Self {
        Self::telling(trigger)
    }
}

/// One leaf of a condition and what it came to.
#[derive(Clone, Debug)]
pub(crate) struct Term<'a> {
    pub(crate) leaf: &'a Expression,
    pub(crate) compared: Compared,
    pub(crate) newest_at: Option<Timestamp>,
}

/// A condition at one look.
#[derive(Clone, Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) guarded: Truth,
    pub(crate) bare: Truth,
    pub(crate) terms: Vec<Term<'a>>,
    /// Event time of the newest sample of what broke it, see [`Verdict`]; `None` where no sample did.
    pub(crate) broken_at: Option<Timestamp>,
}

/// What a part of a condition comes to. Fresh data of one part must not lend its age to old data of another: an
/// `and` is as old as its oldest part, an `or` as young as the youngest part that is true.
#[derive(Clone, Copy)]
struct Verdict {
    guarded: Truth,
    bare: Truth,
    broken_at: Option<Timestamp>,
}

impl Verdict {
    fn and(self, other: Self) -> Self {
        let broken_at = match (self.broken_at, other.broken_at) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { guarded: self.guarded.and(other.guarded), bare: self.bare.and(other.bare), broken_at }
    }

    fn or(self, other: Self) -> Self {
        let broken_at = match (self.guarded.is_true(), other.guarded.is_true()) {
            // What has no samples, an alert or a fact, holds now.
            (true, true) => self.broken_at.zip(other.broken_at).map(|(one, two)| one.max(two)),
            (false, true) => other.broken_at,
            _ => self.broken_at,
        };
        Self { guarded: self.guarded.or(other.guarded), bare: self.bare.or(other.bare), broken_at }
    }
}

impl Judged<'_> {
    /// Whether any metric was judged on enough requests.
    pub(crate) fn saw_enough(&self) -> bool {
        let is_known = |term: &Term<'_>| !matches!(term.compared.bare, Truth::Unknown(_));
        self.terms.iter().any(|term| term.newest_at.is_some() && is_known(term))
    }

    /// The metric whose parts do not fit together, if there is one.
    pub(crate) fn torn(&self) -> Option<&Evidence> {
        let is_torn = |term: &&Term<'_>| term.compared.bare == Truth::Unknown(Unknown::Torn);
        self.terms.iter().find(is_torn)?.compared.evidence.as_ref()
    }

    /// The leaves that made it true.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Term<'_>> {
        self.terms.iter().filter(|term| term.compared.guarded.is_true())
    }

    /// Takes in what each of [`Self::broken`] was compared with.
    pub(crate) fn take_comparisons(&mut self, comparisons: Vec<Option<model::Comparison>>) {
        let broken = self.terms.iter_mut().filter(|term| term.compared.guarded.is_true());
        for (term, comparison) in broken.zip(comparisons) {
            if let Some(evidence) = &mut term.compared.evidence {
                evidence.comparison = comparison;
            }
        }
    }

    /// The numbers, those that made it true first.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let of = |is_broken: bool| {
            let terms = self.terms.iter().filter(move |term| term.compared.guarded.is_true() == is_broken);
            terms.filter_map(|term| term.compared.evidence.clone())
        };
        of(true).chain(of(false)).collect()
    }
}

/// Judges `condition` over `window`.
pub(crate) fn judge<'a>(
    condition: &'a Expression,
    window: Duration,
    guarding: &Guarding,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Judged<'a> {
    let mut terms = Vec::new();
    let Verdict { guarded, bare, broken_at } = walk(condition, &mut |leaf| {
        let (compared, newest_at) = judge_leaf(leaf, window, guarding, subject, sources);
        let (guarded, bare) = (compared.guarded, compared.bare);
        terms.push(Term { leaf, compared, newest_at });
        Verdict { guarded, bare, broken_at: newest_at }
    });
    Judged { guarded, bare, terms, broken_at }
}

fn walk<'a>(condition: &'a Expression, leaf: &mut dyn FnMut(&'a Expression) -> Verdict) -> Verdict {
    match condition {
        Expression::And(left, right) => {
            let left = walk(left, leaf);
            left.and(walk(right, leaf))
        }
        Expression::Or(left, right) => {
            let left = walk(left, leaf);
            left.or(walk(right, leaf))
        }
        Expression::Compare { .. } | Expression::Alert(_) | Expression::Fact(_) => leaf(condition),
    }
}

fn judge_leaf(
    leaf: &Expression,
    window: Duration,
    guarding: &Guarding,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> (Compared, Option<Timestamp>) {
    match leaf {
        Expression::Alert(name) => (judge_alert(name, subject, sources), None),
        Expression::Fact(name) => (judge_fact(name, subject), None),
        Expression::Compare { .. } => match Comparison::of(leaf) {
            Some(comparison) => comparison.judge(window, guarding, subject, sources),
            None => (judge_constants(leaf), None),
        },
        Expression::And(..) | Expression::Or(..) => (Compared::unknown(Unknown::NoData), None),
    }
}

/// An alert is what its sender says it is: nothing to guard.
fn judge_alert(name: &str, subject: &Subject<'_>, sources: Sources<'_>) -> Compared {
    let since = sources.alerts.firing_since(sources.now, name, subject.key, subject.alert_version);
    let evidence = since.map(|_| Evidence {
        metric: format!("alert({name:?})"),
        value: 1.0,
        coverage: 1.0,
        ..Evidence::default()
    });
    let fires = Truth::from(since.is_some());
    Compared { guarded: fires, bare: fires, evidence }
}

fn judge_fact(name: &str, subject: &Subject<'_>) -> Compared {
    let fact = match subject.facts.and_then(|facts| facts.get(name)).map(String::as_str) {
        Some("true") => Truth::True,
        Some("false") => Truth::False,
        _ => return Compared::unknown(Unknown::NoData),
    };
    Compared { guarded: fact, bare: fact, evidence: None }
}

/// Two numbers compare as numbers do; anything else that holds no metric says nothing.
fn judge_constants(leaf: &Expression) -> Compared {
    let Expression::Compare { left: Operand::Number(left), operator, right: Operand::Number(right) } = leaf
    else {
        return Compared::unknown(Unknown::NoData);
    };
    let truth = Truth::from(holds(*operator, *left, *right));
    Compared { guarded: truth, bare: truth, evidence: None }
}

/// A comparison with its metric on the left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) metric: &'a str,
    pub(crate) quantile: Option<f64>,
    pub(crate) operator: Operator,
    pub(crate) right: &'a Operand,
}

impl<'a> Comparison<'a> {
    pub(crate) fn of(leaf: &'a Expression) -> Option<Self> {
        let Expression::Compare { left, operator, right } = leaf else { return None };
        match (left, right) {
            (Operand::Metric { name, quantile }, _) => {
                Some(Self { metric: name, quantile: *quantile, operator: *operator, right })
            }
            (_, Operand::Metric { name, quantile }) => {
                Some(Self { metric: name, quantile: *quantile, operator: mirrored(*operator), right: left })
            }
            _ => None,
        }
    }

    pub(crate) fn is_relative(&self) -> bool {
        matches!(self.right, Operand::Baseline { .. })
    }

    pub(crate) fn quantile_or_default(&self) -> f64 {
        self.quantile.unwrap_or(QUANTILE_DEFAULT)
    }

    /// As the condition names it: `error_rate`, `response_time_p95`.
    pub(crate) fn display_name(&self) -> String {
        let Some(quantile) = self.quantile else { return self.metric.to_owned() };
        let permille = (quantile * 1000.0).round() as u32;
        if permille.is_multiple_of(10) {
            format!("{}_p{}", self.metric, permille / 10)
        } else {
            format!("{}_p{permille}", self.metric)
        }
    }

    fn judge(
        &self,
        window: Duration,
        guarding: &Guarding,
        subject: &Subject<'_>,
        sources: Sources<'_>,
    ) -> (Compared, Option<Timestamp>) {
        let is_latency_against_baseline = self.is_relative() && self.quantile.is_some();
        if is_latency_against_baseline && subject.warm_at.is_some_and(|warm| subject.at < warm) {
            return (Compared::unknown(Unknown::WarmingUp), None);
        }
        let signal = if is_latency_against_baseline {
            subject.read_warm(sources, self.metric, window)
        } else {
            subject.read(sources, self.metric, window)
        };
        let Some(signal) = signal else { return (Compared::unknown(Unknown::NoData), None) };
        if is_without_good(&signal) && self.is_blind(subject, sources) {
            return (Compared::unknown(Unknown::NoData), None);
        }
        let newest_at = Some(signal.newest_at());
        (self.against(&signal, window, guarding, subject, sources), newest_at)
    }

    /// Whether the metric's selectors can match nothing of the subject: none good is then no sign of all bad.
    fn is_blind(&self, subject: &Subject<'_>, sources: Sources<'_>) -> bool {
        sources.store.sight(subject.key, subject.versions, self.metric) != Sight::Clear
    }

    fn against(
        &self,
        signal: &Signal,
        window: Duration,
        guarding: &Guarding,
        subject: &Subject<'_>,
        sources: Sources<'_>,
    ) -> Compared {
        let run = |limit: &Limit<'_>, guarding: &Guarding| {
            compare(&self.display_name(), signal, self.quantile_or_default(), self.operator, limit, guarding)
        };
        match self.right {
            Operand::Number(number) => {
                let mut compared = run(&Limit::Number(*number), guarding);
                if compared.bare == Truth::True
                    && let Some(evidence) = &mut compared.evidence
                {
                    evidence.baseline = self.shown_baseline(window, guarding, subject, sources);
                }
                compared
            }
            Operand::Baseline { factor } => {
                match subject.baseline(sources, self.metric, window, guarding.min_requests) {
                    Some((signal, kind)) => {
                        run(&Limit::Baseline { factor: *factor, signal: &signal, kind }, guarding)
                    }
                    None => Compared::unknown(Unknown::NoData),
                }
            }
            // Two measurements against each other have no tail of their own: the bare numbers are compared.
            Operand::Metric { name, quantile } => {
                let quantile = quantile.unwrap_or(QUANTILE_DEFAULT);
                match subject.read(sources, name, window).and_then(|other| other.value(quantile)) {
                    Some(number) => {
                        run(&Limit::Number(number), &Guarding { test: GuardTest::None, ..*guarding })
                    }
                    None => Compared::unknown(Unknown::NoData),
                }
            }
        }
    }

    /// What a limit that is broken is shown beside: whoever reads it asks first what it was like before.
    fn shown_baseline(
        &self,
        window: Duration,
        guarding: &Guarding,
        subject: &Subject<'_>,
        sources: Sources<'_>,
    ) -> Option<BaselineValue> {
        let (signal, kind) = subject.baseline(sources, self.metric, window, guarding.min_requests)?;
        let value = signal.value(self.quantile_or_default()).filter(|value| value.is_finite())?;
        Some(BaselineValue { kind, value, requests: signal.requests() })
    }
}

fn is_without_good(signal: &Signal) -> bool {
    matches!(signal, Signal::Ratio(count) if count.kind == RatioKind::Good && count.part == 0)
}

fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Equal | Operator::NotEqual => operator,
    }
}

/// Visits every comparison, alert and fact of a condition.
pub(crate) fn for_each_leaf<'a>(condition: &'a Expression, visit: &mut dyn FnMut(&'a Expression)) {
    match condition {
        Expression::And(left, right) | Expression::Or(left, right) => {
            for_each_leaf(left, visit);
            for_each_leaf(right, visit);
        }
        leaf => visit(leaf),
    }
}

/// Whether the condition asks for an alert: such triggers are judged when alerts come and go too.
pub(crate) fn has_alert(condition: &Expression) -> bool {
    match condition {
        Expression::Alert(_) => true,
        Expression::Compare { .. } | Expression::Fact(_) => false,
        Expression::And(left, right) | Expression::Or(left, right) => has_alert(left) || has_alert(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guarded: Truth, second: Option<i64>) -> Verdict {
        Verdict { guarded, bare: guarded, broken_at: second.map(Timestamp::from_millis) }
    }

    #[test]
    fn fresh_data_of_one_part_lends_no_age_to_another() {
        use Truth::{False, True};
        let old = verdict(True, Some(1));
        for (other, and, or, story) in [
            (
                verdict(True, Some(9)),
                Some(1),
                Some(9),
                "both true: as old as the older, as young as the younger",
            ),
            (verdict(False, Some(9)), None, Some(1), "one is false: it does not make the other younger"),
            (verdict(True, None), Some(1), None, "an alert that fires holds now"),
        ] {
            for (left, right) in [(old, other), (other, old)] {
                if let Some(and) = and {
                    assert_eq!(left.and(right).broken_at, Some(Timestamp::from_millis(and)), "{story}");
                }
                assert_eq!(left.or(right).broken_at, or.map(Timestamp::from_millis), "{story}");
            }
        }
    }
}
