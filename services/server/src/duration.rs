//! Durations of the command line, in the policy's notation.

use std::time::Duration;

/// `250ms 30s 5m 1h 2d`, also compound: `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    policy::yaml::parse_duration(text).map_err(|error| match error.hint {
        Some(hint) => format!("{}; {hint}", error.message),
        None => error.message,
    })
}
