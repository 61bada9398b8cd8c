//! The shapes of the read API (DESIGN, section 5): plain structs, one a noun, built from views.

mod lines;
mod release;
mod values;

pub use lines::{
    AuditJson, BadVersionJson, DeliveryJson, DiscoveryJson, HaltJson, ServiceJson, UnplacedJson,
};
pub use release::{
    BaselineJson, CommandJson, ComparisonJson, EvidenceJson, ReasonJson, ReleaseDetailJson, ReleaseJson,
    TimelineJson, VerdictJson,
};
pub use values::{LatencyJson, LimitJson, ServiceValuesJson, VersionValuesJson};

use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list; `next` is the value of `after` that gives the next page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// A duration as people write it: `250ms`, `30s`, `5m`, `1h`.
pub fn duration_text(duration: std::time::Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

/// JSON has no NaN and no infinity: they are shown as null.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
