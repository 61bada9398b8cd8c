//! What can be told without a broker, and errors that a real one gives only when it is in trouble.

mod judging;
mod producing;
mod properties;
