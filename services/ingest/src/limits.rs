//! What a request may cost.

use std::time::Duration;

use proto::wire::{alertmanager, cloudevents, otlp, remote_write, requests};

/// Sizes in bytes. What the decoders can never take (`proto::wire`'s constants) is a ceiling over all of them, for
/// the log is read back with those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Any body as it comes over the wire. Prometheus' largest requests are below 1 MiB; a compressed body ten
    /// times that is either a bomb or a sender that will not get an answer in time anyway.
    pub body_bytes_max: usize,
    /// A remote write request, decompressed.
    pub remote_write_bytes_max: usize,
    /// An OTLP request, decompressed: the specification's recommendation.
    pub otlp_bytes_max: usize,
    /// A body of request events, decompressed.
    pub requests_bytes_max: usize,
    /// An Alertmanager notification; `max_alerts: 0` lets a group of thousands through.
    pub alertmanager_bytes_max: usize,
    /// A CloudEvent or a batch of them.
    pub events_bytes_max: usize,
    /// A release, with its links and facts.
    pub release_bytes_max: usize,
    /// A verb: a few names and a sentence.
    pub verb_bytes_max: usize,
    /// Bodies held at once, compressed and decompressed, by all requests together; above it senders are asked to
    /// come back. Four remote write requests of the largest size.
    pub in_flight_bytes_max: usize,
    /// From the first byte of a body to its last. Prometheus gives up after 30 s itself.
    pub body_time_max: Duration,
}

/// Bodies of verbs held at once: 256 of the largest. They have this place to themselves, so that nothing that senders
/// do keeps a `halt` out.
pub(crate) const VERBS_IN_FLIGHT_BYTES_MAX: usize = 4 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 8 << 20,
            remote_write_bytes_max: remote_write::DECOMPRESSED_BYTES_MAX,
            otlp_bytes_max: otlp::BODY_BYTES_MAX,
            requests_bytes_max: requests::BODY_BYTES_MAX,
            alertmanager_bytes_max: 4 << 20,
            events_bytes_max: cloudevents::BODY_BYTES_MAX,
            release_bytes_max: 256 << 10,
            verb_bytes_max: 16 << 10,
            in_flight_bytes_max: 160 << 20,
            body_time_max: Duration::from_secs(30),
        }
    }
}

// A notification may hold as many alerts as are taken at some 400 bytes each.
const _: () = assert!(alertmanager::ALERTS_MAX * 400 < 4 << 20);
