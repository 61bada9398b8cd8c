//! How much of what came from elsewhere is shown.

pub(crate) use outbound::text::{clip, one_line, redact, with_causes};

/// Longest detail of an outcome, in characters: enough for a status line and the beginning of an answer.
pub(crate) const MAX_DETAIL_CHARS: usize = 2000;

/// Longest piece of an answer's body inside a detail, in characters.
pub(crate) const MAX_BODY_CHARS: usize = 500;
