use model::LabelBytes;
use proptest::prelude::*;
use prost::Message;

use super::*;

/// The message as the specification writes it, for an encoder that is not ours.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<PromSample>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<PromSample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<PromSample>,
    #[prost(string, tag = "99")]
    unknown: String,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct PromSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

fn series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
    let label = |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
    TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples
            .iter()
            .map(|(value, timestamp)| PromSample { value: *value, timestamp: *timestamp })
            .collect(),
        ..TimeSeries::default()
    }
}

fn compressed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

fn body(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    compressed(&WriteRequest { timeseries }.encode_to_vec())
}

/// The batch as text, a line a series.
fn shown(batch: &Batch) -> String {
    let line = |series: &Series| {
        let labels = LabelBytes::parse(batch.labels_of(series)).unwrap();
        let samples: Vec<(f64, i64)> =
            batch.samples_of(series).iter().map(|sample| (sample.value, sample.at.as_millis())).collect();
        format!("{} {samples:?}\n", model::Labels::from_pairs(labels))
    };
    batch.series.iter().map(line).collect()
}

#[test]
fn a_request_becomes_a_batch_whose_labels_are_ranges_of_its_bytes() {
    let decoded = decode(&body(vec![
        series(&[("__name__", "up"), ("job", "a")], &[(1.0, 1000), (0.0, 2000)]),
        series(&[("__name__", "down"), ("job", "b")], &[(f64::INFINITY, -5)]),
    ]))
    .unwrap();
    assert!(decoded.rejected.is_empty());
    assert!(!decoded.body.is_whole);
    assert_eq!(
        shown(&decoded.body),
        "{__name__=\"up\", job=\"a\"} [(1.0, 1000), (0.0, 2000)]\n{__name__=\"down\", job=\"b\"} [(inf, -5)]\n"
    );
}

#[test]
fn stale_markers_keep_their_bits() {
    let stale = f64::from_bits(model::telemetry::STALE_NAN_BITS);
    let decoded = decode(&body(vec![series(&[("__name__", "up")], &[(stale, 1)])])).unwrap();
    assert!(decoded.body.samples[0].is_stale_marker());
}

