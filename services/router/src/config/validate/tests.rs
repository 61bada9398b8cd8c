use std::collections::BTreeMap;

use super::*;
use crate::{InhibitRule, Matcher, ReceiverPlan};

fn valid() -> Config {
    let receivers = ["sre", "mail"].map(|name| (name.to_owned(), ReceiverPlan::default()));
    Config {
        route: Route { receiver: Some("sre".into()), routes: vec![Route::default()], ..Route::default() },
        receivers: BTreeMap::from(receivers),
        ..Config::default()
    }
}

type Row = (&'static str, fn(&mut Config));

#[test]
fn each_fault_is_named_with_its_place() {
    let zero = Some(Duration::ZERO);
    let rows: Vec<Row> = vec![
        ("the root route has to name a receiver", |config| config.route.receiver = None),
        ("the root route matches everything and may not have matchers", |config| {
            config.route.matchers.push(Matcher::parse("a=b").unwrap());
        }),
        ("the root route matches everything and may not have continue", |config| {
            config.route.continue_matching = true;
        }),
        ("the root route matches everything and may not have mute_time_intervals", |config| {
            config.route.mute_time_intervals.push("night".into());
        }),
        ("`route.routes[0]` names the receiver `nobody`, which does not exist", |config| {
            config.route.routes[0].receiver = Some("nobody".into());
        }),
        ("receiver `sre` has the fallback `nobody`, which does not exist", |config| {
            config
                .receivers
                .insert("sre".into(), ReceiverPlan { fallback: Some("nobody".into()), ..Default::default() });
        }),
        ("receiver `sre` is its own fallback", |config| {
            config
                .receivers
                .insert("sre".into(), ReceiverPlan { fallback: Some("sre".into()), ..Default::default() });
        }),
        ("`route.routes[0]` names the time interval `night`, which does not exist", |config| {
            config.route.routes[0].active_time_intervals.push("night".into());
        }),
        ("`route` groups by `service` twice", |config| {
            config.route.group_by = Some(GroupBy::Labels(vec!["service".into(), "service".into()]));
        }),
        ("inhibit rule 0 names the label `service` twice in equal", |config| {
            config.inhibit_rules.push(InhibitRule { equal: vec!["service".into(); 2], ..Default::default() });
        }),
    ];
    assert_eq!(valid().validate(), Ok(()));
    for (expected, spoil) in rows {
        let mut config = valid();
        spoil(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    for (option, route) in [
        ("group_interval", Route { group_interval: zero, ..Route::default() }),
        ("repeat_interval", Route { repeat_interval: zero, ..Route::default() }),
    ] {
        let mut config = valid();
        config.route.routes = vec![route];
        let shown = format!("`route.routes[0]`: {option} has to be greater than 0");
        assert_eq!(config.validate().unwrap_err().to_string(), shown);
    }
    let mut config = valid();
    config.route.group_wait = zero;
    assert_eq!(config.validate(), Ok(()), "a group_wait of 0 is legal");
}

#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let mut config = valid();
    let mut deep = Route::default();
    for _ in 0..MAX_ROUTE_DEPTH {
        deep = Route { routes: vec![deep], ..Route::default() };
    }
    config.route.routes = vec![deep];
    assert!(matches!(config.validate(), Err(ConfigError::TooDeep { .. })));
}
