use model::{LabelBytes, Labels, SeriesKind};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
        NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
    },
    resource::v1::Resource,
};
use proptest::prelude::*;

use super::*;

const AT: Timestamp = Timestamp::from_millis(9000);
const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn resource() -> Vec<KeyValue> {
    vec![
        text("service.name", "checkout"),
        text("service.version", "2.4.1"),
        text("deployment.environment", "production"),
        text("host.name", "not promoted"),
    ]
}

fn export(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.into(), unit: unit.into(), data: Some(data), ..Metric::default() }
}

fn number(value: f64) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: 1_000_000_000,
        time_unix_nano: 5_000_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn sum(aggregation_temporality: i32, is_monotonic: bool, point: NumberDataPoint) -> Data {
    Data::Sum(Sum { data_points: vec![point], aggregation_temporality, is_monotonic })
}

fn histogram(aggregation_temporality: i32, bounds: &[f64], counts: &[u64], count: u64) -> Data {
    let point = HistogramDataPoint {
        attributes: vec![
            attribute("http.response.status_code", Value::IntValue(200)),
            text("http.route", "/pay"),
        ],
        start_time_unix_nano: 1_000_000_000,
        time_unix_nano: 5_000_000_000,
        count,
        sum: Some(1.25),
        explicit_bounds: bounds.to_vec(),
        bucket_counts: counts.to_vec(),
        ..HistogramDataPoint::default()
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality })
}

