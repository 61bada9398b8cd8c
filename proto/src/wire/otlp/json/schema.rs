//! The messages of an export of metrics: the names that their fields have in JSON, and their numbers in protobuf
//! (opentelemetry-proto 1.9, `metrics_service.proto` and what it imports).

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: &'static [Field],
    /// Without these, an object that has unknown fields is another message, or one of another version: ignoring
    /// what is unknown would lose what it says.
    pub(super) needs: &'static [&'static str],
    /// Fields of versions before 1.0 whose content has another place since.
    pub(super) retired: &'static [&'static str],
    pub(super) part: Part,
}

/// What is left out where a message of this kind cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What it stands in.
    Whole,
    Metric,
    Point,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// In lowerCamelCase.
    pub(super) name: &'static str,
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) is_list: bool,
    /// One of a `oneof`; no message here has two.
    pub(super) is_alternative: bool,
}

/// What a field holds, and how protobuf writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Message(&'static Message),
    Text,
    Bool,
    Double,
    Fixed64,
    SignedFixed64,
    Unsigned64,
    Signed64,
    Unsigned32,
    Signed32,
    ZigZag32,
    /// Names and numbers.
    Enum(&'static [(&'static str, i32)]),
    Bytes,
    /// Bytes that OTLP writes in hexadecimal where protobuf's JSON has base64.
    Id,
}

const fn one(name: &'static str, number: u64, kind: Kind) -> Field {
    Field { name, number, kind, is_list: false, is_alternative: false }
}

const fn list(name: &'static str, number: u64, kind: Kind) -> Field {
    Field { name, number, kind, is_list: true, is_alternative: false }
}

const fn either(name: &'static str, number: u64, kind: Kind) -> Field {
    Field { name, number, kind, is_list: false, is_alternative: true }
}

