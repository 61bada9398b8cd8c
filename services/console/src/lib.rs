//! What people and scripts see: a projection of the decisions log, and the HTTP API that reads it.
//!
//! Everything here can be thrown away and rebuilt by applying the log again from its start. This crate decides
//! nothing and appends nothing: people's verbs enter through `ingest`, rolling values are asked of the analyzer
//! through [`Values`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod json;
pub mod projection;

pub use api::{Authorize, Console, Readiness, Values, openapi, operations, router};
pub use projection::{Answer, Projection, ReleaseView, SharedProjection, TimelineEntry, Verdict};
