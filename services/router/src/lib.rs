//! Skeleton.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
pub mod interval;
pub mod limits;
pub mod matcher;
mod tree;

pub use config::{Config, ConfigError, GroupBy, InhibitRule, Integration, ReceiverPlan, Route};
pub use interval::{
    DayOfMonthRange, IntervalError, Location, MonthRange, TimeInterval, TimeRange, TimeSpec, WeekdayRange,
    YearRange,
};
pub use matcher::{MatchOp, Matcher, MatcherError, parse_matchers};
pub use tree::{RouteMatch, route_for};
