use std::collections::BTreeSet;

use model::{Batch, LabelBytes, Labels, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Form, decode};
use crate::wire::error::{DecodeError, Decoded};

const AT: Timestamp = Timestamp::from_millis(9000);

fn read(body: &Value) -> Result<Decoded<Batch>, DecodeError> {
    decode(Form::Json, body.to_string().as_bytes(), AT)
}

/// A line a series.
fn shown(batch: &Batch) -> String {
    let line = |series: &model::Series| {
        let labels = Labels::from_pairs(LabelBytes::parse(batch.labels_of(series)).unwrap());
        let samples: Vec<String> = batch
            .samples_of(series)
            .iter()
            .map(|sample| format!("{}@{} {:?}", sample.value, sample.at.as_millis(), sample.start))
            .collect();
        format!("{:?} {labels} {samples:?}\n", series.kind)
    };
    batch.series.iter().map(line).collect()
}

/// An export that has every kind of metric that is taken, and every field that is read.
fn export() -> Value {
    let attributes = json!([
        {"key": "http.response.status_code", "value": {"intValue": "500"}},
        {"key": "route", "value": {"stringValue": "/pay"}},
        {"key": "flag", "value": {"boolValue": true}},
        {"key": "share", "value": {"doubleValue": 0.5}},
        {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}},
        {"key": "raw", "value": {"bytesValue": "AQI="}},
    ]);
    let exemplar = json!({"timeUnixNano": "5000000000", "asDouble": 0.3, "spanId": "00f067aa0ba902b7",
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "filteredAttributes": []});
    let number = json!({"attributes": attributes, "startTimeUnixNano": "1000000000", "timeUnixNano": "5000000000",
        "asInt": "7", "flags": 0, "exemplars": [exemplar]});
    json!({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}], "droppedAttributesCount": 0},
        "schemaUrl": "https://opentelemetry.io/schemas/1.26.0",
        "scopeMetrics": [{
            "scope": {"name": "http", "version": "1"},
            "metrics": [
                {"name": "orders", "unit": "1", "description": "d",
                 "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [number]}},
                {"name": "queue", "gauge": {"dataPoints": [number]}},
                {"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": 1, "dataPoints": [{
                    "attributes": attributes, "startTimeUnixNano": "1000000000", "timeUnixNano": "5000000000",
                    "count": "10", "sum": 1.25, "bucketCounts": ["9", "1"], "explicitBounds": [0.5],
                    "min": 0.1, "max": 0.7}]}},
            ],
        }],
    }]})
}

/// The export with the value at `path` (a JSON pointer below the first metric, or the whole) put in place.
fn with(path: &str, value: Value) -> Value {
    let mut body = export();
    *body.pointer_mut(path).unwrap_or_else(|| panic!("nothing at {path}")) = value;
    body
}

const METRICS: &str = "/resourceMetrics/0/scopeMetrics/0/metrics";
const SUM: &str = "/resourceMetrics/0/scopeMetrics/0/metrics/0/sum";
const POINT: &str = "/resourceMetrics/0/scopeMetrics/0/metrics/2/histogram/dataPoints/0";

