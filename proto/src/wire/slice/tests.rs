use bytes::Bytes;
use model::*;
use proptest::{collection::vec, prelude::*};
use prost::Message as _;

use super::*;
use crate::{
    TelemetryEncoding, decode_event, encode_event,
    tests::strategies::envelope as any_envelope,
    wire::{decode_telemetry, remote_write::WriteRequest},
};

const PARTITIONS: u32 = 5;
const AT: Timestamp = Timestamp::from_millis(1_795_428_000_000);

/// Series by their label `service`, in production; a name that begins with `info` goes to HOME as well.
struct ByService;

fn key(service: &str) -> ServiceKey {
    ServiceKey::new(service, "production")
}

/// `cart`, `shop` and HOME are three partitions.
fn partition_of(service: &str) -> Partition {
    Partition::of(&key(service), PARTITIONS)
}

fn place_of(labels: &[(&str, &str)]) -> Vec<Partition> {
    let value = |name: &str| labels.iter().find(|it| it.0 == name).map(|it| it.1);
    let own = value("service").map_or(Partition(3), partition_of);
    let is_info = value("__name__").is_some_and(|name| name.starts_with("info"));
    let home = (is_info && own != Partition::HOME).then_some(Partition::HOME);
    std::iter::once(own).chain(home).collect()
}

impl Places for ByService {
    fn series(&mut self, at: Timestamp, batch: &Batch, to: &mut Vec<(u32, Partition)>) {
        assert_eq!(at, AT);
        for (place, series) in (0..).zip(&batch.series) {
            let labels = LabelBytes::parse(batch.labels_of(series)).unwrap();
            to.extend(place_of(&labels).into_iter().map(|partition| (place, partition)));
        }
    }

    fn alert(&mut self, alert: &Alert) -> Option<ServiceKey> {
        Some(ServiceKey::new(alert.labels.get("service")?, alert.labels.get("environment")?))
    }

    fn release(&mut self, id: &ReleaseId) -> Option<ServiceKey> {
        (id.as_str() == "rel_known").then(|| key("cart"))
    }

    fn command(&mut self, id: &CommandId) -> Option<ServiceKey> {
        (id.as_str() == "cmd_known").then(|| key("cart"))
    }
}

fn envelope(body: EnvelopeBody) -> EventEnvelope {
    EventEnvelope {
        id: EventId::from_text("evt_1"),
        at: AT,
        source: "prometheus".into(),
        is_copy: false,
        body,
    }
}

fn sent(encoding: TelemetryEncoding, body: impl Into<Bytes>) -> EventEnvelope {
    envelope(EnvelopeBody::Telemetry { encoding, body: body.into() })
}

fn other(body: EventBody) -> EventEnvelope {
    envelope(EnvelopeBody::Other(body))
}

/// The event that a record of `envelope` is read as.
fn read(envelope: &EventEnvelope) -> EventBody {
    let read = decode_event(&encode_event(envelope)).unwrap();
    assert_eq!((read.id.as_str(), read.at, read.source.as_str()), ("evt_1", AT, "prometheus"));
    match read.body {
        EnvelopeBody::Telemetry { encoding, body } => decode_telemetry(encoding, &body, read.at).unwrap(),
        EnvelopeBody::Other(body) => body,
    }
}

/// Labels, kind and samples, each as text; a NaN is not equal to itself.
fn shown(batch: &Batch) -> Vec<(Vec<(&str, &str)>, String)> {
    let series = batch.series.iter();
    series
        .map(|it| {
            (
                LabelBytes::parse(batch.labels_of(it)).unwrap(),
                format!("{:?} {:?}", it.kind, batch.samples_of(it)),
            )
        })
        .collect()
}

