//! Which requests are on the wrong side of a comparison, for the release and for what it is compared with.

use model::Counts;
use policy::{Operand, Operator};

use super::{condition::Comparison, signal::Signal};

/// What makes a request a bad one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    side: Side,
    is_upward: bool,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    /// It is part of the ratio, or is not.
    Ratio,
    /// It took longer (or less) than this many seconds: the bound of the release's buckets beyond which all requests
    /// are on the wrong side of the limit. The baseline is measured at the same bound, so that buckets favour neither.
    Bound(f64),
}

impl Yardstick {
    /// `None` where there are no requests to count: gauges, throughputs, `==`, and limits that are no numbers.
    pub(crate) fn of(comparison: &Comparison<'_>, signal: &Signal) -> Option<Self> {
        let is_upward = match comparison.operator {
            Operator::Greater | Operator::GreaterOrEqual => true,
            Operator::Less | Operator::LessOrEqual => false,
            Operator::Equal | Operator::NotEqual => return None,
        };
        let Operand::Number(limit) = comparison.right else { return None };
        let side = match signal {
            Signal::Ratio(_) => Side::Ratio,
            Signal::Histogram(count) => {
                let (lower, upper) = count.bounds_around(*limit);
                Side::Bound(if is_upward { upper? } else { upper.filter(|it| it == limit).or(lower)? })
            }
            Signal::Gauge(_) | Signal::Throughput(_) => return None,
        };
        Some(Self { side, is_upward })
    }

    /// Of the release: the requests that are certainly bad. `None` where halves do not fit together.
    pub(crate) fn certain(&self, signal: &Signal) -> Option<Counts> {
        match (self.side, signal) {
            (Side::Bound(bound), Signal::Histogram(count)) if self.is_upward => {
                Some(Counts { bad: count.count_above(bound), total: count.total() })
            }
            (Side::Bound(bound), Signal::Histogram(count)) => {
                let bad = count.total().saturating_sub(count.count_above_at_most(bound));
                Some(Counts { bad, total: count.total() })
            }
            _ => self.of_ratio(signal),
        }
    }

    /// Of what it is compared with: the requests that may be bad.
    pub(crate) fn possible(&self, signal: &Signal) -> Option<Counts> {
        match (self.side, signal) {
            (Side::Bound(bound), Signal::Histogram(count)) if self.is_upward => {
                Some(Counts { bad: count.count_above_at_most(bound), total: count.total() })
            }
            (Side::Bound(bound), Signal::Histogram(count)) => {
                let bad = count.total().saturating_sub(count.count_above(bound));
                Some(Counts { bad, total: count.total() })
            }
            _ => self.of_ratio(signal),
        }
    }

    fn of_ratio(&self, signal: &Signal) -> Option<Counts> {
        let Signal::Ratio(count) = signal else { return None };
        let others = count.total.checked_sub(count.part)?;
        Some(Counts { bad: if self.is_upward { count.part } else { others }, total: count.total })
    }
}
