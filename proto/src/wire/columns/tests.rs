use model::{Batch, LabelBytes, Sample, SeriesKind, Timestamp};
use proptest::prelude::*;
use prost::Message as _;

use super::{Columns, decode};
use crate::{tests::strategies::batch, v1};

fn encode(batch: &Batch) -> Vec<u8> {
    let mut columns = Columns::of(batch);
    batch.series.iter().for_each(|series| columns.push(series));
    columns.encode()
}

/// Every series with its labels and samples; a NaN is not equal to itself.
fn shown(batch: &Batch) -> String {
    let series = batch.series.iter().map(|series| {
        let bits = |sample: &Sample| (sample.value.to_bits(), sample.at, sample.start);
        let samples: Vec<_> = batch.samples_of(series).iter().map(bits).collect();
        format!("{:?} {:?} {samples:?}", batch.labels_of(series), series.kind)
    });
    format!("{} {:?}", batch.is_whole, series.collect::<Vec<_>>())
}

fn bucket(le: &str) -> [(&str, &str); 4] {
    [
        ("__name__", "http_request_duration_seconds_bucket"),
        ("le", le),
        ("pod", "checkout-7d9f"),
        ("service", "checkout"),
    ]
}

fn buckets() -> Batch {
    let mut batch = Batch::default();
    for (count, le) in ["0.1", "0.25", "0.5", "+Inf"].into_iter().enumerate() {
        let sample =
            Sample { value: count as f64, at: Timestamp::from_millis(1_795_428_000_000), start: None };
        batch.push(bucket(le), SeriesKind::Unknown, [sample]);
    }
    batch
}

proptest! {
    #[test]
    fn a_batch_comes_back_as_it_was_whatever_the_memory_held(written in batch(), spare in batch()) {
        let bytes = encode(&written);
        let read = decode(&bytes, spare).unwrap();
        prop_assert_eq!(shown(&read), shown(&written));
        prop_assert_eq!(&encode(&read), &bytes);
        // What a generated decoder reads and writes.
        let message = v1::BatchColumns::decode(&bytes[..]).unwrap();
        prop_assert_eq!(message.encode_to_vec(), bytes);
        prop_assert_eq!(message.shared_front.len(), written.series.len());
        prop_assert_eq!(message.values.len(), written.samples.len());
    }

    #[test]
    fn what_is_not_columns_is_refused_or_a_sound_batch(
        written in batch(),
        at in any::<prop::sample::Index>(),
        turned in 1..=255_u8,
    ) {
        let mut bytes = encode(&written);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= turned;
        }
        if let Ok(read) = decode(&bytes, Batch::default()) {
            // Every range is inside.
            drop(shown(&read));
        }
    }
}

#[test]
fn of_a_series_like_the_one_before_only_the_difference_is_written() {
    let batch = buckets();
    let message = v1::BatchColumns::decode(&encode(&batch)[..]).unwrap();
    let whole = batch.labels_of(&batch.series[0]).len() as u32;
    // "0.25" is longer than "0.1", so that two lengths differ as well.
    assert_eq!(message.own[0], whole);
    assert!(message.own[1..].iter().all(|own| *own <= 12), "{:?}", message.own);
    assert_eq!((message.kinds, message.sample_counts, message.has_start), (vec![], vec![], vec![]));
    assert_eq!(message.ms_since_sample_before, [1_795_428_000_000, 0, 0, 0]);
    let read = decode(&encode(&batch), Batch::default()).unwrap();
    assert_eq!(LabelBytes::parse(read.labels_of(&read.series[2])).unwrap(), bucket("0.5"));
}

/// The error after `change`.
fn error(change: impl FnOnce(&mut v1::BatchColumns)) -> String {
    let mut message = v1::BatchColumns::decode(&encode(&buckets())[..]).unwrap();
    change(&mut message);
    decode(&message.encode_to_vec(), Batch::default()).unwrap_err().to_string()
}

#[test]
fn columns_that_do_not_fit_each_other_are_refused_by_name() {
    let errors = [
        error(|it| it.shared_back.truncate(1)),
        error(|it| it.own.truncate(1)),
        error(|it| it.own[0] += 1),
        error(|it| it.labels.truncate(1)),
        error(|it| it.shared_front[0] = 1),
        error(|it| it.shared_back[1] = u32::MAX),
        error(|it| it.kinds = vec![1]),
        error(|it| it.sample_counts = vec![1, 1, 1, 2]),
        error(|it| it.sample_counts = vec![1, 1, 1, 0]),
        error(|it| it.values.truncate(1)),
        error(|it| it.has_start = vec![false]),
        error(|it| it.ms_since_start = vec![1]),
    ];
    let expected = [
        "shared_back",
        "own",
        "own",
        "own",
        "shared_back",
        "shared_back",
        "kinds",
        "sample_counts",
        "sample_counts",
        "ms_since_sample_before",
        "has_start",
        "ms_since_start",
    ];
    for (error, field) in errors.iter().zip(expected) {
        assert_eq!(*error, format!("BatchColumns.{field} does not fit the other columns"));
    }
}

#[test]
fn a_few_bytes_cannot_stand_for_gigabytes_of_labels() {
    let series = 10_000;
    let shared = 1 << 20;
    let message = v1::BatchColumns {
        shared_front: [0].into_iter().chain([shared; 9_999]).collect(),
        shared_back: vec![0; series],
        own: [shared].into_iter().chain([0; 9_999]).collect(),
        labels: vec![b'a'; shared as usize],
        values: vec![1.0; series],
        ms_since_sample_before: vec![0; series],
        ..v1::BatchColumns::default()
    };
    let refused = decode(&message.encode_to_vec(), Batch::default()).unwrap_err();
    assert_eq!(refused.to_string(), "BatchColumns.shared_front does not fit the other columns");
}