/// A line a series: kind, labels, value@time, start.
fn shown(batch: &Batch) -> String {
    let line = |series: &model::Series| {
        let labels = LabelBytes::parse(batch.labels_of(series)).unwrap();
        assert!(labels.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted and unique: {labels:?}");
        let [sample] = batch.samples_of(series) else { panic!("one sample a series") };
        let start = sample.start.map_or("-".to_owned(), |start| start.as_millis().to_string());
        let (kind, at) = (series.kind, sample.at.as_millis());
        format!("{kind:?} {} {}@{at} since {start}\n", Labels::from_pairs(labels), sample.value)
    };
    batch.series.iter().map(line).collect()
}

fn decoded(metrics: Vec<Metric>) -> Decoded<Batch> {
    let request = export(vec![text("service.name", "checkout")], metrics);
    let protobuf = decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap();
    let json = decode(Form::Json, &serde_json::to_vec(&request).unwrap(), AT).unwrap();
    assert_eq!(shown(&protobuf.body), shown(&json.body), "both forms say the same");
    assert!(protobuf.body.is_whole);
    protobuf
}

#[test]
fn request_durations_come_out_as_prometheus_would_have_them() {
    let data = histogram(CUMULATIVE, &[0.005, 1.0, 2.5], &[2, 3, 4, 1], 10);
    let request = export(resource(), vec![metric("http.server.request.duration", "s", data)]);
    let labels = r#"deployment_environment_name="production", http_response_status_code="200", http_route="/pay", job="checkout", "#;
    let service = r#"service_name="checkout", service_version="2.4.1"}"#;
    let line = |name: &str, le: &str, value: &str| {
        let le = if le.is_empty() { String::new() } else { format!("le={le:?}, ") };
        let name = format!("http_server_request_duration_seconds_{name}");
        format!("Cumulative {{__name__={name:?}, {labels}{le}{service} {value}@5000 since 1000\n")
    };
    let expected = [
        line("bucket", "0.005", "2"),
        line("bucket", "1", "5"),
        line("bucket", "2.5", "9"),
        line("bucket", "+Inf", "10"),
        line("count", "", "10"),
        line("sum", "", "1.25"),
    ]
    .concat();
    let decoded = decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap();
    assert_eq!(shown(&decoded.body), expected);
    assert!(decoded.rejected.is_empty());
}

#[test]
fn a_last_bound_of_infinity_is_the_overflow_bucket() {
    let labels = |bounds: &[f64], counts: &[u64]| {
        let request = export(Vec::new(), vec![metric("m", "s", histogram(CUMULATIVE, bounds, counts, 10))]);
        let found = decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap();
        assert!(found.rejected.is_empty(), "{:?}", found.rejected);
        shown(&found.body)
    };
    let usual = labels(&[0.5, 1.0], &[2, 3, 5]);
    for (counts, why) in [(&[2, 3, 5][..], "its count last"), (&[2, 3, 5, 0], "an empty bucket behind it")] {
        assert_eq!(labels(&[0.5, 1.0, f64::INFINITY], counts), usual, "{why}");
    }
    assert_eq!(labels(&[0.5, 1.0, f64::INFINITY], &[2, 3, 4, 1]), usual, "what is above it is above all");
    assert_eq!(labels(&[f64::INFINITY], &[10, 0]), labels(&[], &[10]), "no other bound");
}

#[test]
fn a_metric_without_data_is_counted_and_said() {
    let empty = Metric { name: "of.another.kind".into(), ..Metric::default() };
    let rejected = decoded(vec![empty]).rejected;
    assert_eq!((rejected.parts, rejected.by_reason["no_data"]), (1, 1));
    assert_eq!(rejected.examples, ["of.another.kind: is no gauge, sum, histogram or summary"]);
}

#[test]
fn sums_and_gauges_say_how_their_values_are_to_be_read() {
    let gauge = Data::Gauge(Gauge { data_points: vec![number(0.5)] });
    for (name, unit, data, expected) in [
        ("orders", "1", sum(CUMULATIVE, true, number(7.0)), "Cumulative orders_total since 1000"),
        ("orders", "1", sum(DELTA, true, number(7.0)), "Delta orders_total since 1000"),
        ("queue", "1", sum(CUMULATIVE, false, number(7.0)), "Gauge queue since -"),
        ("cpu.utilization", "1", gauge, "Gauge cpu_utilization_ratio since -"),
    ] {
        let batch = decoded(vec![metric(name, unit, data)]).body;
        let labels = LabelBytes::parse(batch.labels_of(&batch.series[0])).unwrap();
        let start = batch.samples[0].start.map_or("-".to_owned(), |start| start.as_millis().to_string());
        assert_eq!(format!("{:?} {} since {start}", batch.series[0].kind, labels[0].1), expected);
    }
}

#[test]
fn the_resource_names_the_service_and_the_point_cannot_contradict_it() {
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.namespace", "shop"),
        text("service.instance.id", "pod-1"),
        text("deployment.environment", "old"),
        text("deployment.environment.name", "new"),
        text("k8s.cluster.name", "eu"),
        text("cloud.region", "eu-1"),
    ];
    let mut point = number(1.0);
    let list =
        ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(1)) }, AnyValue { value: None }] };
    point.attributes = vec![
        text("service.name", "forged"),
        text("a.b", "1"),
        text("a_b", "2"),
        text("empty", ""),
        attribute("flag", Value::BoolValue(true)),
        attribute("list", Value::ArrayValue(list)),
    ];
    let request = export(attributes, vec![metric("up", "", sum(CUMULATIVE, false, point))]);
    let batch = decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap().body;
    assert_eq!(
        shown(&batch),
        concat!(
            r#"Gauge {__name__="up", a_b="1;2", cloud_region="eu-1", deployment_environment_name="new", flag="true", "#,
            r#"instance="pod-1", job="shop/checkout", k8s_cluster_name="eu", list="[1,null]", "#,
            r#"service_instance_id="pod-1", service_name="checkout", service_namespace="shop"} 1@5000 since -"#,
            "\n"
        )
    );
}

#[test]
fn times_that_are_missing_or_say_nothing_are_not_invented() {
    let at = |time, start| {
        let mut point = number(1.0);
        (point.time_unix_nano, point.start_time_unix_nano) = (time, start);
        let sample = decoded(vec![metric("a", "", sum(CUMULATIVE, true, point))]).body.samples[0];
        (sample.at.as_millis(), sample.start.map(Timestamp::as_millis))
    };
    assert_eq!(at(5_000_999_999, 2_000_000_000), (5000, Some(2000)));
    assert_eq!(at(5_000_000_000, 0), (5000, None), "no start");
    assert_eq!(at(5_000_000_000, 5_000_000_000), (5000, None), "a start that is unknown by convention");
    assert_eq!(at(0, 0), (9000, None), "the stamp where there is no time");
    assert_eq!(at(u64::MAX, 0).0, 18_446_744_073_709, "the largest time");
}