/// That the slices of `envelope` hold what the whole holds, each series where it belongs and in the whole's order.
fn check_batch(envelope: &EventEnvelope, decoded: Option<Batch>) {
    let EventBody::Telemetry(whole) = read(envelope) else { panic!("another body") };
    let slices = slice(envelope.clone(), decoded.as_ref(), PARTITIONS, &mut ByService).unwrap();
    let mut partitions: Vec<Partition> = slices.iter().map(|it| it.0).collect();
    partitions.dedup();
    assert!(partitions.is_sorted() && partitions.len() == slices.len(), "{partitions:?}");
    let want = |partition| {
        let all = shown(&whole).into_iter();
        all.filter(|it| place_of(&it.0).contains(&partition)).collect::<Vec<_>>()
    };
    for partition in (0..PARTITIONS).map(Partition) {
        let slice = slices.iter().find(|it| it.0 == partition).map(|it| read(&it.1));
        match &slice {
            Some(EventBody::Telemetry(slice)) => {
                assert_eq!(slice.is_whole, whole.is_whole);
                // One that is not cut still stands where all of it belongs.
                assert_eq!(shown(slice), want(partition), "{partition}");
            }
            Some(another) => panic!("{another:?}"),
            None => assert_eq!(want(partition), [], "{partition}"),
        }
    }
}

/// A remote write message with what our own encoder does not write: metadata, exemplars, unsorted labels, labels
/// behind samples, histograms.
fn odd_request(series: &[(u8, u8, Vec<f64>)]) -> Vec<u8> {
    let mut request = Vec::new();
    for (service, oddity, values) in series {
        let service = format!("service-{}", service % 6);
        let name = if oddity % 16 == 9 { "info" } else { "up" };
        let mut labels = vec![("__name__", name), ("job", "j"), ("service", service.as_str())];
        match oddity % 16 {
            0 => labels.reverse(),
            1 => labels[1].1 = "",
            2 => labels.truncate(2),
            _ => {}
        }
        let (mut one, mut samples) = (Vec::new(), Vec::new());
        LabelBytes::encode(labels, &mut one);
        for (at, value) in values.iter().enumerate() {
            let sample = [&[0x09][..], &value.to_le_bytes(), &[0x10, at as u8]].concat();
            put(0x12, &sample, &mut samples);
        }
        match oddity % 16 {
            3 => one = [samples, one].concat(),
            4 => {
                // A padded length: a label that is no plain one.
                let padded =
                    [&[0x0a, 0x87, 0x00, 0x0a, 0x01, b'z', 0x12, 0x02, b'z', b'z'][..], &samples].concat();
                one.extend(padded);
            }
            5 => {
                put(0x22, b"", &mut one);
                one.extend(samples);
            }
            6 => {
                one.extend(samples);
                put(0x1a, b"", &mut one);
            }
            _ => one.extend(samples),
        }
        put(0x0a, &one, &mut request);
        if oddity % 16 == 7 {
            put(0x1a, b"\x08\x01\x12\x02up", &mut request);
        }
    }
    request
}

