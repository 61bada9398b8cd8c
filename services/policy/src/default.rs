//! What holds where the file says nothing (DESIGN, section 4).

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Attribution, Defaults, HistogramSource, Identity, IdentityField, Join, MetricDefinition, MetricSource,
    Neighbours, Policy, RatioKind, ReleaseOwners, Rules, Safety, Selector, Storm,
};

/// The metric that every service has: errors over requests.
pub const ERROR_RATE: &str = "error_rate";
/// The metric that every service has: how long requests take.
pub const RESPONSE_TIME: &str = "response_time";
/// The metric that every service has: requests per second.
pub const THROUGHPUT: &str = "throughput";

/// The families that OpenTelemetry's instrumentation of HTTP servers sends, and the label that each has the status
/// in; the first that a version sends counts it, so that what is sent under two names is counted once.
///
/// `http.server.request.duration` is the stable convention's name. Before it (semantic conventions 1.20 and earlier)
/// it was `http.server.duration`, in milliseconds, which the instrumentation of Python and JavaScript still sends by
/// default. Names with dots are Prometheus 3's, where it does not translate them.
const OTEL_FAMILIES: [(&str, &str); 6] = [
    ("http_server_request_duration_seconds", "http_response_status_code"),
    ("http_server_request_duration_milliseconds", "http_response_status_code"),
    ("http.server.request.duration_seconds", "http.response.status_code"),
    ("http.server.request.duration", "http.response.status_code"),
    ("http_server_duration_milliseconds", "http_status_code"),
    ("http_server_duration_seconds", "http_status_code"),
];

/// What many programs of the Prometheus world call their requests and how long they take.
const PROMETHEUS_COUNTER: &str = "http_requests_total";
const PROMETHEUS_FAMILY: &str = "http_request_duration_seconds";
/// What they call the label of a request's HTTP status: Go's `promhttp`, and most exporters of other languages.
const STATUS_LABELS: [&str; 3] = ["code", "status", "status_code"];

const MINUTE: Duration = Duration::from_secs(60);

impl Policy {
    /// The policy of an empty file: it measures what OpenTelemetry and request events send, and triggers
    /// nothing.
    pub fn default_policy() -> Self {
        Self {
            identity: Identity::default(),
            metrics: built_in_metrics(),
            defaults: Defaults::default(),
            base: Rules::default(),
            policies: Vec::new(),
            storm: Storm::default(),
            freezes: Vec::new(),
            time_intervals: BTreeMap::new(),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            service: labels(&["service", "service_name", "service.name", "app"]),
            environment: labels(&[
                "environment",
                "deployment_environment_name",
                "deployment.environment.name",
                "env",
            ]),
            version: labels(&["version", "service_version", "service.version"]),
            cluster: labels(&["cluster", "k8s_cluster_name", "k8s.cluster.name"]),
            region: labels(&["region", "cloud_region", "cloud.region"]),
            // The operator's default, and that of Mimir's and Cortex' HA trackers.
            replica: labels(&["replica", "prometheus_replica", "__replica__"]),
            route: labels(&["route", "http_route", "http.route", "handler"]),
            join: [Some(target_info()), build_info()].into_iter().flatten().collect(),
            fixed: Vec::new(),
        }
    }
}

/// OpenTelemetry's resource attributes as Prometheus exposes them.
fn target_info() -> Join {
    Join {
        info: Selector::named("target_info"),
        on: vec!["job".to_owned(), "instance".to_owned()],
        take: vec![
            (IdentityField::Service, "service_name".to_owned()),
            (IdentityField::Version, "service_version".to_owned()),
        ],
    }
}

/// What most programs of the Prometheus world say of themselves: `shop_build_info{version="2.4.1"}`. Not Go's own
/// `go_build_info`, which names the version of a module (often `(devel)`) and not of the service.
fn build_info() -> Option<Join> {
    Some(Join {
        info: Selector::parse_info(r#"{__name__=~".+_build_info",__name__!="go_build_info"}"#).ok()?,
        on: vec!["job".to_owned(), "instance".to_owned()],
        take: vec![(IdentityField::Version, "version".to_owned())],
    })
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            watch: 60 * MINUTE,
            watch_max: 24 * 60 * MINUTE,
            warmup: 2 * MINUTE,
            settle: Duration::from_secs(6),
            late: Duration::from_secs(30),
            max_decision_age: MINUTE,
            min_requests: 10,
            approval_expiry: 30 * MINUTE,
            release_owners: ReleaseOwners::default(),
            attribution: Attribution::default(),
        }
    }
}

