//! The policy: what is measured, what is a breach, and what follows from one. Text in, validated types out.
//!
//! This crate reads no file: `server` hands it texts, and the pure cores compile the texts that a
//! [`model::PolicyLoad`] record carries, so that the policy in force at a record is a function of the log.
//! Every fault is a [`Diagnostic`] with file, line, column and a hint.

pub mod expression;
pub mod metric;
pub mod types;

pub use expression::{Expression, Operand, Operator};
pub use metric::{HistogramSource, MetricDefinition, MetricSource, RatioKind, Selector};
pub use types::*;
