//! The condition language: `error_rate > 1% and (response_time_p95 > 1s or alert("HighLatency"))`.
//!
//! Operands are compared in base units (ratios 0..=1, seconds), so that a tree says nothing about how it was
//! written; where each name and literal stood is kept beside it for the checks ([`parse_with_uses`]).

mod display;
mod parse;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use display::metric_name;
pub use parse::{Compared, NameUse};
pub use parse::{MAX_CONDITION_LENGTH, MAX_NESTING, ParseError, Parsed, parse, parse_with_uses};
pub use token::Unit;
pub(crate) use token::is_name;

/// A comparison's operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A named metric or fact; `quantile` from a suffix (`_p95` = 0.95, `_p999` = 0.999).
    Metric { name: String, quantile: Option<f64> },
    /// A literal in base units: ratios 0..=1, times in seconds.
    Number(f64),
    /// The same metric's baseline, times `factor`.
    Baseline { factor: f64 },
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
    /// `alert("NAME")`: true while that alert fires for the service.
    Alert(String),
    /// A bare name: a boolean fact.
    Fact(String),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}