#[test]
fn a_point_without_recorded_value_ends_its_series() {
    let mut point = number(0.0);
    (point.value, point.flags) = (None, 1);
    assert!(decoded(vec![metric("a", "", sum(CUMULATIVE, true, point))]).body.samples[0].is_stale_marker());
}

#[test]
fn what_cannot_be_taken_is_counted_by_point_and_said_why() {
    let exponential = Data::ExponentialHistogram(ExponentialHistogram {
        data_points: vec![ExponentialHistogramDataPoint::default(); 3],
        aggregation_temporality: CUMULATIVE,
    });
    let without_value = NumberDataPoint { value: None, ..number(0.0) };
    let wide = NumberDataPoint {
        attributes: (0..200).map(|index| text(&format!("a{index}"), "x")).collect(),
        ..number(1.0)
    };
    let document = "x".repeat(6_000);
    let long = NumberDataPoint {
        attributes: ["a", "b", "c"].map(|name| text(name, &document)).to_vec(),
        ..number(1.0)
    };
    let many: Vec<f64> = (0..600).map(f64::from).collect();
    for (data, parts, reason, example) in [
        (exponential, 3, "exponential_histogram", "m: exponential histograms are not supported"),
        (sum(DELTA, false, number(1.0)), 1, "delta_up_down", "m: a delta sum that is not monotonic"),
        (sum(0, true, number(1.0)), 1, "no_temporality", "m: no aggregation temporality"),
        (sum(CUMULATIVE, true, without_value), 1, "no_value", "m_total: a point has no value"),
        (sum(CUMULATIVE, true, wide), 1, "labels_too_large", "m_total: a point has more than 126 attributes"),
        (
            sum(CUMULATIVE, true, long),
            1,
            "labels_too_large",
            "m_total: the attributes of a point are longer than 16384",
        ),
        (histogram(DELTA, &[1.0], &[1], 1), 1, "contradictory_histogram", "m: 1 bucket counts for 1 bounds"),
        (histogram(DELTA, &[2.0, 1.0], &[1, 1, 1], 3), 1, "contradictory_histogram", "m: bounds are not"),
        (histogram(DELTA, &[f64::NAN], &[1, 1], 2), 1, "contradictory_histogram", "m: bounds are not"),
        (
            histogram(DELTA, &[1.0], &[1, 1], 3),
            1,
            "contradictory_histogram",
            "m: bucket counts add up to 2, count says 3",
        ),
        (
            histogram(DELTA, &[1.0], &[u64::MAX, 1], 0),
            1,
            "contradictory_histogram",
            "m: bucket counts add up to more than 64 bits hold, count says 0",
        ),
        (histogram(DELTA, &many, &[], 0), 1, "too_many_bounds", "m: 600 bounds, at most 512 are taken"),
    ] {
        let good = metric("good", "", Data::Gauge(Gauge { data_points: vec![number(1.0)] }));
        let request = export(Vec::new(), vec![metric("m", "", data), good]);
        let found = decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap();
        assert_eq!((found.rejected.parts, found.rejected.by_reason[reason]), (parts, parts), "{example}");
        assert!(found.rejected.examples[0].starts_with(example), "{}", found.rejected.examples[0]);
        assert_eq!(found.body.series.len(), 1, "{example}");
    }
}

#[test]
fn json_is_read_as_the_protocol_says() {
    let body = br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
        "fromTheFuture":{},"scopeMetrics":[{"metrics":[{"name":"n","sum":{"aggregationTemporality":2,"isMonotonic":true,
        "dataPoints":[{"asInt":"7","timeUnixNano":"5000000000","startTimeUnixNano":1000000000}]}}]}]}]}"#;
    let batch = decode(Form::Json, body, AT).unwrap().body;
    assert_eq!(
        shown(&batch),
        "Cumulative {__name__=\"n_total\", job=\"a\", service_name=\"a\"} 7@5000 since 1000\n"
    );
    assert!(decode(Form::Json, b"{}", AT).unwrap().body.series.is_empty());
}

