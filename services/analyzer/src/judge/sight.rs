//! Whether a trigger could have shown a breach at all. One that could not proves nothing by being silent.

use model::{ErrorBound, Timestamp};
use policy::{Expression, Operand, Operator, Trigger};
use serde::{Deserialize, Serialize};

use super::{
    condition::Comparison,
    signal::Signal,
    subject::{Sources, Subject},
};
use crate::store::{HistogramCount, Sight};

/// A finding needs two looks: at the first the rest of a service's series may not have come yet.
const LOOKS_MIN: u8 = 2;

/// A quantile that lies in the same bucket as the limit is taken as it is interpolated while the bucket ends at no
/// more than so many limits: the steps of Prometheus' default bounds.
const COARSE: f64 = 2.5;

/// What is known about a trigger's being able to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Eyes {
    /// Metrics whose series were found to be able to show what is asked for.
    clear: Vec<String>,
    /// Looks in a row at which it could not be, at most [`LOOKS_MIN`], and why.
    looks: u8,
    last_at: Option<Timestamp>,
    why: String,
}

impl Eyes {
    /// Why the trigger cannot see, once that is sure.
    pub(crate) fn blind(&self) -> Option<&str> {
        (self.looks >= LOOKS_MIN).then_some(self.why.as_str())
    }

    /// One look.
    pub(crate) fn look(&mut self, trigger: &Trigger, subject: &Subject<'_>, sources: Sources<'_>) {
        let mut why = None;
        self.check(&trigger.condition, trigger, subject, sources, &mut why);
        let Some(why) = why else {
            self.looks = 0;
            return;
        };
        self.why = why;
        if self.last_at != Some(subject.at) {
            self.looks = LOOKS_MIN.min(self.looks + 1);
            self.last_at = Some(subject.at);
        }
    }

    fn check(
        &mut self,
        condition: &Expression,
        trigger: &Trigger,
        subject: &Subject<'_>,
        sources: Sources<'_>,
        why: &mut Option<String>,
    ) {
        if let Expression::And(left, right) | Expression::Or(left, right) = condition {
            self.check(left, trigger, subject, sources, why);
            self.check(right, trigger, subject, sources, why);
            return;
        }
        condition.for_each_metric(&mut |metric| {
            if why.is_some() || self.clear.iter().any(|it| it == metric) {
                return;
            }
            match sources.store.sight(subject.key, subject.versions, metric) {
                Sight::Clear => self.clear.push(metric.to_owned()),
                Sight::Blind(text) => *why = Some(format!("{metric}: {text}")),
            }
        });
        if why.is_none() {
            *why = Comparison::of(condition).and_then(|it| bounds_fault(&it, trigger, subject, sources));
        }
    }
}

/// Why the buckets of a latency cannot show whether it is above its limit.
fn bounds_fault(
    comparison: &Comparison<'_>,
    trigger: &Trigger,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Option<String> {
    let Operand::Number(limit) = comparison.right else { return None };
    if !matches!(comparison.operator, Operator::Greater | Operator::GreaterOrEqual) {
        return None;
    }
    let Signal::Histogram(count) = subject.read(sources, comparison.metric, trigger.window)? else {
        return None;
    };
    if count.error_bound() == ErrorBound::Exact || count.total() < trigger.min_requests {
        return None;
    }
    let name = comparison.display_name();
    let (lower, upper) = count.bounds_around(*limit);
    let Some(upper) = upper else {
        let highest =
            lower.map_or("it has no bound at all".to_owned(), |it| format!("its highest is {it} s"));
        return Some(format!(
            "{name}: no histogram bucket ends at or above the limit of {limit} s; {highest}"
        ));
    };
    let is_open = is_open(&count, comparison.quantile_or_default(), *limit);
    let is_above = count.quantile(comparison.quantile_or_default()).is_some_and(|value| value > *limit);
    (is_open && (is_above || upper > COARSE * limit)).then(|| {
        let lower = lower.unwrap_or(0.0);
        format!("{name}: it lies between the bucket bounds {lower} s and {upper} s, and so does the limit of {limit} s; add a bound at the limit")
    })
}

/// Whether the quantile may be above the limit and may be below it.
fn is_open(count: &HistogramCount, quantile: f64, limit: f64) -> bool {
    let allowed = (1.0 - quantile) * count.total() as f64;
    count.count_above_at_most(limit) as f64 > allowed && count.count_above(limit) as f64 <= allowed
}
