use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::*;
use crate::{Location, TimeRange, TimeSpec};

fn route(matchers: &str, receiver: &str, routes: Vec<Route>) -> Route {
    Route {
        receiver: (!receiver.is_empty()).then(|| receiver.to_owned()),
        matchers: crate::parse_matchers(matchers).unwrap(),
        routes,
        ..Route::default()
    }
}

fn check(route: &Route, labels: &[(&str, &str)], expected: Expect) {
    let config = Config { route: route.clone(), ..Config::default() };
    let matches = route_for(&config, &Labels::from_pairs(labels.iter().copied()));
    let lines: Vec<String> =
        matches.iter().map(|found| format!("{} {}", found.receiver, found.group_key)).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn the_deepest_match_takes_the_notice_and_siblings_follow_only_after_continue() {
    let mut audit = route("audit=yes", "audit", vec![]);
    audit.continue_matching = true;
    let shop = route("service=checkout", "shop", vec![route(r#"severity="critical""#, "pager", vec![])]);
    let tree = route("", "root", vec![audit, shop, route(r#"service=~"check.*""#, "late", vec![])]);
    check(&tree, &[("service", "cart")], expect!["root {}:{}"]);
    check(&tree, &[("service", "checkout")], expect![[r#"shop {}/{service="checkout"}:{}"#]]);
    check(
        &tree,
        &[("service", "checkout"), ("severity", "critical")],
        expect![[r#"pager {}/{service="checkout"}/{severity="critical"}:{}"#]],
    );
    check(
        &tree,
        &[("service", "checkin"), ("audit", "yes")],
        expect![[r#"
        audit {}/{audit="yes"}:{}
        late {}/{service=~"check.*"}:{}"#]],
    );
}

#[test]
fn options_are_inherited_and_group_by_is_replaced_as_a_whole() {
    let labels = |names: &[&str]| Some(GroupBy::Labels(names.iter().map(ToString::to_string).collect()));
    let mut tree = route(
        "",
        "root",
        vec![
            route("a=1", "", vec![]),
            Route { group_by: labels(&[]), group_wait: Some(Duration::ZERO), ..route("a=2", "", vec![]) },
            Route { group_by: Some(GroupBy::All), ..route("a=3", "", vec![]) },
        ],
    );
    tree.group_by = labels(&["a", "missing"]);
    check(&tree, &[("a", "0")], expect![[r#"root {}:{a="0"}"#]]);
    check(&tree, &[("a", "1"), ("b", "x")], expect![[r#"root {}/{a="1"}:{a="1"}"#]]);
    check(&tree, &[("a", "2"), ("b", "x")], expect![[r#"root {}/{a="2"}:{}"#]]);
    check(&tree, &[("a", "3"), ("b", "x")], expect![[r#"root {}/{a="3"}:{a="3", b="x"}"#]]);
    let config = Config { route: tree, ..Config::default() };
    let wait = |a: &str| route_for(&config, &Labels::from_pairs([("a", a)]))[0].group_wait;
    assert_eq!((wait("1"), wait("2")), (DEFAULT_GROUP_WAIT, Duration::ZERO));
}

#[test]
fn twin_siblings_have_keys_of_their_own() {
    let mut first = route("b=2, a=1", "x", vec![]);
    first.continue_matching = true;
    let tree = route("", "root", vec![first, route("a=1, b=2", "x", vec![])]);
    check(
        &tree,
        &[("a", "1"), ("b", "2")],
        expect![[r#"
        x {}/{a="1",b="2"}:{}
        x {}/{a="1",b="2"}#2:{}"#]],
    );
}

#[test]
fn a_route_is_muted_by_any_mute_interval_and_by_the_lack_of_an_active_one() {
    let hours = |start: &str, end: &str| TimeInterval {
        specs: vec![TimeSpec {
            times: vec![TimeRange::parse(start, end).unwrap()],
            location: Location::default(),
            ..TimeSpec::default()
        }],
    };
    let intervals = [
        ("night", hours("00:00", "06:00")),
        ("noon", hours("12:00", "13:00")),
        ("day", hours("05:00", "20:00")),
    ];
    let mut child = route("", "", vec![]);
    child.mute_time_intervals = vec!["night".into(), "noon".into()];
    child.active_time_intervals = vec!["day".into()];
    let config = Config {
        route: route("", "root", vec![child]),
        time_intervals: BTreeMap::from(intervals.map(|(name, interval)| (name.to_owned(), interval))),
        ..Config::default()
    };
    let tree = Tree::new(&config);
    let hour = |hour: i64| Timestamp::from_millis(hour * 3_600_000);
    for (at, expected, why) in [
        (5, true, "active, but night still"),
        (6, false, "night is over"),
        (12, true, "noon"),
        (20, true, "no active interval holds"),
    ] {
        assert_eq!(tree.nodes[1].is_muted(hour(at)), expected, "{at}:00, {why}");
    }
    assert_eq!(tree.nodes[1].next_mute_change(hour(6), hour(24)), Some(hour(12)));
    assert_eq!(tree.nodes[1].next_mute_change(hour(20), hour(48)), Some(hour(30)));
    assert!(!tree.nodes[0].is_muted(hour(5)), "nothing is inherited, upwards or downwards");
}
