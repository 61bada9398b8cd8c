//! Names and units under which OpenTelemetry's instrumentation sends the same thing.

use policy::Policy;

use super::{Rig, Versions::All, ask, cart};

fn rig() -> Rig {
    let mut rig = Rig::with(|policy| policy.metrics = Policy::default_policy().metrics);
    rig.labels.retain(|(name, _)| *name != "version");
    rig
}

/// Ten requests a scrape, one of them failed; nine take less than `bound`, one less than ten times that.
fn scrape(family: &str, status: &str, bounds: [&str; 2], step: i64) -> String {
    let moment = step * 15;
    let series = |code: i64, fast: i64, all: i64| {
        let (fast, all) = (fast * step, all * step);
        let [low, high] = bounds;
        [("bucket", low, fast), ("bucket", high, all), ("bucket", "+Inf", all), ("count", "", all)]
            .map(|(suffix, le, value)| {
                let le = if le.is_empty() { String::new() } else { format!(",le={le}") };
                format!("{family}_{suffix}{{{status}={code}{le}}} {value}@{moment}<0\n")
            })
            .concat()
    };
    series(200, 9, 9) + &series(503, 0, 1)
}

fn p95(rig: &Rig) -> Option<f64> {
    let p95 = rig.store.histogram(&ask(&cart(), "response_time", All, 60))?.quantile(0.95)?;
    Some((p95 * 1e9).round() / 1e9)
}

#[test]
fn every_name_and_unit_that_http_servers_send_counts_the_same() {
    let seconds = ["0.1", "1"];
    let milliseconds = ["100", "1000"];
    let (new, old, dotted) = ("http_response_status_code", "http_status_code", "http.response.status_code");
    for (family, status, bounds, why) in [
        ("http_server_request_duration_seconds", new, seconds, "the stable convention"),
        ("http_server_request_duration_milliseconds", new, milliseconds, "its name, in milliseconds"),
        ("http_server_duration_milliseconds", old, milliseconds, "the older convention"),
        ("http_server_duration_seconds", old, seconds, "its name, in seconds"),
        ("http.server.request.duration_seconds", dotted, seconds, "Prometheus 3, with suffixes"),
        ("http.server.request.duration", dotted, seconds, "Prometheus 3, without"),
    ] {
        let mut rig = rig();
        (1..=4).for_each(|step| rig.send_whole(step * 15, &scrape(family, status, bounds, step)));
        assert_eq!(rig.ratio(All, 60), "4/40", "{why}");
        assert_eq!(p95(&rig), Some(0.55), "{why}: in seconds");
    }
}

#[test]
fn a_request_that_is_sent_under_both_names_is_counted_once_by_the_new_one() {
    let mut rig = rig();
    for step in 1..=4 {
        let new =
            scrape("http_server_request_duration_seconds", "http_response_status_code", ["0.2", "2"], step);
        let old = scrape("http_server_duration_milliseconds", "http_status_code", ["100", "1000"], step);
        rig.send_whole(step * 15, &(old + &new));
    }
    assert_eq!((rig.ratio(All, 60).as_str(), p95(&rig)), ("4/40", Some(1.1)));
}

#[test]
fn a_service_of_which_no_metric_counts_anything_is_listed_with_what_it_sends() {
    let mut rig = rig();
    rig.send_whole(15, "rpc_server_duration_count{} 7@15\nqueue{} 3@15");
    rig.labels[0] = ("service", "other");
    rig.send_whole(15, &scrape("http_server_duration_milliseconds", "http_status_code", ["100", "1000"], 1));
    let found = rig.store.discovery();
    let shown: Vec<String> = found
        .services
        .iter()
        .map(|it| {
            format!("{}: {} of {} counted {:?}", it.key.service, it.counted_series, it.series, it.uncounted)
        })
        .collect();
    assert_eq!(
        shown,
        [r#"cart: 0 of 2 counted ["queue", "rpc_server_duration_count"]"#, "other: 8 of 8 counted []"]
    );
    assert_eq!(rig.store.uncounted_services(), 1);
}
