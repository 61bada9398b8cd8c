//! The life of a release: `pending → progressing → watching → succeeded`, or what becomes of it otherwise
//! (DESIGN, section 3).
//!
//! ```text
//!  started        deployed, traffic < 100 %       deployed, promoted       watch ends
//!  ───────▶ pending ───────────▶ progressing ───────────▶ watching ───────────▶ succeeded | unproven
//!                                      │                      │
//!              newer release: superseded; failed, removed, called off: cancelled
//!                                      └── outcome accepted ──┴─▶ rolling_back ─▶ rolled_back ─▶ recovered
//!                                                                       └───────▶ rollback_failed
//! ```
//!
//! Whether a rollback is prepared is the arbiter's knowledge: a release moves here only by what events say.

pub(crate) mod deployment;
pub(crate) mod ending;
mod ignored;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod tracked;
