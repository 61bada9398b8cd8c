//! What Ripcord says about itself: logs (tracing), traces (OpenTelemetry) and metrics (prometheus), and the one
//! place where a clock is read.
//!
//! Everything that judges gets its time from a record's stamp; only shells that stamp, wait or measure call
//! [`clock`]. Log messages are constants, values are fields; no secret ever is one.

pub mod clock;
pub mod logs;
pub mod metrics;
pub mod trace;

pub use logs::{LogFormat, Telemetry, TelemetryConfig};
