//! YAML as a tree whose every node knows its place, and a strict reader of its mappings.
//!
//! Built on a parser's events rather than on its tree, because only there are anchors, depth and the number of
//! nodes bounded before they are expanded. Scalars stay text: `1%` and `5m` are what the file says, and which
//! type a value has is known only where it is read.

mod load;
mod node;
mod reader;
mod value;

pub use load::{MAX_BYTES, MAX_DEPTH, MAX_NODES, parse};
pub use node::{Entry, Key, Node, Style, Value};
pub use reader::Reader;
pub(crate) use value::shifted;
pub use value::{ValueError, format_duration, parse_boolean, parse_duration, parse_ratio, parse_topic};

#[cfg(test)]
mod tests;
