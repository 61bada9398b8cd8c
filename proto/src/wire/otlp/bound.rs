//! How many messages a body holds, counted before any is built: an empty metric takes two bytes on the wire and a
//! hundred and more in memory.

use crate::wire::{
    error::DecodeError,
    protobuf::{Content, field},
};

/// The messages of an export, as far as they can repeat.
#[derive(Clone, Copy)]
enum Node {
    Request,
    ResourceMetrics,
    Resource,
    ScopeMetrics,
    Scope,
    Metric,
    /// Gauge, sum, histogram …: all hold their points in field 1.
    Data(Point),
    Point(Point),
    Exemplar,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    Leaf,
}

#[derive(Clone, Copy)]
enum Point {
    Number,
    Histogram,
    Exponential,
    Summary,
}

/// The message in field `number` of `node`, if it is a message.
fn child(node: Node, number: u64) -> Option<Node> {
    Some(match (node, number) {
        (Node::Request, 1) => Node::ResourceMetrics,
        (Node::ResourceMetrics, 1) => Node::Resource,
        (Node::ResourceMetrics, 2) => Node::ScopeMetrics,
        (Node::Resource, 1) | (Node::Scope, 3) | (Node::Metric, 12) | (Node::KeyValueList, 1) => {
            Node::KeyValue
        }
        (Node::Resource, 3) => Node::Leaf,
        (Node::ScopeMetrics, 1) => Node::Scope,
        (Node::ScopeMetrics, 2) => Node::Metric,
        (Node::Metric, 5 | 7) => Node::Data(Point::Number),
        (Node::Metric, 9) => Node::Data(Point::Histogram),
        (Node::Metric, 10) => Node::Data(Point::Exponential),
        (Node::Metric, 11) => Node::Data(Point::Summary),
        (Node::Data(point), 1) => Node::Point(point),
        (Node::Point(Point::Number | Point::Summary), 7) => Node::KeyValue,
        (Node::Point(Point::Number), 5) => Node::Exemplar,
        (Node::Point(Point::Histogram), 9) | (Node::Point(Point::Exponential), 1) => Node::KeyValue,
        (Node::Point(Point::Histogram), 8) | (Node::Point(Point::Exponential), 11) => Node::Exemplar,
        (Node::Point(Point::Summary), 6) => Node::Leaf,
        (Node::Exemplar, 7) => Node::KeyValue,
        (Node::KeyValue, 2) | (Node::ArrayValue, 1) => Node::AnyValue,
        (Node::AnyValue, 5) => Node::ArrayValue,
        (Node::AnyValue, 6) => Node::KeyValueList,
        _ => return None,
    })
}

/// Nesting of a point's attribute is 9; what prost itself takes is 100.
const DEPTH_MAX: usize = 64;

/// An error if `body` is broken, too deep, or holds more than `max` messages.
pub(super) fn check_protobuf(body: &[u8], max: usize) -> Result<usize, DecodeError> {
    let mut left = max;
    walk(body, 0, body.len(), (Node::Request, DEPTH_MAX), &mut left).map_err(|fault| match fault {
        Fault::TooMany => too_many(max),
        Fault::Broken => DecodeError::malformed("the body is no ExportMetricsServiceRequest"),
    })?;
    Ok(max - left)
}

enum Fault {
    TooMany,
    Broken,
}

fn walk(
    body: &[u8],
    mut at: usize,
    end: usize,
    (node, depth): (Node, usize),
    left: &mut usize,
) -> Result<(), Fault> {
    let depth = depth.checked_sub(1).ok_or(Fault::Broken)?;
    while at < end {
        let (number, content, next) = field(body, at, end).map_err(|_| Fault::Broken)?;
        if let (Content::Length(from, to), Some(child)) = (content, child(node, number)) {
            *left = left.checked_sub(1).ok_or(Fault::TooMany)?;
            walk(body, from, to, (child, depth), left)?;
        }
        at = next;
    }
    Ok(())
}

/// Every message is an object, so the opening braces bound their number; those inside texts are counted too.
pub(super) fn check_json(body: &[u8], max: usize) -> Result<usize, DecodeError> {
    let objects = body.iter().filter(|byte| **byte == b'{').count();
    if objects > max { Err(too_many(max)) } else { Ok(objects) }
}

fn too_many(max: usize) -> DecodeError {
    DecodeError::TooLarge {
        what: "points, attributes and other messages in the body",
        size: max as u64 + 1,
        limit: max as u64,
    }
}
