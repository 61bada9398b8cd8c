//! Scenarios: what is proposed goes in as text, what is decided comes out as text.

mod again;
mod alerts;
mod attribution;
mod commands;
mod content;
mod destination;
mod evidence;
mod halts;
mod lifecycle;
mod modes;
mod policy_load;
mod properties;
mod script;
mod storms;
mod unversioned;
mod verbs;
