//! What can be wrong with a record of the log.

/// A record cannot be read. Never retryable: the same bytes give the same error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf, cut short, or a field of the wrong type.
    #[error("record is not readable: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A message or oneof that every record of this version has; a newer writer's oneof arm looks the same.
    #[error("{field} is missing or of a kind that this version does not know")]
    Missing { field: &'static str },
    /// An enum's value that a newer writer may know.
    #[error("{field} has the value {value}, which this version does not know")]
    UnknownValue { field: &'static str, value: i32 },
    /// A number outside of what its field can mean.
    #[error("{field} is out of range")]
    OutOfRange { field: &'static str },
    /// Cut short or changed since it was written.
    #[error("the {what} is damaged")]
    Damaged { what: &'static str },
}