fn put(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn compressed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

proptest! {
    #[test]
    fn slices_of_a_remote_write_request_hold_what_the_request_holds(
        series in vec((any::<u8>(), any::<u8>(), vec(any::<f64>(), 0..3)), 1..20),
        is_decoded in any::<bool>(),
    ) {
        let message = odd_request(&series);
        let body = compressed(&message);
        let decoded = is_decoded.then(|| super::super::remote_write::decode(&body).unwrap().body);
        check_batch(&sent(TelemetryEncoding::RemoteWriteV1Snappy, body), decoded.clone());
        check_batch(&sent(TelemetryEncoding::RemoteWriteV1Protobuf, message), decoded);
    }

    #[test]
    fn slices_of_a_batch_hold_what_the_batch_holds(
        series in vec((0..6_u8, vec(any::<f64>(), 0..3)), 0..12),
        is_whole in any::<bool>(),
    ) {
        let mut batch = Batch { is_whole, ..Batch::default() };
        for (number, (service, values)) in series.iter().enumerate() {
            let kinds = [SeriesKind::Gauge, SeriesKind::Delta, SeriesKind::Cumulative];
            let samples = values.iter().map(|value| Sample { value: *value, at: AT, start: Some(AT) });
            let service = format!("service-{service}");
            batch.push([("__name__", "up"), ("service", service.as_str())], kinds[number % 3], samples);
        }
        check_batch(&other(EventBody::Telemetry(batch)), None);
    }

    #[test]
    fn each_request_event_is_in_the_slice_of_its_service(services in vec(0..6_u8, 0..20)) {
        let requests: Vec<RequestEvent> = services
            .iter()
            .enumerate()
            .map(|(number, service)| RequestEvent {
                key: key(&format!("service-{service}")),
                route: Some(number.to_string()),
                is_error: number % 2 == 0,
                at: AT,
                ..RequestEvent::default()
            })
            .collect();
        let lines: String = requests.iter().map(|it| format!(
            "{{\"service\":\"{}\",\"environment\":\"production\",\"route\":\"{}\",\"error\":{}}}\n",
            it.key.service, it.route.as_deref().unwrap(), it.is_error,
        )).collect();
        for envelope in [
            other(EventBody::Requests(requests.clone())),
            sent(TelemetryEncoding::RequestsNdjson, lines),
        ] {
            let slices = slice(envelope, None, PARTITIONS, &mut ByService).unwrap();
            let mut found = Vec::new();
            for (partition, slice) in &slices {
                let EventBody::Requests(slice) = read(slice) else { panic!("another body") };
                assert!(slice.iter().all(|it| Partition::of(&it.key, PARTITIONS) == *partition));
                let places = slice.iter().map(|it| it.route.as_deref().unwrap().parse::<usize>().unwrap());
                assert!(places.is_sorted());
                found.extend(slice);
            }
            found.sort_by_key(|it| it.route.as_deref().unwrap().parse::<usize>().unwrap());
            assert_eq!(found, requests);
        }
    }

    #[test]
    fn any_body_is_sliced_or_refused_as_the_decoder_refuses_it(
        bytes in vec(any::<u8>(), 0..100),
        pick in 0..6_usize,
    ) {
        use TelemetryEncoding::*;
        let encoding = [
            RemoteWriteV1Snappy,
            RemoteWriteV1Protobuf,
            OtlpMetricsProtobuf,
            OtlpMetricsJson,
            RequestsNdjson,
            BatchColumns,
        ][pick];
        let (sliced, decoded) = (
            slice(sent(encoding, bytes.clone()), None, PARTITIONS, &mut ByService),
            decode_telemetry(encoding, &bytes, AT),
        );
        assert_eq!(sliced.err(), decoded.err());
    }

    #[test]
    fn every_event_has_a_place_and_one_record_of_it_is_no_copy(mut envelope in any_envelope()) {
        // Telemetry is looked at above.
        if let EnvelopeBody::Telemetry { .. } = envelope.body {
            return Ok(());
        }
        (envelope.at, envelope.is_copy) = (AT, false);
        let slices = slice(envelope.clone(), None, PARTITIONS, &mut ByService).unwrap();
        assert!(slices.iter().any(|it| !it.1.is_copy));
        assert!(slices.iter().all(|it| it.0.0 < PARTITIONS && it.1.id == envelope.id));
        let unsliced = slice(envelope.clone(), None, 1, &mut ByService).unwrap();
        assert_eq!(format!("{unsliced:?}"), format!("{:?}", [(Partition::HOME, envelope)]));
    }
}

#[test]
fn what_belongs_to_one_partition_stays_as_it_was_sent() {
    let mut request = WriteRequest::default();
    for name in ["up", "down"] {
        request.push(&[("__name__", name), ("service", "cart")], Sample { at: AT, ..Sample::default() });
    }
    let envelope = sent(TelemetryEncoding::RemoteWriteV1Snappy, request.compressed());
    let slices = slice(envelope.clone(), None, PARTITIONS, &mut ByService).unwrap();
    assert_eq!(slices, [(partition_of("cart"), envelope)]);
}

#[test]
fn otlp_is_sliced_as_a_batch_that_is_still_whole() {
    use opentelemetry_proto::tonic::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        metrics::v1::{
            Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
        },
    };
    let resource = |service: &str| {
        let value = Some(AnyValue { value: Some(Value::StringValue(service.into())) });
        let point = NumberDataPoint {
            time_unix_nano: 1_795_428_000_000_000_000,
            value: Some(number_data_point::Value::AsDouble(1.5)),
            attributes: vec![KeyValue { key: "service".into(), value, ..KeyValue::default() }],
            ..NumberDataPoint::default()
        };
        let metric = Metric {
            name: "up".into(),
            data: Some(metric::Data::Gauge(Gauge { data_points: vec![point] })),
            ..Metric::default()
        };
        ResourceMetrics {
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }
    };
    let request = ExportMetricsServiceRequest { resource_metrics: vec![resource("cart"), resource("shop")] };
    let envelope = sent(TelemetryEncoding::OtlpMetricsProtobuf, request.encode_to_vec());
    check_batch(&envelope, None);
    let slices = slice(envelope, None, PARTITIONS, &mut ByService).unwrap();
    assert_eq!(slices.len(), 2);
}

