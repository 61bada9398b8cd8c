//! Whose a series is: labels, joins, static entries.

use expect_test::expect;
use policy::{IdentityField, StaticIdentity};

use super::{
    Rig,
    Versions::{All, AllBut, One, Unversioned},
    cart, selector,
};

/// Series without service and version of their own.
fn joined() -> Rig {
    let mut rig = Rig::new();
    rig.labels = vec![("environment", "production"), ("job", "cart"), ("instance", "a")];
    rig
}

const INFO: &str = "target_info{service_name=cart,service_version=";

#[test]
fn info_series_name_others_before_with_or_after_them() {
    let requests = |at: i64, value: i64| format!("requests{{code=500}} {value}@{at}\n");
    let info = |at: i64| format!("{INFO}1}} 1@{at}\n");
    for (batches, why) in [
        (vec![info(0), requests(0, 5), requests(10, 8) + &info(10)], "before"),
        (vec![info(0) + &requests(0, 5), info(10) + &requests(10, 8)], "in the same request"),
        (vec![requests(0, 5) + &info(0), requests(10, 8) + &info(10)], "behind them in the same request"),
        (vec![requests(0, 5), info(0), requests(10, 8) + &info(10)], "after"),
        (vec![requests(0, 5), requests(10, 8), info(10)], "with the second scrape only"),
    ] {
        let mut rig = joined();
        for (place, batch) in batches.iter().enumerate() {
            rig.send(place as i64, batch);
        }
        rig.tick(100);
        assert_eq!(rig.ratio(One("1"), 10), "3/3", "{why}");
        assert_eq!(rig.store.versions(&cart()).len(), 1, "{why}");
    }
}

#[test]
fn a_changed_info_value_moves_later_increases_only() {
    let mut rig = joined();
    rig.send_whole(0, &format!("{INFO}1}} 1@0\nrequests{{code=500}} 0@0"));
    rig.send_whole(10, &format!("requests{{code=500}} 5@10\n{INFO}1}} 1@10"));
    // The instance restarts with another version; its counters start over.
    rig.send(20, &format!("requests{{code=500}} 2@20\n{INFO}1}} stale@20"));
    assert_eq!(rig.ratio(All, 20), "7/7", "complete: the new info series is a birth");
    rig.send_whole(21, &format!("{INFO}2}} 1@20"));
    rig.send_whole(30, &format!("requests{{code=500}} 6@30\n{INFO}2}} 1@30"));
    assert_eq!((rig.ratio(One("1"), 30).as_str(), rig.ratio(One("2"), 30).as_str()), ("7/7", "4/4"));

    let mut rig = joined();
    rig.send_whole(0, &format!("{INFO}1}} 1@0\nrequests{{code=500}} 9@0"));
    rig.send(10, &format!("requests{{code=500}} 2@10\n{INFO}2}} 1@10\n{INFO}1}} stale@10"));
    assert_eq!((rig.ratio(One("1"), 10).as_str(), rig.ratio(One("2"), 10).as_str()), ("0/0", "2/2"));
}

#[test]
fn while_an_info_series_is_alive_another_changes_nothing() {
    let mut rig = joined();
    let scrape = |at: i64| format!("{INFO}2}} 1@{at}\nrequests{{code=500}} {at}@{at}\n{INFO}1}} 1@{at}");
    rig.send_whole(0, &scrape(0).lines().rev().collect::<Vec<_>>().join("\n"));
    for moment in [10, 20, 30] {
        rig.send_whole(moment, &scrape(moment));
    }
    assert_eq!(rig.ratio(One("1"), 30), "30/30");
    assert_eq!(rig.ratio(One("2"), 30), "none");
}

#[test]
fn another_senders_version_changes_nothing_while_the_first_ones_goes_on() {
    let mut rig = joined();
    let scrape = |at: i64, version: &str| {
        format!("{INFO}{version}}} 1@{at}\nrequests{{code=500}} {at}@{at}\nrequests{{code=200}} 0@{at}")
    };
    for moment in (0..60).step_by(15) {
        rig.store.begin("prometheus");
        rig.send_whole(moment, &scrape(moment, "1"));
        rig.store.begin("stranger");
        rig.send_whole(moment + 5, &format!("{INFO}forged}} 1@{}", moment + 5));
    }
    assert_eq!((rig.ratio(One("1"), 45).as_str(), rig.ratio(One("forged"), 45).as_str()), ("45/45", "none"));
    assert_eq!(rig.store.counters().info_conflicts, 4);
    // The sender's own next version, without a stale marker for the last one.
    rig.store.begin("prometheus");
    rig.send_whole(60, &scrape(60, "2"));
    rig.send_whole(75, &scrape(75, "2"));
    assert_eq!(rig.ratio(One("2"), 75), "30/30");
    // Another Prometheus takes over.
    rig.store.begin("successor");
    for moment in [400, 415] {
        rig.send_whole(moment, &scrape(moment, "3"));
    }
    assert_eq!(rig.ratio(One("3"), 415), "340/340");
}

