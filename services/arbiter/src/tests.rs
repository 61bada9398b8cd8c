//! Scenarios: what is proposed goes in as text, what is decided comes out as text.

mod again;
mod alerts;
mod attribution;
mod commands;
mod content;
mod halts;
mod lifecycle;
mod policy_load;
mod properties;
mod script;
mod storms;
mod verbs;
