//! Every record comes back as it was written, to the last bit.

use bytes::Bytes;
use model::{Batch, EventBody, EventId, Sample, SeriesKind, Timestamp};
use proptest::prelude::*;

use super::strategies::{decision_record, envelope};
use crate::{
    EnvelopeBody, EventEnvelope, decode_decision, decode_event, decode_event_shared, encode_decision,
    encode_event,
};

// Compared as text, because a NaN is not equal to itself; that its bits are kept shows in the second encoding.
proptest! {
    #[test]
    fn an_event_comes_back_as_it_was_written(written in envelope()) {
        let bytes = encode_event(&written);
        let read = decode_event(&bytes).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{written:?}"));
        prop_assert_eq!(&encode_event(&read), &bytes);
        let shared = decode_event_shared(Bytes::from(bytes)).unwrap();
        prop_assert_eq!(format!("{shared:?}"), format!("{written:?}"));
    }

    #[test]
    fn a_decision_record_comes_back_as_it_was_written(written in decision_record()) {
        let bytes = encode_decision(&written);
        let read = decode_decision(&bytes).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{written:?}"));
        prop_assert_eq!(encode_decision(&read), bytes);
    }
}

#[test]
fn no_bit_of_a_number_is_lost() {
    let patterns = [0.0, -0.0, 0.1, f64::INFINITY, f64::NAN, -f64::NAN].map(f64::to_bits);
    let patterns = patterns.into_iter().chain([model::telemetry::STALE_NAN_BITS, 1, u64::MAX]);
    for bits in patterns {
        let mut batch = Batch::default();
        let sample = Sample { value: f64::from_bits(bits), ..Sample::default() };
        batch.push([("__name__", "up")], SeriesKind::Gauge, [sample]);
        let written = EventEnvelope {
            id: EventId::from_text("evt_1"),
            at: Timestamp::from_millis(1),
            source: String::new(),
            is_copy: false,
            body: EnvelopeBody::Other(EventBody::Telemetry(batch)),
        };
        let EnvelopeBody::Other(EventBody::Telemetry(read)) =
            decode_event(&encode_event(&written)).unwrap().body
        else {
            panic!("another body");
        };
        assert_eq!(read.samples[0].value.to_bits(), bits, "{bits:#x}");
    }
}

#[test]
fn a_shared_telemetry_body_is_not_copied() {
    let written = EventEnvelope {
        id: EventId::from_text("evt_1"),
        at: Timestamp::from_millis(1),
        source: "prometheus".into(),
        is_copy: false,
        body: EnvelopeBody::Telemetry {
            encoding: crate::TelemetryEncoding::RemoteWriteV1Snappy,
            body: Bytes::from_static(b"snappy"),
        },
    };
    let record = Bytes::from(encode_event(&written));
    let EnvelopeBody::Telemetry { body, .. } = decode_event_shared(record.clone()).unwrap().body else {
        panic!("another body");
    };
    assert!(record.as_ptr_range().contains(&body.as_ptr()));
}
