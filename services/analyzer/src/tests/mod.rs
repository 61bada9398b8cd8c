//! Scenarios: a shop's traffic and a deployment tool's words in, proposals out as text.

mod attribution;
mod conditions;
mod continues;
mod details;
mod faults;
mod healthy;
mod lifecycle;
mod order;
mod restart;
mod rolling_values;
mod room;
mod shop;
mod silence;
mod snapshot;
mod told;
mod unmeasured;
mod world;
