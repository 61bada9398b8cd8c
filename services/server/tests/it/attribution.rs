//! Who is to blame: shared outages, hotfixes, overlapping releases; the pure cores with injected time.

use model::CommandState;

use crate::pipeline::{SCRAPE_INTERVAL_S, World};

pub(crate) const ERRORS: &str =
    "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

/// In which second of the interval a service is scraped, by its number.
type Offset = fn(i64) -> i64;

/// A shop that has run for five minutes, so many of its services just released, the others not.
fn shop_of(releases: i64, bystanders: i64, offset_s: Offset) -> World {
    let mut world = World::new(ERRORS);
    for number in 0..releases + bystanders {
        world.serve(&format!("service-{number}"), "1", |arm| {
            (arm.rps, arm.offset_s) = (20.0, offset_s(number) % SCRAPE_INTERVAL_S);
        });
    }
    world.pass(300);
    for number in 0..releases {
        let service = format!("service-{number}");
        replace(&mut world, &service, "1", "2");
        world.deploy(&service, "2", Some("1"));
    }
    world
}

/// The new version takes the old one's traffic.
fn replace(world: &mut World, service: &str, old: &str, new: &str) {
    let key = (service.to_owned(), old.to_owned());
    let (rps, offset_s) = (world.arms[&key].rps, world.arms[&key].offset_s);
    world.serve(service, old, |arm| arm.is_gone = true);
    world.serve(service, new, |arm| (arm.rps, arm.offset_s, arm.is_gone) = (rps, offset_s, false));
}

#[test]
fn a_shared_outage_with_ten_fresh_releases_rolls_nothing_back_and_names_the_shared_cause() {
    let offsets: [(&str, Offset); 3] = [
        ("all scraped at once", |_| 0),
        ("spread evenly", |number| number * 7),
        ("in two bunches", |number| (number % 2) * 8 + number / 5),
    ];
    for (how, offset_s) in offsets {
        for bystanders in [0, 5] {
            for outage_after_s in [5, 60, 600] {
                let mut world = shop_of(10, bystanders, offset_s);
                world.pass(outage_after_s);
                world.every_arm(|arm| arm.errors = 0.5);
                world.pass(120);
                let story = format!("{how}, {bystanders} bystanders, outage after {outage_after_s} s");
                assert!(world.sent.is_empty(), "{story}: {:?}", world.sent);
                assert_eq!(world.commands.len(), 10, "{story}");
                for (release, command) in &world.commands {
                    let why = &command.state_reason;
                    assert_eq!(command.state, CommandState::Prepared, "{story}: {release}");
                    assert!(why.contains("storm") || why.contains("not_attributable"), "{story}: {why}");
                }
            }
        }
    }
}

#[test]
fn sixty_releases_that_break_at_once_are_all_prepared_and_told() {
    let mut world = shop_of(60, 0, |number| number * 7);
    world.pass(100);
    world.every_arm(|arm| arm.errors = 0.5);
    world.pass(60);
    assert!(world.sent.is_empty(), "{:?}", world.sent);
    assert_eq!(world.commands.len(), 60);
    for service in 0..60 {
        let name = format!("service-{service} 2 in production: error_rate");
        assert!(world.fired().any(|summary| summary.starts_with(&name)), "{name} is not told");
    }
    assert_eq!(world.fired().filter(|summary| summary.starts_with("rollback storm")).count(), 1);
}

#[test]
fn of_two_services_that_release_at_the_same_time_only_the_bad_one_is_rolled_back() {
    let mut world = shop_of(2, 2, |number| number * 7);
    world.serve("service-1", "2", |arm| arm.errors = 0.5);
    world.pass(600);
    assert_eq!(world.sent.keys().collect::<Vec<_>>(), ["service-1 2"]);
    assert_eq!(world.commands.len(), 1);
}

