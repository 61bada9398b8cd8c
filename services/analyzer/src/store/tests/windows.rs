//! What windows answer: ratios, histograms, gauges, throughput, request events; policies that change.

use std::time::Duration;

use expect_test::expect;
use model::{ErrorBound, RequestEvent};
use policy::{MetricDefinition, MetricSource, Policy};

use super::{
    Ask, Rig,
    Versions::{self, All, One},
    WINDOW, ask, at, cart, policy, selector,
};

fn steady(rig: &mut Rig, scrapes: i64) {
    for step in 0..=scrapes {
        let moment = step * 15;
        rig.send_whole(
            moment,
            &format!("requests{{code=500}} {step}@{moment}\nrequests{{code=200}} {}@{moment}", 9 * step),
        );
    }
}

#[test]
fn a_window_slides_and_an_earlier_one_can_still_be_asked_for() {
    let mut rig = Rig::new();
    steady(&mut rig, 60);
    let mut shown = String::new();
    for moment in [900, 905, 600, 610, 1000, 1195, 1200] {
        shown += &format!("{moment}: {}\n", rig.ratio(All, moment));
    }
    expect![[r#"
        900: 20/200
        905: 20/200
        600: 20/200
        610: 20/200
        1000: 14/140
        1195: 1/10
        1200: none
    "#]]
    .assert_eq(&shown);
}

#[test]
fn since_leaves_out_slots_that_begin_before_it() {
    let mut rig = Rig::new();
    steady(&mut rig, 20);
    let key = cart();
    let count = |since: i64| {
        let asked = Ask { since: Some(at(since)), ..ask(&key, "error_rate", All, 300) };
        rig.store.ratio(&asked).map(|it| (it.part, it.total, (it.coverage * 100.0).round()))
    };
    assert_eq!(count(240), Some((5, 50, 20.0)), "240 to 300");
    assert_eq!(count(241), Some((4, 40, 20.0)), "the slot of 240 is left out");
    assert_eq!(count(301), None);
}

#[test]
fn a_young_window_says_how_much_of_it_is_covered() {
    let mut rig = Rig::new();
    steady(&mut rig, 4);
    let key = cart();
    let count = rig.store.ratio(&ask(&key, "error_rate", All, 60)).unwrap();
    assert_eq!((count.coverage, count.newest_at), (0.2, at(60)));
    let throughput = rig.store.throughput(&ask(&key, "throughput", All, 60)).unwrap();
    assert_eq!((throughput.count, throughput.per_second), (40, 40.0 / 60.0));
}

#[test]
fn a_gauge_is_the_mean_over_series_and_window() {
    let mut rig = Rig::new();
    rig.send_whole(30, "load{cpu=0} 1@0 3@15 NaN@30\nload{cpu=1} -2@0 6@15");
    let gauge = rig.store.gauge(&ask(&cart(), "load", One("1"), 30)).unwrap();
    assert_eq!((gauge.value, gauge.samples), (2.0, 4));
}

#[test]
fn buckets_of_one_histogram_make_a_quantile_and_layouts_are_not_mixed() {
    let mut rig = Rig::new();
    let scrape = |step: i64| {
        let moment = step * 15;
        [("0.1", 50), ("0.5", 90), ("1.0", 95), ("+Inf", 100)]
            .map(|(le, count)| format!("latency_bucket{{le={le}}} {}@{moment}", count * step))
            .join("\n")
    };
    (0..4).for_each(|step| rig.send_whole(step * 15, &scrape(step)));
    let histogram = |rig: &Rig, moment| rig.store.histogram(&ask(&cart(), "response_time", All, moment));
    let found = histogram(&rig, 45).unwrap();
    assert_eq!((found.total(), found.error_bound()), (300, ErrorBound::Bucket));
    assert_eq!((found.quantile(0.5), found.quantile(0.95)), (Some(0.1), Some(1.0)));
    assert_eq!(found.count_above(0.3), 30, "those in the bucket of the limit may be below it");

    // The next version of the library has other bounds.
    rig.labels.retain(|it| !["instance", "version"].contains(&it.0));
    rig.labels.extend([("instance", "b"), ("version", "2")]);
    let other = |step: i64| {
        let moment = step * 15;
        [("0.2", 0), ("0.6", 100), ("+Inf", 100)]
            .map(|(le, count)| format!("latency_bucket{{le={le}}} {}@{moment}", count * step))
            .join("\n")
    };
    (4..7).for_each(|step| rig.send_whole(step * 15, &other(step)));
    let both = histogram(&rig, 90).unwrap();
    assert_eq!(both.total(), 500);
    assert_eq!((both.count_above(0.4), both.count_above_at_most(0.4)), (30, 150 + 200));
}

#[test]
fn a_bucket_born_later_opens_another_layout_and_loses_nothing() {
    let mut rig = Rig::new();
    for step in 0..3 {
        let moment = step * 15;
        let mut lines = format!(
            "latency_bucket{{le=1}} {}@{moment}\nlatency_bucket{{le=+Inf}} {}@{moment}",
            step * 8,
            step * 10
        );
        if step == 2 {
            lines += &format!("\nlatency_bucket{{le=0.5}} 4@{moment}\nlatency_bucket{{le=bad}} 4@{moment}");
        }
        rig.send_whole(moment, &lines);
    }
    let found = rig.store.histogram(&ask(&cart(), "response_time", All, 30)).unwrap();
    assert_eq!((found.total(), found.count_above(1.0)), (20, 4));
}

fn request(moment: i64, version: &str, duration_ms: f64, is_error: bool) -> RequestEvent {
    RequestEvent {
        key: cart(),
        version: Some(version.into()),
        is_error,
        duration_ms: Some(duration_ms),
        at: at(moment),
        ..RequestEvent::default()
    }
}

#[test]
fn request_events_need_no_metric_definition() {
    let mut rig = Rig::new();
    rig.store.configure(&Policy::default_policy());
    let events: Vec<_> = (0..1000)
        .map(|step| request(step / 4, "1", if step % 10 == 0 { 900.0 } else { 100.0 }, step % 20 == 0))
        .collect();
    rig.store.handle_requests(at(250), &events);
    assert_eq!(rig.looks(), "cart@249", "each batch is a look");
    assert_eq!(rig.ratio(One("1"), 249), "50/1000");
    let latency = rig.store.histogram(&ask(&cart(), "response_time", One("1"), 249)).unwrap();
    let close = |value: Option<f64>, exact: f64| (value.unwrap() / exact - 1.0).abs() < 0.008;
    assert!(close(latency.quantile(0.5), 0.1) && close(latency.quantile(0.95), 0.9), "{latency:?}");
    assert_eq!((latency.total(), latency.count_above(0.5)), (1000, 100));
    let throughput = rig.store.throughput(&ask(&cart(), "throughput", All, 249)).unwrap();
    assert_eq!(throughput.count, 1000);
}

#[test]
fn request_events_may_be_shuffled_within_a_batch_and_late_between_batches() {
    let mut rig = Rig::new();
    rig.store.handle_requests(at(200), &[request(200, "1", 5.0, true), request(10, "1", 5.0, true)]);
    assert_eq!((rig.ratio(All, 200).as_str(), rig.store.counters().late), ("2/2", 0));
    rig.store.handle_requests(
        at(201),
        &[
            request(171, "1", 5.0, true),
            request(169, "1", 5.0, true),
            request(999, "1", f64::NAN, true),
            request(200, "1", -5.0, true),
        ],
    );
    let counters = rig.store.counters();
    assert_eq!((counters.late, counters.future, counters.not_a_number), (1, 1, 2));
    assert_eq!(rig.ratio(All, 201), "5/5", "a bad duration does not unmake the request");
    let latency = rig.store.histogram(&ask(&cart(), "response_time", All, 201)).unwrap();
    assert_eq!(latency.total(), 3);
}

#[test]
fn the_first_source_with_data_answers() {
    let mut rig = Rig::new();
    rig.store.handle_requests(at(10), &[request(10, "1", 5.0, true)]);
    assert_eq!(rig.ratio(All, 10), "1/1", "request events alone");
    steady(&mut rig, 4);
    assert_eq!(rig.ratio(All, 60), "4/40", "series go first");
    rig.store.handle_requests(at(500), &[request(500, "1", 5.0, true)]);
    assert_eq!(rig.ratio(All, 500), "1/1", "until they have nothing in the window");
}

#[test]
fn a_policy_load_keeps_what_it_does_not_change() {
    let mut rig = Rig::new();
    steady(&mut rig, 4);
    let mut changed = policy();
    let name = "spare".to_owned();
    let sources = vec![MetricSource::Throughput(selector(r#"requests{code="200"}"#))];
    changed.metrics.insert(name.clone(), MetricDefinition { name, sources });
    changed.metrics.remove("load");
    changed.identity.version = vec!["release".into(), "version".into()];
    rig.store.configure(&changed);
    assert_eq!(rig.ratio(One("1"), 60), "4/40", "the windows");
    rig.send_whole(75, "requests{code=500} 5@75\nrequests{code=200} 45@75");
    assert_eq!(rig.ratio(One("1"), 75), "5/50", "the last values, and the windows go on");
    let spare = rig.store.throughput(&ask(&cart(), "spare", Versions::All, 75)).unwrap();
    assert_eq!(spare.count, 9, "a new metric begins with the next increase");
    assert_eq!(rig.store.gauge(&ask(&cart(), "load", All, 75)), None);
}

#[test]
fn a_policy_load_may_name_everything_anew() {
    let mut rig = Rig::new();
    steady(&mut rig, 4);
    let mut changed = policy();
    changed.identity.version = vec!["instance".into()];
    rig.store.configure(&changed);
    rig.send_whole(75, "requests{code=500} 5@75\nrequests{code=200} 45@75");
    assert_eq!((rig.ratio(One("1"), 75).as_str(), rig.ratio(One("a"), 75).as_str()), ("4/40", "1/10"));
}

#[test]
fn windows_of_other_lengths_are_answered_from_the_next_longer() {
    let mut rig = Rig::new();
    steady(&mut rig, 40);
    let key = cart();
    let count = |seconds: u64| {
        let asked = Ask { window: Duration::from_secs(seconds), ..ask(&key, "error_rate", All, 600) };
        rig.store.ratio(&asked).map(|it| it.total)
    };
    assert_eq!((count(60), count(300), Some(WINDOW.as_secs())), (Some(40), Some(200), Some(300)));
    assert_eq!(count(600), Some(400), "two windows are kept");
}