#[test]
fn what_protobufs_json_allows_is_read_as_what_it_stands_for() {
    let usual = read(&export()).unwrap();
    assert!(usual.rejected.is_empty(), "{:?}", usual.rejected);
    for (path, value, why) in [
        (
            format!("{SUM}/aggregationTemporality"),
            json!("AGGREGATION_TEMPORALITY_CUMULATIVE"),
            "an enum by its name",
        ),
        (format!("{SUM}/aggregationTemporality"), json!("2"), "an enum's number as text"),
        (format!("{SUM}/dataPoints/0/asInt"), json!(7), "an integer as a number"),
        (format!("{SUM}/dataPoints/0/asInt"), json!(7.0), "an integer as a float"),
        (format!("{SUM}/dataPoints/0/asInt"), json!("7e0"), "an integer with an exponent"),
        (format!("{SUM}/dataPoints/0/timeUnixNano"), json!(5_000_000_000_u64), "a time as a number"),
        (format!("{SUM}/dataPoints/0/exemplars"), json!(null), "a list of null"),
        (
            format!("{SUM}/dataPoints/0/exemplars/0/traceId"),
            json!("S/kvNXezTaajzpKdDg5HNg=="),
            "an id in base64",
        ),
        (format!("{SUM}/dataPoints/0/attributes/6/value/bytesValue"), json!("AQI"), "base64 without padding"),
        (format!("{POINT}/count"), json!(10), "a count as a number"),
        (format!("{POINT}/sum"), json!("1.25"), "a double as text"),
        (format!("{POINT}/bucketCounts"), json!([9, 1]), "counts as numbers"),
        (format!("{POINT}/min"), json!("NaN"), "not a number"),
        (format!("{POINT}/max"), json!("Infinity"), "infinite"),
        (format!("{POINT}/min"), json!(null), "null is absent"),
        ("/resourceMetrics/0/scopeMetrics/0/scope".to_owned(), json!(null), "a message of null"),
    ] {
        let found = read(&with(&path, value)).unwrap();
        assert_eq!((shown(&found.body), found.rejected), (shown(&usual.body), Default::default()), "{why}");
    }
    for (path, value, expected) in [
        (format!("{POINT}/sum"), json!("NaN"), "NaN@5000"),
        (format!("{POINT}/sum"), json!("-Infinity"), "-inf@5000"),
        (format!("{SUM}/dataPoints/0/attributes/4/value"), json!({"arrayValue": {}}), r#"tags="[]""#),
        (format!("{SUM}/dataPoints/0/attributes/4/value/arrayValue/values"), json!(null), r#"tags="[]""#),
    ] {
        let found = read(&with(&path, value)).unwrap();
        assert!(found.rejected.is_empty() && shown(&found.body).contains(expected), "{}", shown(&found.body));
    }
}

#[test]
fn fields_that_are_left_out_are_zero_and_unknown_ones_are_ignored() {
    let mut body = export();
    let point = body.pointer_mut(POINT).unwrap().as_object_mut().unwrap();
    point.retain(|name, _| {
        ["count", "bucketCounts", "explicitBounds", "timeUnixNano"].contains(&name.as_str())
    });
    point.insert("futureField".to_owned(), json!({"a": [1]}));
    body["resourceMetrics"][0]["resource"]["attributes"] = json!(null);
    body["fromTheFuture"] = json!({});
    let found = read(&body).unwrap();
    assert!(found.rejected.is_empty(), "{:?}", found.rejected);
    let last = shown(&found.body).lines().last().unwrap().to_owned();
    assert_eq!(last, r#"Delta {__name__="latency_seconds_count"} ["10@5000 None"]"#);
    assert_eq!(read(&json!({})).unwrap(), read(&json!({"resource_metrics": null})).unwrap());
}

#[test]
fn a_fault_names_its_place_and_costs_the_point_or_the_metric_that_it_is_in() {
    let series = read(&export()).unwrap().body.series.len();
    for (path, value, lost, expected) in [
        (
            format!("{POINT}/count"),
            json!("-1"),
            4,
            r#"latency: resourceMetrics[0].scopeMetrics[0].metrics[2].histogram.dataPoints[0].count: must be an unsigned 64-bit integer, not "-1""#,
        ),
        (format!("{POINT}/count"), json!(-1), 4, "latency: "),
        (format!("{POINT}/count"), json!(1.5), 4, "latency: "),
        (format!("{POINT}/count"), json!("inf"), 4, "latency: "),
        (format!("{POINT}/bucketCounts"), json!(["a"]), 4, "latency: "),
        (format!("{POINT}/bucketCounts"), json!([9, null]), 4, "latency: "),
        (format!("{POINT}/bucketCounts"), json!("9"), 4, "latency: "),
        (format!("{POINT}/sum"), json!("nan"), 4, "latency: "),
        (format!("{POINT}/attributes/0/value/intValue"), json!("five"), 4, "latency: "),
        (format!("{POINT}/attributes/0/value"), json!({"integerValue": 500}), 4, "latency: "),
        (format!("{POINT}/attributes/0/value"), json!({"intValue": 5, "stringValue": "5"}), 4, "latency: "),
        (format!("{POINT}/attributes/0"), json!({"key": "k", "val": {"intValue": 5}}), 4, "latency: "),
        (format!("{SUM}/dataPoints/0/asInt"), json!("seven"), 1, "orders: "),
        (format!("{SUM}/dataPoints/0/flags"), json!("x"), 1, "orders: "),
        (format!("{SUM}/dataPoints/0/exemplars/0/spanId"), json!("?"), 1, "orders: "),
        (format!("{SUM}/dataPoints/0"), json!(null), 1, "orders: "),
        (format!("{SUM}/dataPoints"), json!({}), 1, "orders: "),
        (format!("{SUM}/aggregationTemporality"), json!("CUMULATIVE"), 1, "orders: "),
        (format!("{SUM}/isMonotonic"), json!("yes"), 1, "orders: "),
        (
            format!("{METRICS}/0/unit"),
            json!(1),
            1,
            "orders: resourceMetrics[0].scopeMetrics[0].metrics[0].unit: must be text, not 1",
        ),
        (
            format!("{METRICS}/0"),
            json!({"name": "orders"}),
            1,
            "orders: is no gauge, sum, histogram or summary",
        ),
        (format!("{METRICS}/0"), json!({"name": "orders", "intSum": {}}), 1, "orders: is no gauge"),
        (format!("{METRICS}/0/sum"), json!(null), 1, "orders: is no gauge"),
    ] {
        let found = read(&with(&path, value.clone())).unwrap();
        assert_eq!((found.rejected.parts, found.body.series.len()), (1, series - lost), "{path} {value}");
        assert!(found.rejected.examples[0].starts_with(expected), "{path}: {}", found.rejected.examples[0]);
    }
}

#[test]
fn a_fault_above_the_metrics_costs_the_request_and_names_its_place() {
    let resource = "/resourceMetrics/0";
    for (body, expected) in [
        (
            with(&format!("{resource}/resource/attributes/0/value"), json!(1)),
            "resourceMetrics[0].resource.attributes[0].value: must be an object, not 1",
        ),
        (
            with(&format!("{resource}/scopeMetrics"), json!({})),
            "resourceMetrics[0].scopeMetrics: must be a list, not an object",
        ),
        (with(resource, json!(null)), "resourceMetrics[0]: must not be null"),
        (
            with(resource, json!({"instrumentationLibraryMetrics": []})),
            r#"resourceMetrics[0]: "instrumentationLibraryMetrics" is of an OTLP before 1.0"#,
        ),
        (
            with(resource, json!({"resource": {}, "metricsByScope": []})),
            r#"resourceMetrics[0]: no "scopeMetrics" but an unknown field "metricsByScope""#,
        ),
        (json!({"resourceSpans": []}), r#"no "resourceMetrics" but an unknown field "resourceSpans""#),
        (json!({"resourceMetric": []}), r#"unknown field "resourceMetric", did you mean "resourceMetrics"?"#),
        (json!([]), "must not be a list"),
        (json!("x"), "must be an object"),
    ] {
        let error = read(&body).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let twice = export().to_string().replace(r#""name":"queue""#, r#""name":"queue","name":"other""#);
    let found = decode(Form::Json, twice.as_bytes(), AT).unwrap();
    assert!(found.rejected.examples[0].ends_with("metrics[1].name: is given twice"), "{:?}", found.rejected);
}

#[test]
fn points_that_share_a_metric_are_left_out_one_by_one() {
    let mut body = export();
    let points = body.pointer_mut(&format!("{SUM}/dataPoints")).unwrap().as_array_mut().unwrap();
    let good = points[0].clone();
    points.extend(vec![json!({"asInt": "x"}); 30]);
    points.push(good);
    let found = read(&body).unwrap();
    assert_eq!((found.rejected.parts, found.rejected.by_reason["unreadable_json"]), (30, 30));
    assert_eq!(shown(&found.body).matches("orders_total").count(), 2);
}

/// Pointers to every value below `value`, and what it is.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(index, it)| places(it, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn is_told(body: &Value) -> bool {
    read(body).map_or(true, |found| !found.rejected.is_empty())
}

#[test]
fn a_value_of_another_kind_is_never_accepted_in_silence_wherever_it_stands() {
    let mut all = Vec::new();
    places(&export(), "", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    for place in all {
        let of_kind = |value: &Value| match value {
            Value::String(_) => 0,
            Value::Number(_) => 1,
            Value::Bool(_) => 2,
            Value::Array(_) => 3,
            _ => 4,
        };
        let before = export().pointer(&place).unwrap().clone();
        for other in [json!("?"), json!(1.5), json!(true), json!([["?"]]), json!({"odd": 1})] {
            if of_kind(&other) != of_kind(&before) {
                assert!(is_told(&with(&place, other.clone())), "{place}: {other} for {before}");
            }
        }
    }
}

/// `value` with its keys in snake_case, integers as numbers and unknown fields, as `choices` has it.
fn respelt(value: &Value, choices: &mut impl Iterator<Item = bool>) -> Value {
    match value {
        Value::Object(entries) => {
            let mut out = Map::new();
            for (key, inner) in entries {
                let snake = key.chars().fold(String::new(), |mut text, c| {
                    if c.is_uppercase() {
                        text.push('_');
                    }
                    text.push(c.to_ascii_lowercase());
                    text
                });
                let key = if choices.next() == Some(true) { snake } else { key.clone() };
                out.insert(key, respelt(inner, choices));
            }
            if choices.next() == Some(true) {
                out.insert("neverHeardOfThis".to_owned(), json!(null));
            }
            Value::Object(out)
        }
        Value::Array(elements) => elements.iter().map(|it| respelt(it, choices)).collect(),
        Value::String(text) if choices.next() == Some(true) => {
            text.parse::<u64>().map_or_else(|_| value.clone(), Value::from)
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn spellings_that_are_allowed_say_the_same(choices in prop::collection::vec(any::<bool>(), 400)) {
        // Texts that are numbers and mean texts are not in the export.
        let mut body = export();
        body["resourceMetrics"][0]["scopeMetrics"][0]["scope"]["version"] = json!("v1");
        body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["unit"] = json!("{order}");
        let found = read(&respelt(&body, &mut choices.into_iter())).unwrap();
        prop_assert_eq!(shown(&found.body), shown(&read(&body).unwrap().body));
        prop_assert!(found.rejected.is_empty());
    }

    #[test]
    fn a_misspelt_field_is_never_accepted_in_silence(place in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), letter in "[a-z]", is_dropped in any::<bool>()) {
        let mut all = Vec::new();
        places(&export(), "", &mut all);
        all.retain(|it| it.rsplit('/').next().is_some_and(|key| key.len() > 1 && key.parse::<u32>().is_err()));
        let place = all[place.index(all.len())].clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut misspelt = key.to_owned();
        let at = at.index(key.len());
        if is_dropped { misspelt.remove(at); } else { misspelt.insert_str(at, &letter); }
        let mut body = export();
        let object = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        let siblings: BTreeSet<String> = object.keys().cloned().collect();
        prop_assume!(!siblings.contains(&misspelt));
        let value = object.remove(key).unwrap();
        object.insert(misspelt.clone(), value);
        prop_assert!(is_told(&body), "{} as {}", place, misspelt);
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_counted_or_read_and_never_panics(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = export().to_string().into_bytes();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let whole = body.len();
        body.truncate(cut.index(whole) + 1);
        let found = decode(Form::Json, &body, AT);
        if body.len() < whole {
            prop_assert!(found.is_err(), "half an object is none");
        }
    }
}
