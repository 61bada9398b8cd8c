//! The series of a made-up shop: services with instances, routes, histograms and counters, as a real one's
//! exporters would name them.

use crate::remote_write::WriteRequest;

/// Prometheus' `max_samples_per_send`.
const SERIES_PER_REQUEST: usize = 2000;
/// Series of one instance's route: 12 buckets, count, sum, three codes.
const SERIES_PER_ROUTE: usize = 17;
const ROUTES: usize = 6;
const INSTANCES: usize = 5;
const SERIES_PER_INSTANCE: usize = ROUTES * SERIES_PER_ROUTE;
const SERIES_PER_SERVICE: usize = INSTANCES * SERIES_PER_INSTANCE;
/// Requests that a route serves between two scrapes.
const REQUESTS: f64 = 100.0;

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

/// One sample of each of the first `series` series, cut into requests.
pub(crate) fn requests(series: usize, at_ms: u64) -> Vec<WriteRequest> {
    let places: Vec<usize> = (0..series).collect();
    let request = |places: &[usize]| {
        let mut request = WriteRequest::default();
        places.iter().for_each(|place| push_series(&mut request, *place, at_ms));
        request
    };
    places.chunks(SERIES_PER_REQUEST).map(request).collect()
}

/// Counters grow by what a healthy service would count.
fn push_series(request: &mut WriteRequest, place: usize, at_ms: u64) {
    let (service, in_service) = (place / SERIES_PER_SERVICE, place % SERIES_PER_SERVICE);
    let (instance, in_instance) = (in_service / SERIES_PER_INSTANCE, in_service % SERIES_PER_INSTANCE);
    let (route, kind) = (in_instance / SERIES_PER_ROUTE, in_instance % SERIES_PER_ROUTE);
    let (name, extra, growth) = match kind {
        0..12 => (
            "http_request_duration_seconds_bucket",
            Some(("le", BOUNDS[kind])),
            REQUESTS * (kind + 1) as f64 / BOUNDS.len() as f64,
        ),
        12 => ("http_request_duration_seconds_count", None, REQUESTS),
        13 => ("http_request_duration_seconds_sum", None, REQUESTS * 0.1),
        14 => ("http_requests_total", Some(("code", "200")), REQUESTS),
        15 => ("http_requests_total", Some(("code", "404")), REQUESTS / 50.0),
        _ => ("http_requests_total", Some(("code", "500")), 0.0),
    };
    let (service, host) =
        (format!("service-{service}"), format!("10.{}.{}.{instance}:8080", service / 256, service % 256));
    let route = format!("/api/v1/route-{route}");
    let mut labels = vec![
        ("__name__", name),
        ("cluster", "eu-1"),
        ("environment", "production"),
        ("instance", host.as_str()),
        ("job", "shop"),
        ("method", "GET"),
        ("namespace", "shop-production"),
        ("route", route.as_str()),
        ("service", service.as_str()),
        ("team", "payments"),
        ("version", "2.4.1"),
    ];
    labels.extend(extra);
    labels.sort_unstable();
    request.push(&labels, 0.0, growth, at_ms);
}