impl Default for Attribution {
    /// A quarter more than the baseline's odds: a smaller difference is seldom worth a rollback. Half of the rise and
    /// a tenth of the failing requests leave room for another mix of traffic, and none for a service that is tiny
    /// beside the release. Two rises that one cause began are seen at most one slow scrape (60 s) apart, and each is
    /// placed to a slot or a scrape.
    fn default() -> Self {
        Self {
            margin: 1.25,
            neighbours: Neighbours::All,
            min_rise: 0.5,
            min_traffic: 0.1,
            within: Duration::from_secs(90),
        }
    }
}

impl Default for Safety {
    fn default() -> Self {
        Self { cooldown: 10 * MINUTE, approvals: 1 }
    }
}

impl Default for Storm {
    fn default() -> Self {
        Self { max_rollbacks: 5, per: 10 * MINUTE, settle: Duration::from_secs(5) }
    }
}

/// Whether series of this name are those of OpenTelemetry's instrumentation of HTTP servers.
pub(crate) fn is_otel(name: &str) -> bool {
    let family = name.strip_suffix("_count").unwrap_or(name);
    OTEL_FAMILIES.iter().any(|(known, _)| *known == family)
}

/// What the built-in definitions of a metric count, in words.
pub(crate) fn built_in_words(name: &str) -> Option<&'static str> {
    match name {
        ERROR_RATE => Some(
            "OpenTelemetry's http.server.request.duration, http_requests_total with a numeric status in `code`, \
             `status` or `status_code`, and request events",
        ),
        RESPONSE_TIME => Some(
            "OpenTelemetry's http.server.request.duration, http_request_duration_seconds, and request events",
        ),
        THROUGHPUT => Some("OpenTelemetry's http.server.request.duration, and request events"),
        _ => None,
    }
}

/// The metrics of a file that defines none.
pub(crate) fn built_in_metrics() -> BTreeMap<String, MetricDefinition> {
    [ERROR_RATE, RESPONSE_TIME, THROUGHPUT]
        .into_iter()
        .map(|name| {
            let sources = built_in_sources(name);
            (name.to_owned(), MetricDefinition { name: name.to_owned(), sources })
        })
        .collect()
}

/// OpenTelemetry's series first, then the common names of the Prometheus world, raw request events last; empty for a
/// name that is not built in.
pub(crate) fn built_in_sources(name: &str) -> Vec<MetricSource> {
    let histogram = |family| MetricSource::Histogram(HistogramSource { family: Selector::named(family) });
    let count = |family| Selector::named(&format!("{family}_count"));
    let mut sources: Vec<MetricSource> = match name {
        ERROR_RATE => OTEL_FAMILIES
            .map(failures_of_family)
            .into_iter()
            .chain(STATUS_LABELS.map(failures_of_counter))
            .collect(),
        RESPONSE_TIME => OTEL_FAMILIES
            .map(|(family, _)| histogram(family))
            .into_iter()
            .chain([histogram(PROMETHEUS_FAMILY)])
            .collect(),
        // Not of the counter as well: few triggers use it, and every sample of every counter would pay for it.
        THROUGHPUT => OTEL_FAMILIES.map(|(family, _)| MetricSource::Throughput(count(family))).to_vec(),
        _ => Vec::new(),
    };
    sources.extend(request_source(name));
    sources
}

fn failures_of_family((family, status): (&str, &str)) -> MetricSource {
    let total = Selector::named(&format!("{family}_count"));
    MetricSource::Ratio { kind: RatioKind::Bad, part: total.clone().with_pattern(status, "5.."), total }
}

/// Both sides ask for the label and for a number in it: where a service names its status otherwise, or in words, there
/// is no source, and not one that never sees a failure.
fn failures_of_counter(label: &str) -> MetricSource {
    let counter = || Selector::named(PROMETHEUS_COUNTER);
    MetricSource::Ratio {
        kind: RatioKind::Bad,
        part: counter().with_pattern(label, "5.."),
        total: counter().with_pattern(label, "[1-5].."),
    }
}

/// The source by which raw request events give a built-in metric; it stays behind a configured one.
pub(crate) fn request_source(name: &str) -> Option<MetricSource> {
    match name {
        ERROR_RATE => Some(MetricSource::RequestErrors),
        RESPONSE_TIME => Some(MetricSource::RequestDurations),
        THROUGHPUT => Some(MetricSource::RequestThroughput),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    #[test]
    fn build_info_series_name_versions_but_gos_own_does_not() {
        let join = build_info().unwrap();
        for (name, is_taken) in [("shop_build_info", true), ("go_build_info", false), ("shop_info", false)] {
            assert_eq!(join.info.matches(&Labels::from_pairs([("__name__", name)])), is_taken, "{name}");
        }
    }
}
