//! A tree as text that parses to the same tree.

use std::fmt;

use super::{Expression, Operand, Operator};

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

/// The name under which a quantile of a metric stands in conditions: `response_time_p95`.
pub(crate) fn metric_name(name: &str, quantile: Option<f64>) -> String {
    let Some(quantile) = quantile else { return name.to_owned() };
    let digits = (2..=4)
        .map(|digits| format!("{quantile:.digits$}"))
        .find(|text| text.parse() == Ok(quantile))
        .unwrap_or_else(|| format!("{quantile:.4}"));
    format!("{name}_p{}", digits.trim_start_matches("0."))
}

/// Numbers stand in base units: a ratio without `%`, a time in seconds without `s`.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric { name, quantile } => f.write_str(&metric_name(name, *quantile)),
            Self::Number(value) => write!(f, "{value}"),
            Self::Baseline { factor } if *factor == 1.0 => f.write_str("baseline"),
            Self::Baseline { factor } => write!(f, "baseline * {factor}"),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { left, operator, right } => write!(f, "{left} {operator} {right}"),
            Self::Alert(name) => {
                write!(f, "alert(\"{}\")", name.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Fact(name) => f.write_str(name),
            Self::And(left, right) => {
                joined(f, left, matches!(**left, Self::Or(..)))?;
                f.write_str(" and ")?;
                joined(f, right, matches!(**right, Self::Or(..) | Self::And(..)))
            }
            Self::Or(left, right) => {
                write!(f, "{left} or ")?;
                joined(f, right, matches!(**right, Self::Or(..)))
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, side: &Expression, in_parentheses: bool) -> fmt::Result {
    if in_parentheses { write!(f, "({side})") } else { write!(f, "{side}") }
}
