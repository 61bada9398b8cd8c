//! The router: decides which notice is told to whom, when, and in whose company. It knows Alertmanager's
//! words and keeps their meaning: route tree, grouping, repetition, inhibition, time intervals.
//!
//! Pure: no I/O, no clock, no random numbers, nothing spawned. Notices, deliveries and time go in,
//! [`model::Send`]s come out; the same records give the same messages with the same ids. `receivers` delivers
//! what comes out, `server` builds [`Config`] from YAML and drives [`Desk`], which keeps a [`Router`] at the
//! decisions log; neither decides anything.
//!
//! Plain alerts follow Alertmanager's timing. Where it disappoints its users, this differs:
//! - A firing that was delivered gets its resolved, even if it is muted or inhibited by then. In return, what a
//!   receiver never heard firing is not told resolved to it.
//! - `repeat_interval` counts from the tick of the last message, so equal intervals repeat at each tick.
//! - When a mute ends, the group ticks at once.
//! - `max_alerts` leaves out resolved and known notices first, and never changes a message's status.
//! - A reload tells nothing twice; nor does a restart, since the log holds what was delivered.
//! - A receiver that fails hands its message to a fallback.
//! - Notices about releases that are critical or begin a rollback wait for no tick; how it went on follows soon.
//! - What one decision tells a group is one message.
//!
//! Silences are not known yet.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
mod desk;
mod entry;
mod group;
mod inhibitor;
pub mod interval;
pub mod limits;
pub mod matcher;
mod message;
mod news;
mod router;
mod threads;
mod tree;
mod wiring;

pub use config::{Config, ConfigError, GroupBy, InhibitRule, Integration, ReceiverPlan, Route};
pub use desk::Desk;
pub use interval::{
    DayOfMonthRange, IntervalError, Location, MonthRange, TimeInterval, TimeRange, TimeSpec, WeekdayRange,
    YearRange,
};
pub use matcher::{MatchOp, Matcher, MatcherError, parse_matchers};
pub use router::{Counts, Router};
pub use tree::{RouteMatch, route_for};