const fn plain(fields: &'static [Field], needs: &'static [&'static str]) -> Message {
    Message { fields, needs, retired: &[], part: Part::Whole }
}

const fn point(fields: &'static [Field]) -> Message {
    Message { fields, needs: &[], retired: &["labels"], part: Part::Point }
}

use Kind::{
    Bool, Bytes, Double, Enum, Fixed64, Id, Signed32, Signed64, SignedFixed64, Text, Unsigned32, Unsigned64,
    ZigZag32,
};

pub(super) static REQUEST: Message =
    plain(&[list("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS))], &["resourceMetrics"]);

static RESOURCE_METRICS: Message = Message {
    fields: &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        list("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
        one("schemaUrl", 3, Text),
    ],
    needs: &["scopeMetrics"],
    retired: &["instrumentationLibraryMetrics"],
    part: Part::Whole,
};

static RESOURCE: Message = plain(
    &[
        list("attributes", 1, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 2, Unsigned32),
        list("entityRefs", 3, Kind::Message(&ENTITY_REF)),
    ],
    &["attributes"],
);

static ENTITY_REF: Message = plain(
    &[
        one("schemaUrl", 1, Text),
        one("type", 2, Text),
        list("idKeys", 3, Text),
        list("descriptionKeys", 4, Text),
    ],
    &[],
);

static SCOPE_METRICS: Message = plain(
    &[
        one("scope", 1, Kind::Message(&SCOPE)),
        list("metrics", 2, Kind::Message(&METRIC)),
        one("schemaUrl", 3, Text),
    ],
    &["metrics"],
);

static SCOPE: Message = plain(
    &[
        one("name", 1, Text),
        one("version", 2, Text),
        list("attributes", 3, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Unsigned32),
    ],
    &[],
);

static METRIC: Message = Message {
    fields: &[
        one("name", 1, Text),
        one("description", 2, Text),
        one("unit", 3, Text),
        either("gauge", 5, Kind::Message(&GAUGE)),
        either("sum", 7, Kind::Message(&SUM)),
        either("histogram", 9, Kind::Message(&HISTOGRAM)),
        either("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        either("summary", 11, Kind::Message(&SUMMARY)),
        list("metadata", 12, Kind::Message(&KEY_VALUE)),
    ],
    needs: &[],
    retired: &[],
    part: Part::Metric,
};

const TEMPORALITY: Field = one(
    "aggregationTemporality",
    2,
    Enum(&[
        ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
        ("AGGREGATION_TEMPORALITY_DELTA", 1),
        ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
    ]),
);

static GAUGE: Message = plain(&[list("dataPoints", 1, Kind::Message(&NUMBER_POINT))], &["dataPoints"]);

static SUM: Message = plain(
    &[list("dataPoints", 1, Kind::Message(&NUMBER_POINT)), TEMPORALITY, one("isMonotonic", 3, Bool)],
    &["dataPoints"],
);

static HISTOGRAM: Message =
    plain(&[list("dataPoints", 1, Kind::Message(&HISTOGRAM_POINT)), TEMPORALITY], &["dataPoints"]);

static EXPONENTIAL_HISTOGRAM: Message =
    plain(&[list("dataPoints", 1, Kind::Message(&EXPONENTIAL_POINT)), TEMPORALITY], &["dataPoints"]);

static SUMMARY: Message = plain(&[list("dataPoints", 1, Kind::Message(&SUMMARY_POINT))], &["dataPoints"]);

static NUMBER_POINT: Message = point(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    either("asDouble", 4, Double),
    list("exemplars", 5, Kind::Message(&EXEMPLAR)),
    either("asInt", 6, SignedFixed64),
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("flags", 8, Unsigned32),
]);

static HISTOGRAM_POINT: Message = point(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    list("bucketCounts", 6, Fixed64),
    list("explicitBounds", 7, Double),
    list("exemplars", 8, Kind::Message(&EXEMPLAR)),
    list("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("flags", 10, Unsigned32),
    one("min", 11, Double),
    one("max", 12, Double),
]);

static EXPONENTIAL_POINT: Message = point(&[
    list("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    one("scale", 6, ZigZag32),
    one("zeroCount", 7, Fixed64),
    one("positive", 8, Kind::Message(&BUCKETS)),
    one("negative", 9, Kind::Message(&BUCKETS)),
    one("flags", 10, Unsigned32),
    list("exemplars", 11, Kind::Message(&EXEMPLAR)),
    one("min", 12, Double),
    one("max", 13, Double),
    one("zeroThreshold", 14, Double),
]);

static BUCKETS: Message = plain(&[one("offset", 1, ZigZag32), list("bucketCounts", 2, Unsigned64)], &[]);

static SUMMARY_POINT: Message = point(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    list("quantileValues", 6, Kind::Message(&VALUE_AT_QUANTILE)),
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("flags", 8, Unsigned32),
]);

static VALUE_AT_QUANTILE: Message = plain(&[one("quantile", 1, Double), one("value", 2, Double)], &[]);

static EXEMPLAR: Message = plain(
    &[
        one("timeUnixNano", 2, Fixed64),
        either("asDouble", 3, Double),
        one("spanId", 4, Id),
        one("traceId", 5, Id),
        either("asInt", 6, SignedFixed64),
        list("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
    ],
    &[],
);

static KEY_VALUE: Message = plain(
    &[one("key", 1, Text), one("value", 2, Kind::Message(&ANY_VALUE)), one("keyStrindex", 3, Signed32)],
    &["key", "value"],
);

static ANY_VALUE: Message = plain(
    &[
        either("stringValue", 1, Text),
        either("boolValue", 2, Bool),
        either("intValue", 3, Signed64),
        either("doubleValue", 4, Double),
        either("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
        either("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
        either("bytesValue", 7, Bytes),
        either("stringValueStrindex", 8, Signed32),
    ],
    &[],
);

static ARRAY_VALUE: Message = plain(&[list("values", 1, Kind::Message(&ANY_VALUE))], &["values"]);

static KEY_VALUE_LIST: Message = plain(&[list("values", 1, Kind::Message(&KEY_VALUE))], &["values"]);
