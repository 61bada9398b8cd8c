//! How much of what came from elsewhere is shown.

pub(crate) use outbound::text::{clip, one_line, redact, with_causes};

/// Longest detail of a delivery, in characters.
pub(crate) const MAX_DETAIL_CHARS: usize = 1000;