#[test]
fn of_releases_that_follow_each_other_before_a_verdict_the_bad_one_is_rolled_back_and_never_to_an_unknown_one()
 {
    for (gap_s, bad, sent, story) in [
        (8, &["2"][..], None, "a bad one that is gone already is nobody's matter any more"),
        (8, &["4"], Some("3"), "the newest is bad, and the one that it replaced is named and was seen"),
        (8, &["2", "3", "4"], Some("3"), "all are bad, and of the one before nothing was proven"),
        (90, &["4"], Some("3"), "the newest is bad, and the one before was seen to work"),
    ] {
        let mut world = shop_of(0, 1, |_| 0);
        for pair in ["1", "2", "3", "4"].windows(2) {
            replace(&mut world, "service-0", pair[0], pair[1]);
            let errors = if bad.contains(&pair[1]) { 0.5 } else { 0.0 };
            world.serve("service-0", pair[1], |arm| arm.errors = errors);
            world.deploy("service-0", pair[1], Some(pair[0]));
            world.pass(gap_s);
        }
        world.pass(45);
        let newest = world.commands.get("service-0 4");
        let ready = newest.filter(|command| command.state == CommandState::Ready);
        assert_eq!(ready.and_then(|command| command.to_version.as_deref()), sent, "{story}");
        assert_eq!(world.sent.len(), usize::from(sent.is_some()), "{story}: {:?}", world.sent);
    }
}

#[test]
fn a_hotfix_in_the_middle_of_an_incident_is_not_rolled_back_for_the_old_fault_but_for_a_new_one() {
    let both = "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback },
        response_time: { threshold: 1000ms, percentile: 95, window: 5m, action: immediate_rollback } }";
    for (slow, sent) in [(0.0, 0), (0.5, 1)] {
        let mut world = World::new(both);
        world.serve("cart", "1", |arm| (arm.rps, arm.errors) = (20.0, 0.2));
        world.pass(300);
        replace(&mut world, "cart", "1", "2");
        world.serve("cart", "2", |arm| arm.errors = 0.2);
        world.deploy("cart", "2", Some("1"));
        world.pass(60);
        assert!(world.why("cart 2").contains("not proven worse than"), "{}", world.why("cart 2"));
        world.serve("cart", "2", |arm| (arm.errors, arm.slow) = (0.0, slow));
        world.pass(300);
        assert_eq!(world.sent.len(), sent, "{slow}: {:?}", world.commands);
    }
}

#[test]
fn a_version_that_was_rolled_back_is_never_gone_back_to() {
    let mut world = shop_of(1, 2, |number| number * 7);
    world.pass(30);
    world.serve("service-0", "2", |arm| arm.errors = 0.5);
    world.pass(60);
    assert_eq!(world.sent.len(), 1);
    replace(&mut world, "service-0", "2", "1");
    world.deploy("service-0", "1", Some("2"));
    world.pass(900);
    world.serve("service-0", "1", |arm| arm.errors = 0.5);
    world.pass(60);
    assert_eq!(world.sent.len(), 1, "only the first");
    assert!(world.why("service-0 1").contains("2 is marked bad"), "{}", world.why("service-0 1"));
}

#[test]
fn a_scrape_whose_errors_come_seconds_before_its_requests_breaks_nothing() {
    for torn_by_s in [1, 5, 7, 14, 20] {
        let mut world = shop_of(1, 0, |_| 0);
        world.serve("service-0", "2", |arm| (arm.errors, arm.torn_by_s) = (0.005, torn_by_s));
        world.pass(400);
        assert!(world.commands.is_empty(), "{torn_by_s}: {:?}", world.commands);
        // The same torn scrapes do tell of a fault that is there.
        world.serve("service-0", "2", |arm| arm.errors = 0.5);
        world.pass(120);
        assert_eq!(world.commands.len(), 1, "{torn_by_s}");
    }
}

#[test]
fn telemetry_that_stops_is_told_after_two_minutes_and_rolls_nothing_back() {
    for (is_all, said) in [(true, "no telemetry from anywhere"), (false, "nothing of 2")] {
        let mut world = shop_of(1, 2, |number| number * 7);
        world.pass(60);
        let is_meant = |service: &str| is_all || service == "service-0";
        for ((service, _), arm) in &mut world.arms {
            arm.is_gone |= is_meant(service);
        }
        world.notices.clear();
        world.pass(110);
        assert_eq!(world.fired().count(), 0, "not before its time");
        world.pass(30);
        assert!(
            world.fired().any(|summary| summary.contains(said)),
            "{:?}",
            world.fired().collect::<Vec<_>>()
        );
        world.pass(300);
        assert!(world.commands.is_empty());
    }
}
