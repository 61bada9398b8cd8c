//! Texts, times, numbers, labels.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use model::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), ".{0,12}"]
}

pub(super) fn maybe_text() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

pub(super) fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX), any::<i64>().prop_map(Timestamp::from_millis)]
}

pub(super) fn maybe_timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    option::of(timestamp())
}

/// Every bit pattern, the special ones often.
pub(super) fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        select(vec![0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]),
        Just(f64::from_bits(telemetry::STALE_NAN_BITS)),
        any::<u64>().prop_map(f64::from_bits),
    ]
}

pub(super) fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

pub(super) fn one_of<T: Clone + Debug + 'static>(variants: impl Into<Vec<T>>) -> impl Strategy<Value = T> {
    select(variants.into())
}

pub(super) fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(text(), text(), 0..3)
}

pub(super) fn labels() -> impl Strategy<Value = Labels> {
    vec((text(), text()), 0..4).prop_map(Labels::from_pairs)
}

pub(super) fn key() -> impl Strategy<Value = ServiceKey> {
    (text(), text()).prop_map(|(service, environment)| ServiceKey { service, environment })
}

pub(super) fn actor() -> impl Strategy<Value = Actor> {
    (text(), text(), text()).prop_map(|(name, via, address)| Actor { name, via, address })
}
