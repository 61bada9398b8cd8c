//! The policy: what is measured, what is a breach, and what follows from one. Text in, validated types out.
//!
//! This crate reads no file: `server` hands it texts, and the pure cores compile the texts that a
//! [`model::PolicyLoad`] record carries, so that the policy in force at a record is a function of the log.
//! Every fault is a [`Diagnostic`] with file, line, column and a hint.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod compile;
mod default;
pub mod diagnostic;
mod effective;
mod explain;
pub mod expression;
mod matching;
pub mod metric;
mod release_owner;
mod secrets;
mod target;
pub mod time_interval;
pub mod types;
pub mod yaml;

pub use compile::{
    PIPELINE_STAGES, POLICY_SECTIONS, SERVER_SECTIONS, compile, compile_beside, is_policy_section,
    policy_sections,
};
pub use default::{ERROR_RATE, RESPONSE_TIME, THROUGHPUT};
pub use diagnostic::{Diagnostics, KeyUse, KeysRead, Located, Place};
pub use effective::VALUES_WINDOW;
pub use explain::{Explanation, Setting, explain};
pub use matching::{Match, Pattern};

pub use expression::{Expression, Operand, Operator};
pub use metric::{HistogramSource, MetricDefinition, MetricSource, RatioKind, Selector, Shape};
pub use release_owner::ReleaseOwners;
pub use secrets::{with_own_secrets, without_secrets};
pub use target::{HeaderValue, Hidden, Target, Unresolved};
pub use time_interval::{TimeInterval, TimeSpecification};
pub use types::*;