#[test]
fn static_entries_go_before_labels_and_joins() {
    let mut rig = Rig::with(|policy| {
        policy.identity.fixed = vec![StaticIdentity {
            matching: selector(r#"{job="legacy"}"#),
            set: vec![
                (IdentityField::Service, "cart".into()),
                (IdentityField::Environment, "production".into()),
                (IdentityField::Version, "9".into()),
            ],
        }];
    });
    rig.labels = vec![("job", "legacy"), ("instance", "a"), ("app", "something")];
    rig.send_whole(0, "requests{code=500} 1@0");
    rig.send_whole(10, "requests{code=500} 4@10");
    assert_eq!(rig.ratio(One("9"), 10), "3/3");
}

#[test]
fn versions_are_asked_for_in_four_ways() {
    let mut rig = Rig::new();
    rig.labels.retain(|it| it.0 != "version");
    for (moment, factor) in [(0, 0), (10, 1)] {
        rig.send_whole(
            moment,
            &format!(
                "requests{{code=500,version=1,instance=a}} {}@{moment}
                 requests{{code=500,version=2,instance=b}} {}@{moment}
                 requests{{code=500,version=3,instance=c}} {}@{moment}
                 requests{{code=500,instance=d}} {}@{moment}",
                factor,
                10 * factor,
                100 * factor,
                1000 * factor
            ),
        );
    }
    let mut shown = String::new();
    for versions in [One("2"), One("7"), Unversioned, All, AllBut("3")] {
        shown += &format!("{versions:?}: {}\n", rig.ratio(versions, 10));
    }
    expect![[r#"
        One("2"): 10/10
        One("7"): none
        Unversioned: 1000/1000
        All: 1111/1111
        AllBut("3"): 11/11
    "#]]
    .assert_eq(&shown);
}

#[test]
fn what_cannot_be_placed_is_listed_and_never_judged() {
    let mut rig = Rig::new();
    rig.labels.clear();
    rig.send_whole(
        0,
        r#"requests{code="500",service="cart"} 1@0
           requests{code="200",service="cart"} 1@0
           node_load1{instance="n1"} 0.5@0
           target_info{job="x",instance="y",service_name="cart"} 1@0
           up{service="cart",environment="production"} 1@0"#,
    );
    let mut shown = String::new();
    let discovery = rig.store.discovery();
    for it in &discovery.unplaced {
        let (wanted, of) = (it.wanted_series, it.series);
        shown += &format!(
            "{:?} {:?} lacks {}: {wanted} of {of} wanted, {}\n",
            it.job, it.instances, it.missing, it.example
        );
    }
    for it in &discovery.services {
        shown += &format!("{}: {:?}, {} series\n", it.key, it.versions, it.series);
    }
    expect![[r#"
        "cart" {} lacks environment: 2 of 2 wanted, requests{code="500", service="cart"}
        "" {"n1"} lacks service, environment: 0 of 1 wanted, node_load1{instance="n1"}
        cart in production: [None], 1 series
    "#]]
    .assert_eq(&shown);
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 0).as_str()), ("cart@0", "none"));
}

#[test]
fn a_job_that_metrics_would_count_is_listed_before_those_with_many_series_and_nothing_is_cut_in_silence() {
    let mut rig = Rig::new();
    rig.labels.clear();
    let own = (0..300).map(|n| format!("prometheus_own_{n}{{job=prometheus,instance=localhost:9090}} 1@0\n"));
    let jobs = (0..250).map(|n| format!("up{{job=exporter-{n:03},instance=n{n}}} 1@0\n"));
    let legacy = ["a", "b"]
        .map(|it| format!("requests{{job=legacy,instance={it}}} 1@0\nup{{job=legacy,instance={it}}} 1@0\n"));
    rig.send_whole(0, &own.chain(jobs).chain(legacy).collect::<String>());
    let found = rig.store.discovery();
    let first: Vec<String> = found.unplaced[..3]
        .iter()
        .map(|it| {
            format!("{} at {:?}: {} of {}, {}", it.job, it.instances, it.wanted_series, it.series, it.example)
        })
        .collect();
    assert_eq!(
        first,
        [
            r#"legacy at {"a", "b"}: 2 of 4, requests{instance="a", job="legacy"}"#,
            r#"prometheus at {"localhost:9090"}: 0 of 300, prometheus_own_0{instance="localhost:9090", job="prometheus"}"#,
            r#"exporter-000 at {"n0"}: 0 of 1, up{instance="n0", job="exporter-000"}"#,
        ]
    );
    assert_eq!((found.unplaced.len(), found.unplaced_more, found.unplaced_series), (200, 52, 554));
    assert_eq!(rig.store.unplaced_series(), 554);
}

#[test]
fn any_series_of_a_pattern_can_name_the_version() {
    let mut rig = Rig::with(|policy| {
        policy.identity = policy::Policy::default_policy().identity;
        policy.identity.join.push(policy::Join {
            info: selector(r#"{__name__=~".+_build_info"}"#),
            on: vec!["job".into(), "instance".into()],
            take: vec![(IdentityField::Version, "version".into())],
        });
    });
    rig.labels = vec![("service", "cart"), ("environment", "production"), ("job", "cart"), ("instance", "a")];
    for at in [0, 10, 20] {
        rig.send(
            at,
            &format!("requests{{code=500}} {at}@{at}\nshop_build_info{{version=1}} 1@{at}\nup{{}} 1@{at}"),
        );
    }
    rig.tick(100);
    assert_eq!(rig.ratio(One("1"), 20), "20/20");
}