#[test]
fn invalid_series_are_left_out_and_said_why_while_valid_ones_stay() {
    let (long, large) = ("x".repeat(LABEL_VALUE_BYTES_MAX + 1), "x".repeat(6_000));
    let names: Vec<String> = (0..=LABELS_MAX).map(|index| format!("l{index:03}")).collect();
    let many: Vec<(&str, &str)> =
        [("__name__", "up")].into_iter().chain(names.iter().map(|name| (name.as_str(), "v"))).collect();
    for (labels, reason, text) in [
        (&[("job", "a")][..], "no_name", r#"no __name__ in {job="a"}"#),
        (&[], "no_name", "no __name__ in {}"),
        (
            &[("__name__", "2up")],
            "metric_name",
            r#"metric name "2up" does not match [a-zA-Z_:][a-zA-Z0-9_:]* in 2up{}"#,
        ),
        (&[("__name__", ""), ("job", "a")], "no_name", r#"no __name__ in {job="a"}"#),
        (&[("__name__", "1.5\n")], "metric_name", r#"metric name "1.5\n" does not match"#),
        (&[("", "x"), ("__name__", "up")], "label_name", r#"a label has no name in up{="x"}"#),
        (
            &[("__name__", "up"), ("a-b", "x")],
            "label_name",
            r#"label name "a-b" does not match [a-zA-Z_][a-zA-Z0-9_]* in up{a-b="x"}"#,
        ),
        (
            &[("job", "b"), ("__name__", "up"), ("job", "a")],
            "label_duplicate",
            r#"label "job" is given twice in up{job="b", job="a"}"#,
        ),
        (
            &[("__name__", "up"), ("job", "a"), ("job", "b")],
            "label_duplicate",
            r#"label "job" is given twice in up{job="a", job="b"}"#,
        ),
        (
            &[("__name__", "up"), ("job", &long)],
            "labels_too_large",
            r#"the value of label "job" is longer than"#,
        ),
        (&many, "labels_too_large", "more than 128 labels in up{l000"),
        (
            &[("__name__", "up"), ("a", &large), ("b", &large), ("c", &large)],
            "labels_too_large",
            "the labels are longer than 16384 bytes together in up{",
        ),
    ] {
        let good = series(&[("__name__", "good")], &[(1.0, 1)]);
        let decoded = decode(&body(vec![good.clone(), series(labels, &[(1.0, 1), (2.0, 2)]), good])).unwrap();
        assert_eq!((decoded.rejected.parts, decoded.rejected.samples), (1, 2), "{text}");
        assert_eq!(decoded.rejected.by_reason.keys().collect::<Vec<_>>(), [&reason]);
        assert!(decoded.rejected.examples[0].starts_with(text), "{}", decoded.rejected.examples[0]);
        assert_eq!(decoded.body.series.len(), 2);
        assert_eq!(decoded.body.samples.len(), 2);
    }
}

#[test]
fn labels_that_other_receivers_mend_name_the_same_series_as_proper_ones() {
    for (labels, expected, why) in [
        (
            &[("job", "a"), ("instance", "b"), ("__name__", "up")][..],
            r#"{__name__="up", instance="b", job="a"}"#,
            "vmagent, as exposed",
        ),
        (
            &[("__name__", "up"), ("job", "a"), ("region", "")],
            r#"{__name__="up", job="a"}"#,
            "an external label that expands to nothing",
        ),
        (&[("region", ""), ("job", ""), ("__name__", "up")], r#"{__name__="up"}"#, "both at once"),
        (
            &[("__name__", "up"), ("job", ""), ("job", "a")],
            r#"{__name__="up", job="a"}"#,
            "given twice, one without a value",
        ),
        (&[("", ""), ("__name__", "up")], r#"{__name__="up"}"#, "an empty label"),
        (
            &[("__name__", "up"), ("http.request.method", "GET")],
            r#"{__name__="up", http.request.method="GET"}"#,
            "Prometheus 3",
        ),
        (
            &[("__name__", "http.server.duration"), ("größe", "1")],
            r#"{__name__="http.server.duration", größe="1"}"#,
            "other letters",
        ),
    ] {
        let decoded = decode(&body(vec![series(labels, &[(1.0, 1)])])).unwrap();
        assert_eq!(decoded.rejected, Rejected::default(), "{why}");
        assert_eq!(shown(&decoded.body), format!("{expected} [(1.0, 1)]\n"), "{why}");
        let mut proper = Vec::new();
        let sorted = model::Labels::from_pairs(labels.iter().copied());
        LabelBytes::encode(sorted.iter(), &mut proper);
        assert_eq!(
            decoded.body.labels_of(&decoded.body.series[0]),
            proper,
            "{why}: identity is looked up by these bytes"
        );
    }
}

#[test]
fn many_labels_without_a_value_hide_none_that_has_one() {
    let names: Vec<String> = (0..2 * LABELS_MAX).map(|index| format!("l{index:03}")).collect();
    let empty = names.iter().map(|name| (name.as_str(), ""));
    let labels: Vec<(&str, &str)> = empty.chain([("zone", "a"), ("__name__", "up")]).collect();
    let decoded = decode(&body(vec![series(&labels, &[(1.0, 1)])])).unwrap();
    assert_eq!(shown(&decoded.body), "{__name__=\"up\", zone=\"a\"} [(1.0, 1)]\n");
}

#[test]
fn a_line_end_in_a_name_does_not_break_the_line_that_names_the_fault() {
    let rejected =
        decode(&body(vec![series(&[("__name__", "up"), ("a\nb", "x")], &[(1.0, 1)])])).unwrap().rejected;
    assert_eq!(
        rejected.examples,
        [r#"label name "a\nb" does not match [a-zA-Z_][a-zA-Z0-9_]* in up{a\nb="x"}"#]
    );
}

#[test]
fn examples_are_bounded_and_counts_are_not() {
    let bad = vec![series(&[("job", "a")], &[(1.0, 1)]); 50];
    let rejected = decode(&body(bad)).unwrap().rejected;
    assert_eq!((rejected.parts, rejected.examples.len()), (50, Rejected::EXAMPLES_MAX));
}

#[test]
fn native_histograms_are_counted_as_unsupported_and_exemplars_ignored() {
    let mut both = series(&[("__name__", "up")], &[(1.0, 1)]);
    both.histograms = vec![PromSample::default(); 2];
    both.exemplars = vec![PromSample::default()];
    both.unknown = "from the future".into();
    let decoded = decode(&body(vec![both])).unwrap();
    assert_eq!(decoded.rejected.by_reason["native_histogram"], 1);
    assert_eq!(decoded.rejected.samples, 2);
    assert_eq!(decoded.body.series.len(), 1);
}

/// One length-delimited field.
fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![tag];
    prost::encoding::encode_varint(content.len() as u64, &mut field);
    field.extend_from_slice(content);
    field
}

#[test]
fn labels_in_an_unusual_form_are_written_anew_in_the_usual_one() {
    let name = [wrapped(0x0a, b"__name__"), wrapped(0x12, b"up")].concat();
    let swapped = [wrapped(0x12, b"a"), wrapped(0x0a, b"job")].concat();
    let extended = [wrapped(0x0a, b"job"), wrapped(0x12, b"a"), wrapped(0x1a, b"?")].concat();
    let padded = [&[0x0a, 0x83, 0x00][..], b"job", &wrapped(0x12, b"a")].concat();
    let sample = wrapped(0x12, &[0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0x05]);
    let mut usual = Vec::new();
    LabelBytes::encode([("__name__", "up"), ("job", "a")], &mut usual);
    for (label, why) in
        [(swapped, "value first"), (extended, "an unknown field"), (padded, "a padded length")]
    {
        for split in [false, true] {
            let (name, label) = (wrapped(0x0a, &name), wrapped(0x0a, &label));
            let content =
                if split { [name, sample.clone(), label] } else { [name, label, sample.clone()] }.concat();
            let decoded = decode(&compressed(&wrapped(0x0a, &content))).unwrap();
            assert_eq!(decoded.body.labels_of(&decoded.body.series[0]), usual, "{why}, split: {split}");
            assert_eq!(decoded.body.samples[0].value, 1.0);
        }
    }
}

#[test]
fn labels_that_are_not_utf8_are_refused_even_where_the_region_hides_it() {
    let label =
        |name: &[u8], value: &[u8]| wrapped(0x0a, &[wrapped(0x0a, name), wrapped(0x12, value)].concat());
    let sample = wrapped(0x12, &[0x10, 0x05]);
    let long = "ä".repeat(200);
    for (value, is_good, why) in [
        (&b"caf\xc3\xa9"[..], true, "an accent"),
        (b"\xc3", false, "a cut character before the next tag"),
        (b"\xa9x", false, "a continuation first"),
        (long.as_bytes(), true, "a length that is no character"),
        (&[&long.as_bytes()[..399], b"\xff"].concat(), false, "long and broken"),
    ] {
        let labels = [label(b"__name__", b"up"), label(b"a", value), label(b"b", b"c")].concat();
        let message = wrapped(0x0a, &[labels, sample.clone()].concat());
        let decoded = decode(&compressed(&message)).unwrap();
        assert_eq!(decoded.rejected.is_empty(), is_good, "{why}: {:?}", decoded.rejected);
    }
}

#[test]
fn samples_of_a_series_are_put_in_order() {
    let decoded =
        decode(&body(vec![series(&[("__name__", "up")], &[(3.0, 3), (1.0, 1), (2.0, 2)])])).unwrap();
    assert_eq!(shown(&decoded.body), "{__name__=\"up\"} [(1.0, 1), (2.0, 2), (3.0, 3)]\n");
}

#[test]
fn bodies_that_are_no_request_are_refused_whole() {
    let framed = [0xff, 0x06, 0x00, 0x00, b's', b'N', b'a', b'P', b'p', b'Y'];
    for (body, text) in [
        (Vec::new(), "no snappy block"),
        (b"{\"not\": \"snappy\"}".to_vec(), "no snappy block"),
        (framed.to_vec(), "no snappy block"),
        (compressed(b"\x0a\xff"), "no prometheus.WriteRequest"),
        (compressed(b"\x0a\x02\x08\x01"), "no prometheus.WriteRequest"),
        (compressed(b"plain text"), "no prometheus.WriteRequest"),
        (compressed(&wrapped(0x22, b"symbol")), "io.prometheus.write.v2.Request"),
    ] {
        let error = decode(&body).unwrap_err();
        assert!(!error.is_too_large() && error.to_string().contains(text), "{body:?}: {error}");
    }
    assert_eq!(decode(&compressed(b"")).unwrap(), Decoded::default());
}

#[test]
fn a_bomb_is_refused_by_what_it_declares() {
    // Six bytes that ask for 4 GiB.
    let error = decode(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]).unwrap_err();
    assert!(error.to_string().contains("cannot hold"), "{error}");
    let large = compressed(&vec![0; DECOMPRESSED_BYTES_MAX + 1]);
    assert!(decode(&large).unwrap_err().is_too_large());
    let series = [0x0a, 0x00].repeat(SERIES_MAX + 1);
    assert!(decode(&compressed(&series)).unwrap_err().is_too_large());
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let label = ("[ab0.ä-]{0,2}", "\\PC{0,200}").prop_map(|(name, value)| Label { name, value });
    let sample = (any::<f64>(), any::<i64>()).prop_map(|(value, timestamp)| {
        // prost leaves out a negative zero as if it were the default.
        PromSample { value: if value == 0.0 { 0.0 } else { value }, timestamp }
    });
    let labels = prop::collection::vec(label, 0..4);
    let samples = prop::collection::vec(sample, 0..4);
    (labels, samples, "[a:0.]{0,2}", any::<bool>()).prop_map(|(mut labels, samples, value, is_sorted)| {
        labels.push(Label { name: "__name__".into(), value });
        if is_sorted {
            labels.sort_by(|a, b| a.name.cmp(&b.name));
        }
        TimeSeries { labels, samples, ..TimeSeries::default() }
    })
}

/// The labels of a series that is to be kept, as they are to be: what this decoder promises, said a second time and
/// slowly.
fn expected_labels(series: &TimeSeries) -> Option<Vec<(&str, &str)>> {
    let is_named = |name: &str, more: &str| {
        let is_classic = !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c));
        !name.is_empty() && (is_classic || name.contains('.') || !name.is_ascii())
    };
    let all = series.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
    let mut labels: Vec<(&str, &str)> = all.filter(|(_, value)| !value.is_empty()).collect();
    labels.sort();
    let is_valid = labels.windows(2).all(|pair| pair[0].0 != pair[1].0)
        && labels.iter().all(|(name, _)| is_named(name, ""))
        && labels.iter().any(|(name, value)| *name == "__name__" && is_named(value, ":"));
    is_valid.then_some(labels)
}

proptest! {
    #[test]
    fn what_another_encoder_wrote_is_read_back(timeseries in prop::collection::vec(any_series(), 0..12)) {
        let decoded = decode(&body(timeseries.clone())).unwrap();
        let valid: Vec<&TimeSeries> = timeseries.iter().filter(|it| expected_labels(it).is_some()).collect();
        prop_assert_eq!(decoded.rejected.parts as usize, timeseries.len() - valid.len());
        let kept: Vec<&TimeSeries> = valid.into_iter().filter(|it| !it.samples.is_empty()).collect();
        prop_assert_eq!(decoded.body.series.len(), kept.len());
        for (found, sent) in decoded.body.series.iter().zip(kept) {
            let labels = LabelBytes::parse(decoded.body.labels_of(found)).unwrap();
            prop_assert_eq!(Some(labels), expected_labels(sent));
            let mut samples = sent.samples.clone();
            samples.sort_by_key(|sample| sample.timestamp);
            for (sample, sent) in decoded.body.samples_of(found).iter().zip(samples) {
                prop_assert_eq!(sample.value.to_bits(), sent.value.to_bits());
                prop_assert_eq!(sample.at.as_millis(), sent.timestamp);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        drop(decode(&bytes));
        drop(decode(&compressed(&bytes)));
    }

    #[test]
    fn truncated_and_mutated_requests_never_panic_and_ranges_stay_within(
        timeseries in prop::collection::vec(any_series(), 1..4), cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut message = WriteRequest { timeseries }.encode_to_vec();
        for (at, byte) in flips {
            let at = at.index(message.len());
            message[at] = byte;
        }
        message.truncate(cut.index(message.len()) + 1);
        if let Ok(decoded) = decode(&compressed(&message)) {
            for series in &decoded.body.series {
                prop_assert!(LabelBytes::parse(decoded.body.labels_of(series)).is_some());
                prop_assert!(!decoded.body.samples_of(series).is_empty());
            }
        }
    }
}

/// A label as bytes, in a form that senders use or do not.
fn any_label() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        "__name__", "__name__", "a", "b", "b.c", "job", "le", "le", "zone", "", "2x",
    ]);
    let value = prop_oneof![
        8 => prop::sample::select(vec!["up", "0.1", "0.25", "+Inf", "", "é"]).prop_map(|it| it.as_bytes().to_vec()),
        1 => Just(vec![0xff]),
        1 => Just(vec![b'v'; 130]),
    ];
    (name, value, 0..12_u8).prop_map(|(name, value, oddity)| {
        let (name, value) = (wrapped(0x0a, name.as_bytes()), wrapped(0x12, &value));
        wrapped(0x0a, &if oddity == 0 { [value, name].concat() } else { [name, value].concat() })
    })
}

/// Series of which most follow one that is almost the same.
fn any_neighbours() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let first = prop::collection::vec(any_label(), 0..6);
    let change = (any::<prop::sample::Index>(), any_label(), 0..6_u8);
    (first, prop::collection::vec(change, 0..12)).prop_map(|(first, changes)| {
        let mut all = vec![first];
        for (at, label, what) in changes {
            let mut next = all[all.len() - 1].clone();
            let at = at.index(next.len() + 1);
            match what {
                0 => next.sort(),
                1 => next.insert(at, label),
                2 if at < next.len() => drop(next.remove(at)),
                _ if at < next.len() => next[at] = label,
                _ => {}
            }
            all.push(next);
        }
        all
    })
}

proptest! {
    #[test]
    fn a_series_is_judged_as_if_it_came_alone(all in any_neighbours()) {
        let sample = wrapped(0x12, &[0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1]);
        let message = |labels: &Vec<Vec<u8>>| wrapped(0x0a, &[labels.concat(), sample.clone()].concat());
        let together = decode(&compressed(&all.iter().map(message).collect::<Vec<_>>().concat())).unwrap();
        let (mut kept, mut reasons) = (String::new(), std::collections::BTreeMap::new());
        for labels in &all {
            let alone = decode(&compressed(&message(labels))).unwrap();
            kept += &shown(&alone.body);
            for (reason, count) in alone.rejected.by_reason {
                *reasons.entry(reason).or_default() += count;
            }
        }
        prop_assert_eq!(shown(&together.body), kept);
        prop_assert_eq!(together.rejected.by_reason, reasons);
    }
}
