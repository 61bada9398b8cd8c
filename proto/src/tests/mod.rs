//! Every record kind there and back, bytes of older versions, bytes of nobody.

mod checkpoint;
mod golden;
mod hostile;
mod previous;
mod round_trip;
mod samples;
pub(crate) mod strategies;