#[test]
fn bodies_that_are_no_export_are_refused() {
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"resourceMetrics":{deep}"#);
    for (form, body) in [
        (Form::Protobuf, &b"\x0a\xff"[..]),
        (Form::Protobuf, b"{\"resourceMetrics\":[]}"),
        (Form::Json, b""),
        (Form::Json, b"[]"),
        (Form::Json, b"\x0a\x00"),
        (Form::Json, nested.as_bytes()),
        (Form::Json, br#"{"resourceMetrics":[{"scopeMetrics":1e999}]}"#),
    ] {
        let error = decode(form, body, AT).unwrap_err();
        assert!(
            !error.is_too_large() && error.to_string().contains("no ExportMetricsServiceRequest"),
            "{error}"
        );
    }
}

#[test]
fn bombs_are_refused_before_they_are_built() {
    // Two bytes a resource on the wire, over a hundred in memory.
    let many = [0x0a, 0x00].repeat(ELEMENTS_MAX + 1);
    assert!(decode(Form::Protobuf, &many, AT).unwrap_err().is_too_large());
    let objects = format!(r#"{{"resourceMetrics":[{}{{}}]}}"#, "{},".repeat(ELEMENTS_MAX));
    assert!(decode(Form::Json, objects.as_bytes(), AT).unwrap_err().is_too_large());
    assert!(decode(Form::Json, &vec![b' '; BODY_BYTES_MAX + 1], AT).unwrap_err().is_too_large());
    // Small on the wire, but each bucket repeats eight kilobytes of labels.
    let bounds: Vec<f64> = (0..500).map(f64::from).collect();
    let Data::Histogram(mut data) = histogram(CUMULATIVE, &bounds, &[0; 501], 0) else { unreachable!() };
    data.data_points[0].attributes = vec![text("a", &"x".repeat(8000))];
    data.data_points = vec![data.data_points[0].clone(); 40];
    let request = export(Vec::new(), vec![metric("m", "", Data::Histogram(data))]);
    assert!(decode(Form::Protobuf, &request.encode_to_vec(), AT).unwrap_err().is_too_large());
}

#[test]
fn nesting_deeper_than_any_attribute_is_refused_without_recursing_on() {
    let mut inner = Vec::new();
    for _ in 0..200 {
        // AnyValue {array_value {values {…}}}
        for tag in [0x0a_u8, 0x2a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend_from_slice(&inner);
            inner = outer;
        }
    }
    for tag in [0x12_u8, 0x0a, 0x0a, 0x0a] {
        let mut outer = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend_from_slice(&inner);
        inner = outer;
    }
    assert!(matches!(decode(Form::Protobuf, &inner, AT), Err(DecodeError::Malformed(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(decode(Form::Protobuf, &bytes, AT));
        drop(decode(Form::Json, &bytes, AT));
    }

    #[test]
    fn truncated_and_mutated_exports_never_panic(
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let data = histogram(CUMULATIVE, &[0.005, 1.0, 2.5], &[2, 3, 4, 1], 10);
        let request = export(resource(), vec![metric("http.server.request.duration", "s", data)]);
        for (form, mut body) in [
            (Form::Protobuf, request.encode_to_vec()),
            (Form::Json, serde_json::to_vec(&request).unwrap()),
        ] {
            for (at, byte) in &flips {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body.truncate(cut.index(body.len()) + 1);
            if let Ok(decoded) = decode(form, &body, AT) {
                for series in &decoded.body.series {
                    prop_assert!(LabelBytes::parse(decoded.body.labels_of(series)).is_some());
                    prop_assert!(matches!(
                        series.kind,
                        SeriesKind::Cumulative | SeriesKind::Delta | SeriesKind::Gauge
                    ));
                }
            }
        }
    }

    #[test]
    fn buckets_are_cumulative_and_end_in_the_count(counts in prop::collection::vec(0_u64..1000, 1..20)) {
        let bounds: Vec<f64> = (1..counts.len()).map(|index| index as f64).collect();
        let total = counts.iter().sum();
        let batch = decoded(vec![metric("m", "s", histogram(DELTA, &bounds, &counts, total))]).body;
        let values: Vec<f64> = batch.samples.iter().map(|sample| sample.value).collect();
        prop_assert!(values[..counts.len()].is_sorted());
        prop_assert_eq!(values[counts.len() - 1], total as f64);
    }
}