/// Where the records of an event stand; `*` behind a partition is a copy.
fn shape(body: EventBody) -> String {
    let slices = slice(other(body), None, PARTITIONS, &mut ByService).unwrap();
    let shown = slices.iter().map(|it| format!("{}{}", it.0, if it.1.is_copy { "*" } else { "" }));
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_event_stands_where_its_service_does_or_at_home_or_everywhere() {
    let cart = partition_of("cart").to_string();
    let release = |service: &str| ReleaseRef { key: key(service), ..ReleaseRef::default() };
    let outcome = Outcome {
        command: CommandId::default(),
        release: release("cart"),
        status: OutcomeStatus::Accepted,
        is_stale: false,
        is_retryable: false,
        target: String::new(),
        attempts: 1,
        detail: String::new(),
        actor: None,
    };
    let delivery = |release| {
        EventBody::Delivery(Box::new(Delivery {
            send: SendId::default(),
            notices: Vec::new(),
            release,
            receiver: String::new(),
            integration: String::new(),
            index: 0,
            group_key: String::new(),
            result: DeliveryResult::Delivered,
            attempts: 1,
            detail: String::new(),
            thread: None,
            firing: Vec::new(),
            resolved: Vec::new(),
            recipients: Vec::new(),
        }))
    };
    let verb =
        |kind| EventBody::Verb(Box::new(Verb { kind, actor: Actor::default(), comment: String::new() }));
    let cancel = |id: &str| verb(VerbKind::Cancel { release: ReleaseId::from_text(id) });
    let reject = |id: &str| verb(VerbKind::Reject { command: CommandId::from_text(id) });
    let clear =
        VerbKind::ClearBad { service: "cart".into(), environment: "production".into(), version: "1".into() };
    let deployment = DeploymentEvent { key: key("cart"), ..DeploymentEvent::default() };
    for (body, want, why) in [
        (EventBody::Deployment(Box::new(deployment)), cart.as_str(), "a deployment"),
        (EventBody::Outcome(Box::new(outcome)), &cart, "an outcome"),
        (delivery(Some(release("cart"))), &cart, "a message about a release"),
        (delivery(None), "0", "a message about none"),
        (cancel("rel_known"), &cart, "a verb on a release"),
        (cancel("rel_new"), "0 1* 2* 3* 4*", "on one not known here: somebody knows it"),
        (reject("cmd_known"), &cart, "on a command"),
        (reject("cmd_new"), "0", "on one not known here: the arbiter knows it"),
        (verb(VerbKind::Unhalt { id: HaltId::default() }), "0", "a halt's end"),
        (verb(clear), &cart, "a version that is not bad any more"),
        (EventBody::PolicyLoad(Box::default()), "0 1* 2* 3* 4*", "a policy"),
        (EventBody::Tick, "0", "a tick"),
        (EventBody::Alerts(Vec::new()), "0", "no alerts"),
    ] {
        assert_eq!(shape(body), want, "{why}");
    }
}

#[test]
fn alerts_go_to_their_service_and_those_of_all_go_everywhere_once_as_the_original() {
    let alert = |labels: &[(&str, &str)]| Alert {
        labels: Labels::from_pairs(labels.iter().copied()),
        ..Alert::default()
    };
    let (cart, home) = (partition_of("cart"), Partition::HOME);
    assert_ne!(cart, home);
    let own = alert(&[("service", "cart"), ("environment", "production")]);
    let of_all = alert(&[("alertname", "Down")]);
    let half = alert(&[("service", "cart")]);
    let slices = slice(
        other(EventBody::Alerts(vec![own.clone(), of_all.clone(), half.clone()])),
        None,
        PARTITIONS,
        &mut ByService,
    )
    .unwrap();
    for (partition, slice) in &slices {
        let EventBody::Alerts(alerts) = read(slice) else { panic!("another body") };
        let want = match (*partition == home, slice.is_copy) {
            (true, false) | (false, true) => vec![of_all.clone(), half.clone()],
            (false, false) if *partition == cart => vec![own.clone()],
            _ => panic!("unexpected record in {partition}"),
        };
        assert_eq!(alerts, want, "{partition}");
    }
    assert_eq!(slices.len(), 6, "everywhere, and twice in the partition of the service");
}
